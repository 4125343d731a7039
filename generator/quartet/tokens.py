"""A score as tokens: four voices on a grid of sixteenths.

Each voice says one thing per frame: hold, rest, or strike a pitch. The network does not read
those tokens but what they amount to (the sounding pitch, and how it came about), and it writes
the voices shifted against each other, the upper ones ahead: the delay pattern of MusicGen
(https://arxiv.org/abs/2306.05284, section 2.2) over voices instead of codebooks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from generator.errors import ScoreError
from generator.score import MAX_TICK, TICKS_PER_QUARTER, Note, Score

IntArray: TypeAlias = NDArray[np.int64]

FRAMES_PER_QUARTER: Final = 4
TICKS_PER_FRAME: Final = TICKS_PER_QUARTER // FRAMES_PER_QUARTER
VOICES: Final = 4

LOWEST: Final = 36
HIGHEST: Final = 100
RANGES: Final = ((55, 100), (55, 93), (48, 86), (36, 76))
"""Lowest and highest pitch of each voice, from the first violin down to the cello."""

HOLD: Final = 0
REST: Final = 1
FIRST_PITCH: Final = 2
TOKENS: Final = FIRST_PITCH + HIGHEST - LOWEST + 1

SILENT: Final = 0
BEFORE_START: Final = HIGHEST - LOWEST + 2
SOUNDING_IDS: Final = BEFORE_START + 1

STATE_HOLD: Final = 0
STATE_REST: Final = 1
STATE_ONSET: Final = 2
STATE_BEFORE_START: Final = 3
STATE_IDS: Final = 4

DELAY_STEPS: Final = VOICES - 1
"""Steps that the last voice comes after the first."""

_MAX_FRAMES: Final = MAX_TICK // TICKS_PER_FRAME // 64


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A score on the grid.

    Attributes:
        tokens: frames by voices.
        bar_frames: First frame of every bar, and one more entry: the number of frames.
        off_grid: For every bar, how many notes did not begin on a frame.
        notes: For every bar, how many notes of the four lines begin in it.
    """

    tokens: IntArray
    bar_frames: IntArray
    off_grid: IntArray
    notes: IntArray


def token_of(pitch: int) -> int:
    """The token that strikes a MIDI pitch."""
    return FIRST_PITCH + pitch - LOWEST


def pitch_of(token: int) -> int:
    """The MIDI pitch that a token strikes."""
    return LOWEST + token - FIRST_PITCH


def to_grid(score: Score) -> Grid:
    """The first four voices of a score, on the grid.

    Of several notes at once the highest is kept, in the lowest voice the lowest; notes out of the
    instrument's range are moved by octaves; onsets are rounded to the next frame.

    Raises:
        ScoreError: The score has fewer than four voices, or is far too long.
    """
    if len(score.voices) < VOICES:
        raise ScoreError(f"The score has {len(score.voices)} voices; the quartet grid needs {VOICES}.")
    frames = _frame(score.length)
    if frames > _MAX_FRAMES:
        raise ScoreError(f"The score is {frames} sixteenths long; at most {_MAX_FRAMES} are read.")
    starts = np.array([bar.start for bar in score.bars], np.int64)
    tokens = np.full((frames, VOICES), REST, np.int64)
    off_grid = np.zeros(len(starts), np.int64)
    count = np.zeros(len(starts), np.int64)
    for index, voice in enumerate(score.voices[:VOICES]):
        line = outer_line(voice.notes, lowest=index == VOICES - 1)
        _write_line(tokens[:, index], line, RANGES[index])
        onsets = np.array([note.onset for note in line], np.int64)
        bars = np.searchsorted(starts, onsets, "right") - 1
        np.add.at(count, bars, 1)
        np.add.at(off_grid, bars[onsets % TICKS_PER_FRAME != 0], 1)
    bar_frames = np.array([_frame(bar.start) for bar in score.bars] + [frames], np.int64)
    return Grid(tokens, bar_frames, off_grid, count)


def outer_line(notes: Sequence[Note], *, lowest: bool) -> list[Note]:
    """One melody out of a part that may have several: its upper edge, or its lower one.

    A note that begins under a sounding higher one (above a lower one, for the lower edge) is
    left out; one that begins beyond it cuts it short.
    """
    sign = -1 if lowest else 1
    line: list[Note] = []
    for onset, chord in groupby(notes, key=lambda note: note.onset):
        note = max(chord, key=lambda note: (sign * note.pitch, note.duration))
        if line and line[-1].end > onset:
            before = line[-1]
            if sign * note.pitch < sign * before.pitch:
                continue
            line[-1] = Note(before.onset, onset - before.onset, before.pitch, before.velocity)
        line.append(note)
    return line


def struck_notes(tokens: IntArray) -> Iterator[tuple[int, int, int]]:
    """The notes of one voice's tokens as (first frame, frames, MIDI pitch)."""
    start = pitch = -1
    for frame, token in enumerate(tokens.tolist()):
        if token == HOLD:
            continue
        if pitch >= 0:
            yield start, frame - start, pitch
        start, pitch = frame, pitch_of(token) if token >= FIRST_PITCH else -1
    if pitch >= 0:
        yield start, len(tokens) - start, pitch


def sounding(tokens: IntArray) -> tuple[IntArray, IntArray]:
    """What tokens (frames by voices) amount to.

    Returns:
        The sounding ids (`SILENT`, or pitch - `LOWEST` + 1) and the states, both frames by voices.
    """
    frame = np.arange(len(tokens))[:, None]
    last = np.maximum.accumulate(np.where(tokens != HOLD, frame, -1), axis=0)
    spoken = np.take_along_axis(tokens, np.maximum(last, 0), axis=0)
    heard = np.where((last >= 0) & (spoken >= FIRST_PITCH), spoken - FIRST_PITCH + 1, SILENT)
    state = np.where(tokens == HOLD, STATE_HOLD, np.where(tokens == REST, STATE_REST, STATE_ONSET))
    return heard, state


def begin_with_onsets(tokens: IntArray, held: Sequence[int]) -> IntArray:
    """The tokens of an excerpt whose first frame strikes again what was held into it.

    Args:
        tokens: frames by voices, left unchanged.
        held: For every voice the token last spoken before the excerpt or in its first frame.
    """
    excerpt = tokens.copy()
    excerpt[0] = np.where(excerpt[0] == HOLD, np.asarray(held), excerpt[0])
    return excerpt


def _frame(tick: int) -> int:
    return (2 * tick + TICKS_PER_FRAME) // (2 * TICKS_PER_FRAME)


def _write_line(column: IntArray, line: Sequence[Note], limits: tuple[int, int]) -> None:
    """Write notes into one column of tokens; of two in one frame the one on the grid wins."""
    last_end = 0
    for note in line:
        start = _frame(note.onset)
        if start >= len(column):
            continue
        if note.onset % TICKS_PER_FRAME and column[start] >= FIRST_PITCH:
            continue
        end = max(start + 1, _frame(note.end))
        column[start] = token_of(_fold(note.pitch, limits))
        column[start + 1 : end] = HOLD
        column[end : max(end, last_end)] = REST
        last_end = end


def _fold(pitch: int, limits: tuple[int, int]) -> int:
    low, high = limits
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return pitch
