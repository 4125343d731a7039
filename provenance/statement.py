"""in-toto Statement v1: the form of every entry's payload.

Source: in-toto Attestation Framework, Statement v1 (``https://in-toto.io/Statement/v1``); bytes by
RFC 8785. Stored bytes are never serialised again: what was signed is what is kept.

RFC 8785 is what comes of compact JSON when the members are sorted and every number is an integer, which
:class:`~provenance.document.Document` sees to; so the bytes are those of pydantic's own serializer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from provenance.errors import StatementError
from provenance.identity import Digest, digest_from_text, new_id, now
from provenance.kind import PREDICATES
from provenance.predicate import TYPE_PREFIX, Predicate

if TYPE_CHECKING:
    from collections.abc import Sequence

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_MEMBERS: Final = frozenset(("_type", "subject", "predicateType", "predicate"))
_FORM: Final = re.compile(
    rb'\{"_type":"(?P<type>[^"\\]*)","predicate":(?P<predicate>\{.*\}),'
    rb'"predicateType":"(?P<kind>[^"\\]*)","subject":(?P<subject>\[.*\])\}',
    re.DOTALL,
)
_SUBJECT: Final = r'\{"digest":\{"sha256":"([0-9a-f]{64})"\},"name":"([ !#-\[\]-~]*)"\}'
_PLAIN_SUBJECTS: Final = re.compile(rf"\[{_SUBJECT}(?:,{_SUBJECT})*\]".encode())
"""Subjects in RFC 8785 form whose names hold only what JSON writes as it is: what nearly all of ours look like."""
_PLAIN_SUBJECT: Final = re.compile(_SUBJECT)
P_co = TypeVar("P_co", bound=Predicate, covariant=True)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a statement is about: a name, and the SHA-256 of the thing itself."""

    name: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Statement(Generic[P_co]):
    """A claim about one or more subjects.

    Attributes:
        subjects: At least one.
        predicate: The typed claim; its class names the kind of statement.
    """

    subjects: tuple[Subject, ...]
    predicate: P_co

    @property
    def kind(self) -> str:
        """The word between the type prefix and the version: ``generation``, ``edit`` and so on."""
        return self.predicate.KIND

    def to_bytes(self) -> bytes:
        """Return the RFC 8785 bytes that are signed.

        Raises:
            StatementError: A text holds half a character, which no bytes stand for.
        """
        try:
            return b'{"_type":"%s","predicate":%s,"predicateType":"%s%s/v1","subject":%s}' % (
                STATEMENT_TYPE.encode(),
                self.predicate.to_bytes(),
                TYPE_PREFIX.encode(),
                self.kind.encode(),
                _written(self.subjects),
            )
        except PydanticSerializationError as error:
            raise StatementError(f"The statement has no RFC 8785 form: {error}. Use whole characters.") from error


def header(kind: type[Predicate]) -> dict[str, object]:
    """Return the members that every new statement of this kind begins with."""
    return {"statement_id": new_id(), "time": now(), "known": dict(kind.KNOWN)}


def parse(payload: bytes) -> Statement[Predicate]:
    """Read a statement from its canonical bytes.

    Raises:
        StatementError: The bytes are not canonical JSON, not a Statement v1, or of an unknown kind.
    """
    found = _FORM.fullmatch(payload)
    if found is None:
        _refuse(payload)
    if found["type"] != STATEMENT_TYPE.encode():
        raise StatementError(f"_type is {_text(found['type'])!r}; only {STATEMENT_TYPE} is understood.")
    statement = Statement(_subjects(found["subject"]), _predicate(_text(found["kind"]), found["predicate"]))
    if statement.predicate.to_bytes() != found["predicate"]:  # all around it is compared where it is read
        raise _not_canonical()
    return statement


def _refuse(payload: bytes) -> NoReturn:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise StatementError(f"A statement's payload is not JSON: {error}. It must be RFC 8785 bytes.") from error
    if not isinstance(document, dict) or document.keys() != _MEMBERS:
        raise StatementError("A statement has exactly the members _type, subject, predicateType and predicate.")
    raise _not_canonical()


def _not_canonical() -> StatementError:
    return StatementError("The statement's bytes are not its RFC 8785 form; it was re-serialised or altered.")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")[:120]


def _subjects(data: bytes) -> tuple[Subject, ...]:
    if _PLAIN_SUBJECTS.fullmatch(data):
        plain = _PLAIN_SUBJECT.findall(data.decode("ascii"))
        return tuple([Subject(name, Digest(f"sha256:{digest}")) for digest, name in plain])
    value = _json(data)
    if not isinstance(value, list) or not value:
        raise StatementError("A statement names at least one subject.")
    subjects = tuple(_subject(item) for item in value)
    if _written(subjects) != data:
        raise _not_canonical()
    return subjects


def _written(subjects: Sequence[Subject]) -> bytes:
    return to_json([{"digest": {"sha256": s.digest.removeprefix("sha256:")}, "name": s.name} for s in subjects])


def _subject(item: object) -> Subject:
    match item:
        case {"name": str(name), "digest": digest}:  # what else there may be is missed when the bytes are compared
            try:
                return Subject(name, digest_from_text(digest["sha256"]))
            except (KeyError, TypeError, ValueError) as error:
                raise StatementError(f"The subject {name[:80]!r} has no SHA-256 digest.") from error
        case _:
            raise StatementError("A subject has a name and a digest.")


def _json(data: bytes) -> object:
    try:
        return from_json(data)
    except ValueError as error:
        raise StatementError(f"A statement's payload is not JSON: {error}. It must be RFC 8785 bytes.") from error


def _predicate(predicate_type: str, data: bytes) -> Predicate:
    kind = predicate_type.removeprefix(TYPE_PREFIX).removesuffix("/v1")
    if predicate_type != f"{TYPE_PREFIX}{kind}/v1" or kind not in PREDICATES:
        raise StatementError(f"{predicate_type!r} is not a predicate type of this ledger: {_kinds()}.")
    try:
        return PREDICATES[kind].model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "predicate"
        raise StatementError(f"The {kind} statement is malformed at {where}: {first['msg']}.") from error


def _kinds() -> str:
    return ", ".join(sorted(PREDICATES))
