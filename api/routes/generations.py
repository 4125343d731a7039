"""Asking for recordings."""

import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Header, Response

from api.authorisation import Guarded, requires
from api.examples import GENERATION_ASKED, JOB, VOCABULARY
from api.jobs import Call
from api.openapi import asked as example_of
from api.openapi import json_answer
from api.schemas.job import JobShown
from api.schemas.request import GenerationAsked, Words
from api.schemas.vocabulary import RuleShown, Vocabulary
from api.service import Running
from api.store import Token
from generator.prompt import PATTERNS
from generator.request import GenerationRequest
from generator.vocabulary import RULES

router = APIRouter(route_class=Guarded, tags=["recordings"])
_SEED_BITS = 31


@router.post(
    "/generations",
    status_code=HTTPStatus.ACCEPTED,
    responses=json_answer(
        JOB, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, status=HTTPStatus.ACCEPTED, what="Queued; follow Location."
    ),
)
def create_generation(
    token: Annotated[Token, requires("generate")],
    service: Running,
    asked: Annotated[GenerationAsked, Body(openapi_examples=example_of(GENERATION_ASKED))],
    response: Response,
    idempotency_key: Annotated[Words | None, Header(min_length=1, max_length=255)] = None,
) -> JobShown:
    """Compose a recording, in a job.

    The same `Idempotency-Key` with the same request gives the same job, however often it is sent within a week, until
    its prompt is erased; with another request it is refused (422).
    """
    named = asked.model_dump(by_alias=True)
    if named["seed"] is None:
        named["seed"] = secrets.randbits(_SEED_BITS)
    call = None
    if idempotency_key is not None:
        call = Call(token.token_id, idempotency_key, asked.model_dump_json().encode())
    job = service.jobs.submit(GenerationRequest(**named), call)
    response.headers["Location"] = f"/v1/jobs/{job.job_id}"
    return service.jobs.show(job)


@router.get("/vocabulary", dependencies=[requires("read", "generate")], responses=json_answer(VOCABULARY))
def read_vocabulary() -> Vocabulary:
    """List the words that a prompt is read by, and what they set."""
    rules = [
        RuleShown(
            words=list(rule.words),
            effects=[f"{'sets' if e.firm else 'hints at'} {e.control} {e.value}" for e in rule.effects],
        )
        for rule in RULES
    ]
    return Vocabulary(rules=rules, forms=[pattern.example for pattern in PATTERNS], note=VOCABULARY.note)
