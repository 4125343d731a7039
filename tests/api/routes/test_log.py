"""The log over HTTP, checked as a stranger would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.checkpoint import open_checkpoint
from ledger.merkle import leaf_hash
from ledger.note import NoteVerifier
from ledger.proof import TlogProof

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]


def test_the_checkpoint_is_signed(home: Home, client: Callable[..., httpx.Client]) -> None:
    response = client().get("/checkpoint")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    checkpoint = open_checkpoint(response.content, [NoteVerifier.parse(home.log_vkey)])
    assert checkpoint.origin == home.log.origin
    assert checkpoint.size == home.log.size()


def test_the_head_of_the_checkpoint(client: Callable[..., httpx.Client]) -> None:
    whole, head = (client().request(method, "/checkpoint") for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(whole.content)
    for name in ("content-type", "cache-control", "content-length"):
        assert head.headers[name] == whole.headers[name]


def test_an_entry_and_its_proof_go_together(home: Home, everything: httpx.Client) -> None:
    entry = everything.get("/v1/log/entries/1").content
    response = everything.get("/v1/log/entries/1/proof")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    proof = TlogProof.parse(response.content)
    assert proof.index == 1
    assert proof.verify(leaf_hash(entry), [NoteVerifier.parse(home.log_vkey)]).size == home.log.size()


@pytest.mark.parametrize("path", ["", "/proof"])
@pytest.mark.parametrize(("index", "status"), [("999999", 404), (str(2**63), 422), ("-1", 422), ("first", 422)])
def test_an_entry_that_is_not_there(
    everything: httpx.Client, problem: Problem, path: str, index: str, status: int
) -> None:
    problem(everything.get(f"/v1/log/entries/{index}{path}"), status)


@pytest.mark.parametrize("path", ["", "/proof"])
@pytest.mark.parametrize("index", ["00", "01", "+1", "%201", "1%20", "1.0", "-0", "1_0", "%D9%A1"])
def test_an_index_has_one_form(everything: httpx.Client, problem: Problem, path: str, index: str) -> None:
    found = problem(everything.get(f"/v1/log/entries/{index}{path}"), 422)
    assert "is not a log index" in str(found["detail"])


def test_health(home: Home, client: Callable[..., httpx.Client]) -> None:
    assert client().get("/healthz").json() == {
        "status": "ok",
        "log_size": home.log.size(),
        "timestamps": "off",
        "timestamps_since": "",
    }
