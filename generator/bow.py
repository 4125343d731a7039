"""How the notes of a voice are bowed: attack, vibrato, noise, release and legato.

Every small irregularity of a note comes from a hash of its voice, onset and pitch. A note therefore
sounds the same whatever is changed elsewhere in the score, and in every run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from generator.ending import RELEASE_SECONDS
from generator.score import Note, Score, Voice
from generator.strings import (
    BRIGHTNESS_LEVELS,
    TABLE_BITS,
    VIBRATO_CENTS,
    Instrument,
    body,
    frequency,
    instrument_for,
    random_units,
    samples,
    wavetable,
)
from generator.take import SAMPLE_RATE

Line: TypeAlias = NDArray[np.float32]
Table: TypeAlias = NDArray[np.complex64]

_CHUNK: Final = 1 << 13
_CYCLE_BITS: Final = 19
_CYCLE_FRAMES: Final = 1 << _CYCLE_BITS
"""Length, about 12 s, of the tables of slow movements and noise, which repeat after that."""
_WARP_BITS: Final = 24
_DRIFT_SECONDS: Final = 60e-6
_TREMOR: Final = 0.04
_DRIFT_HZ: Final = 12.0
_NOISE_OCTAVES: Final = 1.3
_DETUNE_CENTS: Final = 3.0
_ASYNCHRONY: Final = 0.005
_USUAL_VELOCITY: Final = 80
_DECIBELS_PER_VELOCITY: Final = 0.15
_BITE_FRAMES: Final = samples(0.09)
_VIBRATO_GROWTH: Final = samples(0.3)
_LOWEST_STRINGS: Final = {"violin": 55, "viola": 48, "cello": 36}
"""Open strings that no finger can replace, and that therefore sound without vibrato."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One note as it is bowed. Times are in frames.

    Attributes:
        start: First frame of the note in its line.
        hold: Frames until the release begins.
        attack: Frames from silence to the full tone, at most `hold`.
        release: Frames from the full tone to silence.
        pitch: MIDI pitch.
        step: Phase that one frame adds, in parts of 2**32.
        level: Amplitude, with an effective value of about 1 at velocity 80.
        brightness: Of the full tone, 0 to `BRIGHTNESS_LEVELS` - 1.
        vibrato: Width relative to a full vibrato.
        vibrato_start: Frame at which the vibrato begins to grow.
        noise: Strength of the bow's noise, relative to the tone.
        bite: The same at the very beginning of the note.
        bend: Curvature of the loudness: 0 decays, 1 swells and falls.
        places: Where in the tables of vibrato, drift, and noise the note begins.
        vibrato_step: Phase that one frame adds to the vibrato, in parts of 2**32.
    """

    start: int
    hold: int
    attack: int
    release: int
    pitch: int
    step: int
    level: float
    brightness: int
    vibrato: float
    vibrato_start: int
    noise: float
    bite: float
    bend: float
    places: tuple[int, int, int]
    vibrato_step: int


def play(score: Score, voice_index: int, line: Line) -> None:
    """Add the notes of one voice to a line of samples, which must reach beyond its last note."""
    voice = score.voices[voice_index]
    if not voice.notes:
        return
    pitches = np.array([note.pitch for note in voice.notes])
    instrument = instrument_for(voice.program, pitches)
    bow = _Bow(instrument)
    for stroke in strokes(score, voice, voice_index, instrument):
        bow.add(stroke, line)


def strokes(score: Score, voice: Voice, voice_index: int, instrument: Instrument) -> Iterator[Stroke]:
    """How each note of a voice is bowed."""
    onsets = {note.onset for note in voice.notes}
    ends = {note.end for note in voice.notes}
    struck = {(note.onset, note.pitch) for note in voice.notes}
    for note in voice.notes:
        yield _stroke(
            note,
            instrument,
            _variations(voice_index, note),
            begins=score.seconds(note.onset),
            ends=score.seconds(note.end),
            from_legato=note.onset in ends,
            to_legato=note.end in onsets,
            repeated=(note.end, note.pitch) in struck,
        )


def _stroke(
    note: Note,
    instrument: Instrument,
    vary: Iterator[float],
    *,
    begins: float,
    ends: float,
    from_legato: bool,
    to_legato: bool,
    repeated: bool,
) -> Stroke:
    length = ends - begins
    loudness = (note.velocity - _USUAL_VELOCITY) * _DECIBELS_PER_VELOCITY + next(vary)
    detune = _DETUNE_CENTS / 100 * next(vary)
    hz = min(frequency(note.pitch + detune), SAMPLE_RATE / 2)
    held = max(0.02, length - (min(0.05, length / 4) if repeated else 0))
    attack = instrument.attack * (0.7 if from_legato else 1) * (1 - 0.15 * next(vary))
    long = min(1.0, max(0.0, (length - 0.25) / 0.75))
    fingered = note.pitch != _LOWEST_STRINGS[instrument.name]
    vibrato = fingered * min(1.0, max(0.0, (length - 0.15) / 0.45)) * (0.75 + 0.25 * next(vary))
    release = RELEASE_SECONDS * (0.3 if repeated else 0.5 if to_legato else 0.9)
    hold = samples(held)
    slowest, fastest = instrument.vibrato_hz
    return Stroke(
        start=max(0, samples(begins + _ASYNCHRONY * next(vary))),
        hold=hold,
        attack=min(hold, samples(min(attack, max(0.025, length * 0.4)))),
        release=samples(release),
        pitch=note.pitch,
        step=round(hz / SAMPLE_RATE * 2**32),
        level=instrument.gain * 10 ** (loudness / 20),
        brightness=min(BRIGHTNESS_LEVELS - 1, note.velocity * BRIGHTNESS_LEVELS // 128),
        vibrato=vibrato,
        vibrato_start=samples(0.1 + 0.05 * next(vary)),
        noise=instrument.noise,
        bite=instrument.noise * (3 if from_legato else 8),
        bend=long,
        places=(_place(next(vary)), _place(next(vary)), _place(next(vary))),
        vibrato_step=round((slowest + (fastest - slowest) * (next(vary) + 1) / 2) / SAMPLE_RATE * 2**32),
    )


def _place(variation: float) -> int:
    return int((variation + 1) / 2 * _CYCLE_FRAMES)


def _variations(voice_index: int, note: Note) -> Iterator[float]:
    """Numbers from -1 (included) to 1 (not included): the SplitMix64 sequence of the note."""
    mask = 2**64 - 1
    state = (voice_index << 56 ^ note.pitch << 48 ^ note.onset) & mask
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & mask
        yield ((mixed ^ mixed >> 31) >> 11) / 2**52 - 1


class _Bow:
    """Turns strokes into samples, a chunk at a time."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._noise = _noise(instrument)
        self._drift, self._tremor = _slow_movements()
        self._circle = _circle()

    def add(self, stroke: Stroke, line: Line) -> None:
        """Add a note to a line."""
        full = wavetable(self._instrument, stroke.pitch, stroke.brightness)
        soft = wavetable(self._instrument, stroke.pitch, max(0, stroke.brightness - 3))
        total = stroke.hold + stroke.release
        for first in range(0, total, _CHUNK):
            count = min(_CHUNK, total - first)
            start = stroke.start + first
            line[start : start + count] += self._chunk(stroke, soft, full, first, count)

    def _chunk(self, stroke: Stroke, soft: Table, full: Table, first: int, count: int) -> Line:
        swing, index = self._pitch(stroke, first, count)
        envelope = self._envelope(stroke, first, count)
        wave = soft[index]
        tone = wave.real + wave.imag * swing
        # The louder the moment, the brighter: the envelope blends two tables.
        wave = full[index] - wave
        tone += (wave.real + wave.imag * swing) * envelope
        scratch = stroke.noise + stroke.bite * (1 - _rise(first, count, 0, _BITE_FRAMES))
        tone += _cyclic(self._noise, stroke.places[2] + first, count) * scratch
        return tone * envelope * np.float32(stroke.level)

    def _pitch(self, stroke: Stroke, first: int, count: int) -> tuple[Line, NDArray[np.intp]]:
        """Where in the vibrato the note is (-1 to 1), and where in its wavetable."""
        frames = np.arange(first, first + count, dtype=np.uint32)
        turn = frames * np.uint32(stroke.vibrato_step) + np.uint32(stroke.places[0] << 13)
        oscillation = self._circle[turn >> np.uint32(32 - TABLE_BITS)]
        depth = _rise(first, count, stroke.vibrato_start, _VIBRATO_GROWTH) * stroke.vibrato
        # Pitch follows the sine, so phase follows its integral, the negative cosine.
        hz = stroke.step / 2**32 * SAMPLE_RATE
        vibrato_hz = stroke.vibrato_step / 2**32 * SAMPLE_RATE
        cycles = hz * (2 ** (VIBRATO_CENTS / 1200) - 1) / (2 * np.pi * vibrato_hz)
        warp = oscillation.real * (depth * np.float32(-cycles * 2**_WARP_BITS))
        warp += _cyclic(self._drift, stroke.places[1] + first, count) * np.float32(hz * 2**_WARP_BITS)
        phase = frames * np.uint32(stroke.step)
        phase += warp.astype(np.int32).view(np.uint32) << np.uint32(32 - _WARP_BITS)
        index = (phase >> np.uint32(32 - TABLE_BITS)).astype(np.intp)
        return oscillation.imag * depth, index

    def _envelope(self, stroke: Stroke, first: int, count: int) -> Line:
        time = np.arange(first, first + count, dtype=np.float32) * np.float32(1 / stroke.hold)
        swell, decay = np.float32(0.8 * stroke.bend), np.float32(0.3 * (1 - stroke.bend))
        shape = np.float32(1 - 0.2 * stroke.bend) + (swell - decay) * time - swell * time * time
        shape *= _cyclic(self._tremor, stroke.places[1] + first, count)
        shape *= _rise(first, count, 0, stroke.attack)
        shape *= 1 - _rise(first, count, stroke.hold, stroke.release)
        return np.asarray(np.maximum(shape, 0, out=shape), np.float32)


