"""SPDX licence expressions: their normal form, and their structure.

The only importer of ``license_expression``, which has no types and some traps: its ``validate`` raises
on strings it should report, and it takes some ``LicenseRef-`` names for aliases of listed licences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import lru_cache
from typing import Any

from license_expression import (  # type: ignore[import-untyped]  # it ships no types
    ExpressionError,
    LicenseSymbol,
    Licensing,
    get_spdx_licensing,
)

REFERENCE = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_UNLISTED = Licensing()
_NO_EXPRESSION = (ExpressionError, AssertionError, LookupError, TypeError, RecursionError)
"""What the parser raises for text that is none: some of it is not meant to reach a caller."""


@unique
class Join(StrEnum):
    """How the parts of an expression hold together."""

    ALL = "AND"
    ANY = "OR"


@dataclass(frozen=True, slots=True)
class Compound:
    """Several licences, all of them or any of them.

    Attributes:
        parts: Licence ids, with their exceptions, or compounds.
    """

    join: Join
    parts: tuple[str | Compound, ...]


@lru_cache(maxsize=1_024)
def structure(expression: str) -> str | Compound | None:
    """Return the structure of an expression in normal form, whether or not its licences are listed.

    Returns:
        A licence id, a compound, or None for text that is not an expression.
    """
    try:
        parsed = _UNLISTED.parse(expression)
        return None if parsed is None else _structure(parsed)
    except _NO_EXPRESSION:
        return None


def normal_form(text: str) -> str | None:
    """Return an SPDX expression in normal form, or None for text that is not a valid one.

    Every licence must be on the SPDX list or be a ``LicenseRef-``; a reference stays as it is.
    """
    references = tuple(sorted(set(REFERENCE.findall(text))))
    try:
        parsed = _licensing(references).parse(text, validate=True, strict=True)
        return None if parsed is None else str(parsed.render())
    except _NO_EXPRESSION:
        return None


def _structure(node: Any) -> str | Compound:
    for join, kind in ((Join.ALL, _UNLISTED.AND), (Join.ANY, _UNLISTED.OR)):
        if isinstance(node, kind):
            return Compound(join, tuple(_structure(part) for part in node.args))
    return str(node)


@lru_cache(maxsize=16)
def _licensing(references: tuple[str, ...]) -> Any:
    listed = _listed()
    unlisted = [LicenseSymbol(reference) for reference in references if reference not in listed]
    return Licensing([*listed.values(), *unlisted])


@lru_cache(maxsize=1)
def _listed() -> dict[str, Any]:
    """Return the SPDX list by key, without aliases that are references: anybody may have given such a name."""
    symbols = get_spdx_licensing().known_symbols
    return {
        key: LicenseSymbol(
            key,
            aliases=[alias for alias in symbol.aliases if not REFERENCE.fullmatch(alias)],
            is_exception=symbol.is_exception,
        )
        for key, symbol in symbols.items()
    }
