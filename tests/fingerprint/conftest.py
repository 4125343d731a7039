"""Music made up for the tests, and files of every kind that hold it."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from sqlalchemy import Engine

from fingerprint.audio import Audio, encode
from fingerprint.chroma import Fingerprint, fingerprint
from fingerprint.index import Index
from fingerprint.media import MediaType
from fingerprint.tables import METADATA
from ledger.database import open_engine

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

RATE = 11_025
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10))
PARTIALS = (1.0, 0.5, 0.33, 0.2, 0.12)


@cache
def _string(pitch: int, rate: int) -> NDArray[np.float64]:
    """Three seconds of a steady note with a few partials."""
    time = np.arange(3 * rate) / rate
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    wave = np.zeros(len(time))
    for number, level in enumerate(PARTIALS, 1):
        if frequency * number < rate / 2:
            wave += level * np.sin(2 * np.pi * frequency * number * time)
    return wave


def _tone(pitch: int, seconds: float, rate: int) -> NDArray[np.float64]:
    """One bowed note."""
    wave = _string(pitch, rate)[: round(seconds * rate)]
    time = np.arange(len(wave)) / rate
    return wave * np.minimum(1, time / 0.03) * np.minimum(1, (seconds - time) / 0.05)


def _piece(seed: int, seconds: float = 30, rate: int = RATE) -> Audio:
    """A piece for four voices in one timbre: its own key, tempo, chords and tune."""
    random = np.random.default_rng(seed)
    scale, key = SCALES[random.integers(3)], int(random.integers(12))
    beat = random.uniform(0.3, 0.7)
    mix = np.zeros(round(seconds * rate))
    for octave, lengths in ((36, (2, 4)), (48, (1, 2)), (60, (0.5, 1, 2)), (72, (0.25, 0.5, 1))):
        at, degree = 0.0, int(random.integers(7))
        while at < seconds - 0.1:
            length = min(beat * float(random.choice(lengths)), seconds - at)
            degree = int(np.clip(degree + random.integers(-3, 4), 0, 9))
            note = _tone(octave + key + 12 * (degree // 7) + scale[degree % 7], length, rate)
            start = round(at * rate)
            mix[start : start + len(note)] += note[: len(mix) - start]
            at += length
    samples = np.rint(mix / np.abs(mix).max() * 25_000).astype(np.int16)
    return Audio(samples[:, None], rate)


def _excerpt(audio: Audio, start: float, seconds: float) -> Audio:
    """Part of a recording."""
    first, count = round(start * audio.sample_rate), round(seconds * audio.sample_rate)
    return Audio(audio.samples[first : first + count], audio.sample_rate)


def _noise(seconds: float, rate: int, channels: int, seed: int = 0, dtype: str = "int16") -> Audio:
    """Random samples that use the whole range of the sample format."""
    limits = np.iinfo(dtype)
    random = np.random.default_rng(seed)
    shape = (round(seconds * rate), channels)
    return Audio(random.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True), rate)


@pytest.fixture(scope="session")
def compose() -> Callable[..., Audio]:
    """Composes a piece from a seed; also takes seconds and rate."""
    return _piece


@pytest.fixture(scope="session")
def excerpt() -> Callable[[Audio, float, float], Audio]:
    """Cuts a part out of a recording, from a second on, so many seconds long."""
    return _excerpt


@pytest.fixture(scope="session")
def noise() -> Callable[..., Audio]:
    """Makes random samples: seconds, rate, channels, seed, sample format."""
    return _noise


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives a path that nothing is at yet, for tests with many examples."""
    folder = tmp_path_factory.mktemp("scratch")
    numbers = count()
    return lambda ending: folder / f"{next(numbers)}.{ending}"


@pytest.fixture
def ffmpeg() -> str:
    """The ffmpeg program, as a second reader; tests that need it are skipped without it."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed")
    return program


@pytest.fixture(scope="session")
def pieces() -> list[Audio]:
    """Forty unrelated pieces of half a minute."""
    return [_piece(seed) for seed in range(40)]


@pytest.fixture(scope="session")
def prints(pieces: list[Audio]) -> list[Fingerprint]:
    """The fingerprints of `pieces`."""
    return [fingerprint(each) for each in pieces]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty database with the tables of this package."""
    engine = open_engine(tmp_path / "test.db")
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def index(engine: Engine) -> Index:
    """An index without recordings."""
    return Index(engine)


@pytest.fixture(scope="session")
def file_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[MediaType], Path]:
    """Three seconds of stereo music as a file of the given type, made once; not to be changed."""
    folder = tmp_path_factory.mktemp("files")
    left, right = _piece(1, 3, 44_100), _piece(2, 3, 44_100)
    music = Audio(np.hstack((left.samples, right.samples)), 44_100)

    def make(media_type: MediaType) -> Path:
        path = folder / media_type.replace("/", ".")
        if not path.exists():
            if media_type == "audio/ogg":
                _write_ogg(music, path)
            else:
                encode(music, path, media_type=media_type)
        return path

    return make


def _write_ogg(audio: Audio, path: Path) -> None:
    with soundfile.SoundFile(
        str(path), "w", audio.sample_rate, audio.channels, format="OGG", subtype="VORBIS"
    ) as sound:
        sound.write(audio.samples)
