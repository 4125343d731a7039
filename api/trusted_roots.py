"""The time-stamping authorities that a reader trusts; no database is needed to know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.errors import UsageError
from api.files import read_bounded
from ledger.errors import TimeStampError
from ledger.timestamp import MAX_ROOTS_BYTES, TsaRoots

if TYPE_CHECKING:
    from pathlib import Path


def read_roots(path: Path) -> TsaRoots:
    """Read the roots of the time-stamping authorities that are trusted.

    Raises:
        UsageError: The file cannot be read, or holds no roots.
    """
    try:
        return TsaRoots.parse(read_bounded(path, MAX_ROOTS_BYTES))
    except TimeStampError as error:
        raise UsageError(f"{path}: {error}") from error
