"""Check 5 of ``provenance.verify``, for any entry that travels with its proof: who signed it, and whether that counts.

The registration of the service key that signed comes along. Whether the key was revoked meanwhile, only evidence of
keys can say, which the reader brings (``provenance.key_evidence``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.envelope import verify
from provenance.check import Check, checked
from provenance.errors import EvidenceError
from provenance.keys_at_hand import registered_key
from provenance.recording_predicate import EditPredicate

if TYPE_CHECKING:
    from provenance.bundle import Exhibit
    from provenance.keys_at_hand import KeysAtHand
    from provenance.trust import Trust


def envelope_signature(entry: Exhibit, keys: KeysAtHand, trust: Trust) -> Check:
    """Check 5: the statement is signed by a service key that was registered before it, and its signatures count."""
    return checked("envelope-signature", lambda: signature_detail(entry, keys, trust))


def signature_detail(entry: Exhibit, keys: KeysAtHand, trust: Trust) -> str:
    """Say who signed an entry, and why that counts.

    Raises:
        EvidenceError: It is not signed by a service key that was registered before it, or a signature does not count.
        LedgerError: A signature does not verify.
    """
    key = keys.of(entry)
    predicate, verifier = registered_key(key)
    verify(entry.dsse(), verifier)
    index = key.proof().index
    if index >= entry.proof().index:
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
        verify(entry.dsse(), verifier)
        index = registered.proof().index
        if index >= entry.proof().index:
            raise EvidenceError(f"the key {name} was registered after the statement it signed")
        if predicate.role == "party" and predicate.party == made.party_id:
            own.append(f"and by the party {made.party_id} with its own key {name}, registered at index {index}")
        elif predicate.role != "service":
            raise EvidenceError(f"the key {name}, registered as {predicate.role}, may not sign for {made.party_id}")
    if not own and not unchecked:
        own.append(f"that it was the party {made.party_id}, the home alone says: no key of that party signed")
    return "".join(f"; {each}" for each in (*own, *unchecked))
