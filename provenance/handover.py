"""Following a log from one of its keys to the next, with nothing but what came along.

Evidence names the key that the log had when its signing key was registered. Where the log was handed over since
(``ledger.rotation``), two entries come along for each handover: the ``rotation``, with its proof under the
checkpoint that both keys signed, and the ``key`` statement that registers the new key, which the rotation names by
its leaf hash. Whoever trusted the old key can check all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.envelope import verify
from ledger.errors import LedgerError
from ledger.keys import Ed25519Verifier
from ledger.note import NoteVerifier
from ledger.rotation import Succession, Tenure
from provenance.errors import EvidenceError, ProvenanceError
from provenance.identity import digest, digest_bytes
from provenance.key_predicate import KeyPredicate, RotationPredicate
from provenance.key_statement import registered_verifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provenance.bundle import Exhibit
    from provenance.keyring import Keyring


def succession_of(ring: Keyring) -> Succession | None:
    """Return the keys that a log has had, as its entries say; None while it has none."""
    tenures = tuple(Tenure(NoteVerifier.parse(vkey), first_size) for vkey, first_size in ring.log)
    return Succession(tenures) if tenures else None


def followed(vkey: str, exhibits: Sequence[Exhibit]) -> Succession:
    """Follow a log from one of its keys as far as the handovers lead that came along.

    Args:
        vkey: The key to begin with (C2SP signed-note).
        exhibits: Whatever came along; other entries than these two kinds are passed over.

    Returns:
        That key, and those that came after it.

    Raises:
        EvidenceError: A handover is not what it must be.
        LedgerError: The first key is none.
    """
    succession = Succession.of(NoteVerifier.parse(vkey))
    rotations = {rotation.old_keyid: (rotation, exhibit) for rotation, exhibit in _rotations(exhibits)}
    while (found := rotations.pop(digest(succession.current.public_key), None)) is not None:
        rotation, exhibit = found
        try:
            succession = _extended(succession, rotation, exhibit, exhibits)
        except (LedgerError, ProvenanceError) as error:
            raise EvidenceError(
                f"the handover of the log from {rotation.old_keyid} to {rotation.new_keyid} does not hold: {error}"
            ) from error
    return succession


def _rotations(exhibits: Sequence[Exhibit]) -> list[tuple[RotationPredicate, Exhibit]]:
    """Return the rotations of a log's key that are proven under a checkpoint in which they are the newest entry."""
    found = []
    for exhibit in exhibits:
        predicate = exhibit.statement().predicate
        if isinstance(predicate, RotationPredicate) and predicate.role == "log" and _is_newest(exhibit):
            found.append((predicate, exhibit))
    return found


def _is_newest(exhibit: Exhibit) -> bool:
    return exhibit.proof().index + 1 == exhibit.checkpoint().size


def _extended(
    succession: Succession, rotation: RotationPredicate, exhibit: Exhibit, exhibits: Sequence[Exhibit]
) -> Succession:
    """Check one handover: both keys signed the rotation, and the checkpoint in which it is the newest entry."""
    new = _new_key(rotation, exhibits)
    for verifier in (Ed25519Verifier(succession.current.public_key), new):
        verify(exhibit.dsse(), verifier)
    proof = exhibit.proof()
    extended = succession.extended(NoteVerifier(succession.origin, new.public_key), proof.index)
    checkpoint = extended.open(proof.checkpoint_note)
    proof.inclusion(checkpoint).verify(digest_bytes(exhibit.leaf_hash), checkpoint.root_hash)
    return extended


def _new_key(rotation: RotationPredicate, exhibits: Sequence[Exhibit]) -> Ed25519Verifier:
    """Return the key that the registration holds which the rotation names by its bytes."""
    registration = next((each for each in exhibits if each.leaf_hash == rotation.registration), None)
    if registration is None:
        raise EvidenceError("the registration of the new key did not come along")
    predicate = registration.statement().predicate
    if not isinstance(predicate, KeyPredicate) or (predicate.role, predicate.keyid) != ("log", rotation.new_keyid):
        raise EvidenceError("what it names as the registration of the new key is none")
    verifier = registered_verifier(predicate)
    if verifier is None:
        raise EvidenceError("a certificate cannot sign checkpoints")
    return verifier
