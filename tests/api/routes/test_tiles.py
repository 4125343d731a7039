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
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("GZIP;Q=0.001", True),
        ("identity;q=0, *", True),
        ("gzip;q=0", False),
        ("br, gzip ; q=0.000", False),
        ("*;q=0", False),
        ("identity;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("", False),
    ],
)
def test_a_coding_that_is_refused_is_not_used(
    client: Callable[..., httpx.Client], accepted: str, *, packed: bool
) -> None:
    path = f"/{TilePath(None, 0, 3).format()}"
    response = client().get(path, headers={"Accept-Encoding": accepted})
    assert response.headers.get("content-encoding") == ("gzip" if packed else None)
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.content == client().get(path, headers={"Accept-Encoding": "identity"}).content


def test_a_refusal_in_a_second_line_counts(client: Callable[..., httpx.Client]) -> None:
    path = f"/{TilePath(None, 0, 3).format()}"
    lines = [("Accept-Encoding", "gzip;q=0"), ("Accept-Encoding", "*")]
    assert "content-encoding" not in client().get(path, headers=lines).headers


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("path", ["0/000.p/3", "entries/000.p/3"])
def test_the_head_of_a_file_is_that_of_the_whole(client: Callable[..., httpx.Client], path: str, coding: str) -> None:
    whole, head = (
        client().request(method, f"/tile/{path}", headers={"Accept-Encoding": coding}) for method in ("GET", "HEAD")
    )
    assert head.status_code == 200
    assert head.content == b""
    assert int(head.headers["content-length"]) > 0
    assert [_undated(each) for each in (head, whole)] == [_undated(whole)] * 2


def test_the_head_of_what_is_not_there(client: Callable[..., httpx.Client]) -> None:
    assert client().head("/tile/0/001").status_code == 404


def _undated(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != "date"}


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
