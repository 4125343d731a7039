"""The log as files, mirrored and checked as a stranger would."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from ledger.checkpoint import open_checkpoint
from ledger.merkle import leaf_hash, root
from ledger.note import NoteVerifier
from ledger.tile import TilePath, parse_bundle, split

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]


def test_a_mirror_needs_tiles_and_checkpoint_alone(home: Home, client: Callable[..., httpx.Client]) -> None:
    """Without a token: every entry hashes to its tile, and the tile to the signed root."""
    stranger = client()
    signed = stranger.get("/checkpoint")
    assert signed.headers["cache-control"] == "public, max-age=1"
    checkpoint = open_checkpoint(signed.content, [NoteVerifier.parse(home.log_vkey)])
    tile = stranger.get(f"/{TilePath(0, 0, checkpoint.size).format()}")
    bundle = stranger.get(f"/{TilePath(None, 0, checkpoint.size).format()}")
    for response in (tile, bundle):
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    leaves = [leaf_hash(entry) for entry in parse_bundle(bundle.content, checkpoint.size)]
    assert split(tile.content) == leaves
    assert root(leaves) == checkpoint.root_hash


def test_bundles_are_compressed_for_those_who_can_read_that(client: Callable[..., httpx.Client]) -> None:
    path = f"/{TilePath(None, 0, 3).format()}"
    plain = client().get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client().stream("GET", path, headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content)


@pytest.mark.parametrize(
    "path",
    [
        "0/000",
        "0/001",
        "1/000",
        "entries/000",
        "entries/x001/000",
        "0/000.p/255",
        "0/0",
        "9/000",
        "0/000.p/0",
        "x/000",
        "",
    ],
)
def test_what_is_not_there(client: Callable[..., httpx.Client], problem: Problem, path: str) -> None:
    problem(client().get(f"/tile/{path}"), 404)


def test_a_path_that_is_too_long(client: Callable[..., httpx.Client], problem: Problem) -> None:
    problem(client().get("/tile/0/" + "x000/" * 50 + "000"), 422)
