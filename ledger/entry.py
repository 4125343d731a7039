"""What the log holds, and what an append gives back."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an entry went.

    Attributes:
        index: Zero-based index in the log.
        leaf_hash: 32 bytes: SHA-256(0x00 ‖ entry).
    """

    index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log.

    Attributes:
        index: Zero-based index in the log.
        leaf_hash: 32 bytes: SHA-256(0x00 ‖ data).
        data: The bytes as they were appended.
        appended_at: By this machine's clock, RFC 3339 UTC to the second; nobody signs it.
    """

    index: int
    leaf_hash: bytes
    data: bytes
    appended_at: str
