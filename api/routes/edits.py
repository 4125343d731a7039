"""Recording what a person changed."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.authorisation import Guarded, requires
from api.examples import EDITED
from api.openapi import json_answer
from api.recording import edit
from api.schemas.recording import RecordingMade
from api.schemas.request import EditFields
from api.service import Running
from api.uploads import Received, Upload

router = APIRouter(route_class=Guarded, tags=["recordings"])
_FORM = Upload(EditFields, {"file": "the changed MIDI file, saved from the one of the recording"})


@router.post(
    "/recordings/{recording_id}/edits",
    status_code=HTTPStatus.CREATED,
    dependencies=[requires("edit")],
    openapi_extra=_FORM.described,
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
async def create_edit(
    recording_id: str,
    service: Running,
    received: Annotated[Received[EditFields], Depends(_FORM)],
    response: Response,
) -> RecordingMade:
    """Record what a person changed, note by note, and render the result as a new recording."""
    fields = received.fields

    def work() -> RecordingMade:
        with received.staged(service.home) as paths:
            made = edit(
                service.home,
                recording_id,
                paths["file"],
                party_id=fields.party,
                role=fields.role,
                licence=fields.licence,
            )
        return RecordingMade.of(made)

    made = await service.workshop.run(work)
    response.headers["Location"] = f"/v1/recordings/{made.recording_id}"
    return made
