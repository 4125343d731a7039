"""What is on record besides recordings: parties, models, corpora, keys."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body

from api import registry
from api.authorisation import Guarded, requires
from api.examples import CORPORA, KEYS, MODELS, PARTIES, PARTY, PARTY_ASKED
from api.known_keys import known_keys
from api.openapi import asked as example_of
from api.openapi import json_answer
from api.schemas.registry import CorpusList, KeyList, ModelList, PartyList, PartyShown
from api.schemas.request import PartyAsked
from api.service import Running
from api.store import Token

router = APIRouter(route_class=Guarded, tags=["registry"])


@router.get("/parties", responses=json_answer(PARTIES))
def list_parties(token: Annotated[Token, requires("read")], service: Running) -> PartyList:
    """List the parties of this home; their names are for tokens with the scope `admin` only."""
    found = registry.parties(service.home)
    if "admin" in token.scopes:
        return found
    return PartyList(parties=[party.model_copy(update={"name": ""}) for party in found.parties])


@router.post(
    "/parties",
    status_code=HTTPStatus.CREATED,
    dependencies=[requires("admin")],
    responses=json_answer(
        PARTY,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.INSUFFICIENT_STORAGE,
        status=HTTPStatus.CREATED,
        what="The party is on record; the log holds a commitment to its name.",
    ),
)
def create_party(
    service: Running, asked: Annotated[PartyAsked, Body(openapi_examples=example_of(PARTY_ASKED))]
) -> PartyShown:
    """Register a person or organisation; the name and numbers stay private."""
    return registry.add_party(service.home, asked.name, kind=asked.kind, isni=asked.isni, ipi=asked.ipi)


@router.get("/models", dependencies=[requires("read")], responses=json_answer(MODELS))
def list_models(service: Running) -> ModelList:
    """List the models on record; new ones are registered with `linernotes model register`."""
    return registry.models(service.home)


@router.get("/corpora", dependencies=[requires("read")], responses=json_answer(CORPORA))
def list_corpora(service: Running) -> CorpusList:
    """List the training corpora on record."""
    return registry.corpora(service.home)


@router.get("/keys", dependencies=[requires("read")], responses=json_answer(KEYS))
def list_keys(service: Running) -> KeyList:
    """List the keys that the log knows, and those of its witnesses, public halves only."""
    return known_keys(service.home)
