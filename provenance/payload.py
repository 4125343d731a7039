"""JSON from outside, read strictly: bounded before it is parsed, and with one meaning.

What RFC 8259 leaves open is refused: members named twice, numbers that programs read differently,
nesting without end. After this, a parser cannot run out of stack or memory, and no two readers can
disagree about what was signed. Source: RFC 7493 (I-JSON), RFC 8785.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, NoReturn

from provenance.document import MAX_SAFE_INTEGER
from provenance.errors import (
    DeepJsonError,
    DuplicateMemberError,
    InexactNumberError,
    InvalidTextError,
    MalformedJsonError,
    NotANumberError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = str | int | bool | list["Json"] | dict[str, "Json"] | None

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, or what is left of one at the end: so that every byte is looked at once."""
_BRACKETS = b"[]{}"
_NO_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_OPENING = b"[{"
_ESCAPE = "\\u"
"""Half of a surrogate pair cannot stand in UTF-8; it comes in by such an escape alone."""
_MAX_DIGITS = len(str(MAX_SAFE_INTEGER)) + 1
_SHOWN_CHARACTERS = 60


def read_json(data: bytes, max_depth: int) -> Json:
    """Read a JSON document that has one meaning.

    Args:
        data: The bytes; their number is the caller's to bound.
        max_depth: Deepest nesting of arrays and objects that is read.

    Raises:
        InvalidTextError: The bytes are not UTF-8, or a text is half of a surrogate pair.
        DeepJsonError: The document is nested deeper.
        DuplicateMemberError: An object names a member twice.
        InexactNumberError: A number has a fraction or an exponent, or lies beyond 2^53-1.
        NotANumberError: There is a NaN or an infinity.
        MalformedJsonError: It is not JSON.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidTextError(
            f"Byte {error.start} is 0x{data[error.start]:02x}, which is not UTF-8 there ({error.reason}); a statement "
            "is JSON in UTF-8."
        ) from error
    _require_shallow(data, max_depth)
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJsonError(f"It is not JSON: {error}. Send the bytes as they were signed.") from error
    if _ESCAPE in text:
        _require_whole_characters(value)
    return value


def _require_shallow(data: bytes, max_depth: int) -> None:
    depth = 0
    for bracket in _STRING.sub(b"", data).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in _OPENING else -1
        if depth > max_depth:
            raise DeepJsonError(f"It is nested more than {max_depth} levels deep; no statement of this ledger is.")


def _require_whole_characters(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidTextError(
            f"A text holds U+{ord(error.object[error.start]):04X}, half of a surrogate pair, which is no character; "
            "write the character itself."
        ) from error


def _members(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise DuplicateMemberError(
            f"An object names its member {twice[:_SHOWN_CHARACTERS]!r} twice; readers would disagree about what was "
            "signed."
        )
    return members


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS or abs(int(text)) > MAX_SAFE_INTEGER:
        raise _inexact(text)
    return int(text)


def _fraction(text: str) -> NoReturn:
    raise _inexact(text)


def _inexact(text: str) -> InexactNumberError:
    return InexactNumberError(
        f"The number {text[:_SHOWN_CHARACTERS]} is not an integer between -(2^53-1) and 2^53-1, and programs read it "
        "differently; statements have such integers, and decimal strings."
    )


def _constant(text: str) -> NoReturn:
    raise NotANumberError(f"{text} is not JSON, and not a number; statements have integers and decimal strings.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
