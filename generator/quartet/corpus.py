"""The training corpus: scores on the grid, with what can be told about every bar.

A corpus folder holds MusicXML files at any depth, and may hold `composers.tsv` (columns `path`,
the name of the folder of a composer's scores, and `born`), from which eras are known.
"""

import csv
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from generator.errors import TrainingError
from generator.musicxml import read_musicxml
from generator.quartet.conditions import (
    DENSITY,
    DENSITY_BOUNDS,
    ELAPSED,
    ERA,
    ERA_BOUNDS,
    FIELDS,
    KEY,
    MAX_BAR_FRAMES,
    MAX_ELAPSED,
    MAX_REMAINING,
    METRE,
    METRES,
    OTHER_METRE,
    POSITION,
    REGISTER,
    REGISTER_BOUNDS,
    REMAINING,
    TEMPO,
    TEMPO_BOUNDS,
    UNKNOWN,
)
from generator.quartet.key import estimate_key, transpose_key
from generator.quartet.tokens import (
    FIRST_PITCH,
    HOLD,
    RANGES,
    TICKS_PER_FRAME,
    VOICES,
    Grid,
    IntArray,
    begin_with_onsets,
    outer_line,
    pitch_of,
    to_grid,
)
from generator.score import TICKS_PER_QUARTER, Score

LOGGER = logging.getLogger(__name__)

