"""What is left of a sound when a recording is taken away: nothing of an honest copy, and all that was added."""

import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fingerprint.audio import Audio, decode, encode
from fingerprint.chroma import fingerprint
from fingerprint.likeness import SHOWN_BELOW, remainder
from fingerprint.match import agree

RATE = 44_100
FULL = 32_767


@pytest.fixture(scope="session")
def song(compose: Callable[..., Audio]) -> Audio:
    """Eight seconds in stereo, at half of full scale."""
    voices = [compose(seed, 8, RATE).samples for seed in (1, 2)]
    return Audio((np.hstack(voices) // 2).astype(np.int16), RATE)


def signal(audio: Audio) -> NDArray[np.float64]:
    return audio.samples.astype(np.float64)


def sounding(samples: NDArray[np.float64], rate: int = RATE) -> Audio:
    return Audio(np.clip(np.rint(samples), -FULL, FULL).astype(np.int16), rate)


def beside(song: Audio, added: NDArray[np.float64], level: float) -> Audio:
    """The song with something added, so many decibels above it."""
    music = signal(song)
    scale = 10 ** (level / 20) * math.sqrt(np.square(music).mean() / np.square(added).mean())
    return sounding(music + scale * added)


def voice(count: int) -> NDArray[np.float64]:
    time = np.arange(count) / RATE
    phase = 2 * np.pi * np.cumsum(180 + 40 * np.sin(2 * np.pi * 0.7 * time)) / RATE
    sound = sum(np.sin(number * phase) / number for number in range(1, 20))
    return np.stack([sound, sound], axis=1)


def cymbals(count: int) -> NDArray[np.float64]:
    random = np.random.default_rng(1)
    sound = np.zeros(count)
    stroke = np.exp(-np.arange(4000) / 600)
    for start in range(0, count - 4000, 11_025):
        sound[start : start + 4000] = np.diff(random.normal(size=4002), 2) * stroke
    return np.stack([sound, sound], axis=1)


def test_the_recording_itself(song: Audio) -> None:
    assert remainder(song, song, 0.0) < -40
    assert remainder(song, song, 0.14) < -40


@pytest.mark.parametrize("kilobits", [192, 320])
@pytest.mark.parametrize(("codec", "ending"), [("libmp3lame", "mp3"), ("aac", "m4a"), ("libvorbis", "ogg")])
def test_good_encodings(codec: str, ending: str, kilobits: int, ffmpeg: str, song: Audio, tmp_path: Path) -> None:
    encode(song, tmp_path / "song.wav", media_type="audio/wav")
    copy = tmp_path / f"copy.{ending}"
    options = ("-c:a", codec, "-b:a", f"{kilobits}k")
    subprocess.run((ffmpeg, "-v", "error", "-i", tmp_path / "song.wav", *options, copy), check=True)
    assert remainder(decode(copy), song, 0.0) <= SHOWN_BELOW


@pytest.mark.parametrize("options", [("-ar", "48000"), ("-ar", "22050"), ("-ac", "1"), ("-af", "volume=-9dB")])
def test_other_rates_channels_and_levels(options: tuple[str, ...], ffmpeg: str, song: Audio, tmp_path: Path) -> None:
    encode(song, tmp_path / "song.wav", media_type="audio/wav")
    subprocess.run((ffmpeg, "-v", "error", "-i", tmp_path / "song.wav", *options, tmp_path / "copy.wav"), check=True)
    assert remainder(decode(tmp_path / "copy.wav"), song, 0.0) <= SHOWN_BELOW


@settings(max_examples=8)
@given(start=st.floats(0, 2), seconds=st.floats(4, 6), gain=st.floats(0.1, 1.9), wrong=st.floats(-0.14, 0.14))
def test_a_part_at_another_level_is_shown_wherever_it_begins(
    song: Audio, start: float, seconds: float, gain: float, wrong: float
) -> None:
    first, count = round(start * RATE), round(seconds * RATE)
    part = sounding(gain * signal(song)[first : first + count])
    assert remainder(part, song, first / RATE + wrong) <= SHOWN_BELOW


def test_24_bits_and_floating_point_are_compared_at_their_own_scale(song: Audio) -> None:
    wide = Audio(np.left_shift(song.samples, 16, dtype=np.int32), RATE)
    fine = Audio(song.samples.astype(np.float32) / 32_768, RATE)
    for one in (wide, fine):
        for other in (song, wide, fine):
            assert remainder(one, other, 0.0) < -40


@pytest.mark.parametrize("level", [-3, -6, -10, -15, -20])
@pytest.mark.parametrize("kind", ["another recording", "noise", "voice", "cymbals"])
def test_what_was_added_is_left(kind: str, level: int, song: Audio, compose: Callable[..., Audio]) -> None:
    count = song.frames
    added = {
        "another recording": lambda: np.repeat(signal(compose(9, 8, RATE))[:count], 2, axis=1),
        "noise": lambda: np.random.default_rng(4).normal(size=(count, 2)),
        "voice": lambda: voice(count),
        "cymbals": lambda: cymbals(count),
    }[kind]()
    assert remainder(beside(song, added, level), song, 0.0) > SHOWN_BELOW


def test_a_fingerprint_alone_would_not_tell(song: Audio) -> None:
    """Cymbals 3 dB below the music change fewer bits than an encoder does."""
    mixed = beside(song, cymbals(song.frames), -3)
    assert agree(fingerprint(mixed), fingerprint(song))
    assert remainder(mixed, song, 0.0) > -6


@pytest.mark.parametrize("place", [0.0, 3.1, 7.4])
def test_half_a_second_of_something_else(place: float, song: Audio) -> None:
    samples, first = signal(song), round(place * RATE)
    samples[first : first + RATE // 2] = voice(RATE // 2) * 3000
    assert remainder(sounding(samples), song, 0.0) > SHOWN_BELOW


@pytest.mark.parametrize("front", [True, False])
def test_sound_before_or_behind_the_recording_is_left_and_silence_is_not(song: Audio, *, front: bool) -> None:
    for more, shown in ((voice(RATE // 2) * 300, False), (np.zeros((RATE // 2, 2)), True)):
        samples = np.concatenate([more, signal(song)] if front else [signal(song), more])
        found = remainder(sounding(samples), song, -0.5 if front else 0.0)
        assert (found <= SHOWN_BELOW) is shown


def test_another_piece_and_another_speed_are_not_shown(song: Audio, compose: Callable[..., Audio]) -> None:
    other = compose(7, 8, RATE)
    assert remainder(other, song, 0.0) > 0
    faster = Audio(song.samples, RATE + 441)
    assert remainder(faster, song, 0.0) > SHOWN_BELOW


def test_channels_that_changed_places_are_not_shown(song: Audio) -> None:
    assert remainder(Audio(song.samples[:, ::-1].copy(), RATE), song, 0.0) > SHOWN_BELOW


def test_silence_has_nothing_in_common_with_anything(song: Audio) -> None:
    silence = Audio(np.zeros_like(song.samples), RATE)
    assert remainder(song, silence, 0.0) == math.inf
    assert remainder(silence, song, 0.0) == math.inf
    assert remainder(song, song, 3600.0) == math.inf


def test_the_answer_is_the_same_each_time(song: Audio) -> None:
    mixed = beside(song, voice(song.frames), -12)
    assert remainder(mixed, song, 0.0) == remainder(mixed, song, 0.0)


def test_the_shortest_sound(compose: Callable[..., Audio]) -> None:
    short = compose(3, 1, 8000)
    assert remainder(short, short, 0.0) < -40
