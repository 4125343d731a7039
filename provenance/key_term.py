"""A key on record, what ends it, and the entries in which its signatures count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.keys import Ed25519Verifier
    from provenance.predicate import Role


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A key that the log knows.

    Attributes:
        party: The party it belongs to; empty but for the role ``party``.
        index: Of the entry that registered it.
        leaf_hash: Of that entry; empty for a log's first key, which has no registration of its own.
        vouched_by: Name of the key that granted its role; its own for the first two keys of a log.
        verifier: What its signatures are checked with; None for a certificate.
    """

    keyid: str
    role: Role
    party: str
    index: int
    leaf_hash: str
    vouched_by: str
    verifier: Ed25519Verifier | None


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends a key.

    Attributes:
        from_index: Index of the first entry in which its signatures do not count.
        index: Of the entry that says so.
        by: Name of the key that decided it.
        reason: ``replaced``, or the reason that a revocation states.
        successor: Name of the key in its place, where one is.
    """

    keyid: str
    from_index: int
    index: int
    by: str
    reason: str
    successor: str = ""

    def __str__(self) -> str:
        if self.successor:
            return f"{self.keyid} was replaced by {self.successor} at entry {self.index}"
        return (
            f"{self.keyid} was revoked at entry {self.index} by {self.by}, as of entry {self.from_index} "
            f"({self.reason})"
        )


@dataclass(frozen=True, slots=True)
class Term:
    """The entries in which a key's signatures count.

    Attributes:
        key: The key.
        stop: Index of the first entry in which they do not; None while nothing ends it.
        ending: Why: of the key itself, or of one that it stands on.
    """

    key: RegisteredKey
    stop: int | None = None
    ending: Ending | None = None

    def spares(self, index: int) -> bool:
        """Tell whether a signature in the entry at an index counts."""
        return self.key.index <= index and (self.stop is None or index < self.stop)

    def span(self) -> str:
        """Say in which entries the key's signatures count."""
        first = self.key.index
        if self.stop is None:
            return f"the signatures of {self.key.keyid} count from entry {first} on"
        if self.stop <= first:
            return f"no signature of {self.key.keyid} counts: {self.ending}"
        return (
            f"the signatures of {self.key.keyid} count in entries {first} to {self.stop - 1}, and in no later one: "
            f"{self.ending}"
        )

    def verdict(self, index: int) -> str:
        """Say whether a signature in the entry at an index counts, and why."""
        signed = f"the signature in entry {index} by {self.key.keyid}"
        if index < self.key.index:
            return f"{signed} does not count: the key was registered only at entry {self.key.index}"
        if self.stop is None or self.ending is None:
            return f"{signed} counts: registered at entry {self.key.index} as {self.key.role}, and not ended"
        if index < self.stop:
            return f"{signed} is spared and counts, though {self.ending}"
        fallen = "" if self.ending.keyid == self.key.keyid else f", which vouched for it at entry {self.key.index}"
        return f"{signed} does not count: {self.ending}{fallen}"
