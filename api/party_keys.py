"""The keys of contributors and rights holders: whose a key is, and whether it may sign now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provenance.errors import WrongPartyError

if TYPE_CHECKING:
    from provenance.key_term import RegisteredKey
    from provenance.keyring import Keyring
    from provenance.predicate import Role

_PARTY: Final[frozenset[Role]] = frozenset({"party"})


def require_party_key(ring: Keyring, keyid: str, party_id: str = "") -> RegisteredKey:
    """Return a key that signs for a party in the next entry of the log.

    Args:
        ring: The keys of the log as of now.
        keyid: Name of the key.
        party_id: The party that it has to belong to; any when left out.

    Raises:
        UnknownKeyError: It is not registered.
        WrongRoleError: It is registered, but not as a party's.
        RevokedKeyError: It was revoked or replaced.
        WrongPartyError: It belongs to another party.
    """
    key = ring.require(keyid, _PARTY, ring.size)
    if party_id and key.party != party_id:
        raise WrongPartyError(
            f"The key {keyid} belongs to the party {key.party}, and not to {party_id[:80]!r}; a party signs for itself "
            "alone. Sign with a key of that party, or name the party that the key belongs to."
        )
    return key


def keys_in_force(ring: Keyring, party_id: str) -> list[str]:
    """Return the names of the keys that may sign for a party now, oldest first."""
    found = [key for key in ring.keys.values() if key.role == "party" and key.party == party_id]
    found.sort(key=lambda key: key.index)
    return [key.keyid for key in found if ring.term(key.keyid).spares(ring.size)]
