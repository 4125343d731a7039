"""The hard rules, checked from outside on whatever they let through."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.quartet.rules import LARGEST_CROSSING, LARGEST_LEAP, MOST_STRIKES, BoolArray, Rules
from generator.quartet.tokens import (
    FIRST_PITCH,
    HOLD,
    LOWEST,
    RANGES,
    REST,
    SILENT,
    STATE_ONSET,
    VOICES,
    IntArray,
    sounding,
    token_of,
)

BAR = 8


def write(seed: int, bars: int, tonic: int, mode: str, taste: str) -> IntArray:
    """Tokens drawn at random from what is allowed; the taste favours some kinds."""
    random = np.random.default_rng(seed)
    frames = bars * BAR
    rules = Rules(tonic, mode, frames, BAR)
    tokens = np.full((frames, VOICES), REST, np.int64)
    for step in range(frames + VOICES - 1):
        for voice in range(VOICES):
            frame = step - voice
            if 0 <= frame < frames:
                weights = rules.allowed(frame, voice).astype(float)
                assert weights.any()
                if taste == "hold":
                    weights[HOLD] *= 200
                if taste == "rest":
                    weights[REST] *= 2000
                if taste == "repeat":
                    weights[token_of(60)] *= 5000
                token = int(random.choice(len(weights), p=weights / weights.sum()))
                rules.wrote(frame, voice, token)
                tokens[frame, voice] = token
    return tokens


@given(
    st.integers(0, 2**32),
    st.integers(1, 8),
    st.integers(0, 11),
    st.sampled_from(["major", "minor"]),
    st.sampled_from(["any", "hold", "rest", "repeat"]),
)
def test_whatever_is_allowed_obeys_the_rules(seed: int, bars: int, tonic: int, mode: str, taste: str) -> None:
    tokens = write(seed, bars, tonic, mode, taste)
    heard, states = sounding(tokens)
    pitch = np.where(heard == SILENT, -1, heard + LOWEST - 1)
    check_ranges_and_crossings(pitch)
    check_holds(tokens, heard)
    check_leaps(pitch[:-BAR], states[:-BAR] == STATE_ONSET)
    check_strikes(pitch[:-BAR], states[:-BAR] == STATE_ONSET)
    check_silence(pitch)
    check_stillness(states == STATE_ONSET)
    check_last_bar(tokens[-BAR:], pitch[-BAR:], tonic, mode)
    assert parallels(pitch[:-BAR]) == []


def check_ranges_and_crossings(pitch: IntArray) -> None:
    for row in pitch.tolist():
        for voice, (low, high) in enumerate(RANGES):
            assert row[voice] == -1 or low <= row[voice] <= high
            for above in row[:voice]:
                assert -1 in (above, row[voice]) or row[voice] <= above + LARGEST_CROSSING[voice]


def check_holds(tokens: IntArray, heard: IntArray) -> None:
    assert (heard[tokens == HOLD] != SILENT).all()


def check_leaps(pitch: IntArray, struck: BoolArray) -> None:
    for before, after, onset in zip(pitch, pitch[1:], struck[1:], strict=False):
        moved = onset & (before >= 0) & (after >= 0)
        assert (np.abs(after - before)[moved] <= LARGEST_LEAP).all()


def check_strikes(pitch: IntArray, struck: BoolArray) -> None:
    for voice in range(VOICES):
        run, last = 0, None
        for now in pitch[struck[:, voice], voice].tolist():
            run = run + 1 if now == last else 1
            last = now
            assert run <= MOST_STRIKES


def check_silence(pitch: IntArray) -> None:
    run = 0
    for silent in (pitch == -1).all(axis=1).tolist():
        run = run + 1 if silent else 0
        assert run <= BAR // 2


def check_stillness(struck: BoolArray) -> None:
    run = 0
    for moved in struck[:-BAR].any(axis=1).tolist():
        run = 0 if moved else run + 1
        assert run <= BAR


def check_last_bar(tokens: IntArray, pitch: IntArray, tonic: int, mode: str) -> None:
    triad = {(tonic + step) % 12 for step in (0, 4 if mode == "major" else 3, 7)}
    assert (tokens[0] >= FIRST_PITCH).all()
    assert (tokens[1:] == HOLD).all()
    assert {int(p) % 12 for p in pitch[0]} <= triad
    assert pitch[0, -1] % 12 == tonic


def parallels(pitch: IntArray) -> list[tuple[int, int, int]]:
    """Frames and pairs of voices that move in parallel fifths or octaves."""
    found = []
    for frame, (before, now) in enumerate(zip(pitch.tolist(), pitch[1:].tolist(), strict=False)):
        for lower in range(VOICES):
            for upper in range(lower):
                a, b, c, d = before[upper], before[lower], now[upper], now[lower]
                if -1 in (a, b, c, d) or a == c or b == d:
                    continue
                if (a - b) % 12 == (c - d) % 12 and (c - d) % 12 in (0, 7) and (c - a) * (d - b) > 0:
                    found.append((frame, upper, lower))
    return found


def test_parallel_fifths_and_octaves_are_what_is_refused() -> None:
    rules = Rules(0, "major", 4 * BAR, BAR)
    for voice, pitch in enumerate((79, 72, 60, 48)):
        assert rules.allowed(0, voice)[token_of(pitch)]
        rules.wrote(0, voice, token_of(pitch))
    rules.wrote(1, 0, token_of(81))
    second = rules.allowed(1, 1)
    assert not second[token_of(74)]
    assert second[token_of(71)]
    assert second[token_of(73)]
    assert second[HOLD]
    rules.wrote(1, 1, token_of(74))
    viola = rules.allowed(1, 2)
    assert not viola[token_of(62)]
    assert viola[token_of(59)]


def test_the_cello_may_not_hold_above_a_viola_that_came_down() -> None:
    rules = Rules(0, "major", 4 * BAR, BAR)
    for voice, pitch in enumerate((79, 72, 60, 57)):
        rules.wrote(0, voice, token_of(pitch))
    for voice, token in enumerate((HOLD, HOLD, token_of(55))):
        rules.wrote(1, voice, token)
    allowed = rules.allowed(1, 3)
    assert not allowed[HOLD]
    assert not allowed[token_of(56)]
    assert allowed[token_of(55)]
    assert allowed[REST]


@pytest.mark.parametrize("tonic", range(12))
def test_a_last_chord_is_always_to_be_had(tonic: int) -> None:
    for seed in range(20):
        tokens = write(seed, 2, tonic, "minor", "any")
        assert (tokens[-BAR] >= FIRST_PITCH).all()
