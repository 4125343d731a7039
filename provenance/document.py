"""Documents as they are written into statements: RFC 8785 JSON, and what in them stands for something else.

What points beyond a document, to another entry or to a value that is kept apart, is said by the type of its
field and nowhere else: :data:`LeafHash`, :data:`~provenance.disclosure.Commitment`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from provenance.disclosure import COMMITTED
from provenance.identity import Digest, DigestText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import GetCoreSchemaHandler
    from pydantic.fields import FieldInfo
    from pydantic_core import CoreSchema

MAX_SAFE_INTEGER = 2**53 - 1

Text = Annotated[str, StringConstraints(max_length=2_000)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER)]
_LINK = object()
LeafHash = Annotated[DigestText, _LINK]
"""Leaf hash of an earlier entry, or of an earlier one in the same batch: see :func:`links`."""


class Document(BaseModel):
    """A frozen wire document: no unknown members, no coercion, no floats; its members are written in RFC 8785 order."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_by_name=True, serialize_by_alias=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Sort the members: a model is written in the order of its schema."""
        schema = handler(source)
        if schema["type"] == "model" and schema["schema"]["type"] == "model-fields":
            fields = schema["schema"]["fields"]
            schema["schema"]["fields"] = dict(
                sorted(fields.items(), key=lambda field: str(field[1].get("serialization_alias", field[0])))
            )
        return schema

    def to_bytes(self) -> bytes:
        """Return the RFC 8785 form of this document.

        Raises:
            PydanticSerializationError: A text holds half a character.
        """
        return self.__pydantic_serializer__.to_json(self)


def links(document: Document) -> Iterator[tuple[str, Digest]]:
    """Yield each leaf hash that a document names, with the place where it stands."""
    for name, is_link in _fields(type(document), _LINK):
        value = getattr(document, name)
        if is_link and value:
            yield name, Digest(value)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Document):
                yield from ((f"{name}.{place}", leaf) for place, leaf in links(part))


def commitments(document: Document) -> Iterator[tuple[str, str]]:
    """Yield each commitment of a document, with the name of its member."""
    for name, is_committed in _fields(type(document), COMMITTED):
        if is_committed and (value := getattr(document, name)):
            yield name, value


@cache
def _fields(kind: type[Document], marker: object) -> tuple[tuple[str, bool], ...]:
    return tuple((name, _is_marked(field, marker)) for name, field in kind.model_fields.items())


def _is_marked(field: FieldInfo, marker: object) -> bool:
    return marker in (*field.metadata, *_markers(field.annotation))


def _markers(annotation: object) -> Iterator[object]:
    for part in get_args(annotation):
        yield part
        yield from _markers(part)
