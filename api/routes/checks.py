"""May this be used so, there, then?"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Response

from api.authorisation import Guarded, requires
from api.examples import CHECK_ASKED, VERDICT
from api.history import recording
from api.openapi import asked as example_of
from api.openapi import json_answer
from api.rights import ask, check
from api.schemas.request import CheckAsked
from api.schemas.rights import VerdictShown
from api.service import Running

router = APIRouter(route_class=Guarded, tags=["rights"])


@router.post(
    "/recordings/{recording_id}/checks",
    status_code=HTTPStatus.CREATED,
    dependencies=[requires("check")],
    responses=json_answer(
        VERDICT,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.INSUFFICIENT_STORAGE,
        status=HTTPStatus.CREATED,
        what="The verdict, which is on record now; see Location.",
    ),
)
def create_check(
    recording_id: str,
    service: Running,
    asked: Annotated[CheckAsked, Body(openapi_examples=example_of(CHECK_ASKED))],
    response: Response,
) -> VerdictShown:
    """Decide whether a recording may be used so, there, then: ALLOW, DENY or HOLD, with the reasons."""
    home = service.home
    found = recording(home, recording_id)
    answer = check(home, found, ask(home, asked.use, asked.territory, asked.date, asked.via)).answer()
    response.headers["Location"] = f"/v1/log/entries/{answer.log_index}"
    return answer
