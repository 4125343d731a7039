"""The delay pattern."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from generator.quartet.conditions import FIELDS, POSITION, UNKNOWN
from generator.quartet.stream import NO_TARGET, Stream, delay
from generator.quartet.tokens import (
    BEFORE_START,
    DELAY_STEPS,
    STATE_BEFORE_START,
    TOKENS,
    VOICES,
    sounding,
)


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(0, 4))
def test_voices_say_at_step_s_what_they_do_in_frame_s_less_their_delay(seed: int, frames: int, padding: int) -> None:
    random = np.random.default_rng(seed)
    tokens = random.integers(TOKENS, size=(frames, VOICES))
    conditions = random.integers(3, size=(frames, FIELDS))
    stream = delay(tokens, conditions, frames + padding)
    heard, states = sounding(tokens)
    assert len(stream.targets) == len(stream.heard) == frames + padding + DELAY_STEPS
    for step in range(len(stream.targets)):
        for voice in range(VOICES):
            frame = step - voice
            written = 0 <= frame < frames
            assert stream.targets[step, voice] == (tokens[frame, voice] if written else NO_TARGET)
            before = frame - 1
            known = 0 <= before < frames
            assert stream.heard[step, voice] == (heard[before, voice] if known else BEFORE_START)
            assert stream.states[step, voice] == (states[before, voice] if known else STATE_BEFORE_START)


def test_conditions_last_beyond_the_end_without_a_position() -> None:
    conditions = np.arange(2 * FIELDS).reshape(2, FIELDS) % 3
    padded = delay(np.zeros((2, VOICES), np.int64), conditions, 4).conditions
    assert np.array_equal(padded[:2], conditions)
    assert (padded[2:, POSITION] == UNKNOWN[POSITION]).all()
    assert (padded[2:, 1:] == conditions[-1, 1:]).all()


def test_stacking_puts_the_batch_first() -> None:
    one = delay(np.zeros((3, VOICES), np.int64), np.zeros((3, FIELDS), np.int64))
    batch = Stream.stack([one, one])
    assert batch.heard.shape == (2, 6, VOICES)
    assert batch.conditions.shape == (2, 6, FIELDS)
