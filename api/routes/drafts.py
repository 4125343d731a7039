"""Edits that their makers sign with keys of their own: handed out, signed elsewhere, sent back."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.authorisation import Guarded, requires
from api.envelope_body import DESCRIBED, envelope_of
from api.examples import EDIT_DRAFT, EDITED, STATEMENT
from api.openapi import json_answer, other_answer
from api.schemas.recording import RecordingMade
from api.schemas.request import EditFields, Words
from api.schemas.signing import EditDraftShown
from api.service import Running
from api.store import Token
from api.uploads import Received, Upload
from ledger.envelope import PAYLOAD_TYPE

router = APIRouter(route_class=Guarded, tags=["recordings"])
_FORM = Upload(EditFields, {"file": "the changed MIDI file, saved from the one of the recording"})
Asker = Annotated[Token, requires("edit")]
"""Drafts belong to the token that asked for them."""


@router.post(
    "/recordings/{recording_id}/edits/drafts",
    status_code=HTTPStatus.CREATED,
    openapi_extra=_FORM.described,
    responses=json_answer(
        EDIT_DRAFT,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.INSUFFICIENT_STORAGE,
        status=HTTPStatus.CREATED,
        what="It waits for the signature of the party; see Location.",
    ),
)
async def create_edit_draft(
    token: Asker,
    recording_id: str,
    service: Running,
    received: Annotated[Received[EditFields], Depends(_FORM)],
    response: Response,
) -> EditDraftShown:
    """Render and describe what a person changed, for that person to sign before it is recorded.

    Fetch the bytes to be signed (`GET /v1/drafts/{draft_id}/statement`), sign them where the key is
    (`linernotes sign`), and send the envelope (`POST /v1/drafts/{draft_id}/signatures`). A private key never travels.
    """
    fields = received.fields

    def work() -> EditDraftShown:
        with received.staged(service.home) as paths:
            draft = service.drafts.prepare(
                token.token_id,
                recording_id,
                paths["file"],
                party_id=fields.party,
                role=fields.role,
                licence=fields.licence,
            )
        return service.drafts.show(draft)

    shown = await service.workshop.run(work)
    response.headers["Location"] = f"/v1/drafts/{shown.draft_id}"
    return shown


@router.get("/drafts/{draft_id}", responses=json_answer(EDIT_DRAFT, HTTPStatus.NOT_FOUND))
def read_edit_draft(token: Asker, draft_id: Words, service: Running) -> EditDraftShown:
    """Show an edit that waits for a signature, or what its signature came to."""
    return service.drafts.show(service.drafts.find(token.token_id, draft_id))


@router.delete("/drafts/{draft_id}", responses=json_answer(EDIT_DRAFT, HTTPStatus.NOT_FOUND, what="It is gone."))
def delete_edit_draft(token: Asker, draft_id: Words, service: Running) -> EditDraftShown:
    """Withdraw an edit that waits for a signature; its files are removed."""
    return service.drafts.show(service.drafts.withdraw(token.token_id, draft_id))


@router.get(
    "/drafts/{draft_id}/statement",
    response_class=Response,
    responses=other_answer(PAYLOAD_TYPE, STATEMENT, HTTPStatus.NOT_FOUND, what="The very bytes to be signed."),
)
def read_edit_draft_statement(token: Asker, draft_id: Words, service: Running) -> Response:
    """Hand out the bytes that the party is to sign: an in-toto statement in its RFC 8785 form."""
    return Response(service.drafts.find(token.token_id, draft_id).payload, media_type=PAYLOAD_TYPE)


@router.post(
    "/drafts/{draft_id}/signatures",
    status_code=HTTPStatus.CREATED,
    openapi_extra=DESCRIBED,
    responses=json_answer(
        EDITED,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.INSUFFICIENT_STORAGE,
        status=HTTPStatus.CREATED,
        what="The edit is a recording of its own; see Location.",
    ),
)
async def create_edit_signature(
    token: Asker, draft_id: Words, request: Request, service: Running, response: Response
) -> RecordingMade:
    """Record an edit with the signature of the person who made it: one DSSE envelope around the bytes handed out.

    It has one signature, by a key of the party; the home adds its own to the same envelope. The same envelope gives
    the same answer, however often it is sent; another one is refused.
    """
    envelope = await envelope_of(request)
    made = await service.workshop.run(lambda: service.drafts.sign(token.token_id, draft_id, envelope))
    response.headers["Location"] = f"/v1/recordings/{made.recording_id}"
    return made
