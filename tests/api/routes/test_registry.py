"""What is on record, over HTTP; names are private."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from provenance import store

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]


def test_a_party_and_its_name(home: Home, everything: httpx.Client, client: Callable[..., httpx.Client]) -> None:
    asked = {"name": "Dora Example", "kind": "organisation", "ipi": "00014107338"}
    response = client("admin").post("/v1/parties", json=asked)
    made = response.json()
    assert response.status_code == 201, made
    assert made["name"] == "Dora Example"
    names = {each["party_id"]: each["name"] for each in client("admin").get("/v1/parties").json()["parties"]}
    assert names[made["party_id"]] == "Dora Example"
    assert {each["name"] for each in everything.get("/v1/parties").json()["parties"]} == {""}
    assert b"Dora" not in everything.get(f"/v1/log/entries/{made['log_index']}").content
    assert home.log.size() > made["log_index"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "   "},
        {"name": "\ud800"},
        {"name": "J\udcff"},
        {"name": "a\x00b"},
        {"name": "\x1b[2J"},
        {"name": "abc\u202egpj"},
        {"name": "two\nlines"},
        {"name": "\u200b"},
        {"name": "\u3164"},
        {"name": "\u0301x"},
        {"name": "x" * 501},
        {"name": "x", "kind": "robot"},
        {"name": "x", "isni": "0000000000000000"},
        {"name": "x", "ipi": "1"},
        {"name": "x", "email": "x@example.com"},
    ],
)
def test_a_party_that_cannot_be(
    home: Home, client: Callable[..., httpx.Client], problem: Problem, body: dict[str, object]
) -> None:
    before = _parties(home)
    headers = {"content-type": "application/json"}
    problem(client("admin").post("/v1/parties", content=json.dumps(body), headers=headers), 422)
    assert _parties(home) == before


def _parties(home: Home) -> set[str]:
    """Not the size of the log, to which a job of another test may add meanwhile."""
    with home.reading() as connection:
        return {each.name for each in store.registrations(connection, "party")}


@pytest.mark.parametrize(
    ("name", "kept"), [("  Ada ", "Ada"), ("Dvor\u030ca\u0301k", "Dvořák"), ("🎻", "🎻"), ("李焕之", "李焕之")]
)
def test_a_name_is_kept_in_one_form(client: Callable[..., httpx.Client], name: str, kept: str) -> None:
    assert client("admin").post("/v1/parties", json={"name": name}).json()["name"] == kept


def test_models_and_corpora(everything: httpx.Client) -> None:
    [model] = everything.get("/v1/models").json()["models"]
    [corpus] = everything.get("/v1/corpora").json()["corpora"]
    assert model["corpus"] == corpus["leaf_hash"]
    assert corpus["items"] == 110


def test_keys(home: Home, everything: httpx.Client) -> None:
    keys = {each["role"]: each for each in everything.get("/v1/keys").json()["keys"]}
    assert keys["log"]["vkey"] == home.log_vkey
    assert "PRIVATE" not in str(keys)
