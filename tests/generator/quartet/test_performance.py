"""The score of composed tokens, and how loud its notes are."""

from dataclasses import replace

import numpy as np
import pytest

from generator.quartet.conditions import lay_out
from generator.quartet.performance import (
    BASE_VELOCITY,
    BEAT_ACCENT,
    DOWNBEAT_ACCENT,
    MELODY_ACCENT,
    SWELL,
    to_score,
    velocity,
)
from generator.quartet.tokens import HOLD, REST, TICKS_PER_FRAME, VOICES, to_grid, token_of
from generator.request import Controls

CONTROLS = Controls(0, "major", (4, 4), 93, 4, "medium", "middle", "classical")


def test_tokens_become_the_notes_of_a_score() -> None:
    layout = lay_out(CONTROLS)
    tokens = np.full((64, VOICES), REST)
    tokens[:, 0] = HOLD
    tokens[0], tokens[16, 0] = token_of(60), token_of(62)
    score = to_score(tokens, layout, 93)
    assert [(n.onset, n.duration, n.pitch) for n in score.voices[0].notes] == [
        (0, 16 * TICKS_PER_FRAME, 60),
        (16 * TICKS_PER_FRAME, 48 * TICKS_PER_FRAME, 62),
    ]
    assert [len(voice.notes) for voice in score.voices] == [2, 1, 1, 1]
    assert score.bars == layout.bars
    assert score.tempos[0].microseconds_per_quarter == 645_161
    assert np.array_equal(to_grid(score).tokens, tokens)
    lead, second = score.voices[0].notes[0], score.voices[1].notes[0]
    assert lead.velocity - second.velocity == MELODY_ACCENT


def test_the_metre_accents_and_phrases_swell() -> None:
    layout = lay_out(CONTROLS)
    assert velocity(0, layout) == BASE_VELOCITY + DOWNBEAT_ACCENT
    assert velocity(4, layout) - velocity(3, layout) == BEAT_ACCENT
    assert velocity(32, layout) == BASE_VELOCITY + DOWNBEAT_ACCENT + SWELL
    assert velocity(64, layout) == velocity(0, layout)
    assert velocity(48, layout) == velocity(16, layout)


@pytest.mark.parametrize(
    ("metre", "beats"),
    [((4, 4), [4, 8, 12]), ((6, 8), [6]), ((2, 2), [8]), ((12, 8), [6, 12, 18]), ((3, 8), [])],
)
def test_compound_metres_are_beaten_in_threes(metre: tuple[int, int], beats: list[int]) -> None:
    layout = lay_out(replace(CONTROLS, metre=metre))
    loud = [velocity(frame, layout) for frame in range(layout.bar_frames)]
    found = [f for f in range(1, layout.bar_frames) if loud[f] >= loud[f - 1] + BEAT_ACCENT]
    assert found == beats
