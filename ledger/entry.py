"""What the log holds, and what an append gives back."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


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


def is_moment(text: str) -> bool:
    """Whether a text is a time as the log keeps it: RFC 3339 UTC to the second."""
    try:
        return bool(_MOMENT.fullmatch(text)) and bool(dt.datetime.fromisoformat(text))
    except ValueError:
        return False
