"""How an answer may be packed: what a client accepts by ``Accept-Encoding`` (RFC 9110, section 12.5.3)."""

from __future__ import annotations

import re
from typing import Final

_MIN_BYTES: Final = 1024
"""Below this, packing is not worth the work."""
_GZIP: Final = "gzip"
_PLAIN: Final = "identity"
_ANY: Final = "*"
_ALIASES: Final = {"x-gzip": _GZIP}
"""RFC 9110, section 8.4.1.3."""
_MEMBER: Final = re.compile(
    r"([!#$%&'*+.^_`|~0-9a-z-]+)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?", re.ASCII | re.IGNORECASE
)


def prefers_gzip(header: str, size: int) -> bool:
    """Tell whether an answer is to be sent as gzip, rather than as it is.

    Args:
        header: What ``Accept-Encoding`` says, several lines joined by commas; empty where there is none.
        size: Bytes of the answer as it is.

    Returns:
        True where gzip is accepted, by its name or by ``*``, is no less welcome than the answer as it is, and is worth
        the work or the one form that is accepted. Where neither form is accepted, False: a server may disregard the
        header then, rather than answer 406 (section 12.4.1).
    """
    weights = _weights(header)
    gzip, plain = (weights.get(coding, weights.get(_ANY)) for coding in (_GZIP, _PLAIN))
    if not gzip:
        return False
    return plain == 0 or (size >= _MIN_BYTES and gzip >= (plain or 0))


def _weights(header: str) -> dict[str, int]:
    """The weight of each coding that is named, in thousandths; a malformed member counts as not there."""
    weights = {}
    for member in header.split(","):
        if match := _MEMBER.fullmatch(member.strip(" \t")):
            coding, weight = match[1].lower(), match[2] or "1"
            weights[_ALIASES.get(coding, coding)] = int(weight[0]) * 1000 + int(weight[2:].ljust(3, "0"))
    return weights
