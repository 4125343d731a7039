"""Statements that were signed elsewhere, and private values that are erased."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Header, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from api.authorisation import Guarded, requires
from api.erasure import erase
from api.examples import ENVELOPE, ERASED, ERASURE_ASKED, RECORDED
from api.openapi import asked as example_of
from api.openapi import json_answer
from api.schemas.erasure import Erasure
from api.schemas.request import ErasureAsked, Words
from api.schemas.signing import Recorded
from api.service import Running
from api.signing import leaf_of
from api.store import Token
from provenance.admission import receive

router = APIRouter(route_class=Guarded, tags=["registry"])
_ENVELOPE_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
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
_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {_ENVELOPE_TYPE: {"schema": _SCHEMA, "example": ENVELOPE}}}
}


@router.post(
    "/statements",
    status_code=HTTPStatus.CREATED,
    openapi_extra=_BODY,
    responses=json_answer(
        RECORDED,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.INSUFFICIENT_STORAGE,
        status=HTTPStatus.CREATED,
        what="The statement is in the log, byte for byte as it came.",
    ),
)
async def create_statement(
    token: Annotated[Token, requires("submit")],
    request: Request,
    service: Running,
    idempotency_key: Annotated[Words | None, Header(min_length=1, max_length=100)] = None,
) -> Recorded:
    """Put a signed statement on record: one DSSE envelope, which is stored as it is sent.

    The keys that signed it have to be registered for what it says. A private key never travels: what is to be
    signed is handed out, signed elsewhere (`linernotes sign`), and sent here. The same `Idempotency-Key` with the
    same envelope gives the same answer, however often it is sent.
    """
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != _ENVELOPE_TYPE:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send {_ENVELOPE_TYPE}, not {sent[:80] or 'nothing'}.")
    envelope = await request.body()
    once = f"{token.token_id}:{idempotency_key}" if idempotency_key else None
    [receipt] = await run_in_threadpool(service.intake.submit, [envelope], once)
    return Recorded(kind=receive(envelope).statement.kind, leaf_hash=leaf_of(envelope), log_index=receipt.index)


@router.post(
    "/erasures",
    status_code=HTTPStatus.CREATED,
    dependencies=[requires("admin")],
    responses=json_answer(
        ERASED,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.INSUFFICIENT_STORAGE,
        status=HTTPStatus.CREATED,
        what="Nobody can read it any more; the log says that it was erased.",
    ),
)
def create_erasure(
    service: Running, asked: Annotated[ErasureAsked, Body(openapi_examples=example_of(ERASURE_ASKED))]
) -> Erasure:
    """Erase private values of a recording, a party or a statement: values and salts are deleted for good."""
    return erase(service.home, asked.name, asked.fields)
