"""Files leave whole or in part, and what was made for one answer is tidied up after it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from api.downloads import FileAnswer, attachment
from api.ranges import Span

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Message

CONTENT = bytes(range(256)) * 600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(CONTENT)
    return made


def _send(answer: FileAnswer, *, method: str = "GET", patience: int = 1000) -> list[Message]:
    """Run an answer as a server does; the client goes away after some messages."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        if len(sent) == patience:
            raise OSError("the client went away")
        sent.append(message)

    asyncio.run(answer({"type": "http", "method": method}, receive, send))
    return sent


@pytest.mark.parametrize("span", [Span(0, len(CONTENT)), Span(0, 1), Span(70_000, 140_001), Span(5, 5)])
def test_the_bytes_of_the_span(path: Path, span: Span) -> None:
    start, *bodies = _send(FileAnswer(path, span, {}))
    assert b"".join(each["body"] for each in bodies) == CONTENT[span.start : span.stop]
    assert (b"content-length", str(span.length).encode()) in start["headers"]
    assert [each.get("more_body", False) for each in bodies] == [True] * (len(bodies) - 1) + [False]


def test_a_head_has_no_body(path: Path) -> None:
    start, body = _send(FileAnswer(path, Span(0, 10), {}), method="HEAD")
    assert (b"content-length", b"10") in start["headers"]
    assert body["body"] == b""


@pytest.mark.parametrize("patience", [0, 1, 2])
def test_a_client_that_goes_away(path: Path, patience: int) -> None:
    tidied: list[bool] = []
    answer = FileAnswer(path, Span(0, len(CONTENT)), {}, after=lambda: tidied.append(True))
    with pytest.raises(OSError, match="went away"):
        _send(answer, patience=patience)
    assert tidied == [True]


def test_what_is_done_afterwards_is_done_once(path: Path) -> None:
    tidied: list[bool] = []
    _send(FileAnswer(path, Span(0, 10), {}, after=lambda: tidied.append(True)))
    assert tidied == [True]


def test_a_file_that_became_shorter_ends(path: Path) -> None:
    _, *bodies = _send(FileAnswer(path, Span(0, len(CONTENT) + 10), {}))
    assert b"".join(each["body"] for each in bodies) == CONTENT


def test_a_browser_saves_it() -> None:
    headers = attachment("audio/wav", "take.wav")
    assert headers["content-disposition"] == 'attachment; filename="take.wav"'
    assert headers["x-content-type-options"] == "nosniff"
