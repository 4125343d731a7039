"""Verdicts over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    Problem = Callable[[httpx.Response, int], dict[str, object]]


@pytest.mark.parametrize(("territory", "verdict"), [("DE", "ALLOW"), ("MX", "HOLD")])
def test_a_verdict_is_on_record(everything: httpx.Client, recording_id: str, territory: str, verdict: str) -> None:
    asked = {"use": "commercial-release", "territory": territory}
    response = everything.post(f"/v1/recordings/{recording_id}/checks", json=asked)
    answer = response.json()
    assert response.status_code == 201
    assert answer["verdict"] == verdict
    assert answer["reasons"]
    assert all(reason["path"][0] == recording_id for reason in answer["reasons"])
    entry = everything.get(response.headers["location"])
    assert entry.headers["content-type"] == "application/vnd.dsse.envelope.v1+json"
    assert json.loads(entry.content)["payloadType"] == "application/vnd.in-toto+json"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"territory": "XX"}, "XX"),
        ({"territory": ""}, "territory"),
        ({"date": "1066-10-14"}, "1066-10-14"),
        ({"date": "14 October"}, "14 October"),
        ({"use": "world-domination"}, "world-domination"),
        ({"use": 7}, "body.use"),
        ({"territory": "D" * 201}, "body.territory"),
        ({"colour": "blue"}, "body.colour"),
    ],
)
def test_a_question_that_is_none(
    everything: httpx.Client, recording_id: str, problem: Problem, change: dict[str, object], told: str
) -> None:
    asked = {"use": "commercial-release", "territory": "DE"} | change
    found = problem(everything.post(f"/v1/recordings/{recording_id}/checks", json=asked), 422)
    assert told in str(found["detail"])


def test_a_question_about_nothing(everything: httpx.Client, problem: Problem) -> None:
    asked = {"use": "sync", "territory": "DE"}
    problem(everything.post("/v1/recordings/unknown/checks", json=asked), 404)
