"""The ffmpeg program at work, and failing."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fingerprint import ffmpeg as program
from fingerprint.audio import decode, encode
from fingerprint.errors import AudioError
from fingerprint.media import MediaType


def test_no_more_is_decoded_than_wanted(ffmpeg: str, file_of: Callable[[MediaType], Path]) -> None:
    assert ffmpeg
    path = file_of("audio/mp4")
    whole, rate = program.decode_mp4(path, 60, 10**8)
    two_seconds, _ = program.decode_mp4(path, 1, 10**8)
    assert (whole.shape[1], rate) == (2, 44_100)
    assert len(two_seconds) == 2 * rate
    assert np.array_equal(two_seconds, whole[: len(two_seconds)])
    assert len(program.decode_mp4(path, 60, 100_000)[0]) < 100_000


def test_tags_are_not_taken_for_samples(ffmpeg: str, tmp_path: Path, file_of: Callable[[MediaType], Path]) -> None:
    """A wav file has them in front of its samples."""
    path, tagged = file_of("audio/mp4"), tmp_path / "tagged.m4a"
    command = (ffmpeg, "-v", "error", "-i", path, "-c", "copy", "-metadata", "title=A title", tagged)
    subprocess.run(command, check=True)
    plain, _ = program.decode_mp4(path, 60, 10**8)
    found, _ = program.decode_mp4(tagged, 60, 10**8)
    assert np.array_equal(plain, found)


def test_what_ffmpeg_says_is_passed_on(ffmpeg: str, tmp_path: Path) -> None:
    assert ffmpeg
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\x00\x00\x00\x10ftypM4A " + bytes(100))
    with pytest.raises(AudioError, match="ffmpeg could not decode the m4a file; it said:"):
        program.decode_mp4(path, 60, 10**6)


@pytest.mark.parametrize("name", ["-y", "pipe:1", "concat:a|b", "http://127.0.0.1/x", "%d.m4a", "file:x", "a b'c.m4a"])
def test_names_are_names_and_nothing_else(
    name: str, ffmpeg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_of: Callable[[MediaType], Path]
) -> None:
    assert ffmpeg
    monkeypatch.chdir(tmp_path)
    Path("http:").mkdir()
    Path("http:/127.0.0.1").mkdir()
    audio = decode(file_of("audio/wav"))
    encode(audio, Path(name), media_type="audio/mp4")
    assert Path(name).read_bytes() == file_of("audio/mp4").read_bytes()
    assert decode(Path(name)).channels == 2
