"""Membership audits over HTTP, by name and by file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    Problem = Callable[[httpx.Response, int], dict[str, object]]

SCORE = b"""<?xml version="1.0"?>
<score-partwise version="4.0">
  <part-list><score-part id="P1"><part-name>Violin</part-name></score-part></part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>
    <note><pitch><step>C</step><octave>4</octave></pitch><duration>4</duration></note>
  </measure></part>
</score-partwise>"""


def _ask(client: httpx.Client, file: bytes, data: dict[str, str] | None = None) -> httpx.Response:
    return client.post("/v1/audits/membership", files={"file": ("C:\\songs\\mine.xml", file)}, data=data or {})


def test_by_composer(everything: httpx.Client) -> None:
    answer = everything.get("/v1/audits/membership", params={"composer": "Emilie Mayer"}).json()
    assert answer["verdict"] == "yes"
    assert len(answer["proofs"]) == len(answer["items"]) > 0
    assert answer["item"] == answer["items"][0]


def test_by_a_name_that_is_not_there(everything: httpx.Client) -> None:
    answer = everything.get("/v1/audits/membership", params={"title": "Qwertzuiop"}).json()
    assert (answer["verdict"], answer["item"]) == ("no", None)


def test_by_a_file_that_is_not_there(everything: httpx.Client) -> None:
    answer = _ask(everything, SCORE, {"model": "quartet"}).json()
    assert answer["verdict"] == "no"
    assert answer["asked"] == "file mine.xml"
    assert len(answer["proofs"]) == 2


def test_by_a_file_that_is_no_score(everything: httpx.Client) -> None:
    answer = _ask(everything, b"\x89PNG\r\n\x1a\n").json()
    assert answer["verdict"] == "cannot-tell"
    assert "staging" not in answer["note"]


@pytest.mark.parametrize("query", ["", "?title=+", "?title=x&model=unknown", "?title=" + "x" * 501])
def test_a_question_that_is_none(everything: httpx.Client, problem: Problem, query: str) -> None:
    problem(everything.get(f"/v1/audits/membership{query}"), 422)


def test_a_file_about_an_unknown_model(everything: httpx.Client, problem: Problem) -> None:
    problem(_ask(everything, SCORE, {"model": "unknown"}), 422)
