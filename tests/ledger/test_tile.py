"""Tiles and bundles, against the log that tessera wrote."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.errors import TileError
from ledger.merkle import leaf_hash, root
from ledger.tile import (
    MAX_TILE_LEVEL,
    TILE_WIDTH,
    Tile,
    TilePath,
    format_bundle,
    parse_bundle,
    split,
)

HASHES = [leaf_hash(b"%d" % number) for number in range(TILE_WIDTH)]
TILE = Tile.complete(b"".join(HASHES))

paths = st.builds(
    TilePath,
    st.none() | st.integers(0, MAX_TILE_LEVEL),
    st.integers(0, 2**63 - 1),
    st.integers(1, TILE_WIDTH),
)


def test_every_subtree_of_a_tile_is_that_of_its_hashes() -> None:
    for height in range(9):
        width = 1 << height
        for position in range(TILE_WIDTH // width):
            assert TILE.subtree(height, position) == root(HASHES[position * width : (position + 1) * width])
    assert TILE.root == root(HASHES)


@pytest.mark.parametrize("length", [0, 31, 8191, 8193, 8192 + 32])
def test_a_tile_has_256_hashes(length: int) -> None:
    with pytest.raises(TileError, match=f"this one {length}"):
        Tile.complete(bytes(length))


def test_the_example_of_the_specification() -> None:
    assert TilePath(0, 1_234_067).format() == "tile/0/x001/x234/067"
    assert TilePath(None, 3, 12).format() == "tile/entries/003.p/12"


@given(paths)
def test_paths_read_as_they_are_written(path: TilePath) -> None:
    assert TilePath.parse(path.format()) == path


@given(st.text(max_size=80))
@example("")
@example("tile/0/1")
@example("tile/00/001")
@example("tile/8/001")
@example("tile/64/001")
@example("tile/0/x001")
@example("tile/0/x000/001")
@example("tile/0/001/002")
@example("tile/0/001.p/0")
@example("tile/0/001.p/01")
@example("tile/0/001.p/256")
@example("tile/0/001.p/1/")
@example("tile/entries/x009/x223/x372/x036/x854/x775/808")
@example("tile/0/\N{ARABIC-INDIC DIGIT ZERO}\N{ARABIC-INDIC DIGIT ZERO}\N{ARABIC-INDIC DIGIT ONE}")
@example("/tile/0/001")
@example("tile/0/001\n")
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(TileError, match="not the path of a tile"):
        TilePath.parse(text)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_bundles_read_as_they_are_written(entries: list[bytes]) -> None:
    assert parse_bundle(format_bundle(entries), len(entries)) == tuple(entries)


@given(st.binary(max_size=400), st.integers(0, 12))
def test_any_bytes_are_a_bundle_or_refused(data: bytes, width: int) -> None:
    try:
        entries = parse_bundle(data, width)
    except TileError:
        return
    assert format_bundle(entries) == data
    assert len(entries) == width


def test_bundles_have_bounds() -> None:
    assert parse_bundle(format_bundle([bytes(65_535)] * 256), 256) == (bytes(65_535),) * 256
    for entries in ([], [b""] * 257, [bytes(65_536)]):
        with pytest.raises(TileError, match="do not fit"):
            format_bundle(entries)


def test_the_tiles_and_bundles_of_tessera(vectors: Callable[[str], Path]) -> None:
    home = vectors("tessera-log") / "testdata" / "log"
    found = 0
    for file in (home / "tile" / "entries").rglob("*"):
        if file.is_dir():
            continue
        path = TilePath.parse(file.relative_to(home).as_posix())
        entries = parse_bundle(file.read_bytes(), path.width)
        assert format_bundle(entries) == file.read_bytes()
        tile = home / TilePath(0, path.index, path.width).format()
        assert split(tile.read_bytes()) == [leaf_hash(entry) for entry in entries]
        found += 1
    assert found
