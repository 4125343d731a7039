"""A DSSE envelope as the body of a request: taken as it is, byte for byte."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi import HTTPException

from api.examples import ENVELOPE

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
"""The request body for OpenAPI."""


async def envelope_of(request: Request) -> bytes:
    """Return the envelope that a request carries.

    Raises:
        HTTPException: 415, it says that it carries something else.
    """
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != MEDIA_TYPE:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send {MEDIA_TYPE}, not {sent[:80] or 'nothing'}.")
    return await request.body()
