"""A home with one recording, and its HTTP interface on a real server of the loopback interface."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn

from api import tokens
from api.app import create_app
from api.home import Home
from api.integrity import fsck
from api.settings import Settings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

MAX_UPLOAD_BYTES = 4 * 2**20
SEED = 11


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.listening.set()


@contextmanager
def serving(home: Home) -> Iterator[str]:
    """Serve a home; gives the address."""
    server = _Server(uvicorn.Config(create_app(home), host="127.0.0.1", port=0, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.listening.wait(60)
        assert server.started
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of its own, whose uploads are small."""
    root = tmp_path_factory.mktemp("served") / "home"
    return Home(Settings(home=root, max_upload_bytes=MAX_UPLOAD_BYTES, device="cpu"))


@pytest.fixture(scope="session")
def address(home: Home) -> Iterator[str]:
    """Where its service listens; whatever the tests sent it, the ledger is whole afterwards."""
    with serving(home) as url:
        yield url
    assert fsck(home).problems == ()
    assert not list((home.objects.root / "staging").glob("*"))


@pytest.fixture(scope="session")
def client(home: Home, address: str) -> Iterator[Callable[..., httpx.Client]]:
    """Gives a client whose token has some scopes; none for a client without a token."""
    opened: dict[tuple[str, ...], httpx.Client] = {}

    def make(*scopes: str) -> httpx.Client:
        if scopes not in opened:
            secret = tokens.create(home, " ".join(scopes), scopes)[1] if scopes else ""
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            opened[scopes] = httpx.Client(base_url=address, headers=headers, timeout=120)
        return opened[scopes]

    yield make
    for each in opened.values():
        each.close()


@pytest.fixture(scope="session")
def everything(client: Callable[..., httpx.Client]) -> httpx.Client:
    """A client with every scope but ``admin``."""
    return client(*(scope for scope in tokens.SCOPES if scope != "admin"))


@pytest.fixture(scope="session")
def recording_id(everything: httpx.Client) -> str:
    """A recording of about five seconds, made over HTTP."""
    body = {"prompt": "a calm adagio, foggy", "seconds": 5, "seed": SEED}
    job = everything.post("/v1/generations", json=body).raise_for_status().json()
    with everything.stream("GET", f"/v1/jobs/{job['job_id']}/events") as events:
        *_, last = (line for line in events.iter_lines() if line.startswith("data: "))
    made = json.loads(last.removeprefix("data: "))
    assert made["state"] == "done", made
    return str(made["recording"]["recording_id"])


@pytest.fixture
def problem() -> Callable[[httpx.Response, int], dict[str, object]]:
    """Checks that an answer is a problem document (RFC 9457) with a status, and gives it."""

    def read(response: httpx.Response, status: int) -> dict[str, object]:
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        document = response.json()
        assert document.keys() == {"type", "title", "status", "detail"}
        assert document["status"] == status
        assert document["detail"]
        assert "Traceback" not in document["detail"]
        return dict(document)

    return read
