"""Recognising a recording by its sound."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends

from api.authorisation import Guarded, requires
from api.examples import IDENTIFICATION
from api.openapi import json_answer
from api.recordings import identify
from api.schemas.request import NoFields
from api.schemas.verification import Identification
from api.service import Running
from api.uploads import Received, Upload

router = APIRouter(route_class=Guarded, tags=["evidence"])
_FORM = Upload(NoFields, {"file": "four seconds or more of audio"})


@router.post(
    "/identifications",
    dependencies=[requires("read")],
    openapi_extra=_FORM.described,
    responses=json_answer(IDENTIFICATION, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
)
async def identify_clip(service: Running, received: Annotated[Received[NoFields], Depends(_FORM)]) -> Identification:
    """Find the recordings that a clip may be from; no match is an answer too, and the clip is not kept."""

    def work() -> Identification:
        with received.staged(service.home) as paths:
            return identify(service.home, paths["file"])

    return await service.workshop.run(work)
