"""Statements that were signed elsewhere, and private values that are erased."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Header, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.authorisation import Guarded, requires
from api.envelope_body import ASKED, DESCRIBED, asked_of, envelope_of
from api.erasure import erase
from api.examples import ERASED, ERASURE_ASKED, RECORDED, STATEMENT
from api.openapi import asked as example_of
from api.openapi import json_answer, other_answer
from api.schemas.erasure import Erasure
from api.schemas.request import ErasureAsked, Words
from api.schemas.signing import Recorded
from api.service import Running
from api.signing import leaf_of
from api.statement_draft import draft
from api.store import Token
from ledger.envelope import PAYLOAD_TYPE
from provenance.admission import receive

router = APIRouter(route_class=Guarded, tags=["registry"])


@router.post(
    "/statements",
    status_code=HTTPStatus.CREATED,
    openapi_extra=DESCRIBED,
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
    envelope = await envelope_of(request)
    once = f"{token.token_id}:{idempotency_key}" if idempotency_key is not None else None
    [receipt] = await run_in_threadpool(service.intake.submit, [envelope], once)
    return Recorded(kind=receive(envelope).statement.kind, leaf_hash=leaf_of(envelope), log_index=receipt.index)


@router.post(
    "/statements/drafts",
    dependencies=[requires("submit")],
    response_class=Response,
    openapi_extra=ASKED,
    responses=other_answer(
        PAYLOAD_TYPE,
        STATEMENT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        what="The very bytes to be signed.",
    ),
)
async def create_statement_draft(request: Request, service: Running) -> Response:
    """Make a statement for a key elsewhere to sign, and hand out the bytes; nothing of it is kept.

    Its identifier and time are filled in, and it is asked everything that the log will ask, except whether the
    signatures hold. Sign the bytes where the key is (`linernotes sign`), and send the envelope to `/v1/statements`.
    What a person did to a recording is handed out by `/v1/recordings/{recording_id}/edits/drafts`.
    """
    asked = await asked_of(request)
    made = await run_in_threadpool(draft, service.home, service.intake, asked.kind, asked.predicate, asked.signers)
    return Response(made.payload, media_type=PAYLOAD_TYPE)


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
