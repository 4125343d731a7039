"""Inclusion proofs over HTTP while the same log grows, against a bare server beside the same appends."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from bench.client import Answers, get, load
from bench.logs import SIGNER, envelopes, grow
from bench.places import opened
from bench.servers import serving
from ledger.envelope import Envelope, verify

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized
    from multiprocessing.synchronize import Event

    from bench.places import Place

CONNECTIONS: Final = (1, 4, 16)
SECONDS: Final = 6
ASKED: Final = 20_000
APPENDS_PER_SECOND: Final = 1_000
ENTRIES_OF_A_TURN: Final = 20
LASTING_SECONDS: Final = 80
"""For how long there are entries to append: longer than the proofs are asked for."""
BEHIND_SECONDS: Final = 0.2
"""How far whoever appends may be behind and still make up for it."""
COLUMNS: Final = (
    *("", "connections", "proofs per second", "p50", "p95"),
    *("floor per second", "floor p50", "floor p95", "appends per second meanwhile"),
)
_OK: Final = 200


def measure(place: Place, size: int) -> Iterator[tuple[str, ...]]:
    """Fill a log to a size, and give a row for each number of connections."""
    home = opened(place.environments[0])
    grow(home.log, size)
    answer = len(home.proof(size // 2).format())
    home.close()
    chosen = random.Random(size)  # noqa: S311 - which entries are asked for is no secret
    asked = [get(f"/v1/log/entries/{chosen.randrange(size)}/proof", place.token) for _ in range(ASKED)]
    nothing = [get(f"/{answer}", place.token)] * len(place.environments)
    with (
        serving("serve", place.environments) as ports,
        serving("bare", place.environments) as bare,
        _appending(place.environments[0]) as appended,
    ):
        for connections in CONNECTIONS:
            floor = load(bare, nothing, connections, _OK, SECONDS)
            began, before = time.perf_counter(), appended.value
            ours = load(ports, asked, connections, _OK, SECONDS)
            rate = (appended.value - before) / (time.perf_counter() - began)
            yield place.name, str(connections), *_shown(ours), *_shown(floor), f"{rate:,.0f}"


def _shown(answers: Answers) -> tuple[str, str, str]:
    middle, late = (f"{answers.percentile(share) * 1000:.1f} ms" for share in (0.5, 0.95))
    return f"{answers.rate:,.0f}", middle, late


@contextmanager
def _appending(environment: Mapping[str, str]) -> Iterator[Any]:
    """Let another process append at a steady rate, and give its count of entries."""
    context = multiprocessing.get_context("spawn")
    stop, count = context.Event(), context.Value("Q", 0)
    process = context.Process(target=_append_steadily, args=(environment, stop, count))
    process.start()
    try:
        while not count.value:
            process.join(0.1)
            _require_alive(process.exitcode)
        yield count
        _require_alive(process.exitcode)
    finally:
        stop.set()
        process.join()


def _require_alive(exit_code: int | None) -> None:
    if exit_code is not None:
        raise RuntimeError("the process that appends has ended too early")


def _append_steadily(environment: Mapping[str, str], stop: Event, count: Synchronized[int]) -> None:
    home = opened(environment)
    entries = envelopes(APPENDS_PER_SECOND * LASTING_SECONDS)
    turn = time.perf_counter()
    while entries and not stop.is_set():
        batch = [entries.pop() for _ in range(ENTRIES_OF_A_TURN)]
        for each in batch:
            verify(Envelope.parse(each), SIGNER.verifier)
        home.log.append(batch)
        count.value += len(batch)
        turn = max(turn + ENTRIES_OF_A_TURN / APPENDS_PER_SECOND, time.perf_counter() - BEHIND_SECONDS)
        time.sleep(max(0.0, turn - time.perf_counter()))
    home.close()
