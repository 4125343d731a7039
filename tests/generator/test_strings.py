"""The timbres: tables of one period, band-limited, of equal strength, and different from each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.strings import (
    BRIGHTNESS_LEVELS,
    CELLO,
    TABLE_SIZE,
    VIOLA,
    VIOLIN,
    Instrument,
    body,
    frequency,
    instrument_for,
    random_units,
    wavetable,
)

RANDOM123_PHILOX4X64_10_OF_ZEROS = (
    0x16554D9ECA36314C,
    0xDB20FE9D672D0FDC,
    0xD7E772CEE186176B,
    0x7E68B68AEC7BA23B,
)
"""From the known answers of Random123 (github.com/DEShawResearch/random123, tests/kat_vectors)."""
INSTRUMENTS = (VIOLIN, VIOLA, CELLO)
instruments = st.sampled_from(INSTRUMENTS)
levels = st.integers(0, BRIGHTNESS_LEVELS - 1)


def partials(instrument: Instrument, pitch: int, brightness: int) -> np.ndarray:
    return np.abs(np.fft.rfft(wavetable(instrument, pitch, brightness).real)) / (TABLE_SIZE / 2)


def centroid(instrument: Instrument, pitch: int, brightness: int) -> float:
    strengths = partials(instrument, pitch, brightness)
    return float((strengths * np.arange(len(strengths))).sum() / strengths.sum() * frequency(pitch))


def test_tuning() -> None:
    assert frequency(69) == 440
    assert frequency(60) == pytest.approx(261.6256, abs=1e-4)
    assert frequency(57.5) == pytest.approx(220 * 2 ** (0.5 / 12))


@settings(max_examples=40)
@given(instruments, st.integers(0, 127), levels)
def test_tables_are_finite_and_band_limited(instrument: Instrument, pitch: int, brightness: int) -> None:
    table = wavetable(instrument, pitch, brightness)
    assert (table.shape, table.dtype) == ((TABLE_SIZE,), np.complex64)
    assert np.isfinite(table).all()
    strengths = partials(instrument, pitch, brightness)
    sounding = np.flatnonzero(strengths > 1e-4)
    assert sounding.min() >= 1
    assert sounding.max() == 1 or sounding.max() * frequency(pitch) < 15_500


@given(instruments, st.integers(36, 76), levels)
def test_all_notes_are_equally_strong(instrument: Instrument, pitch: int, brightness: int) -> None:
    assert np.sqrt(np.mean(wavetable(instrument, pitch, brightness).real ** 2)) == pytest.approx(1, abs=0.01)


@given(instruments, st.integers(36, 88))
def test_louder_is_brighter(instrument: Instrument, pitch: int) -> None:
    assert centroid(instrument, pitch, 0) < centroid(instrument, pitch, 4) < centroid(instrument, pitch, 7)


def test_larger_instruments_are_darker() -> None:
    violin, viola, cello = (
        np.mean([centroid(instrument, pitch, 4) for pitch in range(55, 68)]) for instrument in INSTRUMENTS
    )
    assert violin > 1.05 * viola > 1.1 * cello


def test_vibrato_moves_the_partials() -> None:
    table = wavetable(VIOLIN, 69, 4)
    swing = np.abs(np.fft.rfft(table.imag)) / np.abs(np.fft.rfft(table.real)).max()
    assert 0.005 < swing.max() < 0.5


def test_a_table_is_made_once_and_cannot_be_written_to() -> None:
    assert wavetable(VIOLIN, 60, 3) is wavetable(VIOLIN, 60, 3)
    with pytest.raises(ValueError, match="read-only"):
        wavetable(VIOLIN, 60, 3)[0] = 0


def test_bodies_have_their_resonances() -> None:
    for instrument in INSTRUMENTS:
        gains = body(instrument, np.geomspace(20, 20_000, 500))
        assert (gains > 0).all()
        assert gains[0] < gains.max() / 20


def test_programs_choose_the_instrument() -> None:
    low = np.array([40])
    assert [instrument_for(program, low).name for program in (40, 41, 42, 43)] == ["violin", "viola", "cello", "cello"]


@pytest.mark.parametrize(("pitch", "name"), [(54, "cello"), (55, "viola"), (66, "viola"), (67, "violin")])
def test_the_register_chooses_for_other_programs(pitch: int, name: str) -> None:
    assert instrument_for(0, np.array([pitch, pitch, 127])).name == name


def test_random_numbers_are_those_of_the_published_generator() -> None:
    """Another sequence would make every recording sound different."""
    zeros = np.random.Philox(key=0, counter=2**256 - 1).random_raw(4)  # numpy counts before it draws
    assert tuple(map(int, zeros)) == RANDOM123_PHILOX4X64_10_OF_ZEROS
    assert random_units(1, 3).tolist() == [-0.3928639313864828, 0.6974174993715538, -0.6877304439130538]
    assert not np.array_equal(random_units(2, 3), random_units(1, 3))
    spread = random_units(7, 100_000)
    assert -1 <= spread.min() < -0.999 < 0.999 < spread.max() < 1
    assert abs(spread.mean()) < 0.01
