"""The counted models that the network is measured against."""

from itertools import pairwise

import numpy as np
import pytest

from generator.errors import TrainingError
from generator.quartet.conditions import FIELDS, POSITION
from generator.quartet.evaluation import (
    BACK_OFF,
    COUNTED_MODELS,
    evaluate,
    sounding_and_beat,
    sounding_before,
    token_before,
)
from generator.quartet.network import QuartetNetwork
from generator.quartet.tokens import (
    BEFORE_START,
    FIRST_PITCH,
    HOLD,
    STATE_BEFORE_START,
    STATE_HOLD,
    STATE_IDS,
    TOKENS,
    VOICES,
)

UNIGRAM, MARKOV, BEAT = COUNTED_MODELS


def passage(seed: int, frames: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    tokens = random.integers(5, size=(frames, VOICES))
    conditions = np.zeros((frames, FIELDS), np.int64)
    conditions[:, POSITION] = np.arange(frames) % 16
    return tokens, conditions


def test_unigram_agrees_with_counting_by_hand() -> None:
    fitted, heard = passage(1), passage(2)
    expected = 0.0
    for voice in range(VOICES):
        column = fitted[0][:, voice].tolist()
        for token in heard[0][:, voice].tolist():
            probability = (column.count(token) + BACK_OFF / TOKENS) / (len(column) + BACK_OFF)
            expected -= np.log(probability)
    assert UNIGRAM.losses([fitted], [heard]) == pytest.approx(expected / heard[0].size)


def test_markov_agrees_with_counting_by_hand() -> None:
    fitted, heard = passage(3), passage(4)
    expected = 0.0
    for voice in range(VOICES):
        column = [TOKENS, *fitted[0][:, voice].tolist()]
        pairs = list(pairwise(column))
        before = TOKENS
        for token in heard[0][:, voice].tolist():
            plain = (column.count(token) + BACK_OFF / TOKENS) / (len(pairs) + BACK_OFF)
            seen = sum(first == before for first, _ in pairs)
            probability = (pairs.count((before, token)) + BACK_OFF * plain) / (seen + BACK_OFF)
            expected -= np.log(probability)
            before = token
    assert MARKOV.losses([fitted], [heard]) == pytest.approx(expected / heard[0].size)


def test_what_only_the_beat_tells_is_learnt_by_the_beat_model() -> None:
    _, conditions = passage(0, 400)
    tokens = np.repeat((conditions[:, POSITION] % 4 == 0)[:, None] + FIRST_PITCH, VOICES, axis=1)
    both = [(tokens, conditions)]
    assert BEAT.losses(both, both) < 0.5 * MARKOV.losses(both, both)


def test_contexts() -> None:
    tokens = np.array([[FIRST_PITCH] * 4, [HOLD] * 4, [HOLD] * 4])
    conditions = np.zeros((3, FIELDS), np.int64)
    conditions[:, POSITION] = [14, 15, 0]
    start = BEFORE_START * STATE_IDS + STATE_BEFORE_START
    assert token_before(tokens, conditions)[:, 0].tolist() == [TOKENS, FIRST_PITCH, HOLD]
    assert sounding_before(tokens, conditions)[0, 0] == start
    assert sounding_before(tokens, conditions)[2, 0] == 1 * STATE_IDS + STATE_HOLD
    assert (sounding_and_beat(tokens, conditions)[:, 0] % 4).tolist() == [2, 3, 0]


def test_nothing_to_evaluate_on_is_said(small_network: QuartetNetwork) -> None:
    with pytest.raises(TrainingError, match="held-out"):
        evaluate(small_network, [], [])
