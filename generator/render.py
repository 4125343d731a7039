"""A score as sound: a stem for each voice, and their mix.

Each voice is bowed on its instrument (`generator.strings`, `generator.bow`) and heard from its seat
in the room (`generator.room`). The gain is fixed, so that all pieces are equally loud, an untouched
voice keeps its samples when another one is edited, and no limiter is needed: an ordinary quartet
stays below the ceiling. A score that would not (dozens of notes at once) is turned down as a whole
by as many whole decibels as it takes. The mix is the sum of the finished stems, sample by sample.

The same score gives the same samples on one machine in every run. Between machines they may differ
in the last bit, because the Fourier transforms and the functions that make the tables (cos, exp,
exp2, log2) are not rounded alike everywhere; all other arithmetic is.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from generator.bow import play
from generator.ending import END_SECONDS
from generator.errors import RenderError
from generator.room import Stereo, hear, seats
from generator.score import Score
from generator.strings import samples
from generator.take import Pcm, Samples, Stem

CEILING: Final = 10 ** (-1 / 20)
"""Highest sample of the mix and of every stem: -1 dB below full scale."""
GAIN: Final = 0.05

MAX_VOICE_SECONDS: Final = 2_400
MAX_NOTE_SECONDS: Final = 20_000
MAX_NOTES: Final = 200_000

Progress = Callable[[int, int], None]
"""Called with the number of voices that are done and their number."""

_BLOCK_FRAMES: Final = 1 << 16


def render(score: Score, bits: int = 16, progress: Progress | None = None) -> tuple[tuple[Stem, ...], Pcm]:
    """Play a score.

    Args:
        score: At least one note; seconds times voices at most `MAX_VOICE_SECONDS`.
        bits: 16 or 24.
        progress: Told of every finished voice.

    Returns:
        One stereo stem for each voice, and the mix; all last as long as the score and
        `END_SECONDS`.

    Raises:
        RenderError: The score has no notes, or is too long or too dense to be played.
    """
    _check(score, bits)
    frames = samples(score.seconds(score.length) + END_SECONDS)
    heard: list[Stereo] = []
    for index, seat in enumerate(seats(len(score.voices))):
        line = np.zeros(frames, np.float32)
        play(score, index, line)
        heard.append(hear(line, seat, frames))
        if progress is not None:
            progress(index + 1, len(score.voices))
    scale = _gain(heard) * 2.0 ** (bits - 1)
    finished: list[Samples] = []
    while heard:
        finished.append(_quantised(heard.pop(0), scale, bits))
    mix = finished[0].copy()
    for stem in finished[1:]:
        mix += stem
    stems = tuple(Stem(voice.name, Pcm(stem, bits)) for voice, stem in zip(score.voices, finished, strict=True))
    return stems, Pcm(mix, bits)


def _check(score: Score, bits: int) -> None:
    if bits not in (16, 24):
        raise RenderError(f"Sound cannot be rendered with {bits} bits a sample; choose 16 or 24.")
    notes = [note for voice in score.voices for note in voice.notes]
    if not notes:
        raise RenderError("The score has no notes: there is nothing to play. Add some.")
    voice_seconds = score.seconds(score.length) * len(score.voices)
    if voice_seconds > MAX_VOICE_SECONDS:
        raise RenderError(
            f"The score has {len(score.voices)} voices and lasts {score.seconds(score.length):.0f} "
            f"seconds; voices times seconds may be at most {MAX_VOICE_SECONDS}. Render fewer voices "
            "or a shorter part of it."
        )
    note_seconds = sum(score.seconds(note.end) - score.seconds(note.onset) for note in notes)
    if len(notes) > MAX_NOTES or note_seconds > MAX_NOTE_SECONDS:
        raise RenderError(
            f"The score has {len(notes)} notes of {note_seconds:.0f} seconds in all; at most "
            f"{MAX_NOTES} notes and {MAX_NOTE_SECONDS} seconds can be played. Remove doubled notes."
        )


def _gain(heard: Sequence[Stereo]) -> float:
    """`GAIN`, or as many whole decibels less as keep the mix and every stem below the ceiling."""
    peak = 0.0
    for start in range(0, heard[0].shape[1], _BLOCK_FRAMES):
        blocks = [stem[:, start : start + _BLOCK_FRAMES] for stem in heard]
        peak = max(peak, *(float(np.abs(block).max()) for block in [*blocks, sum(blocks)]))
    excess = math.ceil(20 * math.log10(max(GAIN * peak / CEILING, 1)))
    return GAIN * math.pow(10, -excess / 20)


def _quantised(stem: Stereo, scale: float, bits: int) -> Samples:
    frames = stem.shape[1]
    shape = (frames, 2)
    result: Samples = np.empty(shape, np.int16) if bits == 16 else np.empty(shape, np.int32)  # noqa: PLR2004
    for start in range(0, frames, _BLOCK_FRAMES):
        block = np.rint(stem[:, start : start + _BLOCK_FRAMES] * np.float32(scale))
        result[start : start + _BLOCK_FRAMES] = block.T
    if bits == 24:  # noqa: PLR2004
        result <<= 8
    return result
