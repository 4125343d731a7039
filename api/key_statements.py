"""Statements about keys: one is registered, replaced, revoked."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, get_args

from api.errors import UsageError
from ledger.note import NoteVerifier
from provenance.identity import Digest, digest
from provenance.key_predicate import KeyPredicate, RevocationPredicate, RotationPredicate
from provenance.predicate import Role
from provenance.statement import Statement, Subject, header

if TYPE_CHECKING:
    from ledger.keys import Ed25519Verifier


ROLES: Final = tuple(role for role in get_args(Role) if role != "c2pa")
"""What an Ed25519 key can be registered as."""
REASONS: Final = get_args(RevocationPredicate.model_fields["reason"].annotation)


def registration_statement(
    role: str, verifier: Ed25519Verifier, log_vkey: str, party: str = ""
) -> Statement[KeyPredicate]:
    """Return the statement that registers an Ed25519 key; the key itself signs it, and one that vouches for it.

    Args:
        role: What its signatures may mean.
        verifier: The public half.
        log_vkey: Verifier key of the log that is to take it.
        party: Id of the party it belongs to, for the role ``party``.
    """
    keyid = digest(verifier.public_key)
    predicate = KeyPredicate.model_validate(
        header(KeyPredicate)
        | {
            "role": role,
            "algorithm": "ed25519",
            "keyid": keyid,
            "public_key": base64.b64encode(verifier.public_key).decode(),
            "log_vkey": log_vkey,
            "party": party,
        }
    )
    return Statement((Subject(keyid, keyid),), predicate)


def require_registrable(role: str, log_vkey: str, party: str) -> None:
    """Find out whether a key can ask for a role, before there is a key.

    Raises:
        UsageError: There is no such role for an Ed25519 key, or it does not go with the party.
        NoteError: The verifier key of the log is none.
    """
    if role not in ROLES:
        raise UsageError(f"A key is registered as {', '.join(ROLES)}, and not as {role[:40]!r}.")
    if bool(party) != (role == "party"):
        raise UsageError("A key belongs to a party (--party ID) exactly when its role is party.")
    NoteVerifier.parse(log_vkey)


def rotation_statement(role: Role, old_keyid: str, new_keyid: str, registration: str) -> Statement[RotationPredicate]:
    """Return the statement that puts one key in another's place; both sign it.

    Args:
        role: Of both.
        old_keyid: The key that signs for the last time.
        new_keyid: The key in its place.
        registration: Leaf hash of the new key's registration.
    """
    predicate = RotationPredicate.model_validate(
        header(RotationPredicate)
        | {"role": role, "old_keyid": old_keyid, "new_keyid": new_keyid, "registration": registration}
    )
    return Statement(tuple(Subject(keyid, Digest(keyid)) for keyid in (old_keyid, new_keyid)), predicate)


def revocation_statement(
    keyid: str, registration: str, reason: str, from_index: int | None = None
) -> Statement[RevocationPredicate]:
    """Return the statement that ends a key.

    Args:
        keyid: The key.
        registration: Leaf hash of its registration.
        reason: ``compromised``, ``lost``, ``ceased`` or ``withdrawn``.
        from_index: Index of the first entry in which its signatures do not count; None ends it from this
            statement's own entry on.

    Raises:
        UsageError: There is no such reason.
    """
    if reason not in REASONS:
        raise UsageError(f"A key is revoked because it is {', '.join(REASONS)}; {reason[:40]!r} is none of these.")
    predicate = RevocationPredicate.model_validate(
        header(RevocationPredicate)
        | {"keyid": keyid, "registration": registration, "from_index": from_index, "reason": reason}
    )
    return Statement((Subject(keyid, Digest(keyid)),), predicate)
