"""Whether a wav file holds all the sound that it says."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint import riff
from fingerprint.errors import AudioError


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    padding = bytes(len(content) % 2)
    return struct.pack("<4sI", name, len(content) if size is None else size) + content + padding


def wav(*chunks: bytes, name: bytes = b"RIFF") -> io.BytesIO:
    return io.BytesIO(name + bytes(4) + b"WAVE" + b"".join(chunks))


@given(before=st.lists(st.binary(max_size=9), max_size=4), sound=st.binary(max_size=50), behind=st.binary(max_size=9))
def test_whole_files_pass(before: list[bytes], sound: bytes, behind: bytes) -> None:
    chunks = [chunk(b"LIST", content) for content in before]
    riff.require_whole(wav(*chunks, chunk(b"data", sound), chunk(b"C2PA", behind)))


@given(sound=st.binary(max_size=50), missing=st.integers(2, 2**31))
def test_less_sound_than_promised_is_refused(sound: bytes, missing: int) -> None:
    with pytest.raises(AudioError, match="cut off"):
        riff.require_whole(wav(chunk(b"fmt ", bytes(16)), chunk(b"data", sound, len(sound) + missing)))


def test_a_size_that_was_never_filled_in_passes() -> None:
    riff.require_whole(wav(chunk(b"data", bytes(10), 0xFFFFFFFF)))


@pytest.mark.parametrize(("size", "whole"), [(10, True), (11, False), (2**40, False)])
def test_rf64_states_its_size_elsewhere(size: int, *, whole: bool) -> None:
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, size, 0, 0))
    file = wav(sizes, chunk(b"data", bytes(10), 0xFFFFFFFF), name=b"RF64")
    if whole:
        riff.require_whole(file)
    else:
        with pytest.raises(AudioError, match=f"should have {size} bytes"):
            riff.require_whole(file)


@pytest.mark.parametrize("chunks", [(), (chunk(b"fmt ", bytes(16)),), (chunk(b"junk", b""),) * 2000])
def test_no_sound_at_all(chunks: tuple[bytes, ...]) -> None:
    with pytest.raises(AudioError, match="no sound in it"):
        riff.require_whole(wav(*chunks))
