"""Salted commitments: what the public log may hold of a private value.

The log is public for ever, so a name or a prompt enters it only as ``HMAC-SHA256(salt, value)`` with a
fresh 32-byte salt (RFC 2104). Value and salt, the *opening*, live in private tables and are disclosed
reader by reader; deleting the opening leaves nothing that a guess could be tested against.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints

from provenance.errors import DisclosureError

PREFIX = "hmac-sha256:"
COMMITTED = object()
"""Marks the fields that hold a commitment."""
Commitment = Annotated[str, StringConstraints(pattern=r"^hmac-sha256:[0-9a-f]{64}$"), COMMITTED]
_FORM = re.compile(r"hmac-sha256:[0-9a-f]{64}")
_SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Opening:
    """What turns a commitment back into its value.

    Attributes:
        commitment: The text that stands in the log.
        value: The private value, as text.
        salt: 32 random bytes, used for this value only.
    """

    commitment: str
    value: str
    salt: bytes

    def check(self) -> None:
        """Recompute the commitment.

        Raises:
            DisclosureError: The value or the salt is not the one committed to, or cannot be.
        """
        if not (isinstance(self.commitment, str) and isinstance(self.value, str) and isinstance(self.salt, bytes)):
            raise DisclosureError(
                "The opening is not a text with the bytes of its salt: the database was changed. Restore the value and "
                "the salt from a backup."
            )
        if not _FORM.fullmatch(self.commitment):
            raise DisclosureError(f"{self.commitment[:90]!r} is not a commitment ({PREFIX}<64 hex digits>).")
        if not hmac.compare_digest(_commitment(self.salt, self.value), self.commitment):
            raise DisclosureError(
                f"The opening offered for {self.commitment} does not recompute to it: the value or the salt was "
                "changed. Ask the discloser for the value and salt as they were recorded."
            )


def commit(value: str) -> Opening:
    """Commit to ``value`` under a fresh salt and return the opening.

    Raises:
        DisclosureError: It has half a character, which no bytes stand for.
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    return Opening(_commitment(salt, value), value, salt)


def _commitment(salt: bytes, value: str) -> str:
    if len(salt) != _SALT_BYTES:
        raise DisclosureError(f"A salt has {_SALT_BYTES} bytes; this one has {len(salt)}.")
    try:
        data = value.encode()
    except UnicodeEncodeError as error:
        raise DisclosureError(
            f"A private value has U+{ord(value[error.start]):04X} as character {error.start + 1}, which is half a "
            "character: no bytes stand for it. Write the value in UTF-8."
        ) from error
    return PREFIX + hmac.digest(salt, data, "sha256").hex()
