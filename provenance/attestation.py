"""Whether a logged statement holds: who signed it, where it lies, and who vouches for that log.

These are checks 5 to 8 and 10 of ``provenance.verify``, for any entry that travels with its proof: that of a file,
and those beside it. An entry may come with several proofs, for what is signed into a file was proven before witnesses
could see it: every proof has to hold, and any one of them may show that a quorum looked on. What they need to know of
keys comes along too: the registration of the service key that signed the entry, and the handovers of the log since.
Whether a key was revoked meanwhile, only evidence of keys can say, which the reader brings
(``provenance.key_evidence``).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledger.checkpoint import Checkpoint
from ledger.envelope import Envelope, verify
from ledger.errors import LedgerError, PolicyError, shown
from ledger.keys import Ed25519Verifier
from ledger.note import Note, open_note
from ledger.policy import NONE
from ledger.proof import TlogProof
from ledger.timestamp import TimeStamp, stamped_bytes
from ledger.timestamp import verify as verify_stamp
from provenance.check import Check, checked
from provenance.errors import EvidenceError
from provenance.handover import followed
from provenance.identity import digest_bytes
from provenance.key_predicate import KeyPredicate
from provenance.recording_predicate import EditPredicate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledger.policy import Policy
    from ledger.rotation import Succession
    from ledger.timestamp import TsaRoots
    from provenance.bundle import EvidenceBundle, Exhibit, StampedEntry
    from provenance.identity import Digest
    from provenance.key_evidence import KeyEvidence


@dataclass(frozen=True, slots=True)
class Trust:
    """What the reader brings along.

    Attributes:
        policy: C2SP tlog-policy: which logs and witnesses are accepted.
        own_log: The keys of the log of the reader's own home, accepted where there is no policy.
        anchors: PEM certificates from which a C2PA signer must descend.
        own_anchors: Those of the reader's own home, accepted where no anchors were given.
        tsa_roots: The time-stamping authorities that are accepted.
        keys: What the log says about its keys, up to a size.
    """

    policy: Policy | None = None
    own_log: Succession | None = None
    anchors: bytes | None = None
    own_anchors: bytes | None = None
    tsa_roots: TsaRoots | None = None
    keys: KeyEvidence | None = None


@dataclass(frozen=True, slots=True)
class KeysAtHand:
    """The statements about keys that came along: registrations, and handovers of the log.

    Attributes:
        exhibits: In any order; other statements are passed over.
    """

    exhibits: tuple[Exhibit, ...]

    def of(self, entry: Exhibit) -> Exhibit:
        """Return the registration of the service key that signed an entry.

        Raises:
            EvidenceError: None came along.
        """
        names = [signature.keyid for signature in _envelope(entry).signatures]
        found = [(each, key) for name in names if (each := self.registration(name)) and (key := _key(each))]
        for exhibit, key in found:
            if key.role == "service":
                return exhibit
        if found:
            roles = " and ".join(sorted({key.role for _, key in found}))
            raise EvidenceError(f"the statement is signed with a key registered as {roles}, not as service")
        raise EvidenceError(f"the statement is signed by {shown(names)}, whose registration did not come along")

    def others(self, entry: Exhibit) -> dict[str, Exhibit | None]:
        """Return the names of the further keys that signed an entry, with their registrations where they came along."""
        first = _key(self.of(entry))
        names = [signature.keyid for signature in _envelope(entry).signatures]
        return {name: self.registration(name) for name in names if first is None or name != first.keyid}

    def registration(self, keyid: str) -> Exhibit | None:
        """Return the statement that registers a key, if it came along."""
        return next((each for each in self.exhibits if (key := _key(each)) and key.keyid == keyid), None)

    def log_of(self, trust: Trust, *entries: Exhibit) -> Succession:
        """Return the keys of the log in which the keys that signed some entries were registered, as far as known.

        Raises:
            EvidenceError: It is more than one log, or a registration did not come along.
            LedgerError: What a registration names is no key of a log.
        """
        registered = sorted((self.of(entry) for entry in entries), key=lambda each: proof_of(each).index)
        vkeys = [log_vkey(each) for each in registered]
        succession = trust.keys.succession if trust.keys is not None else followed(vkeys[0], self.exhibits)
        known = {tenure.verifier.vkey for tenure in succession.tenures}
        if unknown := sorted(set(vkeys) - known):
            raise EvidenceError(
                f"the signing key was registered in the log {unknown[0]}, and what is known here is the log "
                f"{succession.tenures[0].verifier.vkey}, with {len(known) - 1} handovers since"
            )
        return succession

    def whole_log(self, trust: Trust, succession: Succession) -> Succession:
        """Return the keys of the same log since the earliest registration that came along.

        Args:
            trust: What the reader knows.
            succession: The keys of the log in which some entries were registered.

        Raises:
            EvidenceError: What came along is about another log too.
            LedgerError: What a registration names is no key of a log.
        """
        services = [each for each in self.exhibits if (key := _key(each)) and key.role == "service"]
        if trust.keys is not None or not services:
            return succession
        earliest = log_vkey(min(services, key=lambda each: proof_of(each).index))
        whole, first = followed(earliest, self.exhibits), succession.tenures[0].verifier
        if first not in [tenure.verifier for tenure in whole.tenures]:
            raise EvidenceError(f"keys of the log {earliest} came along, and the log here is {first.vkey}")
        return whole


def envelope_signature(entry: Exhibit, keys: KeysAtHand, trust: Trust) -> Check:
    """Check 5: the statement is signed by a service key that was registered before it, and its signatures count."""
    return checked("envelope-signature", lambda: signature_detail(entry, keys, trust))


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


def timestamp(trust: Trust, keys: KeysAtHand, entry: Exhibit, bundle: EvidenceBundle | None) -> Check:
    """Check 10: an authority that the reader trusts saw a checkpoint that covers the entry."""
    stamps = [stamp for stamp in bundle.timestamps if stamp.leaf_hash == entry.leaf_hash] if bundle else []
    if not stamps:
        return Check("timestamp", "not-checked", "no time stamp came with the file: it says itself when it was made")
    check = checked("timestamp", lambda: _timestamp_detail(keys.log_of(trust, entry), stamps, trust.tsa_roots))
    if trust.tsa_roots is None and check.result == "pass":
        return Check(
            "timestamp", "not-checked", f"no time-stamping roots were given; the time stamp says {check.detail}"
        )
    return check


def proven(entry: Exhibit, keys: KeysAtHand, trust: Trust) -> list[Check]:
    """Run checks 5 to 8 on an entry that travels beside a file, and return those that failed."""
    checks = (
        envelope_signature(entry, keys, trust),
        log_inclusion(keys, entry),
        checkpoint_signature(keys, trust, entry),
        log_trust(trust, keys, entry),
    )
    return [check for check in checks if check.result == "fail"]


def signature_detail(entry: Exhibit, keys: KeysAtHand, trust: Trust) -> str:
    """Say who signed an entry, and why that counts.

    Raises:
        EvidenceError: It is not signed by a service key that was registered before it, or a signature does not count.
        LedgerError: A signature does not verify.
    """
    key = keys.of(entry)
    predicate, verifier = registered_key(key)
    verify(_envelope(entry), verifier)
    index = proof_of(key).index
    if index >= proof_of(entry).index:
        raise EvidenceError("the signing key was registered after the statement it signed")
    signed = f"signed by {predicate.keyid}, registered at index {index}{_party_detail(entry, keys)}"
    if trust.keys is None:
        return f"{signed}; whether it was revoked since is not known: no evidence of keys was given"
    keys.log_of(trust, entry)
    return f"{signed}; {trust.keys.judged(entry)}"


def _party_detail(entry: Exhibit, keys: KeysAtHand) -> str:
    """Say whether the person who is named in an edit signed it, or the home alone says that it was they.

    Raises:
        EvidenceError: A further signature is by a key that may not sign there.
        LedgerError: A further signature does not verify.
    """
    made = entry.statement().predicate
    if not isinstance(made, EditPredicate):
        return ""
    own, unchecked = [], []
    for name, registered in keys.others(entry).items():
        if registered is None:
            unchecked.append(f"a further signature, by {name[:80]!r}, was not checked: its registration is not here")
            continue
        predicate, verifier = registered_key(registered)
        verify(_envelope(entry), verifier)
        index = proof_of(registered).index
        if index >= proof_of(entry).index:
            raise EvidenceError(f"the key {name} was registered after the statement it signed")
        if predicate.role == "party" and predicate.party == made.party_id:
            own.append(f"and by the party {made.party_id} with its own key {name}, registered at index {index}")
        elif predicate.role != "service":
            raise EvidenceError(f"the key {name}, registered as {predicate.role}, may not sign for {made.party_id}")
    if not own and not unchecked:
        own.append(f"that it was the party {made.party_id}, the home alone says: no key of that party signed")
    return "".join(f"; {each}" for each in (*own, *unchecked))


def registered_key(exhibit: Exhibit) -> tuple[KeyPredicate, Ed25519Verifier]:
    """Return the key that a ``key`` statement registers, after checking its proof of possession.

    Raises:
        EvidenceError: It is not such a statement, or is not signed with the key itself.
    """
    predicate = exhibit.statement().predicate
    if not isinstance(predicate, KeyPredicate) or predicate.algorithm != "ed25519":
        raise EvidenceError("the entry that should register the signing key is not an Ed25519 key statement")
    try:
        verifier = Ed25519Verifier(base64.b64decode(predicate.public_key, validate=True))
        verify(Envelope.parse(exhibit.envelope), verifier)
    except (LedgerError, binascii.Error) as error:
        raise EvidenceError(f"the key statement is not signed by the key it registers: {error}") from error
    if verifier.keyid != predicate.keyid:
        raise EvidenceError(f"the key statement names {predicate.keyid}, but registers {verifier.keyid}")
    return predicate, verifier


def log_vkey(key: Exhibit) -> str:
    """Return the verifier key of the log that a registration names.

    Raises:
        EvidenceError: It is no registration.
    """
    predicate = key.statement().predicate
    if not isinstance(predicate, KeyPredicate):
        raise EvidenceError("the entry that should register the signing key is not a key statement")
    return predicate.log_vkey


def proof_of(exhibit: Exhibit) -> TlogProof:
    """Return the proof of an entry, of which nothing is checked but its form."""
    return TlogProof.parse(exhibit.tlog_proof)


def checkpoint_of(exhibit: Exhibit) -> Checkpoint:
    """Return the checkpoint that the proof of an entry leads to, without checking who signed it."""
    return Checkpoint.parse(Note.parse(proof_of(exhibit).checkpoint_note).text)


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
    return f"entry {proof_of(entry).index} of {checkpoint_of(entry).size}, leaf {entry.leaf_hash}"


def _require_included(exhibit: Exhibit, places: dict[Digest, int]) -> None:
    """An entry lies where its proof says, and where its other proofs say (a log holds no entry twice)."""
    proof, checkpoint, leaf = proof_of(exhibit), checkpoint_of(exhibit), exhibit.leaf_hash
    proof.inclusion(checkpoint).verify(digest_bytes(leaf), checkpoint.root_hash)
    if places.setdefault(leaf, proof.index) != proof.index:
        raise EvidenceError(f"one proof of {leaf} is about index {places[leaf]}, and another about {proof.index}")


def _notes(exhibits: Iterable[Exhibit]) -> list[bytes]:
    """The signed checkpoints that proofs lead to, each once."""
    return list(dict.fromkeys(proof_of(each).checkpoint_note for each in exhibits))


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
        _require_no_false_signature(trust.policy, note)
    own = _with_keys(keys, entries)
    for note in _notes(own):
        replace(trust.policy, quorum=NONE).check(note)
    for exhibit in own:
        _require_quorum(trust.policy, _notes((exhibit, *(e for e in proofs if e.envelope == exhibit.envelope))))
    return "the given policy accepts the log"


def _require_no_false_signature(policy: Policy, note: bytes) -> None:
    known = [log.verifier for log in policy.logs] + [witness.verifier for witness in policy.witnesses]
    signers = {(signature.name, signature.key_id) for signature in Note.parse(note).signatures}
    if not signers.isdisjoint((verifier.name, verifier.key_id) for verifier in known):
        open_note(note, known)


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


def _timestamp_detail(succession: Succession, stamps: Sequence[StampedEntry], roots: TsaRoots | None) -> str:
    """Check every stamp, against roots where there are any, and return what the earliest says."""
    said = []
    for stamp in stamps:
        proof = TlogProof.parse(stamp.tlog_proof)
        checkpoint = succession.open(proof.checkpoint_note)
        proof.inclusion(checkpoint).verify(digest_bytes(stamp.leaf_hash), checkpoint.root_hash)
        message = stamped_bytes(proof.checkpoint_note)
        token = TimeStamp.parse(stamp.token) if roots is None else verify_stamp(stamp.token, message, roots)
        said.append((token.gen_time, checkpoint.size, token.authority))
    gen_time, size, authority = min(said)
    return f"in the log of {size} entries that was signed by {gen_time}, by the clock of {shown(authority)}"


def _stated_log(keys: KeysAtHand, entry: Exhibit) -> str:
    try:
        return log_vkey(keys.of(entry))
    except EvidenceError:
        return "unreadable"


def _key(exhibit: Exhibit) -> KeyPredicate | None:
    predicate = exhibit.statement().predicate
    return predicate if isinstance(predicate, KeyPredicate) else None


def _envelope(exhibit: Exhibit) -> Envelope:
    try:
        return Envelope.parse(exhibit.envelope)
    except LedgerError as error:
        raise EvidenceError(f"The entry {exhibit.leaf_hash} cannot be read: {error}") from error
