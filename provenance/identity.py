"""Names that are never confused: random identifiers, digests, and the moment of a statement."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NewType

from pydantic import AfterValidator, StringConstraints

if TYPE_CHECKING:
    from pathlib import Path

Digest = NewType("Digest", str)
"""``sha256:`` and 64 lower-case hexadecimal digits."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BARE = re.compile(r"[0-9a-fA-F]{64}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}Z")


def _is_a_moment(text: str) -> str:
    if not _MOMENT.fullmatch(text):
        raise ValueError("not a time as in 2026-11-20T10:31:45Z")
    datetime.fromisoformat(text)
    return text


DigestText = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Moment = Annotated[str, AfterValidator(_is_a_moment)]
"""RFC 3339 in UTC to the second: ``2026-11-20T10:31:45Z``."""


def new_id(milliseconds: int | None = None) -> str:
    """Return a random UUIDv7 (RFC 9562, section 5.7) in its 36-character form.

    Args:
        milliseconds: Unix time in milliseconds; now when left out.
    """
    stamp = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    value = (stamp & (1 << 48) - 1) << 80 | 7 << 76 | secrets.randbits(12) << 64
    return str(uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62)))


def is_id(text: str) -> bool:
    """Tell whether ``text`` has the form of an identifier made by :func:`new_id`."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def now() -> str:
    """Return the present moment as RFC 3339 text in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(data: bytes) -> Digest:
    """Return the SHA-256 of ``data`` as digest text."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def file_digest(path: Path) -> Digest:
    """Return the asset digest: SHA-256 over the bytes of one file, read in pieces."""
    with path.open("rb", buffering=0) as file:
        return Digest("sha256:" + hashlib.file_digest(file, "sha256").hexdigest())


def is_digest(text: str) -> bool:
    """Tell whether ``text`` is digest text as the software writes it."""
    return bool(_DIGEST.fullmatch(text))


def digest_from_text(text: str) -> Digest:
    """Accept ``sha256:<hex>`` or the bare 64 hexadecimal digits.

    Raises:
        ValueError: The text is neither.
    """
    if _BARE.fullmatch(text):
        return Digest("sha256:" + text.lower())
    if _DIGEST.fullmatch(text):
        return Digest(text)
    raise ValueError(f"{text[:80]!r} is not a SHA-256 digest: give sha256: and 64 hexadecimal digits.")


def digest_bytes(text: str) -> bytes:
    """Return the 32 bytes that digest text stands for."""
    return bytes.fromhex(digest_from_text(text).removeprefix("sha256:"))
