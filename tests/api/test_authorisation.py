"""Every operation but the public ones needs a token with its scope, and says so in its description."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Request

from api import tokens
from api.allowance import MAX_DOCUMENT_BYTES
from api.app import create_app
from api.authorisation import Gate
from api.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from api.home import Home
    from tests.conftest import Run

OPEN = {("get", "/checkpoint"), ("get", "/healthz"), ("get", "/tile/{path}")}


def _operations(home: Home) -> list[tuple[str, str, dict[str, Any]]]:
    paths = create_app(home).openapi()["paths"]
    return [(method, path, operation) for path, methods in paths.items() for method, operation in methods.items()]


def _call(client: httpx.Client, method: str, path: str) -> httpx.Response:
    return client.request(method, re.sub(r"{\w+}", "0", path.replace("{path}", "0/000.p/1")))


def test_the_open_operations(home: Home, client: Callable[..., httpx.Client]) -> None:
    described = {(method, path) for method, path, operation in _operations(home) if "security" not in operation}
    assert described == OPEN
    for method, path in OPEN:
        assert _call(client(), method, path).status_code == 200


def test_without_a_token(
    home: Home, client: Callable[..., httpx.Client], problem: Callable[[httpx.Response, int], dict[str, object]]
) -> None:
    for method, path, operation in _operations(home):
        if "security" in operation:
            response = _call(client(), method, path)
            assert "token" in str(problem(response, 401)["detail"])
            assert response.headers["www-authenticate"] == 'Bearer realm="linernotes"'


@pytest.mark.parametrize("status", [401, 403])
def test_nothing_is_said_of_a_body_before(
    home: Home,
    client: Callable[..., httpx.Client],
    problem: Callable[[httpx.Response, int], dict[str, object]],
    status: int,
) -> None:
    asked = 0
    for method, path, operation in _operations(home):
        if "security" in operation:
            [wanted] = [scheme["bearer"] for scheme in operation["security"]]
            others = [scope for scope in tokens.SCOPES if scope not in {*wanted, "admin"}]
            sender = client(*others) if status == 403 else client()
            for body in (b"{", b"{" * (MAX_DOCUMENT_BYTES + 1)):
                for kind in ("application/json", "multipart/form-data; boundary=x"):
                    address = re.sub(r"{\w+}", "0", path)
                    answer = sender.request(method, address, content=body, headers={"Content-Type": kind})
                    assert "token" in str(problem(answer, status)["detail"])
                    asked += 1
    assert asked > 40
    token = client("generate")
    problem(token.post("/v1/generations", content=b"{", headers={"Content-Type": "application/json"}), 422)
    problem(token.post("/v1/generations", content=b" " * (MAX_DOCUMENT_BYTES + 1)), 413)


def test_a_gate_on_an_unguarded_route_lets_nobody_in() -> None:
    request = Request({"type": "http", "path": "/secret", "query_string": b"", "headers": []})
    with pytest.raises(TypeError, match="not Guarded"):
        Gate(("read",))(request, None)


def test_with_every_other_scope(
    home: Home, client: Callable[..., httpx.Client], problem: Callable[[httpx.Response, int], dict[str, object]]
) -> None:
    for method, path, operation in _operations(home):
        if "security" in operation:
            [wanted] = [scheme["bearer"] for scheme in operation["security"]]
            assert wanted
            others = [scope for scope in tokens.SCOPES if scope not in {*wanted, "admin"}]
            response = _call(client(*others), method, path)
            assert wanted[0] in str(problem(response, 403)["detail"])
            assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


@pytest.mark.parametrize("value", ["Bearer ln_unknown", "Bearer", "Basic bGluZXI6bm90ZXM=", "ln_unknown"])
def test_what_is_no_token_of_ours(
    client: Callable[..., httpx.Client], problem: Callable[[httpx.Response, int], dict[str, object]], value: str
) -> None:
    problem(client().get("/v1/recordings", headers={"Authorization": value}), 401)


def test_a_revoked_token(
    home: Home, client: Callable[..., httpx.Client], problem: Callable[[httpx.Response, int], dict[str, object]]
) -> None:
    made, secret = tokens.create(home, "short-lived", ["read"])
    headers = {"Authorization": f"Bearer {secret}"}
    assert client().get("/v1/recordings", headers=headers).status_code == 200
    tokens.revoke(home, made.token_id)
    response = client().get("/v1/recordings", headers=headers)
    assert "revoked" in str(problem(response, 401)["detail"])
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


def test_admin_may_do_everything(client: Callable[..., httpx.Client]) -> None:
    assert client("admin").get("/v1/recordings").status_code == 200


def test_a_token_is_kept_as_a_digest_only(home: Home) -> None:
    made, secret = tokens.create(home, "kept", ["read", "edit"])
    assert tokens.identify(home, secret) == made
    assert secret not in repr(made)
    for file in home.root.rglob("linernotes.db*"):
        assert secret.encode() not in file.read_bytes()


def test_a_scope_is_refused_by_name(home: Home) -> None:
    made, _ = tokens.create(home, "reader", ["read"])
    tokens.authorise(made, "generate", "read")
    with pytest.raises(TokenError, match="'reader' has no scope 'edit'"):
        tokens.authorise(made, "edit")


def test_the_command_names_every_scope_that_there_is(linernotes: Run) -> None:
    told = linernotes("token", "create", "--help").out
    assert all(re.search(rf"\b{scope}\b", told) for scope in tokens.SCOPES)
