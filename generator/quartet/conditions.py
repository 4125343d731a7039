"""What the network is told beside the notes: where it is in the music, and what is wanted.

Every frame carries one number per field. In training most fields are now and then replaced by
their unknown value, so that the network can also write without being told.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np

from generator.errors import RequestError
from generator.quartet.key import key_fifths, transpose_key
from generator.quartet.tokens import FRAMES_PER_QUARTER, TICKS_PER_FRAME, IntArray
from generator.score import Bar

if TYPE_CHECKING:
    from generator.request import Controls

POSITION, METRE, REMAINING, ELAPSED, KEY, DENSITY, REGISTER, ERA, TEMPO = range(9)
FIELD_SIZES: Final = (33, 10, 10, 6, 26, 4, 4, 4, 4)
"""Number of values of each field; the last value of each means unknown."""
FIELDS: Final = len(FIELD_SIZES)
UNKNOWN: Final = np.array([size - 1 for size in FIELD_SIZES], np.int64)
"""The unknown value of every field; for `POSITION` it means after the end."""
FIRST_DROPPED_FIELD: Final = REMAINING
"""Position and metre are always told."""

MAX_BAR_FRAMES: Final = 32
MAX_REMAINING: Final = 8
MAX_ELAPSED: Final = 4
METRES: Final = {
    (2, 4): 1,
    (3, 4): 2,
    (4, 4): 3,
    (2, 2): 4,
    (6, 8): 5,
    (3, 8): 6,
    (9, 8): 7,
    (12, 8): 8,
}
OTHER_METRE: Final = 0

DENSITIES: Final = {"sparse": 0, "medium": 1, "busy": 2}
DENSITY_BOUNDS: Final = (3.5, 5.2)
"""Notes per quarter in all four voices together: the terciles of the corpus."""
REGISTERS: Final = {"low": 0, "middle": 1, "high": 2}
REGISTER_BOUNDS: Final = (72.2, 77.3)
"""Mean pitch of the first violin: the terciles of the corpus."""
ERAS: Final = {"classical": 0, "early-romantic": 1, "late-romantic": 2}
ERA_BOUNDS: Final = (1765, 1835)
"""Birth year of the composer."""
TEMPO_BOUNDS: Final = (80, 120)
"""Quarter notes per minute."""

SECTION_BARS: Final = 16
SHORTEST_SECTION_BARS: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The frame of a piece that is to be composed.

    Attributes:
        bars: As they will stand in the score.
        bar_frames: Frames in each bar.
        conditions: frames by fields.
        tonic: Pitch class of the home key.
        mode: `major` or `minor`.
    """

    bars: tuple[Bar, ...]
    bar_frames: int
    conditions: IntArray
    tonic: int
    mode: str


def lay_out(controls: "Controls") -> Layout:
    """Lay out a piece: bars, sections, and a key for each section.

    Pieces of 24 bars and more are divided into sections of 16 bars, the last of which takes what
    remains. The first and the last section stand in the home key; those between visit the
    dominant (from a minor key the relative major) and the subdominant in turn.

    Raises:
        RequestError: A bar of this metre is not a whole number of sixteenths, or too long.
    """
    beats, beat_type = controls.metre
    sixteenths = FRAMES_PER_QUARTER * 4
    if beats * sixteenths % beat_type or not 1 <= beats * sixteenths // beat_type <= MAX_BAR_FRAMES:
        raise RequestError(
            f"A bar of {beats}/{beat_type} cannot be laid on a grid of sixteenths with at most "
            f"{MAX_BAR_FRAMES} in a bar; the built-in model knows "
            f"{', '.join(f'{upper}/{lower}' for upper, lower in METRES)}."
        )
    bar_frames = beats * sixteenths // beat_type
    home = controls.tonic + (0 if controls.mode == "major" else 12)
    rows = np.tile(UNKNOWN, (controls.bars, 1))
    rows[:, METRE] = METRES.get(controls.metre, OTHER_METRE)
    rows[:, DENSITY] = DENSITIES[controls.density]
    rows[:, REGISTER] = REGISTERS[controls.register]
    rows[:, ERA] = ERAS[controls.era]
    rows[:, TEMPO] = np.digitize(controls.tempo_bpm, TEMPO_BOUNDS)
    sections = _sections(controls.bars)
    starts = [0, *accumulate(sections)]
    for index, (start, length) in enumerate(zip(starts, sections, strict=False)):
        bar = np.arange(length)
        section = rows[start : start + length]
        section[:, REMAINING] = np.minimum(length - 1 - bar, MAX_REMAINING)
        section[:, ELAPSED] = np.minimum(bar, MAX_ELAPSED)
        section[:, KEY] = _section_key(home, index, len(sections))
    conditions = np.repeat(rows, bar_frames, axis=0)
    conditions[:, POSITION] = np.tile(np.arange(bar_frames), controls.bars)
    duration = bar_frames * TICKS_PER_FRAME
    fifths = key_fifths(controls.tonic, controls.mode)
    return Layout(
        bars=tuple(Bar(index * duration, duration, beats, beat_type, fifths) for index in range(controls.bars)),
        bar_frames=bar_frames,
        conditions=conditions,
        tonic=controls.tonic,
        mode=controls.mode,
    )


def _sections(bars: int) -> list[int]:
    sections = []
    while bars >= SECTION_BARS + SHORTEST_SECTION_BARS:
        sections.append(SECTION_BARS)
        bars -= SECTION_BARS
    return [*sections, bars]


def _section_key(home: int, index: int, sections: int) -> int:
    if index in (0, sections - 1) or index % 3 == 0:
        return home
    if index % 3 == 2:  # noqa: PLR2004 - the third section of a cycle of three
        return transpose_key(home, 5)
    return transpose_key(home, 7) if home < 12 else (home + 3) % 12  # noqa: PLR2004 - major first
