"""A witness on the network: its folder, and the two calls of C2SP tlog-witness over HTTP.

The witness is a service of its own: it has no home, no database and no tokens, and knows of a log
only the verifier key and the checkpoint that it cosigned last.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.errors import UsageError
from ledger.add_checkpoint import MAX_REQUEST_BYTES, SIZE_TYPE, format_size
from ledger.bounded_file import read_bounded
from ledger.cosignature import Cosigner
from ledger.durability import replace, sync_folder
from ledger.errors import (
    AddCheckpointError,
    InconsistentCheckpointError,
    OldSizeError,
    SignatureError,
    UnknownLogError,
    WitnessError,
)
from ledger.key_file import load_or_create_key
from ledger.lock import alone
from ledger.note import MAX_NOTE_BYTES
from ledger.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from starlette.requests import Request

    from ledger.note import NoteVerifier

PATIENCE_SECONDS: Final = 10
"""How long a client may take to send one request."""
MAX_CONNECTIONS: Final = 256

_STATUS: Final[tuple[tuple[type[Exception], HTTPStatus], ...]] = (
    (AddCheckpointError, HTTPStatus.BAD_REQUEST),
    (UnknownLogError, HTTPStatus.NOT_FOUND),
    (SignatureError, HTTPStatus.FORBIDDEN),
    (InconsistentCheckpointError, HTTPStatus.UNPROCESSABLE_ENTITY),
)
_log = logging.getLogger("linernotes")


def open_cosigner(folder: Path, name: str = "") -> Cosigner:
    """Read the key of a witness, and make it when there is none.

    Args:
        folder: The witness's own, which holds its key, its name and what it remembers.
        name: Key name; only needed, and only possible, when the key is made. Made up when left out.

    Raises:
        UsageError: The witness has another name.
        NoteError: The name is not one.
        KeyFileError: The key cannot be read or made.
        OSError: The folder cannot be made or written to.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "logs").mkdir(mode=0o700, exist_ok=True)
    path = folder / "witness-name"
    with alone(path):
        key = load_or_create_key(folder / "witness.pem")
        known = read_bounded(path, MAX_NOTE_BYTES).decode().strip() if path.exists() else ""
        if known and name not in {"", known}:
            raise UsageError(
                f"The witness in {folder} is called {known}, not {name[:80]}. A witness keeps its name for life: leave "
                "the name out, or choose another folder."
            )
        cosigner = Cosigner(known or name or f"linernotes.local/witness/{key.keyid[7:23]}", key)
        if not known:
            replace(path, f"{cosigner.name}\n".encode(), mode=0o600)
            sync_folder(folder.parent)
    return cosigner


def open_witness(folder: Path, logs: Iterable[NoteVerifier], name: str = "") -> Witness:
    """Open the witness of a folder, as `open_cosigner` does.

    Args:
        folder: The witness's own.
        logs: Keys of the logs it watches.
        name: Its key name.

    Raises:
        WitnessError: It cannot watch these logs, or what it remembers is damaged.
    """
    return Witness(open_cosigner(folder, name), logs, folder / "logs")


def create_app(witness: Witness) -> Starlette:
    """Return the HTTP interface of a witness: submission and monitoring prefix are the same."""

    async def add_checkpoint(request: Request) -> Response:
        body = await _body(request)
        return await run_in_threadpool(_answered, lambda: witness.add_checkpoint(body))

    async def checkpoint(request: Request) -> Response:
        name = str(request.path_params["origin_hash"])
        return await run_in_threadpool(_answered, lambda: witness.checkpoint(name))

    app = Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", checkpoint, methods=["GET"]),
        ],
        exception_handlers={_RefusedError: _refusal, ClientDisconnect: _refusal},
    )
    app.router.redirect_slashes = False
    return app


def listen(host: str, port: int) -> socket.socket:
    """Return a socket on which connections wait until the server runs.

    Args:
        host: Address to listen on.
        port: Port; 0 for any that is free.

    Raises:
        OSError: The address is not one of this machine, or is in use.
    """
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    # Connections inherit it; else an answer in two pieces waits 40 ms for the client to acknowledge the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def create_server(witness: Witness) -> uvicorn.Server:
    """Return the server of a witness; `run` it with the sockets that `listen` gave."""
    config = uvicorn.Config(
        create_app(witness),
        http=_PunctualProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=PATIENCE_SECONDS,
        timeout_graceful_shutdown=PATIENCE_SECONDS,
    )
    return uvicorn.Server(config)


class _PunctualProtocol(H11Protocol):
    """Hangs up on clients that connect and then say nothing, or say it a byte at a time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._expect_request()

    def on_response_complete(self) -> None:
        self._expect_request()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        self._forget()
        self._deadline = self.loop.call_later(PATIENCE_SECONDS, self._hang_up)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def _hang_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # a request that has begun has a deadline of its own
            self.transport.close()


class _RefusedError(Exception):
    """A request that does not reach the witness."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_REQUEST_BYTES:
                    raise _RefusedError(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                        f"The request is longer than the {MAX_REQUEST_BYTES} bytes that any checkpoint needs.",
                    )
    except TimeoutError as fault:
        raise _RefusedError(
            HTTPStatus.REQUEST_TIMEOUT, f"The request did not arrive within {PATIENCE_SECONDS} seconds."
        ) from fault
    return bytes(body)


def _answered(ask: Callable[[], bytes]) -> Response:
    """Turn what the witness says into the statuses of tlog-witness."""
    try:
        return PlainTextResponse(ask())
    except OldSizeError as refusal:
        return Response(format_size(refusal.size), HTTPStatus.CONFLICT, {"Content-Type": SIZE_TYPE})
    except tuple(kind for kind, _ in _STATUS) as refusal:
        status = next(status for kind, status in _STATUS if isinstance(refusal, kind))
        return PlainTextResponse(f"{refusal}\n", status)
    except (WitnessError, OSError) as fault:  # what it says is for the operator: it names files
        _log.error("The witness cosigned nothing: %s", fault)
        return PlainTextResponse(
            "The witness cannot remember checkpoints at the moment, and cosigns none; its operator was told.\n",
            HTTPStatus.SERVICE_UNAVAILABLE,
            {"Retry-After": "60"},
        )


async def _refusal(_request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, _RefusedError) else HTTPStatus.BAD_REQUEST
    return PlainTextResponse(f"{error}\n", status, {"Connection": "close"})
