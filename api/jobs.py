"""Generations asked for over HTTP: kept in the database, carried out one after another.

A job that was running when the service was killed is carried out again at the next start; what it had
recorded by then stays in the log, as a recording of its own.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import hmac
import json
import logging
import os
import threading
import time
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from api import store
from api.errors import HomeBusyError, JobError, NothingThereError
from api.problems import KNOWN, Problem, problem_of
from api.recording import generate
from api.schemas.job import JobShown
from api.schemas.recording import RecordingMade
from api.store import Job
from api.weights import open_model
from generator.request import GenerationRequest, plan
from provenance import store as provenance_store
from provenance.identity import new_id, now

if TYPE_CHECKING:
    from api.home import Home

LOCK = "service.lock"
DAYS: Final = 7
"""How long a job answers to its ``Idempotency-Key``; longer only while it has not ended."""
_TELL_EVERY_SECONDS = 0.25
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_log = logging.getLogger("linernotes")


@dataclass(frozen=True, slots=True)
class Call:
    """A request that its client gave a name, so that sending it twice does its work once.

    (draft-ietf-httpapi-idempotency-key-header.) Neither the key nor the request can be read from what is
    kept of them. Still, whoever guesses the key can test a guess of the prompt by it, so it is kept for
    `DAYS` only, and no longer than the prompt itself: an erasure removes it as well.

    Attributes:
        owner: Id of the token that was used.
        key: The ``Idempotency-Key``.
        body: The request itself.
    """

    owner: str
    key: str
    body: bytes

    @property
    def name(self) -> str:
        """The same for every request with this key."""
        return f"{self.owner}:{hashlib.sha256(self.key.encode()).hexdigest()}:"

    @property
    def fingerprint(self) -> str:
        """The same for equal requests with this key."""
        return self.name + hmac.new(self.key.encode(), self.body, "sha256").hexdigest()


class Jobs:
    """One worker thread, and a queue that survives a restart.

    Attributes:
        home: Where recordings go.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._worker = threading.Thread(target=self._work, name="linernotes-jobs", daemon=True)
        self._lock = -1

    def start(self) -> None:
        """Take up what was left over, and begin to work.

        Raises:
            HomeBusyError: Another service works for this home.
        """
        self._lock = _exclusive(self.home)
        with self.home.writing() as connection:
            store.forget_calls(connection, _days_ago())
            left = [*store.jobs_in_state(connection, "running"), *store.jobs_in_state(connection, "queued")]
            for job in left:
                store.change_job(connection, job.job_id, state="queued", stage="queued", done=0)
        for job in left:
            self._queue.put(job.job_id)
        self._worker.start()

    def stop(self) -> None:
        """Finish the job at hand and stop; what is queued waits for the next start."""
        self._stopping.set()
        self._queue.put(None)
        if self._worker.is_alive():
            self._worker.join()
        if self._lock >= 0:
            os.close(self._lock)

    def submit(self, request: GenerationRequest, call: Call | None = None) -> Job:
        """Queue a generation, or return the job that the same call queued before.

        Raises:
            UsageError: The model is unknown.
            GeneratorError: The request is not a possible one.
            JobError: The key was used for another request.
        """
        plan(request)
        open_model(self.home, request.model)
        text = json.dumps(asdict(request), sort_keys=True)
        job = Job(new_id(), "queued", text, "queued", 0, 1, "", "", now(), call.fingerprint if call else None)
        with self.home.writing() as connection:
            store.forget_calls(connection, _days_ago())
            known = store.job_called(connection, call.name) if call else None
            if known is not None and known.idempotency_key != job.idempotency_key:
                raise JobError("This Idempotency-Key was used for another request; give each request its own.")
            if known is not None:
                return known
            store.add_job(connection, job)
        self._queue.put(job.job_id)
        return job

    def find(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            NothingThereError: There is none of that id.
        """
        with self.home.reading() as connection:
            job = store.find_job(connection, job_id)
        if job is None:
            raise NothingThereError(f"There is no job {job_id[:80]!r}.")
        return job

    def show(self, job: Job) -> JobShown:
        """Describe a job; words of its prompt come from the private tables, while they are there."""
        made = RecordingMade.model_validate_json(job.result) if job.result else None
        if made is not None:
            with self.home.reading() as connection:
                words = provenance_store.openings(connection, made.leaf_hash).get("unmatched_words")
            made = made.model_copy(update={"unmatched_words": words.value.split() if words else []})
        return JobShown(
            job_id=job.job_id,
            state=job.state,
            stage=job.stage,
            done=job.done,
            total=job.total,
            created=job.created,
            recording=made,
            problem=Problem.model_validate_json(job.error) if job.error else None,
        )

    def _work(self) -> None:
        while (job_id := self._queue.get()) is not None and not self._stopping.is_set():
            try:
                self._carry_out(self.find(job_id))
            except KNOWN as error:
                _log.error("the job %s waits for the next start of the service: %s", job_id, error)

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
            result = RecordingMade.of(made).model_copy(update={"unmatched_words": []}).model_dump_json()
            self._change(job, state="done", stage="done", done=1, total=1, result=result, request="")

    def _change(self, job: Job, **values: str | int) -> None:
        with self.home.writing() as connection:
            store.change_job(connection, job.job_id, **values)


def _days_ago() -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(days=DAYS)).strftime(_TIME)


def require_alone(home: Home) -> None:
    """Refuse to begin a service where another one works for the home, before anything listens.

    Raises:
        HomeBusyError: Another service works for this home.
    """
    os.close(_exclusive(home))


def _exclusive(home: Home) -> int:
    """Hold the home's jobs for oneself: two services would carry out each of them twice."""
    handle = os.open(home.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise HomeBusyError(
            f"Another service works for the home {home.root}. Use that one, or stop it first; commands can run beside "
            "it."
        ) from error
    return handle
