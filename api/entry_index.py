"""The index of an entry, as people and programs write it: one form, so that one entry has one address."""

from __future__ import annotations

from typing import Final

from pydantic_core import PydanticCustomError

from api.errors import UsageError
from ledger.encoding import decode_decimal
from ledger.errors import LedgerError

_SHOWN: Final = 40


def entry_index(text: str) -> int:
    """Read the index of an entry: an ASCII decimal from 0 to 2^63-1, without sign, spaces or leading zeros.

    Raises:
        UsageError: The text is anything else.
    """
    try:
        return decode_decimal(text, "The index", LedgerError)
    except LedgerError as error:
        raise UsageError(
            f"{text[:_SHOWN]!r} is not a log index: give the decimal number of an entry, from 0 to 2^63-1, without a "
            "sign, spaces or leading zeros."
        ) from error


def index_in_path(text: str) -> int:
    """Read the index of an entry as it stands in the path of a request, for ``pydantic``.

    Raises:
        PydanticCustomError: The text is anything else.
    """
    try:
        return entry_index(text)
    except UsageError as error:
        raise PydanticCustomError("index", "{reason}", {"reason": str(error).rstrip(".")}) from error
