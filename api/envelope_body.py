"""Statements in the body of a request, and what asks for one: taken as they are, byte for byte, and read strictly."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi import HTTPException

from api.examples import ENVELOPE, STATEMENT_ASKED
from api.openapi import asked
from api.schemas.request import StatementAsked
from api.statement_draft import read_asked

if TYPE_CHECKING:
    from fastapi import Request

MEDIA_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
_TEXT: Final = {"type": "string"}
_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["payload", "payloadType", "signatures"],
    "properties": {
        "payload": _TEXT,
        "payloadType": _TEXT,
        "signatures": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["keyid", "sig"],
                "properties": {"keyid": _TEXT, "sig": _TEXT},
            },
        },
    },
}
DESCRIBED: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": _SCHEMA, "example": ENVELOPE}}}
}
"""The request body of an envelope, for OpenAPI."""
_JSON: Final = "application/json"
ASKED: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {_JSON: {"schema": StatementAsked.model_json_schema(), "examples": asked(STATEMENT_ASKED)}},
    }
}
"""The request body of what asks for a statement, for OpenAPI."""


async def envelope_of(request: Request) -> bytes:
    """Return the envelope that a request carries.

    Raises:
        HTTPException: 415, it says that it carries something else.
    """
    return await _body(request, MEDIA_TYPE)


async def asked_of(request: Request) -> StatementAsked:
    """Return what statement a request asks for.

    Raises:
        HTTPException: 415, it says that it carries something else.
        AdmissionError: It is not JSON that has one meaning.
        UsageError: It asks for something else.
    """
    return read_asked(await _body(request, _JSON))


async def _body(request: Request, media_type: str) -> bytes:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != media_type:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send {media_type}, not {sent[:80] or 'nothing'}.")
    return await request.body()
