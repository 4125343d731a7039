"""Packages over HTTP: made for who asks, checked by anybody, and gone from the service afterwards."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

import pytest

from api.inspection import inspect
from provenance.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]


def test_a_package_needs_nothing_but_itself(
    home: Home, everything: httpx.Client, recording_id: str, tmp_path: Path
) -> None:
    asked = {"use": "broadcast", "territory": "FR"}
    response = everything.get(f"/v1/recordings/{recording_id}/exports", params=asked)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["cache-control"] == "no-store"
    package = tmp_path / "package.zip"
    package.write_bytes(response.content)
    found = inspect(package, Trust())
    assert found.recording_id == recording_id
    assert {check.result for check in found.checks} == {"pass", "not-checked"}
    [licence] = [check for check in found.checks if check.id == "licence"]
    assert "for broadcast in FR" in licence.detail
    assert not list((home.objects.root / "staging").iterdir())
    link = re.fullmatch(r'<(/v1/log/entries/\d+)>; rel="describedby"', response.headers["link"])
    assert link
    assert json.loads(everything.get(link[1]).content)["payloadType"] == "application/vnd.in-toto+json"


def test_a_client_that_goes_away_leaves_nothing(home: Home, everything: httpx.Client, recording_id: str) -> None:
    token = everything.headers["authorization"]
    with socket.create_connection((everything.base_url.host, everything.base_url.port or 80)) as connection:
        head = f"GET /v1/recordings/{recording_id}/exports HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    # the workshop is free again only after the package was made, and this asks for its next turn
    everything.post("/v1/identifications", files={"file": ("a", b"")})
    home.objects.root.joinpath("staging").mkdir(exist_ok=True)
    for _ in range(1000):
        if not list((home.objects.root / "staging").iterdir()):
            break
        everything.get("/healthz")
    assert not list((home.objects.root / "staging").iterdir())


@pytest.mark.parametrize(("name", "value"), [("territory", "XX"), ("use", "anything"), ("date", "1066-10-14")])
def test_a_verdict_that_cannot_travel_along(
    home: Home, everything: httpx.Client, recording_id: str, problem: Problem, name: str, value: str
) -> None:
    before = home.log.size()
    found = problem(everything.get(f"/v1/recordings/{recording_id}/exports", params={name: value}), 422)
    assert value in str(found["detail"])
    assert home.log.size() == before
    assert not list((home.objects.root / "staging").iterdir())
