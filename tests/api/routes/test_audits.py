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
    answer = everything.get("/v1/audits/membership", params={"composer": "Qwertzuiop"}).json()
    assert (answer["verdict"], answer["item"], answer["candidates"]) == ("no", None, [])


@pytest.mark.parametrize(
    ("asked", "words", "candidates"),
    [
        ({"title": "Qwertzuiop"}, "several titles", 0),
        ({"title": "The Lark", "composer": "Haydn"}, "several titles", 26),
        ({"title": "String Quartet"}, "Say whose", 103),
        ({"title": "Death and the Maiden", "composer": "Anton Reicha"}, "its composer has another name", 1),
        ({"composer": "Franz Joseph Haydn"}, "similar", 26),
        ({"composer": "\u0428\u043e\u0441\u0442\u0430\u043a\u043e\u0432\u0438\u0447"}, "in other letters", 0),
        ({"composer": "李焕之"}, "in other letters", 0),
        ({"composer": "a"}, "Initials", 21),
    ],
)
def test_what_a_name_cannot_tell(everything: httpx.Client, asked: dict[str, str], words: str, candidates: int) -> None:
    answer = everything.get("/v1/audits/membership", params=asked).json()
    assert (answer["verdict"], answer["item"], answer["proof"]) == ("cannot-tell", None, None)
    assert words in answer["note"]
    assert "by file" in answer["note"]
    assert len(answer["candidates"]) == candidates


@pytest.mark.parametrize("query", ["composer=%F0%9F%8E%BB", "title=-", "title=String+Quartet&composer=%F0%9F%8E%BB"])
def test_a_name_without_words(everything: httpx.Client, problem: Problem, query: str) -> None:
    found = problem(everything.get(f"/v1/audits/membership?{query}"), 422)
    assert "neither letters nor digits" in str(found["detail"])


@pytest.mark.parametrize("query", ["title=a%00b", "composer=%1b%5b2J", "title=%e2%80%aeabc", "title=x&model=%c2%9b"])
def test_a_name_that_is_no_text(everything: httpx.Client, problem: Problem, query: str) -> None:
    found = problem(everything.get(f"/v1/audits/membership?{query}"), 422)
    assert str(found["detail"]).startswith(f"query.{query.rpartition('&')[2].partition('=')[0]}: the text has U+")


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
