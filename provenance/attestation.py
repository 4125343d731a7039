"""Where a logged statement lies, and who vouches for that log: checks 6 to 8 of ``provenance.verify``.

They are asked of any entry that travels with its proof: that of a file, and those beside it. An entry may come with
several proofs, for what is signed into a file was proven before witnesses could see it: every proof has to hold, and
any one of them may show that a quorum looked on. What they need to know of keys comes along too: the registration of
the service key that signed the entry, and the handovers of the log since.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ledger.errors import LedgerError, PolicyError
from ledger.policy import NONE
from provenance.check import Check, checked
from provenance.envelope_signature import envelope_signature
from provenance.errors import EvidenceError
from provenance.identity import digest_bytes
from provenance.keys_at_hand import log_vkey

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledger.policy import Policy
    from provenance.bundle import Exhibit
    from provenance.identity import Digest
    from provenance.keys_at_hand import KeysAtHand
    from provenance.trust import Trust


def log_inclusion(keys: KeysAtHand, *entries: Exhibit, beside: Sequence[Exhibit] = ()) -> Check:
    """Check 6: the inclusion proofs of entries, and of the keys that signed them, lead to the roots they came with.

    Args:
        keys: The statements about keys that came along.
        entries: What is asked about.
        beside: What else came along; all of it has to hold, and other proofs of the same entries agree with theirs.
    """
    return checked("log-inclusion", lambda: _inclusion_detail(keys, entries, beside))


def checkpoint_signature(keys: KeysAtHand, trust: Trust, *entries: Exhibit, beside: Sequence[Exhibit] = ()) -> Check:
    """Check 7: all checkpoints are signed by the log that the key statement names, with the key whose turn it was."""
    return checked("checkpoint-signature", lambda: _checkpoint_detail(keys, trust, entries, beside))


def log_trust(trust: Trust, keys: KeysAtHand, *entries: Exhibit, beside: Sequence[Exhibit] = ()) -> Check:
    """Check 8: the reader's policy, or the reader's own log, accepts all checkpoints.

    The quorum of a policy has to be reached by one proof of each entry, its own or one ``beside``; that the log is
    one of the policy's, by the entry's own proof too; and no signature by a key of the policy may be false anywhere.
    """
    if trust.policy is None:
        stated = _stated_log(keys, entries[0])
        if trust.own_log is None:
            return Check("log-trust", "not-checked", f"no policy was given; the log says it is {stated}")
        if stated not in {tenure.verifier.vkey for tenure in trust.own_log.tenures}:
            detail = f"no policy was given, and it is not this home's own log; the log says it is {stated}"
            return Check("log-trust", "not-checked", detail)
    return checked("log-trust", lambda: _trust_detail(trust, keys, entries, beside))


def proven(entry: Exhibit, keys: KeysAtHand, trust: Trust) -> list[Check]:
    """Run checks 5 to 8 on an entry that travels beside a file, and return those that failed."""
    checks = (
        envelope_signature(entry, keys, trust),
        log_inclusion(keys, entry),
        checkpoint_signature(keys, trust, entry),
        log_trust(trust, keys, entry),
    )
    return [check for check in checks if check.result == "fail"]


def _with_keys(keys: KeysAtHand, entries: Sequence[Exhibit]) -> list[Exhibit]:
    """The registrations of the keys that signed some entries, each once, and the entries."""
    others = (each for entry in entries for each in keys.others(entry).values() if each is not None)
    return list(dict.fromkeys((*(keys.of(entry) for entry in entries), *others, *entries)))


def _all_proofs(keys: KeysAtHand, entries: Sequence[Exhibit], beside: Sequence[Exhibit]) -> list[Exhibit]:
    """Some entries and the keys that signed them, further proofs of those keys, and what came beside."""
    needed = _with_keys(keys, entries)
    envelopes = {each.envelope for each in needed}
    further = (each for each in keys.exhibits if each.envelope in envelopes)
    return list(dict.fromkeys((*needed, *further, *beside)))


def _inclusion_detail(keys: KeysAtHand, entries: Sequence[Exhibit], beside: Sequence[Exhibit]) -> str:
    own = _with_keys(keys, entries)
    places: dict[Digest, int] = {}
    for exhibit in _all_proofs(keys, entries, beside):
        try:
            _require_included(exhibit, places)
        except (LedgerError, EvidenceError) as error:
            if exhibit in own:
                raise
            raise EvidenceError(
                f"the entry {exhibit.leaf_hash} in the evidence beside the file does not hold: {error}"
            ) from error
    entry = entries[0]
    return f"entry {entry.proof().index} of {entry.checkpoint().size}, leaf {entry.leaf_hash}"


def _require_included(exhibit: Exhibit, places: dict[Digest, int]) -> None:
    """An entry lies where its proof says, and where its other proofs say (a log holds no entry twice)."""
    proof, checkpoint, leaf = exhibit.proof(), exhibit.checkpoint(), exhibit.leaf_hash
    proof.inclusion(checkpoint).verify(digest_bytes(leaf), checkpoint.root_hash)
    if places.setdefault(leaf, proof.index) != proof.index:
        raise EvidenceError(f"one proof of {leaf} is about index {places[leaf]}, and another about {proof.index}")


def _notes(exhibits: Iterable[Exhibit]) -> list[bytes]:
    """The signed checkpoints that proofs lead to, each once."""
    return list(dict.fromkeys(each.proof().checkpoint_note for each in exhibits))


def _checkpoint_detail(keys: KeysAtHand, trust: Trust, entries: Sequence[Exhibit], beside: Sequence[Exhibit]) -> str:
    succession = keys.log_of(trust, *entries)
    signers = dict.fromkeys(
        verifier.vkey
        for note in _notes(_with_keys(keys, entries))
        for verifier in succession.signers(succession.open(note).size)
    )
    whole = keys.whole_log(trust, succession)
    for note in _notes(_all_proofs(keys, entries, beside)):
        whole.open(note)
    return f"signed by {' and '.join(signers)}"


def _trust_detail(trust: Trust, keys: KeysAtHand, entries: Sequence[Exhibit], beside: Sequence[Exhibit]) -> str:
    proofs = _all_proofs(keys, entries, beside)
    if trust.policy is None:
        if trust.own_log is not None:
            for note in _notes(proofs):
                trust.own_log.open(note)
        return "it is this home's own log"
    for note in _notes(proofs):
        trust.policy.require_none_false(note)
    own = _with_keys(keys, entries)
    for note in _notes(own):
        replace(trust.policy, quorum=NONE).check(note)
    for exhibit in own:
        _require_quorum(trust.policy, _notes((exhibit, *(e for e in proofs if e.envelope == exhibit.envelope))))
    return "the given policy accepts the log"


def _require_quorum(policy: Policy, notes: Sequence[bytes]) -> None:
    refusals = []
    for note in notes:
        try:
            policy.check(note)
        except PolicyError as refusal:
            refusals.append(refusal)
        else:
            return
    raise EvidenceError(
        f"{refusals[0]} A proof in a file is older than what witnesses say of it: get newer evidence from the log, "
        "for a file as FILE.evidence beside it (`linernotes log evidence FILE`), for a package by exporting again."
    ) from refusals[0]


def _stated_log(keys: KeysAtHand, entry: Exhibit) -> str:
    try:
        return log_vkey(keys.of(entry))
    except EvidenceError:
        return "unreadable"
