"""A client of HTTP/1.1 that costs little: requests are ready-made bytes, and of an answer only its length is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

from bench.crowd import together

_LENGTH: Final = b"content-length:"


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of a load.

    Attributes:
        seconds: From the first request to the last answer.
        waits: Seconds that each answer took.
        processor: Seconds of the processor that the clients themselves used.
    """

    seconds: float
    waits: Sequence[float]
    processor: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.waits) / self.seconds

    def percentile(self, share: float) -> float:
        """Return how many seconds this share of the answers took at most."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(len(self.waits) * share))]


def post(path: str, token: str, body: bytes, media_type: str) -> bytes:
    """Return the bytes of a POST."""
    return _head("POST", path, token, f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n") + body


def get(path: str, token: str) -> bytes:
    """Return the bytes of a GET."""
    return _head("GET", path, token, "")


def load(
    ports: Sequence[int], requests: Sequence[bytes], connections: int, status: int, seconds: float | None = None
) -> Answers:
    """Send requests over connections that stay open, from one process for each server.

    Args:
        ports: Of the servers; connections and requests are dealt out evenly.
        requests: Each is sent once; over and over where a time is given.
        connections: Of all servers together; each sends its next request when it has its answer.
        status: That every answer must have.
        seconds: How long; until all are answered when left out.
    """
    count = len(ports)
    shares = [
        (port, requests[number::count], connections // count + (number < connections % count), status, seconds)
        for number, port in enumerate(ports)
    ]
    took, given = together(_clients, [share for share in shares if share[2]])
    return Answers(took, [wait for waits, _ in given for wait in waits], sum(processor for _, processor in given))


def _clients(
    wait: Callable[[], object],
    port: int,
    requests: Sequence[bytes],
    connections: int,
    status: int,
    seconds: float | None,
) -> tuple[list[float], float]:
    return asyncio.run(_load(wait, port, requests, connections, status, seconds))


async def _load(
    wait: Callable[[], object],
    port: int,
    requests: Sequence[bytes],
    connections: int,
    status: int,
    seconds: float | None,
) -> tuple[list[float], float]:
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
    wait()
    processor = time.process_time()
    until = None if seconds is None else time.perf_counter() + seconds
    waits: list[float] = []
    await asyncio.gather(
        *(
            _ask(*stream, _dealt(requests[number::connections], until), status, waits)
            for number, stream in enumerate(streams)
        )
    )
    processor = time.process_time() - processor
    for _, writer in streams:
        writer.close()
    return waits, processor


def _dealt(requests: Sequence[bytes], until: float | None) -> Iterator[bytes]:
    for request in requests if until is None else cycle(requests):
        if until is not None and time.perf_counter() > until:
            return
        yield request


async def _ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    requests: Iterator[bytes],
    status: int,
    waits: list[float],
) -> None:
    expected = b"HTTP/1.1 %d " % status
    for request in requests:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        waits.append(time.perf_counter() - began)
        if not head.startswith(expected):
            raise RuntimeError(f"{head.decode()}{body.decode()}")


def _length(head: bytes) -> int:
    for line in islice(head.split(b"\r\n"), 1, None):
        if line.lower().startswith(_LENGTH):
            return int(line[len(_LENGTH) :])
    raise RuntimeError(f"an answer without a length: {head!r}")


def _head(method: str, path: str, token: str, more: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n{more}\r\n".encode()