def _rise(first: int, count: int, start: int, length: int) -> Line:
    """A smooth step from 0 at frame `start` to 1 at `start + length`, over a chunk of frames."""
    if first >= start + length:
        return np.ones(1, np.float32)
    if first + count <= start:
        return np.zeros(1, np.float32)
    time = np.arange(first - start, first - start + count, dtype=np.float32)
    time *= np.float32(1 / length)
    np.clip(time, 0, 1, out=time)
    return time * time * (3 - 2 * time)


def _cyclic(table: Line, first: int, count: int) -> Line:
    if first + count <= len(table):
        return table[first : first + count]
    return np.take(table, np.arange(first, first + count), mode="wrap")


@lru_cache(maxsize=1)
def _circle() -> Table:
    """The cosine (real) and sine (imaginary) of a turn."""
    turn = np.arange(1 << TABLE_BITS) * (2 * np.pi / (1 << TABLE_BITS))
    return np.asarray(np.cos(turn) + 1j * np.sin(turn), np.complex64)


@lru_cache(maxsize=1)
def _slow_movements() -> tuple[Line, Line]:
    """The wavering of the pitch, as a shift in time (seconds), and of the loudness (around 1)."""
    hz = np.fft.rfftfreq(_CYCLE_FRAMES, 1 / SAMPLE_RATE)
    slow = np.exp2(-((hz / _DRIFT_HZ) ** 2)) / np.maximum(hz, 1)
    slow[0] = 0
    drift = _coloured_noise(11, slow) * _DRIFT_SECONDS
    tremor = 1 + _coloured_noise(12, slow) * _TREMOR
    return drift.astype(np.float32), tremor.astype(np.float32)


@lru_cache(maxsize=4)
def _noise(instrument: Instrument) -> Line:
    """What the bow's hair adds to the tone, with an effective value of 1."""
    hz = np.fft.rfftfreq(_CYCLE_FRAMES, 1 / SAMPLE_RATE)
    hz[0] = hz[1]
    octaves = np.log2(hz / instrument.noise_hz)
    colour = body(instrument, np.asarray(hz, np.float64)) * np.exp2(-((octaves / _NOISE_OCTAVES) ** 2))
    return _coloured_noise(instrument.seed + 20, colour).astype(np.float32)


def _coloured_noise(seed: int, colour: NDArray[np.float64]) -> NDArray[np.float64]:
    noise = np.fft.irfft(np.fft.rfft(random_units(seed, _CYCLE_FRAMES)) * colour, _CYCLE_FRAMES)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)), np.float64)
