"""Packages that carry a recording with all its evidence."""

from contextlib import ExitStack
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.authorisation import Guarded, requires
from api.downloads import FileAnswer, attachment
from api.history import recording
from api.openapi import other_answer
from api.package import export
from api.ranges import Span
from api.rights import ask
from api.schemas.request import Words
from api.service import Running

router = APIRouter(route_class=Guarded, tags=["rights"])
ZIP = "application/zip"


@router.get(
    "/recordings/{recording_id}/exports",
    dependencies=[requires("export")],
    response_class=FileAnswer,
    responses=other_answer(
        ZIP,
        "PK…bagit.txt…",
        HTTPStatus.NOT_FOUND,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.INSUFFICIENT_STORAGE,
        what="The signed package.",
    ),
)
async def read_export(
    recording_id: str,
    service: Running,
    use: Annotated[Words, Query(max_length=200, description="The use whose verdict travels along.")] = (
        "commercial-release"
    ),
    territory: Annotated[Words, Query(max_length=200, description="The territory of that verdict.")] = "DE",
    date: Annotated[Words | None, Query(max_length=200, description="Its day; today when left out.")] = None,
) -> Response:
    """Give a signed package: audio, stems, notes, evidence, and a verdict of today.

    Each package is made for who asks, so it is never cached; that it was given out, and which verdict came with it,
    is put on record as every access log does (the log has digests only). The `Link` header leads to that entry. The
    package checks itself with `linernotes verify PACKAGE.zip`, with no account and no network.
    """
    home = service.home

    def work() -> FileAnswer:
        found = recording(home, recording_id)
        question = ask(home, use, territory, date, None)
        with ExitStack() as kept:
            target = kept.enter_context(home.objects.staging()) / f"{found.recording_id}.zip"
            made = export(home, found, target, question, lambda _stage, _done, _total: None)
            headers = attachment(ZIP, target.name) | {
                "cache-control": "no-store",
                "link": f'</v1/log/entries/{made.log_index}>; rel="describedby"',
            }
            whole = Span(0, target.stat().st_size)
            return FileAnswer(target, whole, headers, after=kept.pop_all().close)

    return await service.workshop.run(work)
