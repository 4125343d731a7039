"""What a ``key`` statement has to be by itself, before anybody asks who signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.encoding import decode_base64
from ledger.errors import KeyRejectedError, LedgerError
from ledger.keys import Ed25519Verifier
from provenance.errors import UnsoundKeyError
from provenance.identity import digest

if TYPE_CHECKING:
    from provenance.key_predicate import KeyPredicate


def registered_verifier(predicate: KeyPredicate) -> Ed25519Verifier | None:
    """Return what signatures of the registered key are checked with; None for a certificate.

    Raises:
        UnsoundKeyError: The key is malformed, has small order, is not canonical, is not the one that the
            statement names, or its role or party cannot be its.
    """
    _require_coherent(predicate)
    try:
        public_key = decode_base64(predicate.public_key, "The registered public key", LedgerError)
        verifier = None if predicate.algorithm == "x509" else Ed25519Verifier(public_key)
    except (KeyRejectedError, LedgerError) as error:
        raise UnsoundKeyError(str(error)) from error
    keyid = digest(public_key)
    if keyid != predicate.keyid:
        raise UnsoundKeyError(
            f"The key statement names {predicate.keyid}, but the key it registers is {keyid}; make the statement again."
        )
    return verifier


def _require_coherent(predicate: KeyPredicate) -> None:
    if (predicate.algorithm == "x509") != (predicate.role == "c2pa"):
        raise UnsoundKeyError(
            f"A key of the role {predicate.role} is not registered as {predicate.algorithm}: the role c2pa is for "
            "certificates (x509), and all others for Ed25519 keys."
        )
    if bool(predicate.party) != (predicate.role == "party"):
        raise UnsoundKeyError(
            f"A key of the role {predicate.role} is registered for the party {predicate.party[:60]!r}: a key belongs "
            "to a party exactly when its role is party."
        )
