"""Jobs: carried out once, remembered over restarts, and silent about prompts afterwards."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from api import jobs, store
from api.errors import HomeBusyError, JobError, NothingThereError, UsageError
from api.home import Home
from api.jobs import Call, Jobs
from api.settings import Settings
from generator.errors import RequestError
from generator.request import GenerationRequest
from ledger.errors import DatabaseBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.recording import Made, Progress

REQUEST = GenerationRequest(prompt="a slow piece about xylophones", seed=1)


class _Failing:
    """Stands in for the pipeline: tells of a stage, waits if told to, and fails."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.seen: list[str] = []

    def __call__(self, _home: Home, request: GenerationRequest, _output: None, tell: Progress) -> Made:
        self.seen.append(request.prompt)
        tell("composing", 0, 1)
        self.begun.set()
        assert self.go.wait(60)
        raise RequestError("Such a piece cannot be made. Ask for another.")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(Settings(home=tmp_path_factory.mktemp("jobs") / "home"))


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> _Failing:
    made = _Failing()
    monkeypatch.setattr(jobs, "generate", made)
    return made


@pytest.fixture
def working(home: Home, pipeline: _Failing) -> Iterator[Jobs]:
    assert pipeline
    running = Jobs(home)
    running.start()
    yield running
    pipeline.go.set()
    running.stop()


@pytest.fixture(autouse=True)
def _nothing_left_over(home: Home) -> None:
    with home.writing() as connection:
        for job in [*store.jobs_in_state(connection, "queued"), *store.jobs_in_state(connection, "running")]:
            store.change_job(connection, job.job_id, state="failed")


def _job(home: Home, job_id: str) -> store.Job:
    with home.reading() as connection:
        job = store.find_job(connection, job_id)
    assert job is not None
    return job


def test_a_failure_is_told_as_a_problem(home: Home, pipeline: _Failing) -> None:
    running = Jobs(home)
    running.start()
    job = running.submit(REQUEST)
    assert pipeline.begun.wait(60)
    running.stop()
    shown = running.show(_job(home, job.job_id))
    assert (shown.state, shown.stage) == ("failed", "composing")
    assert shown.problem is not None
    assert (shown.problem.status, shown.problem.detail) == (422, "Such a piece cannot be made. Ask for another.")


def test_the_prompt_is_forgotten_when_the_job_ends(home: Home, pipeline: _Failing) -> None:
    running = Jobs(home)
    running.start()
    pipeline.go.clear()
    job = running.submit(REQUEST, Call("token", "key-1", b"a slow piece about xylophones"))
    assert pipeline.begun.wait(60)
    assert "xylophones" in _job(home, job.job_id).request
    pipeline.go.set()
    running.stop()
    assert "xylophones" not in repr(_job(home, job.job_id))


def test_what_was_left_over_is_taken_up(home: Home, pipeline: _Failing) -> None:
    waiting = Jobs(home).submit(REQUEST)
    interrupted = Jobs(home).submit(GenerationRequest(prompt="the other", seed=2))
    with home.writing() as connection:
        store.change_job(connection, interrupted.job_id, state="running", stage="composing")
    pipeline.go.clear()
    running = Jobs(home)
    running.start()
    assert pipeline.begun.wait(60)
    assert pipeline.seen == ["the other"], "what had been begun comes first"
    stopping = threading.Thread(target=running.stop)
    stopping.start()
    assert running._stopping.wait(60)
    pipeline.go.set()
    stopping.join()
    assert [_job(home, job.job_id).state for job in (interrupted, waiting)] == ["failed", "queued"]


def test_one_service_at_a_time(home: Home, working: Jobs) -> None:
    assert working.home is home
    with pytest.raises(HomeBusyError, match="Another service"):
        Jobs(home).start()
    with pytest.raises(HomeBusyError, match="Another service"):
        jobs.require_alone(home)


def test_a_service_that_stopped_is_no_other_service(home: Home) -> None:
    running = Jobs(home)
    running.start()
    running.stop()
    jobs.require_alone(home)


def test_the_same_call_is_one_job(working: Jobs) -> None:
    call = Call("token", "key-2", b"request")
    first = working.submit(REQUEST, call)
    assert working.submit(REQUEST, call).job_id == first.job_id
    assert working.submit(REQUEST, Call("another token", "key-2", b"request")).job_id != first.job_id
    assert working.submit(REQUEST).job_id != working.submit(REQUEST).job_id


def test_the_same_key_for_another_request(home: Home, pipeline: _Failing) -> None:
    running = Jobs(home)
    running.start()
    running.submit(REQUEST, Call("token", "key-3", b"request"))
    with pytest.raises(JobError, match="Idempotency-Key"):
        running.submit(REQUEST, Call("token", "key-3", b"another request"))
    assert pipeline.begun.wait(60)
    running.stop()
    with pytest.raises(JobError, match="Idempotency-Key"):
        running.submit(REQUEST, Call("token", "key-3", b"another request"))


def test_a_key_with_signs_that_databases_know(working: Jobs) -> None:
    first = working.submit(REQUEST, Call("token", "%", b"1"))
    assert working.submit(REQUEST, Call("token", "%_", b"1")).job_id != first.job_id


def test_what_is_kept_of_a_call() -> None:
    call = Call("token", "the key", b"the request")
    assert call.fingerprint.startswith(call.name)
    assert len(call.fingerprint) <= 200
    assert "the" not in call.fingerprint.replace("token", "")
    assert Call("token", "the key", b"another").fingerprint != call.fingerprint


def test_what_cannot_be_made_is_refused_at_once(working: Jobs) -> None:
    with pytest.raises(RequestError, match="exclude"):
        working.submit(GenerationRequest(prompt="prestissimo, largo", seed=1))
    with pytest.raises(UsageError, match="There is no model 'unknown'"):
        working.submit(GenerationRequest(prompt="", seed=1, model="unknown"))


def test_an_unknown_job(working: Jobs) -> None:
    with pytest.raises(NothingThereError, match="There is no job 'nothing'"):
        working.find("nothing")


def test_the_worker_outlives_a_locked_database(
    home: Home, pipeline: _Failing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise DatabaseBusyError("locked by another process")

    running = Jobs(home)
    running.start()
    with monkeypatch.context() as patch:
        asked = threading.Event()
        patch.setattr(jobs.store, "change_job", lambda *_, **__: (asked.set(), busy()))
        running.submit(REQUEST)
        assert asked.wait(60)
    running.submit(REQUEST)
    assert pipeline.begun.wait(60)
    running.stop()
    assert "waits for the next start" in caplog.text


def test_what_a_job_was_called_is_forgotten_a_week_after_it(home: Home, pipeline: _Failing) -> None:
    running = Jobs(home)
    running.start()
    ended = running.submit(REQUEST, Call("token", "key-4", b"request"))
    assert pipeline.begun.wait(60)
    running.stop()
    waiting = Jobs(home).submit(REQUEST, Call("token", "key-5", b"request"))
    assert Jobs(home).submit(REQUEST, Call("token", "key-4", b"request")).job_id == ended.job_id
    with home.writing() as connection:
        for job in (ended, waiting):
            store.change_job(connection, job.job_id, created="2026-01-01T00:00:00Z")
    assert Jobs(home).submit(REQUEST, Call("token", "key-5", b"request")).job_id == waiting.job_id
    assert _job(home, ended.job_id).idempotency_key is None
    assert _job(home, waiting.job_id).idempotency_key is not None
    assert Jobs(home).submit(REQUEST, Call("token", "key-4", b"request")).job_id != ended.job_id
