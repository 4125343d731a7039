"""The interface as it describes itself: problem documents as what they are, and an example of every answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import Problem
from api.refusals import ABOUT_BLANK, MEDIA_TYPE

if TYPE_CHECKING:
    from pydantic import BaseModel

Responses: TypeAlias = dict[int | str, dict[str, Any]]
"""What FastAPI takes as ``responses``."""

DESCRIPTION: Final = """\
Provenance, licensing and rights of AI music: signed, append-only, publicly verifiable.

Every answer has the keys of the `--json` answer of the command of the same name. Every error is a problem
document (RFC 9457). What is evidence for a decision is not legal advice.
"""
TAGS: Final = [
    {"name": "recordings", "description": "Making recordings, looking at them, and getting their files."},
    {"name": "rights", "description": "What may be done with a recording, and packages that say so."},
    {"name": "evidence", "description": "Checking files, recognising clips, asking what a model learned from."},
    {"name": "registry", "description": "Parties, models, corpora and keys on record."},
    {"name": "log", "description": "The transparency log itself."},
]
_DETAILS: Final = {
    HTTPStatus.UNAUTHORIZED: "The bearer token is unknown or was revoked.",
    HTTPStatus.FORBIDDEN: "The token 'player' has no scope 'edit'; it has read.",
    HTTPStatus.NOT_FOUND: "There is no recording '019aa0b2-6c1f-7d2e-9b57-3c1f6de0a412' in this home.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request carries more than the 65536 bytes that are taken here.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Send multipart/form-data with the file 'file'.",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "The range 'bytes=9999999-' lies beyond the file.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "'XX' is not the code of a territory.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A stored file of this home is missing or was altered. Restore it from a backup.",
    HTTPStatus.SERVICE_UNAVAILABLE: "16 requests are waiting for their turn already. Try again in a minute.",
    HTTPStatus.INSUFFICIENT_STORAGE: "The disk is full; free some space and try again: nothing was recorded.",
}
_PROTECTED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_ALWAYS: Final = (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


class Interface(FastAPI):
    """A FastAPI application whose description knows what a problem document is."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if not self.openapi_schema:
            document = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=self.routes,
                tags=self.openapi_tags,
                license_info=self.license_info,
            )
            document["components"]["schemas"].setdefault(Problem.__name__, Problem.model_json_schema())
            self.openapi_schema = document
        return self.openapi_schema


def json_answer(
    example: BaseModel, *refusals: HTTPStatus, status: HTTPStatus = HTTPStatus.OK, what: str = ""
) -> Responses:
    """Describe an operation that answers with a document, and needs a token.

    Args:
        example: Such an answer.
        refusals: What else may come of it, besides what always may.
        status: Of the answer.
        what: The answer in words.
    """
    return content({"application/json": {"example": shown(example)}}, *_PROTECTED, *refusals, status=status, what=what)


def other_answer(media_type: str, example: object, *refusals: HTTPStatus, what: str = "") -> Responses:
    """Describe an operation that answers with text or a file, and needs a token."""
    return content({media_type: _plain(media_type, example)}, *_PROTECTED, *refusals, what=what)


def open_answer(media_type: str, example: object, *, what: str = "") -> Responses:
    """Describe an operation that anybody may ask for."""
    return content({media_type: _plain(media_type, example)}, what=what)


def content(
    media_types: dict[str, dict[str, Any]],
    *refusals: HTTPStatus,
    status: HTTPStatus = HTTPStatus.OK,
    what: str = "",
) -> Responses:
    """Describe an operation by its content; problems are what they are, not ``application/json``."""
    responses: Responses = {int(status): {"description": what or status.phrase, "content": media_types}}
    return responses | {int(each): _problem(each) for each in sorted({*refusals, *_ALWAYS})}


def shown(example: BaseModel) -> dict[str, Any]:
    """Return an example as it stands in JSON."""
    document: dict[str, Any] = example.model_dump(mode="json", by_alias=True)
    return document


def asked(example: BaseModel) -> dict[str, Any]:
    """Return the example of a request body, as FastAPI's ``Body`` takes it."""
    return {"typical": {"value": example.model_dump(mode="json", by_alias=True, exclude_defaults=True)}}


def _plain(media_type: str, example: object) -> dict[str, Any]:
    if media_type == "application/json":
        return {"example": example}
    schema = {"type": "object"} if isinstance(example, dict) else {"type": "string"}
    return {"schema": schema, "example": example}


def _problem(status: HTTPStatus) -> dict[str, Any]:
    example = Problem(type=ABOUT_BLANK, title=status.phrase, status=status, detail=_DETAILS[status])
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        "description": status.phrase,
        "content": {MEDIA_TYPE: {"schema": schema, "example": example.model_dump(mode="json")}},
    }
