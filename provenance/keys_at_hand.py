"""The statements about keys that came along with an entry: who may have signed it, and for which log.

What comes along proves nothing by itself: a registration is as good as its own proof, and the log that it names as
good as what the reader accepts. Here they are only found and read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.encoding import decode_base64
from ledger.envelope import verify
from ledger.errors import LedgerError, shown
from ledger.keys import Ed25519Verifier
from provenance.errors import EvidenceError
from provenance.handover import followed
from provenance.key_predicate import KeyPredicate

if TYPE_CHECKING:
    from ledger.rotation import Succession
    from provenance.bundle import Exhibit
    from provenance.trust import Trust


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
        names = [signature.keyid for signature in entry.dsse().signatures]
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
        names = [signature.keyid for signature in entry.dsse().signatures]
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
        registered = sorted((self.of(entry) for entry in entries), key=lambda each: each.proof().index)
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
        earliest = log_vkey(min(services, key=lambda each: each.proof().index))
        whole, first = followed(earliest, self.exhibits), succession.tenures[0].verifier
        if first not in [tenure.verifier for tenure in whole.tenures]:
            raise EvidenceError(f"keys of the log {earliest} came along, and the log here is {first.vkey}")
        return whole


def registered_key(exhibit: Exhibit) -> tuple[KeyPredicate, Ed25519Verifier]:
    """Return the key that a ``key`` statement registers, after checking its proof of possession.

    Raises:
        EvidenceError: It is not such a statement, or is not signed with the key itself.
    """
    predicate = exhibit.statement().predicate
    if not isinstance(predicate, KeyPredicate) or predicate.algorithm != "ed25519":
        raise EvidenceError("the entry that should register the signing key is not an Ed25519 key statement")
    try:
        verifier = Ed25519Verifier(decode_base64(predicate.public_key, "The registered public key", LedgerError))
        verify(exhibit.dsse(), verifier)
    except LedgerError as error:
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


def _key(exhibit: Exhibit) -> KeyPredicate | None:
    predicate = exhibit.statement().predicate
    return predicate if isinstance(predicate, KeyPredicate) else None
