import io
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fingerprint.audio import Audio, decode
from fingerprint.errors import AudioError
from fingerprint.wav import WavStream

shapes = st.tuples(st.integers(1, 300), st.integers(1, 2))
sixteen = shapes.flatmap(lambda shape: arrays(np.int16, shape))
twenty_four = shapes.flatmap(lambda shape: arrays(np.int32, shape)).map(lambda samples: samples & ~0xFF)


@given(sixteen | twenty_four, st.sampled_from([8000, 44_100, 96_000]))
def test_it_is_the_file_that_the_standard_library_writes(samples: np.ndarray, rate: int) -> None:
    width = 2 if samples.dtype == np.int16 else 3
    packed = samples.astype("<i2").tobytes() if width == 2 else samples.astype("<i4").view(np.uint8)
    if width == 3:
        packed = np.ascontiguousarray(packed.reshape(-1, 4)[:, 1:]).tobytes()
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setparams((samples.shape[1], width, rate, 0, "NONE", ""))
        file.writeframes(packed)
    if len(packed) % 2 == 0:  # the standard library leaves out the padding byte that RIFF asks for
        assert WavStream(Audio(samples, rate)).read() == written.getvalue()
    with wave.open(WavStream(Audio(samples, rate))) as again:
        assert again.getparams()[:4] == (samples.shape[1], width, rate, len(samples))
        assert again.readframes(len(samples)) == packed


@given(sixteen, st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 400)), max_size=8))
def test_any_part_can_be_read(samples: np.ndarray, reads: list[tuple[int, int]]) -> None:
    stream = WavStream(Audio(samples, 44_100))
    whole = stream.read()
    for start, length in reads:
        assert stream.seek(start) == start
        assert stream.read(length) == whole[start : start + length]
        assert stream.tell() == max(start, min(start + length, len(whole)) if start < len(whole) else start)
    assert stream.seek(0, io.SEEK_END) == len(whole)
    assert stream.seek(-4, io.SEEK_CUR) == len(whole) - 4


def test_it_decodes_to_the_same_samples(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-30_000, 30_000, (60_000, 2)).astype(np.int16)
    (tmp_path / "a.wav").write_bytes(WavStream(Audio(samples, 44_100)).read())
    assert np.array_equal(decode(tmp_path / "a.wav").samples, samples)


def test_floats_are_refused() -> None:
    with pytest.raises(AudioError, match="float32"):
        WavStream(Audio(np.zeros((9, 1), np.float32), 44_100))
