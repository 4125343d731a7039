"""in-toto Statement v1: the form of every entry's payload.

Source: in-toto Attestation Framework, Statement v1 (``https://in-toto.io/Statement/v1``); bytes by
RFC 8785. Stored bytes are never serialised again: what was signed is what is kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Generic, TypeVar

import rfc8785
from pydantic import ValidationError

from provenance.errors import StatementError
from provenance.identity import Digest, digest_from_text, new_id, now
from provenance.predicate import PREDICATES, TYPE_PREFIX, Predicate

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
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
        """Return the RFC 8785 bytes that are signed."""
        return rfc8785.dumps(
            {
                "_type": STATEMENT_TYPE,
                "subject": [
                    {"name": s.name, "digest": {"sha256": s.digest.removeprefix("sha256:")}} for s in self.subjects
                ],
                "predicateType": f"{TYPE_PREFIX}{self.kind}/v1",
                "predicate": self.predicate.model_dump(mode="json"),
            }
        )


def header(kind: type[Predicate]) -> dict[str, object]:
    """Return the members that every new statement of this kind begins with."""
    return {"statement_id": new_id(), "time": now(), "known": dict(kind.KNOWN)}


def parse(payload: bytes) -> Statement[Predicate]:
    """Read a statement from its canonical bytes.

    Raises:
        StatementError: The bytes are not canonical JSON, not a Statement v1, or of an unknown kind.
    """
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise StatementError(f"A statement's payload is not JSON: {error}. It must be RFC 8785 bytes.") from error
    if not isinstance(document, dict) or document.keys() != {"_type", "subject", "predicateType", "predicate"}:
        raise StatementError("A statement has exactly the members _type, subject, predicateType and predicate.")
    if document["_type"] != STATEMENT_TYPE:
        raise StatementError(f"_type is {document['_type']!r}; only {STATEMENT_TYPE} is understood.")
    statement = Statement(_subjects(document["subject"]), _predicate(document["predicateType"], document["predicate"]))
    try:
        canonical = statement.to_bytes()
    except rfc8785.CanonicalizationError as error:
        raise StatementError(
            f"The statement has no RFC 8785 form: {error}. It was not made by this program."
        ) from error
    if canonical != payload:
        raise StatementError("The statement's bytes are not its RFC 8785 form; it was re-serialised or altered.")
    return statement


def _subjects(value: object) -> tuple[Subject, ...]:
    if not isinstance(value, list) or not value:
        raise StatementError("A statement names at least one subject.")
    subjects: list[Subject] = []
    for item in value:
        if not isinstance(item, dict) or item.keys() != {"name", "digest"} or not isinstance(item["name"], str):
            raise StatementError("A subject has a name and a digest.")
        try:
            subjects.append(Subject(item["name"], digest_from_text(item["digest"]["sha256"])))
        except (KeyError, TypeError, ValueError) as error:
            raise StatementError(f"The subject {item['name'][:80]!r} has no SHA-256 digest.") from error
    return tuple(subjects)


def _predicate(predicate_type: object, value: object) -> Predicate:
    kind = str(predicate_type).removeprefix(TYPE_PREFIX).removesuffix("/v1")
    if predicate_type != f"{TYPE_PREFIX}{kind}/v1" or kind not in PREDICATES:
        raise StatementError(f"{str(predicate_type)[:120]!r} is not a predicate type of this ledger: {_kinds()}.")
    try:
        # JSON mode: arrays become tuples, everything else is taken strictly as it is.
        return PREDICATES[kind].model_validate_json(json.dumps(value))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "predicate"
        raise StatementError(f"The {kind} statement is malformed at {where}: {first['msg']}.") from error


def _kinds() -> str:
    return ", ".join(sorted(PREDICATES))
