"""Recognising clips over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from fingerprint.audio import Audio, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    Problem = Callable[[httpx.Response, int], dict[str, object]]
RATE = 44_100


def _identify(client: httpx.Client, data: bytes) -> httpx.Response:
    return client.post("/v1/identifications", files={"file": ("clip.mp3", data)})


def _wav(folder: Path, seconds: float, level: float) -> bytes:
    noise = np.random.default_rng(7).normal(0, level, (int(seconds * RATE), 2)).clip(-1, 1)
    path = folder / "clip.wav"
    encode(Audio((noise * 32767).astype(np.int16), RATE), path, media_type="audio/wav")
    return path.read_bytes()


def test_a_copy_in_another_format_is_found(everything: httpx.Client, recording_id: str) -> None:
    clip = everything.get(f"/v1/recordings/{recording_id}/audio?format=mp3").content
    matches = _identify(everything, clip).json()["matches"]
    assert matches[0]["recording_id"] == recording_id
    assert matches[0]["score"] > 3


def test_another_sound_is_not_found(everything: httpx.Client, tmp_path: Path) -> None:
    answer = _identify(everything, _wav(tmp_path, 8, 0.1)).json()
    assert answer["matches"] == []
    assert "No recording" in answer["note"]


@pytest.mark.parametrize(("seconds", "level"), [(8, 0.0), (1, 0.1)])
def test_too_little_to_tell(everything: httpx.Client, tmp_path: Path, seconds: float, level: float) -> None:
    answer = _identify(everything, _wav(tmp_path, seconds, level)).json()
    assert answer["matches"] == []
    assert answer["note"].startswith("Insufficient evidence")
    assert "staging" not in answer["note"]


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + b"\0" * 500, b"RIFF\x24\0\0\0WAVEfmt ", b"text"])
def test_what_is_no_audio(everything: httpx.Client, problem: Problem, data: bytes) -> None:
    found = problem(_identify(everything, data), 422)
    assert "he uploaded file" in str(found["detail"])
