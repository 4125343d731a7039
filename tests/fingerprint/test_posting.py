"""Postings, against the plainest way to compute the same."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint import posting
from fingerprint.posting import ADDRESS_BITS, KEY_BITS, Hits

ITEMS = st.lists(st.integers(0, 7).map(lambda n: n << 4) | st.integers(0, 2**32 - 1), max_size=30)


def array(items: list[int]) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.array(items, np.uint32)


@given(ITEMS, st.integers(0, 2**30))
def test_a_posting_is_key_and_address(items: list[int], start: int) -> None:
    postings = posting.pack(array(items), start).tolist()
    assert [p >> ADDRESS_BITS for p in postings] == [item >> 4 for item in items]
    assert [p % 2**ADDRESS_BITS for p in postings] == list(range(start, start + len(items)))


@given(ITEMS, ITEMS, st.integers(0, 2**35))
def test_hits_are_all_pairs_that_differ_in_at_most_one_bit(stored: list[int], query: list[int], start: int) -> None:
    hits = posting.look_up(np.sort(posting.pack(array(stored), start)), posting.probe(array(query)))
    expected = [
        (start + i, j)
        for i, there in enumerate(stored)
        for j, here in enumerate(query)
        if ((there ^ here) >> 4).bit_count() <= 1
    ]
    assert sorted(zip(hits.addresses.tolist(), hits.positions.tolist(), strict=True)) == sorted(expected)
    assert hits.diagonals.tolist() == [a - p for a, p in zip(hits.addresses, hits.positions, strict=True)]


def test_of_long_queries_every_item_is_looked_up_and_some_with_flips() -> None:
    probes = posting.probe(np.arange(2000, dtype=np.uint32) << np.uint32(4))
    assert set(range(2000)) <= set(probes.positions.tolist())
    assert len(probes.keys) == 2000 + 500 * KEY_BITS
    assert (np.diff(probes.keys.astype(np.int64)) >= 0).all()


def test_keys_that_are_everywhere_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = array([0x123 << 8] * 90 + [0xABC << 8] * 5)
    postings = np.sort(posting.pack(stored, 0))
    probes = posting.probe(array([0x123 << 8, 0xABC << 8]))
    assert len(posting.look_up(postings, probes).addresses) == 95
    monkeypatch.setattr(posting, "_MAX_HITS", 50)
    assert posting.look_up(postings, probes).addresses.tolist() == [90, 91, 92, 93, 94]


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 20)), max_size=40), st.integers(1, 12))
def test_the_busiest_diagonals_count_their_neighbours(pairs: list[tuple[int, int]], limit: int) -> None:
    positions = np.array([p for _, p in pairs], np.int64)
    addresses = np.array([d + p for d, p in pairs], np.int64)
    votes = Counter(d for d, _ in pairs)
    weight = {d: votes[d - 1] + votes[d] + votes[d + 1] for d in votes}
    found = posting.busiest(Hits(addresses, positions), limit).tolist()
    assert len(found) == min(limit, len(votes))
    assert len(set(found)) == len(found)
    assert [weight[d] for d in found] == sorted(weight.values(), reverse=True)[: len(found)]


@given(ITEMS, st.integers(0, 20))
def test_buckets_are_the_first_bits_and_keep_the_order(items: list[int], bits: int) -> None:
    keys = posting.keys_of(np.sort(posting.pack(array(items), 7)))
    names = posting.buckets(keys, bits).tolist()
    assert names == [int(key) >> KEY_BITS - bits for key in keys]
    assert names == sorted(names)
