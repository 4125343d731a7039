"""One numbered check of a file or package: what was asked, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ledger.errors import LedgerError
from provenance.errors import ProvenanceError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = Literal["pass", "fail", "not-checked"]


@dataclass(frozen=True, slots=True)
class Check:
    """One numbered check.

    Attributes:
        id: One of ``provenance.verify.CHECK_IDS``, or ``package-…`` and ``part:…`` for packages.
        detail: What was found, in a sentence; for ``not-checked``, why.
    """

    id: str
    result: Result
    detail: str


def checked(name: str, work: Callable[[], str]) -> Check:
    """Do the work of a check: what it returns is the detail of one that passes, what it raises of one that fails."""
    try:
        return Check(name, "pass", work())
    except (LedgerError, ProvenanceError) as error:
        return Check(name, "fail", str(error))
