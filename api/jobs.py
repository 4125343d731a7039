"""Generations asked for over HTTP: kept in the database, carried out one after another.

A job that was running when the service stopped is carried out again at the next start: until its entry is
in the log nothing of it exists, and afterwards the job says so.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

from api import store
from api.errors import JobError
from api.problems import problem_of
from api.recording import generate
from api.schemas.recording import RecordingMade
from api.store import Job
from generator.request import GenerationRequest
from provenance.identity import new_id, now

if TYPE_CHECKING:
    from api.home import Home

_TELL_EVERY_SECONDS = 0.25


class Jobs:
    """One worker thread, and a queue that survives a restart.

    Attributes:
        home: Where recordings go.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="linernotes-jobs", daemon=True)

    def start(self) -> None:
        """Take up what was left over, and begin to work."""
        with self.home.writing() as session:
            left = [*store.jobs_in_state(session, "running"), *store.jobs_in_state(session, "queued")]
            for job in left:
                store.change_job(session, job.job_id, state="queued", stage="queued", done=0)
        for job in left:
            self._queue.put(job.job_id)
        self._worker.start()

    def stop(self) -> None:
        """Finish the job at hand and stop; what is queued waits for the next start."""
        self._queue.put(None)
        if self._worker.is_alive():
            self._worker.join()

    def submit(self, request: dict[str, object], idempotency_key: str | None = None) -> Job:
        """Queue a generation, or return the job that the same key queued before.

        Raises:
            GeneratorError: The request is not a possible one.
            JobError: The key was used for another request.
        """
        GenerationRequest(**request)  # type: ignore[arg-type]
        text = json.dumps(request, sort_keys=True)
        job = Job(new_id(), "queued", text, "queued", 0, 1, "", "", now(), idempotency_key)
        with self.home.writing() as session:
            known = store.job_by_idempotency_key(session, idempotency_key) if idempotency_key else None
            if known is not None:
                if known.request not in ("", text):
                    raise JobError("This Idempotency-Key was used for another request; give each request its own.")
                return known
            store.add_job(session, job)
        self._queue.put(job.job_id)
        return job

    def find(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            JobError: There is none of that id.
        """
        with self.home.reading() as session:
            job = store.find_job(session, job_id)
        if job is None:
            raise JobError(f"There is no job {job_id[:80]!r}.")
        return job

    def _work(self) -> None:
        while (job_id := self._queue.get()) is not None:
            with suppress(JobError):
                self._carry_out(self.find(job_id))

    def _carry_out(self, job: Job) -> None:
        self._change(job, state="running")
        told = time.monotonic()

        def tell(stage: str, done: int, total: int) -> None:
            nonlocal told
            if done == 0 or time.monotonic() - told > _TELL_EVERY_SECONDS:
                told = time.monotonic()
                self._change(job, stage=stage, done=done, total=total)

        try:
            made = generate(self.home, GenerationRequest(**json.loads(job.request)), None, tell)
        except Exception as error:  # noqa: BLE001 - whatever went wrong belongs to the job, and the worker goes on
            problem = problem_of(error).model_dump_json()
            self._change(job, state="failed", error=problem, request="")
        else:
            result = RecordingMade.of(made).model_dump_json()
            self._change(job, state="done", stage="done", done=1, total=1, result=result, request="")

    def _change(self, job: Job, **values: str | int) -> None:
        with self.home.writing() as session:
            store.change_job(session, job.job_id, **values)
