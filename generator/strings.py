"""The timbre of bowed string instruments, as tables of one period.

A bowed string moves in a sawtooth, whose partials fall as 1/k; the body passes some of them and
holds back others. While the pitch swings in a vibrato each partial slides up and down the slopes of
the body's resonances, so that its strength swings as well: that is most of what makes a string
sound alive (J. Meyer, *Acoustics and the Performance of Music*, ch. 3; M. Mathews and J. Kohut,
*Electronic simulation of violin resonances*, JASA 53, 1973). A table therefore holds two periods: at
the middle of the vibrato, and what the upper end of the vibrato adds to it.

The tables are made with cos, exp2 and an inverse FFT in double precision, whose last digit may
differ between machines; everything after them is integer or plain float32 arithmetic.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from generator.take import SAMPLE_RATE

TABLE_BITS: Final = 14
TABLE_SIZE: Final = 1 << TABLE_BITS
BRIGHTNESS_LEVELS: Final = 8
VIBRATO_CENTS: Final = 18
"""Half the width of a full vibrato; the tables know its ends."""

_MAX_PARTIALS: Final = 120
_MAX_HZ: Final = 15_000
_TUNING_HZ: Final = 440.0
_TUNING_PITCH: Final = 69
_RIPPLE_DB: Final = 4.0
_RIPPLES_PER_OCTAVE: Final = 9
_LOWEST_RIPPLE_HZ: Final = 30.0
_EAR_HZ: Final = 1_200.0
"""Notes above this frequency are turned down: the ear is most sensitive above it."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What tells one bowed instrument from another.

    Attributes:
        name: Of the instrument.
        seed: Of the small irregularities of its body.
        resonances: Centre in Hz, strength in dB, width in octaves.
        air_hz: Below this frequency the body radiates little.
        dull_hz: Where the partials of the softest tone begin to fall more steeply.
        bright_hz: The same for the loudest tone.
        gain: Loudness relative to the other instruments.
        attack: Seconds from silence to the full tone of a long note.
        vibrato_hz: The slowest and the fastest vibrato.
        noise: Strength of the bow's noise relative to the tone.
        noise_hz: Where that noise is strongest.
    """

    name: str
    seed: int
    resonances: tuple[tuple[float, float, float], ...]
    air_hz: float
    dull_hz: float
    bright_hz: float
    gain: float
    attack: float
    vibrato_hz: tuple[float, float]
    noise: float
    noise_hz: float


VIOLIN: Final = Instrument(
    name="violin",
    seed=1,
    resonances=(
        (275, 5, 0.14),
        (460, 6, 0.15),
        (560, 5, 0.15),
        (1000, -3, 0.35),
        (2500, 6, 0.6),
    ),
    air_hz=230,
    dull_hz=2_200,
    bright_hz=6_500,
    gain=0.95,
    attack=0.075,
    vibrato_hz=(5.3, 6.2),
    noise=0.012,
    noise_hz=3_200,
)
VIOLA: Final = Instrument(
    name="viola",
    seed=2,
    resonances=(
        (220, 5, 0.14),
        (360, 5, 0.16),
        (430, 4, 0.16),
        (1050, 3, 0.3),
        (1900, 5, 0.6),
    ),
    air_hz=170,
    dull_hz=1_700,
    bright_hz=5_000,
    gain=1.0,
    attack=0.09,
    vibrato_hz=(5.0, 5.8),
    noise=0.012,
    noise_hz=2_400,
)
CELLO: Final = Instrument(
    name="cello",
    seed=3,
    resonances=(
        (98, 4, 0.16),
        (180, 5, 0.16),
        (225, 4, 0.16),
        (420, 2, 0.3),
        (700, -3, 0.3),
        (1250, 5, 0.6),
        (2500, 3, 0.6),
    ),
    air_hz=80,
    dull_hz=1_200,
    bright_hz=3_800,
    gain=1.0,
    attack=0.1,
    vibrato_hz=(4.7, 5.5),
    noise=0.014,
    noise_hz=1_700,
)

_BY_PROGRAM: Final = {40: VIOLIN, 41: VIOLA, 42: CELLO, 43: CELLO}
_VIOLA_BELOW: Final = 67
_CELLO_BELOW: Final = 55


def instrument_for(program: int, pitches: NDArray[np.int64]) -> Instrument:
    """The instrument of a General MIDI program; another program is played by the string that fits.

    Args:
        program: 40 to 43 are violin, viola, cello and contrabass (a cello here).
        pitches: Of the voice, at least one; its median decides for all other programs.
    """
    if program in _BY_PROGRAM:
        return _BY_PROGRAM[program]
    middle = np.median(pitches)
    if middle < _CELLO_BELOW:
        return CELLO
    return VIOLA if middle < _VIOLA_BELOW else VIOLIN


def frequency(pitch: float) -> float:
    """Hz of a MIDI pitch, which may lie between two notes, at a' = 440 Hz."""
    return float(_TUNING_HZ * 2.0 ** ((pitch - _TUNING_PITCH) / 12))


