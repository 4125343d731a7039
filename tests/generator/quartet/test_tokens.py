"""From scores to the grid of sixteenths and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import ScoreError
from generator.quartet.tokens import (
    BEFORE_START,
    FIRST_PITCH,
    HIGHEST,
    HOLD,
    LOWEST,
    RANGES,
    REST,
    SILENT,
    STATE_HOLD,
    STATE_ONSET,
    STATE_REST,
    TICKS_PER_FRAME,
    TOKENS,
    VOICES,
    IntArray,
    begin_with_onsets,
    outer_line,
    pitch_of,
    sounding,
    struck_notes,
    to_grid,
    token_of,
)
from generator.score import Bar, Note, Score, Tempo, Voice

FRAMES = 16


def score_of(*lines: list[Note], frames: int = FRAMES) -> Score:
    voices = [Voice(str(index), 40, tuple(sorted(line))) for index, line in enumerate(lines)]
    voices += [Voice("", 40, ())] * (VOICES - len(voices))
    bar = Bar(0, frames * TICKS_PER_FRAME, 4, 4)
    return Score("", (bar,), (Tempo(0, 500_000),), tuple(voices))


def note(frame: float, frames: float, pitch: int) -> Note:
    return Note(round(frame * TICKS_PER_FRAME), round(frames * TICKS_PER_FRAME), pitch)


@st.composite
def tokens(draw: st.DrawFn) -> IntArray:
    """Tokens as the grid writes them: what is not struck is held or rests, never both."""
    columns = []
    for low, high in RANGES:
        spoken = draw(st.lists(st.integers(-1, high - low + 1), min_size=FRAMES, max_size=FRAMES))
        column, sounds = [], False
        for value in spoken:
            if value > 0:
                column.append(token_of(low + value - 1))
            else:
                column.append(HOLD if value == 0 and sounds else REST)
            sounds = column[-1] != REST
        columns.append(column)
    return np.array(columns, np.int64).T


@given(tokens())
def test_tokens_to_score_and_back(drawn: IntArray) -> None:
    lines = [[note(*place) for place in struck_notes(drawn[:, voice])] for voice in range(VOICES)]
    grid = to_grid(score_of(*lines))
    assert np.array_equal(grid.tokens, drawn)
    assert grid.notes.sum() == sum(map(len, lines))
    assert grid.off_grid.sum() == 0
    assert grid.bar_frames.tolist() == [0, FRAMES]


@given(tokens())
def test_sounding_agrees_with_listening_frame_by_frame(drawn: IntArray) -> None:
    heard, states = sounding(drawn)
    for voice in range(VOICES):
        now = SILENT
        for frame, token in enumerate(drawn[:, voice].tolist()):
            if token == REST:
                now = SILENT
            elif token != HOLD:
                now = pitch_of(token) - LOWEST + 1
            assert heard[frame, voice] == now
            expected = {HOLD: STATE_HOLD, REST: STATE_REST}.get(token, STATE_ONSET)
            assert states[frame, voice] == expected
    assert heard.max() < BEFORE_START


def test_pitches_and_tokens() -> None:
    assert token_of(LOWEST) == FIRST_PITCH
    assert token_of(HIGHEST) == TOKENS - 1
    assert all(pitch_of(token_of(pitch)) == pitch for pitch in range(LOWEST, HIGHEST + 1))


def test_upper_and_lower_edge_of_double_stops() -> None:
    chord = [note(0, 4, 60), note(0, 4, 64), note(0, 2, 67), note(4, 4, 55), note(4, 4, 62)]
    assert [n.pitch for n in outer_line(sorted(chord), lowest=False)] == [67, 62]
    assert [n.pitch for n in outer_line(sorted(chord), lowest=True)] == [60, 55]


def test_a_melody_is_not_broken_by_what_begins_beneath_it() -> None:
    part = [note(0, 8, 72), note(2, 2, 60), note(4, 2, 62), note(6, 4, 76)]
    assert outer_line(part, lowest=False) == [note(0, 6, 72), note(6, 4, 76)]


def test_a_held_note_gives_way_to_a_melody_above_it() -> None:
    part = [note(0, 8, 55), note(2, 2, 60), note(4, 4, 62)]
    assert outer_line(part, lowest=False) == [note(0, 2, 55), note(2, 2, 60), note(4, 4, 62)]


def test_pitches_out_of_range_move_by_octaves() -> None:
    grid = to_grid(score_of([note(0, 4, 43), note(4, 4, 112)]))
    assert [pitch for *_, pitch in struck_notes(grid.tokens[:, 0])] == [55, 100]


def test_triplets_are_rounded_and_counted() -> None:
    grid = to_grid(score_of([note(i * 4 / 3, 4 / 3, 60 + i) for i in range(3)]))
    assert list(struck_notes(grid.tokens[:, 0])) == [(0, 1, 60), (1, 2, 61), (3, 1, 62)]
    assert (grid.notes.tolist(), grid.off_grid.tolist()) == ([3], [2])


def test_of_two_notes_in_one_frame_the_one_on_the_grid_stays() -> None:
    grid = to_grid(score_of([note(0, 0.25, 60), note(0.25, 0.25, 62), note(4, 1, 64)]))
    assert list(struck_notes(grid.tokens[:, 0])) == [(0, 1, 60), (4, 1, 64)]


def test_excerpts_begin_by_striking_what_is_held() -> None:
    held = np.array([[HOLD, REST, 5, HOLD], [HOLD, HOLD, HOLD, HOLD]])
    begun = begin_with_onsets(held, [9, 8, 7, REST])
    assert begun.tolist() == [[9, REST, 5, REST], [HOLD] * 4]
    assert held[0, 0] == HOLD


def test_trios_and_endless_scores_are_refused() -> None:
    bars = (Bar(0, FRAMES * TICKS_PER_FRAME, 4, 4),)
    trio = Score("", bars, (Tempo(0, 500_000),), (Voice("", 40, ()),) * 3)
    with pytest.raises(ScoreError, match="has 3 voices"):
        to_grid(trio)
    with pytest.raises(ScoreError, match="sixteenths long"):
        to_grid(score_of(frames=3_000_000))
