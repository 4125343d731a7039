"""What a model learned from."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.audit import MAX_NAME, membership
from api.authorisation import Guarded, requires
from api.examples import MEMBERSHIP
from api.openapi import json_answer
from api.refusals import outward
from api.registry import membership_answer
from api.schemas.registry import Membership
from api.schemas.request import MembershipFields, Words
from api.service import Running
from api.uploads import Received, Upload

router = APIRouter(
    route_class=Guarded, prefix="/audits/membership", tags=["evidence"], dependencies=[requires("audit")]
)
_FORM = Upload(MembershipFields, {"file": "a score: mxl, musicxml or xml"})


@router.get("", responses=json_answer(MEMBERSHIP))
def audit_membership(
    service: Running,
    title: Annotated[Words, Query(max_length=MAX_NAME, description="Title of a work.")] = "",
    composer: Annotated[Words, Query(max_length=MAX_NAME, description="Name of a composer.")] = "",
    model: Annotated[Words, Query(max_length=200, description="Id of a model.")] = "quartet",
) -> Membership:
    """Was the work of this name in the training corpus? With a Merkle proof of presence."""
    return membership_answer(membership(service.home, title=title, composer=composer, model=model))


@router.post(
    "",
    openapi_extra=_FORM.described,
    responses=json_answer(MEMBERSHIP, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
)
async def audit_membership_of_file(
    service: Running, received: Annotated[Received[MembershipFields], Depends(_FORM)]
) -> Membership:
    """Was this score in the training corpus? With a Merkle proof of presence or absence; the file is not kept."""

    def work() -> Membership:
        with received.staged(service.home) as paths:
            found = membership_answer(membership(service.home, file=paths["file"], model=received.fields.model))
        note = outward(found.note, service.home)
        return found.model_copy(update={"asked": f"file {received.name('file')}", "note": note})

    return await service.workshop.run(work)
