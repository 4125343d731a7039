"""Fingerprints, against the library fed directly."""

import sys
from collections.abc import Callable
from pathlib import Path

import chromaprint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.audio import Audio, decode, encode
from fingerprint.chroma import SECONDS_IN_ITEM, SECONDS_PER_ITEM, SILENCE_PEAK, Fingerprint, fingerprint
from fingerprint.errors import DamagedFingerprintError, MissingProgramError, SilentAudioError


def fed_at_once(audio: Audio) -> list[int]:
    printer = chromaprint.Fingerprinter(1)
    printer.start(audio.sample_rate, audio.channels)
    printer.feed(audio.samples.tobytes())
    return chromaprint.decode_fingerprint(printer.finish())[0]


@pytest.mark.parametrize(("rate", "channels"), [(11_025, 1), (44_100, 2), (96_000, 1)])
def test_the_items_are_the_library_s(rate: int, channels: int, compose: Callable[..., Audio]) -> None:
    voices = [compose(seed, 12, rate).samples for seed in range(channels)]
    audio = Audio(np.hstack(voices), rate)
    found = fingerprint(audio)
    assert found.items.dtype == np.uint32
    assert found.items.tolist() == fed_at_once(audio)
    assert found.duration_ms == 12_000


def test_the_full_length_is_heard_and_not_two_minutes_of_it(noise: Callable[..., Audio]) -> None:
    audio = noise(150, 11_025, 1)
    assert abs(len(fingerprint(audio).items) - (150 - SECONDS_IN_ITEM) / SECONDS_PER_ITEM) < 2


def test_the_sample_format_does_not_matter(pieces: list[Audio]) -> None:
    samples = pieces[0].samples
    left_justified = np.left_shift(samples, 16, dtype=np.int32)
    expected = fingerprint(pieces[0])
    for other in (left_justified, samples / np.float32(32_768), samples / np.float64(32_768)):
        assert fingerprint(Audio(other, 11_025)) == expected


def test_float_samples_beyond_full_scale_are_clipped(pieces: list[Audio]) -> None:
    loud = pieces[0].samples / np.float32(10_000)
    clipped = np.clip(np.rint(loud * 32_768), -32_768, 32_767).astype(np.int16)
    assert fingerprint(Audio(loud, 11_025)) == fingerprint(Audio(clipped, 11_025))


def test_short_sound_has_no_items(compose: Callable[..., Audio]) -> None:
    found = fingerprint(compose(1, 2))
    assert (len(found.items), found.duration_ms) == (0, 2000)


@pytest.mark.parametrize("peak", [0, 1, SILENCE_PEAK])
def test_silence_has_no_fingerprint(peak: int) -> None:
    dither = np.random.default_rng(1).integers(-peak, peak + 1, (44_100, 2), np.int16)
    with pytest.raises(SilentAudioError, match="silent"):
        fingerprint(Audio(dither, 44_100))


def test_silence_decodes(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    silence = Audio(np.zeros((44_100, 1), np.int16), 44_100)
    encode(silence, path, media_type="audio/flac")
    assert not decode(path).samples.any()


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_faint_sound_is_not_silence(dtype: type[np.int16 | np.int32 | np.float32]) -> None:
    faint = np.zeros((44_100, 1), np.int16)
    faint[9] = SILENCE_PEAK + 1
    scaled = {np.int16: faint, np.int32: np.left_shift(faint, 16, dtype=np.int32), np.float32: faint / 32_768}
    assert fingerprint(Audio(scaled[dtype].astype(dtype), 44_100)).duration_ms == 1000


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50), st.integers(0, 10**7))
def test_bytes_and_back(items: list[int], duration: int) -> None:
    one = Fingerprint(np.array(items, np.uint32), duration)
    data = one.to_bytes()
    assert data == b"".join(item.to_bytes(4, "little") for item in items)
    again = Fingerprint.from_bytes(data, duration)
    assert again == one
    assert hash(again) == hash(one)
    assert again.items.dtype == np.uint32
    assert again != Fingerprint.from_bytes(data, duration + 1)
    assert again != Fingerprint.from_bytes(data + bytes(4), duration)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 4001])
def test_part_of_an_item_is_refused(size: int) -> None:
    with pytest.raises(DamagedFingerprintError, match=f"{size} bytes"):
        Fingerprint.from_bytes(bytes(size), 1000)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, pieces: list[Audio]) -> None:
    monkeypatch.setitem(sys.modules, "chromaprint", None)
    with pytest.raises(MissingProgramError, match="apt install libchromaprint1"):
        fingerprint(pieces[0])