SCORE_SUFFIXES: Final = (".mxl", ".musicxml")
SMALLEST_EXCERPT_FRAMES: Final = 48
SMALLEST_EXCERPT_NOTES: Final = 8
SMALLEST_SHARE_ON_GRID: Final = 0.98


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """One movement, ready to be cut into excerpts.

    Attributes:
        source: Name of its file, without the ending.
        grid: Its four voices.
        conditions: frames by fields, with the register left unknown.
        bar_of_frame: The bar that every frame lies in.
        register: Mean pitch of the first violin around every bar; NaN where it is silent.
    """

    source: str
    grid: Grid
    conditions: IntArray
    bar_of_frame: IntArray
    register: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Consecutive bars of a movement: the first one, and the one after the last."""

    movement: Movement
    first_bar: int
    end_bar: int

    def cut(self, semitones: int = 0) -> tuple[IntArray, IntArray]:
        """Its tokens (frames by voices) and conditions (frames by fields), transposed."""
        grid, bars = self.movement.grid, self.movement.bar_of_frame
        start, end = grid.bar_frames[self.first_bar], grid.bar_frames[self.end_bar]
        tokens = begin_with_onsets(grid.tokens[start:end], _held_into(grid.tokens, int(start)))
        tokens = np.where(tokens >= FIRST_PITCH, tokens + semitones, tokens)
        conditions = self.movement.conditions[start:end].copy()
        keys = [transpose_key(int(key), semitones) for key in range(int(UNKNOWN[KEY]))]
        conditions[:, KEY] = np.array([*keys, UNKNOWN[KEY]])[conditions[:, KEY]]
        register = self.movement.register[bars[start:end]] + semitones
        conditions[:, REGISTER] = np.where(
            np.isnan(register), UNKNOWN[REGISTER], np.digitize(register, REGISTER_BOUNDS)
        )
        return tokens, conditions

    def transpositions(self, limit: int) -> range:
        """Semitones, at most `limit` either way, that keep every voice within its range."""
        tokens, _ = self.cut()
        down, up = -limit, limit
        for voice, (low, high) in enumerate(RANGES):
            struck = tokens[:, voice][tokens[:, voice] >= FIRST_PITCH]
            if struck.size:
                down = max(down, low - pitch_of(int(struck.min())))
                up = min(up, high - pitch_of(int(struck.max())))
        return range(down, up + 1)


def score_files(folder: Path) -> list[Path]:
    """Every MusicXML file below a folder, in order of their paths.

    Raises:
        TrainingError: There is none.
    """
    files = sorted(
        (path for path in folder.rglob("*") if path.suffix in SCORE_SUFFIXES),
        key=lambda path: path.relative_to(folder).as_posix(),
    )
    if not files:
        raise TrainingError(
            f"{folder} holds no MusicXML file ({', '.join(SCORE_SUFFIXES)}): give the folder of the corpus."
        )
    return files


def held_out_files(files: Sequence[Path], every: int) -> list[Path]:
    """The files that are kept from training: every n-th folder of scores, from the middle on.

    Whole folders are kept, for the movements of one work may lie in several files of a folder.
    """
    folders = list(dict.fromkeys(path.parent for path in files))
    chosen = set(folders[every // 2 :: every])
    return [path for path in files if path.parent in chosen]


def read_movements(folder: Path, files: Sequence[Path]) -> list[Movement]:
    """Read scores of a corpus folder.

    Raises:
        ScoreError: A file is not a MusicXML score of four voices.
    """
    born = _birth_years(folder)
    movements = []
    for path in files:
        era = next((born[part] for part in path.relative_to(folder).parts if part in born), None)
        movements += [movement(path.stem, score, era) for score in read_musicxml(path)]
    LOGGER.info("read %d movements of %d files", len(movements), len(files))
    return movements


def movement(source: str, score: Score, born: int | None = None) -> Movement:
    """Prepare one movement; `born` is the birth year of its composer, when known."""
    grid = to_grid(score)
    bar_of_frame = np.repeat(np.arange(len(score.bars)), np.diff(grid.bar_frames))
    bars = np.tile(UNKNOWN, (len(score.bars), 1))
    bars[:, METRE] = [METRES.get((bar.beats, bar.beat_type), OTHER_METRE) for bar in score.bars]
    bars[:, REMAINING], bars[:, ELAPSED] = _section_positions(score)
    bars[:, KEY] = _keys(score)
    bars[:, DENSITY] = _densities(score, grid)
    bars[:, TEMPO] = _tempos(score)
    if born is not None:
        bars[:, ERA] = np.digitize(born, ERA_BOUNDS)
    conditions = bars[bar_of_frame].reshape(-1, FIELDS)
    conditions[:, POSITION] = _positions(score, grid, bar_of_frame)
    return Movement(source, grid, conditions, bar_of_frame, _register(score))


def excerpts(movement: Movement, frames: int, *, overlapping: bool) -> Iterator[Excerpt]:
    """Passages of whole bars, at most so many frames long, that the grid can represent.

    Args:
        movement: What to cut.
        frames: The longest excerpt.
        overlapping: One for every bar, or one after the other.
    """
    grid = movement.grid
    notes = np.concatenate([[0], np.cumsum(grid.notes)])
    off = np.concatenate([[0], np.cumsum(grid.off_grid)])
    bar, last = 0, len(grid.bar_frames) - 1
    while bar < last:
        reach = np.searchsorted(grid.bar_frames, grid.bar_frames[bar] + frames, "right") - 1
        end = max(int(reach), bar + 1)
        length = grid.bar_frames[end] - grid.bar_frames[bar]
        count = notes[end] - notes[bar]
        usable = (
            SMALLEST_EXCERPT_FRAMES <= length <= frames
            and count >= SMALLEST_EXCERPT_NOTES
            and off[end] - off[bar] <= (1 - SMALLEST_SHARE_ON_GRID) * count
        )
        if usable:
            yield Excerpt(movement, bar, end)
        bar += 1 if overlapping or not usable else end - bar


def _held_into(tokens: IntArray, frame: int) -> list[int]:
    """For every voice, the token spoken last at or before a frame."""
    held = []
    for voice in range(VOICES):
        back = frame
        while back > 0 and tokens[back, voice] == HOLD:
            back -= 1
        held.append(int(tokens[back, voice]))
    return held


def _birth_years(folder: Path) -> dict[str, int]:
    table = folder / "composers.tsv"
    if not table.is_file():
        LOGGER.warning("%s has no composers.tsv: the era of its scores is unknown", folder)
        return {}
    with table.open(encoding="utf-8", newline="") as file:
        return {row["path"]: int(row["born"]) for row in csv.DictReader(file, delimiter="\t")}


def _section_positions(score: Score) -> tuple[IntArray, IntArray]:
    """Bars to the end, and from the beginning, of each bar's section.

    A section ends with a repeat or a final bar line.
    """
    count = len(score.bars)
    ends = [i for i, bar in enumerate(score.bars) if bar.flags & {"final", "repeat-end"}]
    ends = sorted({*ends, count - 1})
    remaining, elapsed = np.zeros(count, np.int64), np.zeros(count, np.int64)
    start = 0
    for end in ends:
        bars = np.arange(start, end + 1)
        remaining[bars] = np.minimum(end - bars, MAX_REMAINING)
        elapsed[bars] = np.minimum(bars - start, MAX_ELAPSED)
        start = end + 1
    return remaining, elapsed


def _bar_starts(score: Score) -> IntArray:
    return np.array([bar.start for bar in score.bars], np.int64)


def _around(values: NDArray[np.float64], before: int, after: int) -> NDArray[np.float64]:
    """Sums over a window of bars around every bar; `values` has the bars first."""
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    bars = np.arange(len(values))
    end = np.minimum(bars + after + 1, len(values))
    return np.asarray(total[end] - total[np.maximum(bars - before, 0)])


def _keys(score: Score) -> list[int]:
    starts = _bar_starts(score)
    weights = np.zeros((len(starts), 12))
    for voice in score.voices[:VOICES]:
        bars = np.searchsorted(starts, [note.onset for note in voice.notes], "right") - 1
        classes = np.array([note.pitch % 12 for note in voice.notes], np.int64)
        quarters = [note.duration / TICKS_PER_QUARTER for note in voice.notes]
        np.add.at(weights, (bars, classes), quarters)
    heard = np.maximum(_around(weights, before=3, after=4), 0)
    heard[heard < 1e-9] = 0  # noqa: PLR2004 - what is left of cancelled sums
    return [estimate_key(row, bar.fifths) for row, bar in zip(heard, score.bars, strict=True)]


def _densities(score: Score, grid: Grid) -> IntArray:
    quarters = np.array([bar.duration / TICKS_PER_QUARTER for bar in score.bars])
    notes = _around(grid.notes.astype(np.float64), before=2, after=2)
    per_quarter = notes / np.maximum(_around(quarters, before=2, after=2), 0.1)
    return np.asarray(np.digitize(per_quarter, DENSITY_BOUNDS), np.int64)


def _register(score: Score) -> NDArray[np.float64]:
    starts = _bar_starts(score)
    line = outer_line(score.voices[0].notes, lowest=False)
    sums = np.zeros((len(starts), 2))
    if line:
        bars = np.searchsorted(starts, [note.onset for note in line], "right") - 1
        ticks = np.array([float(note.duration) for note in line])
        pitches = np.array([float(note.pitch) for note in line])
        np.add.at(sums, bars, np.stack([pitches * ticks, ticks], axis=1))
    weighted, weight = _around(sums, before=2, after=2).T
    return np.asarray(np.where(weight > 0, weighted / np.maximum(weight, 1), np.nan))


def _tempos(score: Score) -> IntArray:
    onsets = np.array([tempo.onset for tempo in score.tempos], np.int64)
    bpm = np.array([60_000_000 / tempo.microseconds_per_quarter for tempo in score.tempos])
    holding = bpm[np.searchsorted(onsets, _bar_starts(score), "right") - 1]
    classes: IntArray = np.asarray(np.digitize(holding, TEMPO_BOUNDS), np.int64)
    return classes


def _positions(score: Score, grid: Grid, bar_of_frame: IntArray) -> IntArray:
    """Frames since the bar line; an upbeat counts towards the end of its bar."""
    position: IntArray = np.arange(len(bar_of_frame)) - grid.bar_frames[bar_of_frame]
    first = score.bars[0]
    upbeat = int(grid.bar_frames[1])
    if first.duration < first.nominal_duration:
        position[:upbeat] += max(0, first.nominal_duration // TICKS_PER_FRAME - upbeat)
    return np.asarray(np.minimum(position, MAX_BAR_FRAMES - 1))
