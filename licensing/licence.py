"""A licence as found, understood: an SPDX expression, a reference of our own, or unknown.

Names, titles, addresses and SPDX expressions are recognised exactly, never by resemblance: a text
that merely mentions a permissive licence may be about to restrict it. Whatever is not recognised is
unknown, and no terms follow from it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from licensing.errors import DataFileError, LicensingError, shown
from licensing.expression import normal_form
from licensing.terms import UNKNOWN_LICENCE, shipped_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from licensing.terms import LicenceDocument

MAX_CHARACTERS: Final = 1_000
"""Longer texts are full licences or prose: they are not read for a name."""

_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?([a-z0-9.-]+\.[a-z]{2,}/[^\s?#]*)(?:[?#]\S*)?", re.IGNORECASE)
_PAGE = re.compile(r"(?:/(?:deed|legalcode)(?:\.[a-z_-]+)?|\.html|\.txt)?/?$", re.IGNORECASE)
_PORTED = re.compile(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)/([a-z]{2,3})")


@unique
class How(StrEnum):
    """By what a licence was recognised."""

    NAME = "name"
    ADDRESS = "address"
    EXPRESSION = "expression"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Understanding:
    """What was made of a licence as found.

    Attributes:
        found: The text, unchanged.
        expression: SPDX expression, or :data:`~licensing.terms.UNKNOWN_LICENCE`.
        how: By what it was recognised.
    """

    found: str
    expression: str
    how: How


def understand(text: str) -> Understanding:
    """Turn a licence as found into an SPDX expression; never a permissive one by guess."""
    tidy = " ".join(unicodedata.normalize("NFKC", text).split())
    if tidy and len(tidy) <= MAX_CHARACTERS:
        if address := _ADDRESS.fullmatch(tidy):
            if expression := _from_address(address[1]):
                return Understanding(text, expression, How.ADDRESS)
        elif expression := _names().get(_fold(tidy)):
            return Understanding(text, expression, How.NAME)
        elif expression := normal_form(tidy):
            return Understanding(text, expression, How.EXPRESSION)
    return Understanding(text, UNKNOWN_LICENCE, How.UNKNOWN)


def mint(name: str) -> str:
    """Return an SPDX reference of our own for a document that SPDX does not list.

    Raises:
        LicensingError: The name has no letter or digit to make one of.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", ascii_name).strip("-.").lower()
    if not slug:
        raise LicensingError(f"No licence reference can be made of {shown(name)}: give it a name in Latin letters.")
    return f"LicenseRef-linernotes-{slug}"


def _from_address(address: str) -> str | None:
    page = _page(address)
    if known := _addresses().get(page):
        return known
    if page.startswith("spdx.org/licenses/"):
        return normal_form(page.removeprefix("spdx.org/licenses/"))
    if ported := _PORTED.fullmatch(page):
        kind, version, place = ported.groups()
        name = f"CC-{kind}-{version}-{place}".upper()
        return normal_form(name) or f"LicenseRef-{name}"
    return None


def _fold(name: str) -> str:
    folded = re.sub(r"[-_\s,]+", " ", name.casefold().replace("licence", "license")).strip(" .")
    return folded.removeprefix("the ").removesuffix(" license")


def _page(address: str) -> str:
    return _PAGE.sub("", address.casefold())


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return _index(shipped_table().documents.values(), addresses=False)


@lru_cache(maxsize=1)
def _addresses() -> dict[str, str]:
    return _index(shipped_table().documents.values(), addresses=True)


def _index(documents: Iterable[LicenceDocument], *, addresses: bool) -> dict[str, str]:
    index: dict[str, str] = {}
    for document in documents:
        entries = document.urls if addresses else (document.id, document.title, *document.names)
        for entry in entries:
            key = _page(entry) if addresses else _fold(entry)
            if index.setdefault(key, document.id) != document.id:
                raise DataFileError(f"{entry!r} stands for both {index[key]} and {document.id}. Keep it in one file.")
    return index
