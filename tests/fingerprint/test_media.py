"""A file is what its bytes say."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import AudioError
from fingerprint.media import MAX_FILE_BYTES, MEDIA_TYPES, MediaType, sniff

ID3_OF_40_BYTES = b"ID3\x04\x00\x00\x00\x00\x00\x28" + bytes(40)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_the_content_decides_and_not_the_name(
    media_type: MediaType, file_of: Callable[[MediaType], Path], tmp_path: Path
) -> None:
    if media_type == "audio/mp4" and shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    misnamed = tmp_path / "picture.png"
    misnamed.write_bytes(file_of(media_type).read_bytes())
    assert sniff(misnamed) == media_type


@pytest.mark.parametrize("media_type", ["audio/flac", "audio/mpeg"])
def test_tags_in_front_are_looked_past(media_type: str, file_of: Callable[[MediaType], Path], tmp_path: Path) -> None:
    tagged = tmp_path / "tagged"
    sound = file_of(cast("MediaType", media_type)).read_bytes()
    tagged.write_bytes(ID3_OF_40_BYTES + ID3_OF_40_BYTES + sound)
    assert sniff(tagged) == media_type


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (bytes(100), "nothing but zero bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "a PNG picture"),
        (b"MThd\x00\x00\x00\x06" + bytes(50), "a MIDI file"),
        (b"FORM\x00\x00\x00\x00AIFF", "an AIFF file"),
        (b"RIFF\x10\x00\x00\x00AVI " + bytes(50), "an unknown format"),
        (b"\xff\xf1\x50\x80" + bytes(50), "an unknown format"),
        (b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(50), "an unknown format"),
        (b"hello", "bytes 68 65 6c 6c 6f"),
    ],
)
def test_strangers_are_named(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "music.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=said) as caught:
        sniff(path)
    assert str(path) in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="No such file"):
        sniff(tmp_path / "nothing.wav")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="not a regular file"):
        sniff(tmp_path)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(AudioError, match=str(MAX_FILE_BYTES + 1)):
        sniff(path)


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_a_media_type_or_refused(scratch: Callable[[str], Path], content: bytes) -> None:
    path = scratch("bin")
    path.write_bytes(content)
    try:
        assert sniff(path) in MEDIA_TYPES
    except AudioError as error:
        assert str(path) in str(error)  # noqa: PT017 - either outcome is right
