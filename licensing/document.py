"""One canonical form for everything a verdict depends on, so that equal inputs have equal digests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from enum import Enum
from typing import TypeAlias

import rfc8785

from provenance.identity import Digest, digest

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

HIDDEN = {"document": False}
"""Metadata of a dataclass field that stays out of the canonical form: it is derived from others."""


def as_document(value: object) -> Json:
    """Return ``value`` as JSON without floats: dataclasses by field, sets sorted, dates as ISO text.

    Raises:
        TypeError: Something in it has no canonical form.
    """
    match value:
        case Enum():
            return str(value.value)
        case None | bool() | int() | str():
            return value
        case date():
            return value.isoformat()
        case list() | tuple():
            return [as_document(entry) for entry in value]
        case AbstractSet():
            return sorted((as_document(entry) for entry in value), key=str)
    return {name: as_document(entry) for name, entry in _members(value)}


def _members(value: object) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(str(key), entry) for key, entry in value.items()]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} has no canonical form")
    shown = [field for field in dataclasses.fields(value) if field.metadata.get("document", True)]
    return [(field.name, getattr(value, field.name)) for field in shown]


def document_digest(value: object) -> Digest:
    """Return the SHA-256 of the RFC 8785 bytes of ``value``'s canonical form."""
    return digest(rfc8785.dumps(as_document(value)))
