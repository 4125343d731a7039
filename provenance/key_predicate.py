"""Predicates about keys: who may sign what, from which entry to which."""

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from provenance.document import Count, Identifier, LeafHash, Text
from provenance.identity import DigestText
from provenance.predicate import Known, Predicate, Role


class KeyPredicate(Predicate):
    """A public key enters the log's world: who may sign what with it.

    An Ed25519 key signs its own registration, which proves possession; a service key that was there before signs it
    too, which says that the role is granted (see ``provenance.keyring``). A certificate for C2PA manifests is
    registered by the service key; every manifest proves its possession anew.

    Attributes:
        role: What signatures by this key may mean.
        keyid: ``sha256:`` of the public key's bytes, or of the certificate (DER).
        public_key: Base64 of the 32 raw Ed25519 bytes, or of the certificate (DER) for ``c2pa``.
        log_vkey: The verifier key (C2SP signed-note) of the log that took the registration.
        party: Pseudonymous id of the party the key belongs to; empty for the home's own keys.
    """

    KIND: ClassVar[str] = "key"
    KNOWN: ClassVar[dict[str, Known]] = {"public_key": "proven", "role": "declared", "party": "declared"}
    SIGNED_BY: ClassVar[frozenset[Role]] = frozenset(("log", "service", "party", "witness", "owner"))

    role: Role
    algorithm: Literal["ed25519", "x509"]
    keyid: DigestText
    public_key: Annotated[str, StringConstraints(max_length=20_000)]
    log_vkey: Identifier
    party: Text = ""


class RotationPredicate(Predicate):
    """One key takes the place of another; both sign.

    The old key signs nothing after this entry. For a log's key, ``ledger.rotation`` says who signs which checkpoint.

    Attributes:
        role: Of both keys.
        registration: Leaf hash of the statement that registers the new key.
    """

    KIND: ClassVar[str] = "rotation"
    KNOWN: ClassVar[dict[str, Known]] = dict.fromkeys(("role", "old_keyid", "new_keyid", "registration"), "proven")
    SIGNED_BY: ClassVar[frozenset[Role]] = frozenset(("log", "service", "party", "witness", "owner"))

    role: Literal["log", "service", "party", "witness", "owner"]
    old_keyid: DigestText
    new_keyid: DigestText
    registration: LeafHash


class RevocationPredicate(Predicate):
    """A key's signatures stop counting: those in entries from an index on, whatever time they state.

    Attributes:
        keyid: The key.
        registration: Leaf hash of the statement that registers it.
        from_index: Index of the first entry whose signatures by this key do not count; None for this very entry,
            which is all that a key may say about itself.
        reason: ``compromised``: somebody else may have signed with it; ``lost``: nobody can; ``ceased``: it is not
            needed any more; ``withdrawn``: its holder may not use it any more.
    """

    KIND: ClassVar[str] = "revocation"
    KNOWN: ClassVar[dict[str, Known]] = {
        "keyid": "proven",
        "registration": "proven",
        "from_index": "declared",
        "reason": "declared",
    }
    SIGNED_BY: ClassVar[frozenset[Role]] = frozenset(("service", "party", "witness", "owner"))

    keyid: DigestText
    registration: LeafHash
    from_index: Count | None
    reason: Literal["compromised", "lost", "ceased", "withdrawn"]