def random_units(seed: int, count: int) -> NDArray[np.float64]:
    """Numbers from -1 to 1 that are the same in every version of numpy.

    The raw output of the Philox generator is specified (Salmon et al., SC 2011); numpy's
    distributions are not.
    """
    raw = np.random.Philox(key=seed).random_raw(count)
    return np.asarray((raw >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1, np.float64)


@lru_cache(maxsize=512)
def wavetable(instrument: Instrument, pitch: int, brightness: int) -> NDArray[np.complex64]:
    """One period of a tone with an effective value of about 1.

    Args:
        instrument: Whose tone.
        pitch: MIDI pitch.
        brightness: 0 (softest) to `BRIGHTNESS_LEVELS` - 1.

    Returns:
        `TABLE_SIZE` numbers: the real part is the wave in the middle of the vibrato, the imaginary
        part what a full swing upwards adds to it.
    """
    partials = np.arange(1, _MAX_PARTIALS + 1)
    share = brightness / (BRIGHTNESS_LEVELS - 1)
    edge = instrument.dull_hz * (instrument.bright_hz / instrument.dull_hz) ** share
    swing = VIBRATO_CENTS / 100
    low, high = (_amplitudes(instrument, frequency(pitch + offset), partials, edge) for offset in (-swing, swing))
    loudness = np.sqrt(((low + high) ** 2).sum() / 8)
    loudness *= max(1.0, frequency(pitch) / _EAR_HZ) ** 0.6
    phases = np.exp(1j * np.pi * random_units(instrument.seed, _MAX_PARTIALS))
    middle, upward = (_period(amplitudes * phases / loudness) for amplitudes in ((low + high) / 2, (high - low) / 2))
    table = (middle + 1j * upward).astype(np.complex64)
    table.flags.writeable = False
    return table


def body(instrument: Instrument, hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """How strongly the body radiates, as an amplitude, at frequencies above 0 Hz."""
    octaves = np.log2(hz)
    decibels = np.zeros_like(octaves)
    for centre, strength, width in instrument.resonances:
        decibels += strength * np.exp2(-(((octaves - np.log2(centre)) / width) ** 2))
    ripples = _RIPPLE_DB * random_units(instrument.seed + 100, 10 * _RIPPLES_PER_OCTAVE)
    where = (octaves - np.log2(_LOWEST_RIPPLE_HZ)) * _RIPPLES_PER_OCTAVE
    decibels += np.interp(where, np.arange(len(ripples)), ripples)
    radiated = 1 / np.sqrt(1 + (instrument.air_hz / hz) ** 4)
    return np.asarray(radiated * 10 ** (decibels / 20), np.float64)


def _amplitudes(instrument: Instrument, hz: float, partials: NDArray[np.int64], edge: float) -> NDArray[np.float64]:
    at = np.asarray(hz * partials, np.float64)
    source = 1 / partials / (1 + (at / edge) ** 2) ** 0.7
    # Partials fade out below the limit, so that a vibrato does not switch one on and off.
    allowed = np.clip((_MAX_HZ - at) / 1_000, 0, 1)
    return np.asarray(source * body(instrument, at) * allowed, np.float64)


def _period(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    bins = np.zeros(TABLE_SIZE // 2 + 1, np.complex128)
    bins[1 : len(spectrum) + 1] = spectrum
    return np.asarray(np.fft.irfft(bins, TABLE_SIZE) * (TABLE_SIZE / 2), np.float64)


def samples(seconds: float) -> int:
    """The nearest number of frames to a duration."""
    return round(seconds * SAMPLE_RATE)
