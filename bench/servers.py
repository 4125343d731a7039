"""Servers to measure: `linernotes serve`, the same with clocks in it, and a bare one that does nothing.

`python -m bench.servers bare PORT` or `python -m bench.servers clocked PORT` runs one; both tell at `/spent` what the
process has spent since it was last asked.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import uvicorn

from bench.parts import Clocks

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PROCESS: Final = "process"
_START_SECONDS: Final = 60
_SMALLEST: Final = 2
_KINDS: Final = {
    "serve": ("-m", "api", "serve", "--port"),
    "clocked": ("-m", "bench.servers", "clocked"),
    "bare": ("-m", "bench.servers", "bare"),
}


@contextmanager
def serving(kind: str, environments: Sequence[Mapping[str, str]]) -> Iterator[list[int]]:
    """Run one server for each environment, and give their ports.

    Args:
        kind: ``serve``, ``clocked`` or ``bare``.
        environments: Settings of each.
    """
    with ExitStack() as running:
        processes = {}
        for environment in environments:
            port = _free_port()
            command = [sys.executable, *_KINDS[kind], str(port)]
            processes[port] = running.enter_context(_process(command, environment))
        for port, process in processes.items():
            _wait_for(port, process)
        yield list(processes)


def spent(port: int) -> dict[str, dict[str, float]]:
    """Return what a server has spent since it was last asked, by part; all of it under ``PROCESS``."""
    return dict(json.loads(_get(port, "/spent")))


class Bare:
    """Reads a body, and answers as many bytes of JSON as the path says: `/120`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        asked = scope["path"].strip("/")
        size = int(asked) if asked.isdecimal() else _SMALLEST
        status = 201 if scope["method"] == "POST" else 200
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b'"' + b"x" * (size - 2) + b'"'})


class Told:
    """An application that also tells what its process has spent."""

    def __init__(self, app: ASGIApp, clocks: Clocks) -> None:
        self._app = app
        self._clocks = clocks
        self._began = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http" or scope["path"] != "/spent":
            await self._app(scope, receive, send)
            return
        now = time.process_time()
        told = {**self._clocks.read(), PROCESS: {"processor": now - self._began, "wall": 0.0}}
        self._began = now
        body = json.dumps(told).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Run a server until it is told to stop."""
    kind, port = sys.argv[1:]
    clocks = Clocks()
    app = Told(Bare() if kind == "bare" else _clocked(clocks), clocks)
    lifespan: Literal["off", "on"] = "off" if kind == "bare" else "on"
    uvicorn.run(app, port=int(port), log_level="warning", server_header=False, lifespan=lifespan)


def _clocked(clocks: Clocks) -> Any:
    from api.app import create_app  # noqa: PLC0415 - a bare server needs none of it
    from api.home import Home  # noqa: PLC0415
    from api.settings import load_settings  # noqa: PLC0415

    clocks.install()
    return create_app(Home(load_settings()))


@contextmanager
def _process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env={**os.environ, **environment}) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            _get(port, "/checkpoint")
        except (OSError, ValueError):
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
