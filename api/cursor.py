"""Places in a long list, as opaque text: what is in it is nobody's business but ours."""

from __future__ import annotations

import base64
import binascii
import re

from api.errors import UsageError

_PLACE = re.compile(rb"before ([0-9]{1,18})")


def cursor(before: int) -> str:
    """Return the text that stands for what comes before a log index."""
    return base64.urlsafe_b64encode(b"before %d" % before).decode().rstrip("=")


def place(text: str) -> int:
    """Return the log index that a cursor stands for.

    Raises:
        UsageError: It is not a cursor of ours.
    """
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    match = _PLACE.fullmatch(decoded)
    if match is None or cursor(int(match[1])) != text:
        raise UsageError(f"{text[:40]!r} is not a cursor. Follow the link to the next page as it was given.")
    return int(match[1])
