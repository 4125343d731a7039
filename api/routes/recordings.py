"""Recordings: all of them, one of them, its past, and its files."""

from http import HTTPStatus
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.authorisation import Guarded, requires
from api.cursor import cursor as cursor_of
from api.cursor import place
from api.downloads import FileAnswer, stored
from api.examples import LINEAGE, PAGE, SHOWN
from api.history import history, recording, rendition_of, renditions
from api.lineage import lineage_of
from api.openapi import Responses, json_answer, other_answer
from api.recordings import page
from api.renditions import ensure_rendition
from api.schemas.lineage import Lineage
from api.schemas.recording import RecordingPage, RecordingShown
from api.schemas.request import Words
from api.seal import ENDINGS, FORMATS
from api.service import Running

router = APIRouter(route_class=Guarded, prefix="/recordings", tags=["recordings"], dependencies=[requires("read")])
AudioFormat = Literal["wav", "flac", "mp3", "m4a"]

_FILE: Final = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.INSUFFICIENT_STORAGE,
)
_PARTIAL: Final[Responses] = {
    int(HTTPStatus.PARTIAL_CONTENT): {"description": "The range that was asked for."},
    int(HTTPStatus.NOT_MODIFIED): {"description": "The copy with this entity tag is still the file."},
}


@router.get("", responses=json_answer(PAGE, what="Newest first; the Link header leads to the next page."))
def list_recordings(
    service: Running,
    response: Response,
    cursor: Annotated[Words | None, Query(max_length=100, description="From the link to the next page.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> RecordingPage:
    """List the recordings, newest first, a page at a time (RFC 8288 links)."""
    found = page(service.home, before=None if cursor is None else place(cursor), limit=limit)
    if not found.next:
        return found
    following = cursor_of(int(found.next))
    query = urlencode({"cursor": following, "limit": limit})
    response.headers["Link"] = f'</v1/recordings?{query}>; rel="next"'
    return found.model_copy(update={"next": following})


@router.get("/{recording_id}", responses=json_answer(SHOWN, HTTPStatus.NOT_FOUND))
def read_recording(recording_id: str, service: Running) -> RecordingShown:
    """Show one recording with its signed files."""
    found = recording(service.home, recording_id)
    return RecordingShown.of(found, renditions=tuple(renditions(service.home, recording_id)))


@router.get("/{recording_id}/lineage", responses=json_answer(LINEAGE, HTTPStatus.NOT_FOUND))
def read_lineage(
    recording_id: str,
    service: Running,
    *,
    notes: Annotated[bool, Query(description="List the origin of every note.")] = False,
) -> Lineage:
    """Tell who made what: models, people, and the origin of every note."""
    return lineage_of(history(service.home, recording(service.home, recording_id)), notes=notes)


@router.get(
    "/{recording_id}/audio",
    response_class=FileAnswer,
    responses=other_answer("audio/wav", "RIFF…WAVEfmt …", *_FILE, what="The signed file.") | _PARTIAL,
)
@router.head("/{recording_id}/audio", include_in_schema=False)
async def read_audio(
    recording_id: str,
    service: Running,
    request: Request,
    format: Annotated[AudioFormat, Query(description="Sealed and recorded when first asked for.")] = "wav",  # noqa: A002
) -> Response:
    """Give the signed audio file; `Range`, `If-None-Match` and `HEAD` work.

    The wav file was sealed when the recording was made. Another format is encoded, sealed and put on record when it
    is first asked for: no file leaves without an entry that tells of it.
    """
    home, media_type = service.home, FORMATS[f".{format}"]
    made = await run_in_threadpool(recording, home, recording_id)
    found = await run_in_threadpool(rendition_of, home, recording_id, media_type)
    if found is None:
        found = await service.workshop.run(lambda: ensure_rendition(home, made, media_type))
    path = await run_in_threadpool(home.objects.path, found.asset_digest)
    return stored(request, path, found.asset_digest, media_type, made.recording_id + ENDINGS[media_type])


@router.get(
    "/{recording_id}/midi",
    response_class=FileAnswer,
    responses=other_answer("audio/midi", "MThd…MTrk…", *_FILE, what="The notes.") | _PARTIAL,
)
@router.head("/{recording_id}/midi", include_in_schema=False)
def read_midi(recording_id: str, service: Running, request: Request) -> Response:
    """Give the notes as a MIDI file, to be changed in any program and sent back as an edit."""
    home = service.home
    past = history(home, recording(home, recording_id))
    [midi] = [file for file in past.steps[-1].predicate.content.files if file.role == "midi"]
    path = home.objects.path(midi.asset_digest)
    return stored(request, path, midi.asset_digest, midi.media_type, f"{recording_id}.mid")
