"""Stored fingerprints and segments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from fingerprint import posting, store
from fingerprint.chroma import Fingerprint
from fingerprint.errors import DamagedFingerprintError
from fingerprint.store import Size
from fingerprint.tables import FINGERPRINT, METADATA, POSTING_BUCKET
from ledger.database import open_engine, reading, writing


def print_of(count: int, seed: int = 0) -> Fingerprint:
    return Fingerprint(np.random.default_rng(seed).integers(0, 2**32, count, np.uint32), count * 100)


def test_fingerprints_lie_one_behind_the_other(engine: Engine) -> None:
    lengths = [5, 0, 1, 300, 0, 7]
    with writing(engine) as connection:
        for number, length in enumerate(lengths):
            store.insert_fingerprint(connection, f"r{number}", print_of(length, number))
    with reading(engine) as connection:
        stored = list(store.fingerprints_from(connection, 0))
        assert [each.fingerprint for each in stored] == [print_of(n, i) for i, n in enumerate(lengths)]
        assert [each.start for each in stored] == [0, 6, 7, 9, 310, 311]
        assert store.size(connection) == Size(recordings=6, end=319)
        assert [each.recording_id for each in store.fingerprints_from(connection, 10)] == ["r4", "r5"]
        assert [each.recording_id for each in store.fingerprints_at(connection, [312, 4, 9, 308, 2])] == [
            "r0",
            "r3",
            "r5",
        ]


@given(recordings=st.integers(0, 100), length=st.integers(0, 500), query=st.integers(1, 100))
def test_alignments_are_all_overlaps(recordings: int, length: int, query: int) -> None:
    size = Size(recordings, recordings * (length + 1))
    overlaps = len([o for o in range(-query, length + 1) if max(0, -o) < min(query, length - o)])
    if length:
        assert size.alignments(query) == recordings * overlaps


@given(st.lists(st.integers(0, 2**32 - 1), max_size=600))
def test_a_segment_gives_back_its_postings(items: list[int]) -> None:
    engine = open_engine("sqlite://")
    METADATA.create_all(engine)
    postings = np.sort(posting.pack(np.array(items, np.uint32), 1000))
    with writing(engine) as connection:
        store.insert_segment(connection, 1000, 1000 + len(items), postings)
        [segment] = store.segments(connection)
        assert (segment.start, segment.end, segment.postings) == (1000, 1000 + len(items), len(items))
        assert np.array_equal(store.all_postings(connection, segment), postings)
        some = np.unique(posting.keys_of(postings))[::3]
        found = store.postings_under(connection, segment, some)
        assert (np.diff(found.astype(object)) > 0).all()
        assert set(some.tolist()) <= set(posting.keys_of(found).tolist())
        assert set(found.tolist()) <= set(postings.tolist())
        store.delete_segment(connection, segment)
        assert store.segments(connection) == []
    engine.dispose()


@pytest.mark.parametrize(
    "damage", [{"items": b"\x00" * 4}, {"items": b"\x00" * 7}, {"item_count": 9}, {"algorithm": "other"}]
)
def test_a_damaged_row_is_noticed(damage: dict[str, object], engine: Engine) -> None:
    with writing(engine) as connection:
        store.insert_fingerprint(connection, "r", print_of(5))
        connection.execute(update(FINGERPRINT).values(**damage))
        with pytest.raises(DamagedFingerprintError):
            list(store.fingerprints_from(connection, 0))


def test_a_damaged_bucket_is_noticed(engine: Engine) -> None:
    with writing(engine) as connection:
        store.insert_segment(connection, 0, 5, posting.pack(print_of(5).items, 0))
        connection.execute(update(POSTING_BUCKET).values(postings=b"\x00" * 9))
        [segment] = store.segments(connection)
        with pytest.raises(DamagedFingerprintError, match="db rebuild"):
            store.all_postings(connection, segment)
