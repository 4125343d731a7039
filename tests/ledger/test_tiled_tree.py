"""A tree that is known by its root, and read from tiles that may be false."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import TileError
from ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash, root
from ledger.tile import TILE_WIDTH, TilePath
from ledger.tiled_tree import TiledTree

LEAVES = [leaf_hash(b"%d" % number) for number in range(70_000)]
EDGES = [Frontier()]
for _leaf in LEAVES[:1100]:
    EDGES.append(EDGES[-1].extended([_leaf]).frontier)


def tile(path: TilePath) -> bytes:
    """A true tile over the leaves above."""
    width = TILE_WIDTH ** (path.level or 0)
    places = range(path.index * TILE_WIDTH, path.index * TILE_WIDTH + path.width)
    return b"".join(root(LEAVES[place * width : (place + 1) * width]) for place in places)


def tree(size: int) -> TiledTree:
    return TiledTree(tile, size, EDGES[size].root)


@given(st.integers(0, 1100), st.integers(0, 1100))
@settings(max_examples=60, deadline=None)
def test_every_true_beginning_and_edge_is_accepted(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert tree(large).edge(small) == EDGES[small]
    if small:
        assert tree(large).begins_with(small, EDGES[small].root)


@given(st.integers(1, 1100), st.integers(1, 1100), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_any_flipped_bit_of_a_beginning_or_a_root_is_refused(one: int, other: int, bit: int) -> None:
    small, large = sorted((one, other))
    known = tree(large)
    assert not known.begins_with(small, flipped(EDGES[small].root, bit))
    assert not replace(known, root=flipped(known.root, bit)).begins_with(small, EDGES[small].root)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_flipped_bit_of_the_tiles_that_are_read_is_noticed_or_changes_nothing(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 1100))
    small = data.draw(st.integers(1, size - 1))
    asked: list[TilePath] = []

    def noted(path: TilePath) -> bytes:
        asked.append(path)
        return tile(path)

    known = replace(tree(size), tile=noted)
    assert known.begins_with(small, EDGES[small].root)
    path = data.draw(st.sampled_from(asked))
    true = tile(path)
    bit = data.draw(st.integers(0, len(true) * 8 - 1))
    lying = replace(known, tile=lambda each: flipped(true, bit) if each == path else tile(each))
    for wrong in range(1, size):
        if wrong != small and size < 40:
            assert not lying.begins_with(small, EDGES[wrong].root)
    lying.begins_with(small, EDGES[small].root)


def test_a_tree_of_three_levels_of_tiles() -> None:
    size = 70_000
    whole = Frontier().extended(LEAVES[:1100]).frontier
    known = TiledTree(tile, size, root(LEAVES))
    assert known.begins_with(1100, whole.root)
    assert known.edge(1100) == whole
    assert known.begins_with(65_536, root(LEAVES[:65_536]))
    assert known.edge(size).root == known.root
    assert not known.begins_with(1099, whole.root)


def test_the_example_of_the_specification() -> None:
    """The partial tiles of a tree of 70,000 entries (tlog-tiles, "Partial Tiles")."""
    asked: list[TilePath] = []

    def noted(path: TilePath) -> bytes:
        asked.append(path)
        return tile(path)

    TiledTree(noted, 70_000, root(LEAVES)).edge(70_000)
    assert set(asked) == {TilePath(0, 273, 112), TilePath(1, 1, 17), TilePath(2, 0, 1)}


def test_leaves_and_paths() -> None:
    assert tree(700).leaves(300, 700) == LEAVES[300:700]
    assert tree(700).leaves(256, 512) == LEAVES[256:512]
    assert tree(700).leaves(700, 700) == []
    assert list(tree(700).paths(None, 300, 700)) == [TilePath(None, 1), TilePath(None, 2, 188)]
    assert list(tree(700).paths(0, 0, 256)) == [TilePath(0, 0)]
    assert tree(0).begins_with(0, EMPTY_ROOT)
    assert tree(0).edge(0) == Frontier()


def test_a_tile_of_another_length_is_none() -> None:
    short = replace(tree(700), tile=lambda path: tile(path)[:-1])
    for ask in (lambda: short.leaves(0, 700), lambda: short.edge(300), lambda: short.begins_with(3, EDGES[3].root)):
        with pytest.raises(TileError, match="bytes for tile/"):
            ask()


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
