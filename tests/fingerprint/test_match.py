"""Alignment and its score: what is the same is found, what only resembles is not."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fingerprint.audio import Audio
from fingerprint.chroma import Fingerprint, fingerprint
from fingerprint.match import TOLERATED_FALSE_MATCHES, Alignment, agree, align, best_possible_score, is_match

MANY = 10**6


def random_items(count: int, seed: int) -> NDArray[np.uint32]:
    return np.random.default_rng(seed).integers(0, 2**32, count, np.uint32)


def with_errors(items: NDArray[np.uint32], share: float, seed: int) -> NDArray[np.uint32]:
    wrong = np.random.default_rng(seed).random((len(items), 32)) < share
    return items ^ (wrong @ (1 << np.arange(32))).astype(np.uint32)


def expect(found: Alignment | None) -> Alignment:
    assert found is not None
    return found


@given(count=st.integers(20, 60), offset=st.integers(-30, 120), errors=st.floats(0, 0.2), seed=st.integers(0, 99))
def test_the_overlap_is_compared(count: int, offset: int, errors: float, seed: int) -> None:
    reference = random_items(100, seed)
    query = random_items(count, seed + 1000)
    start, end = max(0, -offset), min(count, 100 - offset)
    if end > start:
        query[start:end] = with_errors(reference[start + offset : end + offset], errors, seed)
    found = align(query, reference, offset, MANY)
    if end <= start:
        assert found is None
        return
    found = expect(found)
    assert start <= found.query_start <= found.query_start + found.length <= end
    assert found.reference_start == found.query_start + offset
    region = slice(found.query_start, found.query_start + found.length)
    beside = slice(found.reference_start, found.reference_start + found.length)
    differing = np.bitwise_count(query[region] ^ reference[beside]).sum()
    assert found.bit_error_rate == differing / (32 * found.length)


def test_of_a_clip_with_something_else_around_it_only_the_common_part_is_given() -> None:
    reference = random_items(300, 1)
    query = np.concatenate((random_items(80, 2), with_errors(reference[100:150], 0.05, 3), random_items(90, 4)))
    found = expect(align(query, reference, 20, MANY))
    assert abs(found.query_start - 80) <= 1
    assert abs(found.length - 50) <= 2
    assert is_match(found.score(MANY))


@given(rates=st.tuples(st.floats(0, 0.45), st.floats(0, 0.45)), bits=st.integers(1, 2000), seed=st.integers(1, 10**9))
def test_more_errors_and_a_larger_index_never_raise_the_score(rates: tuple[float, float], bits: int, seed: int) -> None:
    fewer, more = (Alignment(0, 0, 40, rate, 0.45, bits, 2) for rate in sorted(rates))
    assert fewer.score(seed) >= more.score(seed)
    assert fewer.score(seed + 1) <= fewer.score(seed)


@given(rate=st.floats(0, 0.5), chance=st.floats(0.05, 0.5), bits=st.integers(1, 60))
def test_the_score_bounds_the_binomial_tail(rate: float, chance: float, bits: int) -> None:
    errors = math.floor(rate * bits)
    tail = sum(math.comb(bits, k) * chance**k * (1 - chance) ** (bits - k) for k in range(errors + 1))
    score = Alignment(0, 0, 40, errors / bits, chance, bits, 1).score(1)
    assert score <= -math.log10(tail) + 1e-9


def test_a_match_is_what_chance_gives_less_than_once_in_a_thousand_queries() -> None:
    assert is_match(-math.log10(TOLERATED_FALSE_MATCHES))
    assert not is_match(-math.log10(TOLERATED_FALSE_MATCHES) - 1e-9)


def test_the_best_possible_score_is_reached_by_a_copy_among_unrelated_items() -> None:
    query = random_items(60, 1)
    reference = np.concatenate((random_items(500, 2), query, random_items(500, 3)))
    found = expect(align(query, reference, 500, MANY))
    assert found.score(MANY) == pytest.approx(best_possible_score(query, MANY), rel=0.05)
    assert found.score(MANY) <= best_possible_score(query, MANY)


@pytest.mark.parametrize("period", [1, 2, 5])
def test_repetition_adds_nothing(period: int) -> None:
    loop = np.tile(random_items(period, 1), 400 // period)
    once, often = loop[: period + 1], loop
    assert best_possible_score(often, MANY) == pytest.approx(best_possible_score(once, MANY))


def test_constant_items_match_nothing_not_even_themselves() -> None:
    constant = np.full(200, 0xABCDEF01, np.uint32)
    assert not is_match(best_possible_score(constant, 1))
    assert not is_match(expect(align(constant[:60], constant, 30, MANY)).score(MANY))


def test_unrelated_music_scores_as_rarely_as_it_says(prints: list[Fingerprint]) -> None:
    """Every clip against every place in other pieces: the calibration, on made-up music."""
    everything = np.concatenate([each.items for each in prints])
    owner = np.repeat(np.arange(len(prints)), [len(each.items) for each in prints])
    starts = np.searchsorted(owner, np.arange(len(prints)))
    random = np.random.default_rng(7)
    for length in (12, 25, 60):
        scores = []
        for number in random.integers(0, len(prints), 60):
            begin = random.integers(0, len(prints[number].items) - length)
            clip = prints[number].items[begin : begin + length]
            places = len(everything) - length + 1
            errors = sum(np.bitwise_count(everything[i : i + places] ^ clip[i]).astype(int) for i in range(length))
            foreign = (owner[:places] != number) & (owner[:places] == owner[length - 1 :])
            best = np.argsort(np.where(foreign, errors, 10**6), kind="stable")[:10]
            alignments = int(foreign.sum())
            scores.append(
                max(
                    expect(align(clip, prints[owner[place]].items, place - starts[owner[place]], alignments)).score(
                        alignments
                    )
                    for place in best
                )
            )
        share_above = [np.mean(np.array(scores) > limit) for limit in (0, 1, 2)]
        assert share_above[0] <= 0.2
        assert share_above[1] <= 0.1
        assert share_above[2] <= 0.02


def test_the_same_music_played_from_another_moment_scores_high(
    pieces: list[Audio], prints: list[Fingerprint], excerpt: Callable[[Audio, float, float], Audio]
) -> None:
    for number in range(5):
        clip = fingerprint(excerpt(pieces[number], 7.77, 10)).items
        found = max(
            (expect(align(clip, prints[number].items, offset, MANY)) for offset in range(100)),
            key=lambda each: each.score(MANY),
        )
        assert abs(found.reference_start * 1365 / 11_025 - 7.77) < 0.13
        assert found.score(MANY) > 8


@given(count=st.integers(1, 300), errors=st.floats(0, 0.04), later=st.integers(-100, 100), seed=st.integers(0, 99))
def test_fingerprints_of_one_sound_agree(count: int, errors: float, later: int, seed: int) -> None:
    one = Fingerprint(random_items(300, seed), 40_000)
    other = Fingerprint(with_errors(one.items, errors, seed + 1)[:300], 40_000 + later)
    assert agree(one, one)
    assert agree(one, other)
    assert not agree(one, Fingerprint(random_items(300, seed + 7), 40_000))
    assert not agree(one, Fingerprint(other.items[:count], 40_101))
    assert not agree(Fingerprint(one.items[:0], 1000), Fingerprint(one.items[:0], 1000))


def test_a_changed_stretch_disagrees() -> None:
    one = Fingerprint(random_items(300, 1), 40_000)
    items = one.items.copy()
    items[100:150] = random_items(50, 2)
    assert not agree(one, Fingerprint(items, 40_000))
