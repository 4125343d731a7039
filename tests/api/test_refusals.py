"""Whatever goes wrong leaves as a problem document, and tells no more than a client needs."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, NoReturn

import pytest

from api import refusals
from api.problems import Problem as Document
from ledger.errors import DatabaseBusyError, DatabaseUnavailableError, LogDamagedError, RolledBackError
from provenance.errors import DamagedObjectError, ObjectError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]


def _broken(home: Home, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail() -> NoReturn:
        raise error

    monkeypatch.setattr(home.log, "size", fail)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/docs", "/v1/recordings/", "/v1/../healthz/x"])
def test_an_unknown_address(everything: httpx.Client, problem: Problem, path: str) -> None:
    found = problem(everything.get(path), 404)
    assert found["type"] == "about:blank"
    assert found["title"] == "Not Found"
    assert "/openapi.json" in str(found["detail"])


def test_another_method(everything: httpx.Client, problem: Problem) -> None:
    response = everything.delete("/v1/recordings")
    assert "DELETE" in str(problem(response, 405)["detail"])
    assert response.headers["allow"] == "GET"


def test_what_was_sent_is_not_sent_back(everything: httpx.Client, problem: Problem) -> None:
    found = problem(everything.post("/v1/generations", json={"prompt": ["my secret song"]}), 422)
    assert "body.prompt" in str(found["detail"])
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[]", b'{"prompt": 1e999}', b"\xff", b'{"prompt":"\\ud800"}', b"[" * 60_000]
)
def test_a_document_that_is_none(everything: httpx.Client, problem: Problem, body: bytes) -> None:
    response = everything.post("/v1/generations", content=body, headers={"content-type": "application/json"})
    assert response.status_code in {400, 422}
    problem(response, response.status_code)


def test_a_defect_of_ours(
    home: Home,
    everything: httpx.Client,
    problem: Problem,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _broken(home, monkeypatch, RuntimeError("internal detail"))
    with caplog.at_level(logging.ERROR):
        found = problem(everything.get("/healthz"), 500)
    assert "internal detail" not in str(found)
    assert "internal detail" in caplog.text


def test_nothing_is_lost_that_is_asked_after_a_defect(
    home: Home, everything: httpx.Client, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    _broken(home, monkeypatch, RuntimeError("internal detail"))
    for _ in range(20):
        response = everything.get("/healthz")
        assert (response.status_code, response.headers["connection"]) == (500, "close")
        problem(everything.get("/"), 404)


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (DatabaseBusyError("locked by another process"), 503, "locked"),
        (DatabaseUnavailableError("the disk is full"), 507, "disk is full"),
        (OSError(errno.ENOSPC, "No space left on device", "/secret/path"), 507, "No space left"),
        (OSError(errno.EIO, "Input/output error", "/secret/path"), 500, "logged"),
        (LogDamagedError("the log has lost the row"), 500, "lost the row"),
        (RolledBackError("an older copy of the database"), 500, "an older copy"),
        (ObjectError("the disk has no room"), 507, "no room"),
        (DamagedObjectError("the stored file was altered"), 500, "was altered"),
    ],
)
def test_a_failing_store(
    home: Home,
    everything: httpx.Client,
    problem: Problem,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    told: str,
) -> None:
    _broken(home, monkeypatch, error)
    response = everything.get("/healthz")
    found = problem(response, status)
    assert told in str(found["detail"])
    assert "/secret" not in str(found)
    assert ("retry-after" in response.headers) == (status == 503)


def test_paths_of_the_service_stay_inside(home: Home) -> None:
    staged = home.objects.root / "staging" / "tmpabc" / "file"
    assert refusals.outward(f"{staged} is empty.", home) == "The uploaded file is empty."
    assert refusals.outward(f"In {staged}: nothing.", home) == "In the uploaded file: nothing."
    assert refusals.outward(f"There is none in {home.root}.", home) == "There is none in this home."
    assert refusals.outward("every file is as listed", home) == "every file is as listed"


def test_a_problem_of_the_home_names_no_folder(home: Home) -> None:
    problem = Document(type="about:blank", title="x", status=503, detail=f"{home.root} is busy")
    response = refusals.answer(problem, home)
    assert str(home.root).encode() not in bytes(response.body)
    assert response.media_type == "application/problem+json"
