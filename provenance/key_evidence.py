"""What a log says about its keys, up to a size, for whoever has no log to ask.

It travels as an evidence bundle: every statement about keys (``key``, ``rotation``, ``revocation``) with its proof
under one checkpoint, and the ``rotation`` of each handover of the log once more, under the checkpoint that both keys
signed: that is what ``provenance.handover`` follows. Read in log order, the statements are a ring of keys; of any
entry it says whether its signatures count.

What this shows: each of these statements is in the log, at its place, as of the checkpoint. What it cannot show is
that there is no other: whoever leaves a revocation out is not found out by the file. So it is worth what its source
is worth, and what comes after its checkpoint it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

from ledger.checkpoint import Checkpoint
from ledger.envelope import Envelope
from ledger.errors import LedgerError, PolicyError
from ledger.note import Note
from provenance.bundle import EvidenceBundle
from provenance.errors import EvidenceError, ProvenanceError
from provenance.handover import followed, succession_of
from provenance.identity import digest_bytes
from provenance.key_predicate import KeyPredicate, RevocationPredicate, RotationPredicate
from provenance.keyring import Keyring
from provenance.signed_entry import SignedEntry, checked_signers, read_entry
from provenance.statement import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ledger.policy import Policy
    from ledger.proof import TlogProof
    from ledger.rotation import Succession
    from provenance.bundle import Exhibit
    from provenance.identity import Digest
    from provenance.key_term import Term

    Proven = tuple[TlogProof, Exhibit]

MAX_STATEMENTS: Final = 20_000
_ABOUT_KEYS: Final = (KeyPredicate, RotationPredicate, RevocationPredicate)


@dataclass(frozen=True, slots=True)
class KeyEvidence:
    """The keys of a log as of a checkpoint; everything in it was checked.

    Attributes:
        ring: The keys; its size is that of the checkpoint's tree.
        succession: The log's own keys.
    """

    ring: Keyring
    succession: Succession

    @classmethod
    def open(
        cls,
        data: bytes,
        policy: Policy | None = None,
        own_log: Succession | None = None,
        seconds: float | None = None,
    ) -> Self:
        """Read evidence of keys, and check every proof in it, and every signature.

        Cosignatures are checked as far as the policy names their witnesses: nobody else knows those keys.

        Args:
            data: An evidence bundle.
            policy: The logs and witnesses that the reader accepts.
            own_log: The keys of the reader's own log, which is accepted where there is no policy. Any other log is
                then only held against itself, as it is everywhere else: consistency, and no trust.
            seconds: How long to go on with it at most, for whoever works for strangers: statements that only
                somebody hostile would sign can keep a reader busy for hours. As long as it takes when left out.

        Raises:
            EvidenceError: It is not evidence of keys, does not hold, or the policy does not accept it; or it was not
                read in time.
        """
        until = None if seconds is None else monotonic() + seconds
        bundle = EvidenceBundle.parse(data)
        try:
            return cls._opened(bundle, policy, own_log, until)
        except PolicyError as error:
            raise EvidenceError(f"The evidence of keys is refused. {error}{_way_on(bundle, policy)}") from error
        except (LedgerError, ProvenanceError) as error:
            raise EvidenceError(f"The evidence of keys is refused: {error}") from error

    @classmethod
    def _opened(
        cls, bundle: EvidenceBundle, policy: Policy | None, own_log: Succession | None, until: float | None
    ) -> Self:
        note, entries, again = _under_one_checkpoint(bundle)
        if policy is not None:
            policy.check(note)
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        ring = Keyring()
        for proof, exhibit in _before(until, entries):
            proof.inclusion(checkpoint).verify(digest_bytes(exhibit.leaf_hash), checkpoint.root_hash)
            signed = read_entry(proof.index, exhibit.envelope, ring.keys)
            if not isinstance(signed.statement.predicate, _ABOUT_KEYS):
                raise EvidenceError(f"entry {proof.index} is a {signed.statement.kind} statement, and not about a key")
            ring = ring.after(signed)
        succession = succession_of(ring)
        if succession is None or entries[0][0].index != 0:
            raise EvidenceError("the first entry of the log, which registers its first keys, is not in it")
        succession.open(note)
        if policy is None and own_log is not None and own_log.origin == succession.origin:
            own_log.open(note)
        places = {exhibit.leaf_hash: proof.index for proof, exhibit in entries}
        for proof, exhibit in _before(until, again):
            _require_again(proof, exhibit, places, succession, policy)
        return cls(replace(ring, size=checkpoint.size), succession)

    @property
    def as_of(self) -> str:
        """As of when it speaks, in words."""
        return f"as of {self.ring.size} entries of the log"

    def judged(self, entry: Exhibit) -> str:
        """Say of every signature on an entry why it counts.

        Args:
            entry: With a proof that says at which index it lies; whether that holds is for others to check.

        Returns:
            The verdict of each signature, and as of when.

        Raises:
            EvidenceError: One does not count, or is not by a key of the log.
            ProvenanceError: One does not verify, or its key may not sign such a statement.
            LedgerError: The entry is no envelope, or its proof none.
        """
        index = entry.proof().index
        envelope = Envelope.parse(entry.envelope)
        statement = parse(envelope.payload)
        later = {each.keyid for each in envelope.signatures if index >= self.ring.size} - self.ring.keys.keys()
        known = tuple(each for each in envelope.signatures if each.keyid not in later)
        signers = (
            checked_signers(replace(envelope, signatures=known), statement, self.ring.keys) if known else frozenset()
        )
        verdicts = [self._required(self.ring.term(keyid), index) for keyid in sorted(signers)]
        if isinstance(statement.predicate, _ABOUT_KEYS):
            pass  # signed by keys that it names, too: whether these may is in the ring already
        elif later:
            for keyid in signers:
                self.ring.require(keyid, statement.predicate.SIGNED_BY, index)
        else:
            replace(self.ring, size=index).after(SignedEntry(index, entry.leaf_hash, statement, signers))
        verdicts += [f"{keyid} was registered later than is known" for keyid in sorted(later)]
        behind = "" if later or index < self.ring.size else ", and it lies behind these"
        return f"{'; '.join(verdicts)}; {self.as_of}{behind}"

    def certificate_judged(self, keyid: str, index: int | None) -> str:
        """Say why a manifest counts that a certificate signed.

        Args:
            keyid: The certificate, as the log names it.
            index: Of the entry that was made when the manifest was there; None when none came along.

        Raises:
            EvidenceError: It does not count, or there is no telling.
            ProvenanceError: The log does not know the certificate.
        """
        if keyid not in self.ring.keys:
            return f"the certificate was registered later than is known {self.as_of}"
        term = self.ring.term(keyid)
        if index is not None:
            return f"{self._required(term, index)}; {self.as_of}"
        if term.stop is None:
            return f"the certificate is not ended {self.as_of}"
        raise EvidenceError(
            f"{term.span()}; {self.as_of}. Nothing came along that shows when this file was finished: ask for the "
            "evidence that travels beside it"
        )

    def _required(self, term: Term, index: int) -> str:
        if not term.spares(index):
            raise EvidenceError(f"{term.verdict(index)}; {self.as_of}")
        return term.verdict(index)


def _before(until: float | None, proven: Sequence[Proven]) -> Iterator[Proven]:
    """Go through what is proven, as long as there is time."""
    for number, each in enumerate(proven):
        if until is not None and monotonic() > until:
            raise EvidenceError(
                f"after {number} of {len(proven)} statements the time was over that is taken for it here. Check it on "
                "a machine of your own: linernotes verify FILE --keys EVIDENCE"
            )
        yield each


def _require_again(
    proof: TlogProof, exhibit: Exhibit, places: Mapping[Digest, int], succession: Succession, policy: Policy | None
) -> None:
    """An entry that comes once more, under the checkpoint of a handover, has to be there and to be the same there."""
    checkpoint = succession.open(proof.checkpoint_note)
    if policy is not None:
        policy.require_none_false(proof.checkpoint_note)
    proof.inclusion(checkpoint).verify(digest_bytes(exhibit.leaf_hash), checkpoint.root_hash)
    if places[exhibit.leaf_hash] != proof.index:
        raise EvidenceError(
            f"one proof of {exhibit.leaf_hash} is about index {places[exhibit.leaf_hash]}, and another about "
            f"{proof.index}"
        )


def _under_one_checkpoint(bundle: EvidenceBundle) -> tuple[bytes, Sequence[Proven], Sequence[Proven]]:
    """Return the newest checkpoint of a bundle, what is proven under it, in log order, and what is under others.

    Entries under other checkpoints belong to handovers, and come once more under this one. One that does not would
    go unread: a bundle in which a single bit of a revocation's checkpoint is wrong would say nothing of it.
    """
    if len(bundle.exhibits) > MAX_STATEMENTS:
        raise EvidenceError(f"it holds {len(bundle.exhibits)} statements, and at most {MAX_STATEMENTS} are read")
    proofs = [(exhibit.proof(), exhibit) for exhibit in bundle.exhibits]
    notes = dict.fromkeys(proof.checkpoint_note for proof, _ in proofs)
    if not notes:
        raise EvidenceError("it holds nothing")
    newest = max(notes, key=lambda note: Checkpoint.parse(Note.parse(note).text).size)
    entries = [(proof, exhibit) for proof, exhibit in proofs if proof.checkpoint_note == newest]
    unread = {exhibit.leaf_hash for _, exhibit in proofs} - {exhibit.leaf_hash for _, exhibit in entries}
    if unread:
        raise EvidenceError(f"it does not show of {', '.join(sorted(unread))} that the newest checkpoint covers it")
    indices = [proof.index for proof, _ in entries]
    if indices != sorted(set(indices)):
        raise EvidenceError("its statements are not in the order of the log")
    return newest, entries, [each for each in proofs if each[0].checkpoint_note != newest]


def _way_on(bundle: EvidenceBundle, policy: Policy | None) -> str:
    """Name the key to which a log was handed over that the policy knows by an earlier one, if that can be shown."""
    for log in policy.logs if policy is not None else ():
        try:
            succession = followed(log.verifier.vkey, bundle.exhibits)
        except (LedgerError, ProvenanceError):
            continue
        if len(succession.tenures) > 1:
            last = succession.tenures[-1]
            return (
                f" The log {succession.origin} was handed over, last with entry {last.first_size - 1}; the key that "
                "the policy names, or one that it led to, signed that. If you go along, add a line to the policy: log "
                f"{last.verifier.vkey}"
            )
    return ""
