"""Statements signed elsewhere, and erasures, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.key_statements import registration_statement
from api.registration import party_statement
from api.signing import leaf_of, signed
from ledger.keys import Ed25519Signer
from ledger.merkle import leaf_hash
from ledger.note import NoteVerifier
from ledger.proof import TlogProof

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]

ENVELOPE = {"Content-Type": "application/vnd.dsse.envelope.v1+json"}

JSON = {"Content-Type": "application/json"}


def registration(home: Home, *signers: Ed25519Signer, key: Ed25519Signer) -> bytes:
    return signed(registration_statement("witness", key.verifier, home.log_vkey).to_bytes(), *signers)


def test_a_statement_is_stored_as_it_is_sent(home: Home, client: Callable[..., httpx.Client]) -> None:
    key = Ed25519Signer.generate()
    envelope = registration(home, key, home.service, key=key)
    response = client("submit").post("/v1/statements", content=envelope, headers=ENVELOPE)
    assert response.status_code == 201, response.text
    recorded = response.json()
    assert recorded["kind"] == "key"
    assert recorded["leaf_hash"] == leaf_of(envelope)
    reader = client("read")
    assert reader.get(f"/v1/log/entries/{recorded['log_index']}").content == envelope
    proof = TlogProof.parse(reader.get(f"/v1/log/entries/{recorded['log_index']}/proof").content)
    proof.verify(leaf_hash(envelope), [NoteVerifier.parse(home.log_vkey)])


def test_a_second_attempt_is_the_first(home: Home, client: Callable[..., httpx.Client], problem: Problem) -> None:
    key, other = Ed25519Signer.generate(), Ed25519Signer.generate()
    envelope = registration(home, key, home.service, key=key)
    named = ENVELOPE | {"Idempotency-Key": "attempt 1"}
    first = client("submit").post("/v1/statements", content=envelope, headers=named).json()
    size = home.log.size()
    assert client("submit").post("/v1/statements", content=envelope, headers=named).json() == first
    assert home.log.size() == size
    document = problem(
        client("submit").post(
            "/v1/statements", content=registration(home, other, home.service, key=other), headers=named
        ),
        422,
    )
    assert "was used for 1 other entries" in str(document["detail"])
    problem(client("submit").post("/v1/statements", content=envelope, headers=ENVELOPE), 422)
    assert home.log.size() == size


def test_an_empty_idempotency_key_is_refused(home: Home, client: Callable[..., httpx.Client], problem: Problem) -> None:
    """Whoever sends one believes that a second attempt is safe."""
    size, key = home.log.size(), Ed25519Signer.generate()
    envelope = registration(home, key, home.service, key=key)
    named = ENVELOPE | {"Idempotency-Key": ""}
    found = problem(client("submit").post("/v1/statements", content=envelope, headers=named), 422)
    assert "idempotency-key" in str(found["detail"]).lower()
    assert home.log.size() == size


def test_what_is_not_admitted(home: Home, client: Callable[..., httpx.Client], problem: Problem) -> None:
    size = home.log.size()
    key = Ed25519Signer.generate()
    statement, _ = party_statement("person", "Somebody")
    for body, status in (
        (b"", 422),
        (b"{}", 422),
        (b"\xff", 422),
        (b"[" * 1000, 422),
        (b'{"payload":"","payloadType":"","signatures":[{"keyid":"","sig":""}]}', 422),
        (registration(home, key, key=key), 422),
        (signed(statement.to_bytes(), key), 422),
        (b"x" * 65_536, 413),
        (b"x" * 100_000, 413),
    ):
        problem(client("submit").post("/v1/statements", content=body, headers=ENVELOPE), status)
    good = registration(home, key, home.service, key=key)
    for kind in ("application/json", "text/plain", ""):
        problem(client("submit").post("/v1/statements", content=good, headers={"Content-Type": kind}), 415)
    problem(client("read").post("/v1/statements", content=good, headers=ENVELOPE), 403)
    problem(client().post("/v1/statements", content=good, headers=ENVELOPE), 401)
    assert home.log.size() == size


def test_what_asks_for_a_statement_has_one_meaning(client: Callable[..., httpx.Client], problem: Problem) -> None:
    asked = b'{"kind":"key","predicate":{"role":"witness"}}'
    for body, status, kind in (
        (asked[:-1] + b',"kind":"key"}', 422, "duplicate-member"),
        (asked.replace(b'"role"', b'"role":"log","role"'), 422, "duplicate-member"),
        (asked.decode().encode("utf-16"), 422, "invalid-text"),
        (asked.decode().encode("utf-32"), 422, "invalid-text"),
        (asked.replace(b'"witness"', b"1.0"), 422, "inexact-number"),
        (asked.replace(b'"witness"', b"NaN"), 422, "not-a-number"),
        (asked.replace(b'"witness"', b"[" * 50 + b"]" * 50), 422, "deep-json"),
        (asked[:-1], 422, "malformed-json"),
        (b"", 422, "malformed-json"),
        (b"[]", 422, "usage"),
        (asked[:-1] + b',"more":1}', 422, "usage"),
        (asked[:-1] + b" " * 80_000 + b"}", 413, "oversized-body"),
    ):
        found = problem(client("submit").post("/v1/statements/drafts", content=body, headers=JSON), status)
        assert found["type"] == f"https://linernotes.org/problems/{kind}", body[:80]
    problem(client("submit").post("/v1/statements/drafts", content=asked, headers={"Content-Type": "text/plain"}), 415)


def test_too_much_is_a_problem_of_its_own(client: Callable[..., httpx.Client], problem: Problem) -> None:
    for size, kind in ((65_536, "oversized-entry"), (100_000, "oversized-body")):
        found = problem(client("submit").post("/v1/statements", content=b"x" * size, headers=ENVELOPE), 413)
        assert found["type"] == f"https://linernotes.org/problems/{kind}"


def test_an_erasure(client: Callable[..., httpx.Client], problem: Problem) -> None:
    admin = client("admin")
    party = admin.post("/v1/parties", json={"name": "Desiderius Example"}).json()
    erased = admin.post("/v1/erasures", json={"name": party["party_id"]})
    assert erased.status_code == 201, erased.text
    assert [each["field"] for each in erased.json()["erased"]] == ["name"]
    assert "Desiderius" not in admin.get("/v1/parties").text
    problem(admin.post("/v1/erasures", json={"name": party["party_id"]}), 404)
    problem(admin.post("/v1/erasures", json={"name": "nobody"}), 404)
    problem(admin.post("/v1/erasures", json={"name": ""}), 422)
    problem(client("submit").post("/v1/erasures", json={"name": party["party_id"]}), 403)


@pytest.mark.parametrize("fields", [["nothing"], ["name", "nothing"]])
def test_a_private_value_that_is_not_held(
    client: Callable[..., httpx.Client], problem: Problem, fields: list[str]
) -> None:
    party = client("admin").post("/v1/parties", json={"name": "Erasmus Example"}).json()
    problem(client("admin").post("/v1/erasures", json={"name": party["party_id"], "fields": fields}), 422)
