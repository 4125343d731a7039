"""The stored tree, against the tree of all leaves, at sizes around the edges of tiles."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from ledger import store, tree
from ledger.database import reading, writing
from ledger.errors import LogDamagedError
from ledger.log import Log
from ledger.merkle import (
    Frontier,
    NodeId,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root,
)
from ledger.note import NoteSigner

SIZE = 256 * 256 + 2 * 256 + 5
ENTRIES = [b"%d" % number for number in range(SIZE)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, signer: NoteSigner, new_engine: Callable[[Path], Engine]) -> Log:
    """A log with full tiles on two levels, made in batches that end nowhere near the tiles' edges."""
    log = Log(new_engine(tmp_path_factory.mktemp("large") / "linernotes.db"), signer)
    for start in range(0, SIZE, 5000):
        log.append(ENTRIES[start : start + 5000])
    return log


def test_the_tiles_are_there(large: Log) -> None:
    with reading(large.engine) as connection:
        assert store.tile_count(connection) == 258 + 1
        assert store.head(connection) == Frontier().extended(LEAVES).frontier


@given(index=st.integers(0, SIZE - 1), smaller=st.integers(0, SIZE))
@settings(max_examples=15)
def test_proofs_are_those_of_all_leaves(large: Log, index: int, smaller: int) -> None:
    size = max(index + 1, SIZE - smaller)
    assert large.inclusion_proof(index, size).path == inclusion_path(LEAVES[:size], index)
    old = max(1, size // 3)
    assert large.consistency_proof(old, size).path == consistency_path(LEAVES[:size], old)


@given(st.integers(0, SIZE))
@settings(max_examples=15)
def test_the_edge_at_any_size(large: Log, size: int) -> None:
    with reading(large.engine) as connection:
        assert tree.edge_at(connection, size).root == root(LEAVES[:size])


@given(st.integers(0, 16).flatmap(lambda level: st.tuples(st.just(level), st.integers(0, (SIZE >> level) - 1))))
@settings(max_examples=60)
def test_any_node(large: Log, place: tuple[int, int]) -> None:
    level, position = place
    expected = root(LEAVES[position << level : (position + 1) << level])
    with reading(large.engine) as connection:
        assert tree.node_hashes(connection, [NodeId(level, position)]) == {NodeId(level, position): expected}


def test_what_is_not_there_is_damage(large: Log) -> None:
    with reading(large.engine) as connection:
        for level, position in ((0, SIZE), (3, SIZE >> 3), (8, SIZE >> 8), (16, 1), (40, 0)):
            with pytest.raises(LogDamagedError, match="rows were removed"):
                tree.node_hashes(connection, [NodeId(level, position)])


def test_a_tile_is_not_made_of_entries_that_are_missing(log: Log) -> None:
    log.append(ENTRIES[:200])
    with writing(log.engine) as connection, pytest.raises(LogDamagedError, match="Of the entries from 0 to 209"):
        tree.filled_tiles(connection, 210, LEAVES[210:300])
