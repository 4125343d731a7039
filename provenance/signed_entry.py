"""An entry whose signatures have been checked, each with the key that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.envelope import Envelope, verify
from ledger.errors import SignatureError
from ledger.merkle import leaf_hash
from provenance.errors import BadSignatureError, UnknownKeyError, WrongRoleError
from provenance.identity import Digest
from provenance.key_predicate import KeyPredicate
from provenance.key_statement import registered_verifier
from provenance.statement import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger.keys import Ed25519Verifier
    from provenance.key_term import RegisteredKey
    from provenance.predicate import Predicate
    from provenance.statement import Statement


@dataclass(frozen=True, slots=True)
class SignedEntry:
    """An entry of the log, or one that is about to become one.

    Attributes:
        index: Its place in the log.
        leaf_hash: Its name.
        statement: What was signed.
        signers: Names of the keys that signed it; every signature on it is by one of them, and holds.
    """

    index: int
    leaf_hash: Digest
    statement: Statement[Predicate]
    signers: frozenset[str]


def read_entry(index: int, data: bytes, keys: Mapping[str, RegisteredKey]) -> SignedEntry:
    """Read a stored entry, and check every signature on it.

    Whether those keys may sign such a statement there is for :meth:`provenance.keyring.Keyring.after` to say.

    Args:
        index: Its place in the log.
        data: The envelope as it is stored.
        keys: Those that are registered before it, by name.

    Raises:
        EnvelopeError: It is not an envelope in its stored form.
        StatementError: It does not hold a statement.
        KeyringError: A signature does not hold, or is by an unknown key.
    """
    envelope = Envelope.parse(data)
    statement = parse(envelope.payload)
    leaf = Digest("sha256:" + leaf_hash(data).hex())
    return SignedEntry(index, leaf, statement, checked_signers(envelope, statement, keys))


def checked_signers(
    envelope: Envelope, statement: Statement[Predicate], keys: Mapping[str, RegisteredKey]
) -> frozenset[str]:
    """Check every signature on an envelope, and return the names of the keys that made them.

    Args:
        envelope: The envelope.
        statement: What its payload says: a key's own registration is checked with the key in it.
        keys: Those that are registered, by name.

    Raises:
        BadSignatureError: A signature does not verify, or a key signed twice.
        UnknownKeyError: A signature is by a key that is not registered.
        UnsoundKeyError: The statement registers a key that cannot be one.
        WrongRoleError: A signature is said to be by a certificate, which signs manifests only.
    """
    names = [signature.keyid for signature in envelope.signatures]
    if len(set(names)) != len(names):
        raise BadSignatureError("A key signed twice; one signature of each key is enough, so nothing can hide in more.")
    for name in names:
        try:
            verify(envelope, _verifier(name, statement.predicate, keys))
        except SignatureError as error:
            raise BadSignatureError(str(error)) from error
    return frozenset(names)


def _verifier(name: str, predicate: Predicate, keys: Mapping[str, RegisteredKey]) -> Ed25519Verifier:
    if name in keys:
        verifier = keys[name].verifier
    elif isinstance(predicate, KeyPredicate) and predicate.keyid == name:
        verifier = registered_verifier(predicate)
    else:
        raise UnknownKeyError(
            f"The key {name[:80]!r} is not registered in this log; register it first (`linernotes key register`), or "
            "sign with one that is."
        )
    if verifier is None:
        raise WrongRoleError(f"The key {name} is a certificate for C2PA manifests, and signs no statements.")
    return verifier
