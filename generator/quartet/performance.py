"""From composed tokens to a score: notes, and how loud each is played.

Loudness follows a visible rule and nothing learnt: the metre accents, each phrase of four bars
swells towards its middle, and the first violin leads.
"""

from typing import Final

from generator.quartet.conditions import Layout
from generator.quartet.tokens import (
    FRAMES_PER_QUARTER,
    TICKS_PER_FRAME,
    VOICES,
    IntArray,
    struck_notes,
)
from generator.score import QUARTET_PROGRAMS, QUARTET_VOICES, Note, Score, Tempo, Voice

PHRASE_BARS: Final = 4
BASE_VELOCITY: Final = 70
DOWNBEAT_ACCENT: Final = 10
BEAT_ACCENT: Final = 5
SWELL: Final = 8
MELODY_ACCENT: Final = 4


def to_score(tokens: IntArray, layout: Layout, tempo_bpm: int) -> Score:
    """The score of composed tokens (frames by voices)."""
    voices = []
    for index in range(VOICES):
        lead = MELODY_ACCENT if index == 0 else 0
        notes = (
            Note(
                frame * TICKS_PER_FRAME,
                frames * TICKS_PER_FRAME,
                pitch,
                lead + velocity(frame, layout),
            )
            for frame, frames, pitch in struck_notes(tokens[:, index])
        )
        voices.append(Voice(QUARTET_VOICES[index], QUARTET_PROGRAMS[index], tuple(notes)))
    return Score(
        title="",
        bars=layout.bars,
        tempos=(Tempo.from_bpm(0, tempo_bpm),),
        voices=tuple(voices),
    )


def velocity(frame: int, layout: Layout) -> int:
    """The MIDI velocity of an accompanying note that begins in a frame."""
    in_bar = frame % layout.bar_frames
    accent = 0
    if in_bar == 0:
        accent = DOWNBEAT_ACCENT
    elif in_bar % _beat_frames(layout) == 0:
        accent = BEAT_ACCENT
    phrase = PHRASE_BARS * layout.bar_frames
    to_middle = abs(2 * (frame % phrase) - phrase)
    return BASE_VELOCITY + accent + SWELL - SWELL * to_middle // phrase


def _beat_frames(layout: Layout) -> int:
    """Frames in a beat: three eighths in compound metres, else as the metre says."""
    bar = layout.bars[0]
    whole = 4 * FRAMES_PER_QUARTER
    compound = bar.beat_type >= 8 and bar.beats % 3 == 0  # noqa: PLR2004 - eighths in threes
    return max(1, (3 if compound else 1) * whole // bar.beat_type)
