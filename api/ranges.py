"""Parts of a file, and copies that are still good: RFC 9110, sections 13 and 14."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*", re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class RangeError(ValueError):
    """A range that lies beyond the file."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file, from ``start`` up to and without ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """Return the ``Content-Range`` of this part of a file of ``size`` bytes."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def requested_span(header: str, size: int) -> Span | None:
    """Read a ``Range`` header.

    Args:
        header: What it says.
        size: Bytes of the file.

    Returns:
        The one range that is asked for; None where the whole file is the answer, because the header is
        malformed, in other units, or asks for several ranges (section 14.2 lets a server ignore it).

    Raises:
        RangeError: No byte of the file lies in the range (416).
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, stop = max(0, size - int(suffix)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= stop:
        raise RangeError(f"The range {header[:80]!r} lies beyond the file, which has {size} bytes.")
    return Span(start, stop)


def is_fresh(if_none_match: str, etag: str) -> bool:
    """Tell whether the client's copy is the file: weak comparison with an ``If-None-Match`` header."""
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
