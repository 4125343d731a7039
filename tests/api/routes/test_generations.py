"""Asking for recordings, and being told how far they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from api import store

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]


def test_a_job_from_its_beginning_to_its_end(home: Home, everything: httpx.Client, recording_id: str) -> None:
    asked = {"prompt": "fast 🎻", "seconds": 5, "seed": 5}
    response = everything.post("/v1/generations", json=asked, headers={"Idempotency-Key": "one"})
    job = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/jobs/{job['job_id']}"
    again = everything.post("/v1/generations", json=asked, headers={"Idempotency-Key": "one"})
    assert again.json()["job_id"] == job["job_id"]
    with everything.stream("GET", f"/v1/jobs/{job['job_id']}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        told = [line for line in events.iter_lines() if line]
    names = [line.removeprefix("event: ") for line in told[::2]]
    states = [json.loads(line.removeprefix("data: ")) for line in told[1::2]]
    assert names[-1] == "done"
    assert set(names[:-1]) == {"progress"}
    ended = everything.get(response.headers["location"]).json()
    assert states[-1] == ended
    assert ended["recording"]["unmatched_words"] == ["🎻"]
    assert ended["recording"]["files"] == []
    assert ended["problem"] is None
    assert ended["recording"]["recording_id"] != recording_id
    with home.reading() as connection:
        kept = store.find_job(connection, job["job_id"])
    assert kept is not None
    assert "🎻" not in kept.result + kept.request, "words of the prompt are in the private tables only"


def test_another_request_under_the_same_name(everything: httpx.Client, problem: Problem, recording_id: str) -> None:
    assert recording_id
    headers = {"Idempotency-Key": "two"}
    everything.post("/v1/generations", json={"prompt": "slow", "seconds": 5}, headers=headers).raise_for_status()
    found = problem(everything.post("/v1/generations", json={"prompt": "fast"}, headers=headers), 422)
    assert "Idempotency-Key" in str(found["detail"])


def test_an_empty_name_is_refused(everything: httpx.Client, problem: Problem) -> None:
    asked = {"prompt": "slow", "seconds": 5}
    found = problem(everything.post("/v1/generations", json=asked, headers={"Idempotency-Key": ""}), 422)
    assert "idempotency-key" in str(found["detail"])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"prompt": "a" * 2001}, "2,001|2001|2,000"),
        ({"prompt": "x", "seconds": 4}, "seconds"),
        ({"prompt": "x", "seconds": "30"}, "body.seconds"),
        ({"prompt": "x", "bars": True}, "body.bars"),
        ({"prompt": "x", "seconds": 30, "bars": 8}, "bars"),
        ({"prompt": "x", "key": "H minor"}, "H minor"),
        ({"prompt": "x", "metre": "7/16"}, "7/16"),
        ({"prompt": "prestissimo, largo"}, "exclude"),
        ({"prompt": "x", "model": "unknown"}, "unknown"),
        ({"prompt": "x", "seed": -1}, "seed"),
        ({"prompt": "x", "bits": 8}, "8"),
        ({"prompt": "x", "colour": "blue"}, "body.colour"),
        ({}, "body.prompt"),
    ],
)
def test_what_cannot_be_made(everything: httpx.Client, problem: Problem, body: dict[str, object], told: str) -> None:
    found = problem(everything.post("/v1/generations", json=body), 422)
    assert any(each in str(found["detail"]) for each in told.split("|"))


@pytest.mark.parametrize("path", ["/v1/jobs/unknown", "/v1/jobs/unknown/events", "/v1/jobs/%00"])
def test_an_unknown_job(everything: httpx.Client, problem: Problem, path: str) -> None:
    problem(everything.get(path), 404)


def test_a_token_that_makes_may_ask_how_far_it_is(client: Callable[..., httpx.Client], problem: Problem) -> None:
    problem(client("generate").get("/v1/jobs/unknown"), 404)


def test_the_vocabulary(everything: httpx.Client) -> None:
    document = everything.get("/v1/vocabulary").json()
    assert {"words": ["largo", "lento"], "effects": ["sets tempo_bpm 42-58"]} in document["rules"]
    assert document["forms"]
