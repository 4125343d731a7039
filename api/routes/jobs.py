"""How far a generation is: to be asked for, or to be told of."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

import anyio
from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api.authorisation import Guarded, requires
from api.examples import EVENTS, JOB_DONE
from api.openapi import json_answer, other_answer
from api.refusals import outward
from api.schemas.job import JobShown
from api.service import Running, Service

router = APIRouter(
    route_class=Guarded, prefix="/jobs/{job_id}", tags=["recordings"], dependencies=[requires("read", "generate")]
)
_LOOK_EVERY_SECONDS: Final = 0.2
_SIGN_OF_LIFE_SECONDS: Final = 15.0
_ENDS: Final = frozenset({"done", "failed"})


@router.get("", responses=json_answer(JOB_DONE, HTTPStatus.NOT_FOUND))
def read_job(job_id: str, service: Running) -> JobShown:
    """Tell how far a job is, and what it came to."""
    return _look(service, job_id)


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses=other_answer("text/event-stream", EVENTS, HTTPStatus.NOT_FOUND, what="Until the job has ended."),
)
async def follow_job(job_id: str, service: Running) -> Response:
    """Tell of a job's progress as it happens (server-sent events).

    Every event holds the whole state, so nothing is lost to who connects late or again: `progress` events while
    the job waits and works, then one `done` or `failed`, and the stream ends.
    """
    first = await run_in_threadpool(_look, service, job_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(service, first), media_type="text/event-stream", headers=headers)


async def _events(service: Service, shown: JobShown) -> AsyncIterator[bytes]:
    yield _event(shown)
    silent = 0.0
    while shown.state not in _ENDS:
        await anyio.sleep(_LOOK_EVERY_SECONDS)
        silent += _LOOK_EVERY_SECONDS
        now = await run_in_threadpool(_look, service, shown.job_id)
        if now != shown:
            yield _event(now)
        elif silent >= _SIGN_OF_LIFE_SECONDS:
            yield b": still here\n\n"
        else:
            continue
        shown, silent = now, 0.0


def _event(shown: JobShown) -> bytes:
    name = shown.state if shown.state in _ENDS else "progress"
    return f"event: {name}\ndata: {shown.model_dump_json()}\n\n".encode()


def _look(service: Service, job_id: str) -> JobShown:
    shown = service.jobs.show(service.jobs.find(job_id))
    if shown.problem is None:
        return shown
    detail = outward(shown.problem.detail, service.home)
    return shown.model_copy(update={"problem": shown.problem.model_copy(update={"detail": detail})})
