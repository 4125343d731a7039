"""Durable appends: what a receipt costs, against a floor that does only the unavoidable.

The floor with one client is a bare durable INSERT of the same bytes. With many it verifies, hashes and inserts in
batches of the same sizes as ours, one after the other in one thread, without any code of ours in between.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import multiprocessing
import os
import sqlite3
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from bench.table import markdown
from ledger.database import open_engine, reading
from ledger.envelope import Envelope, pae, sign, verify
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.note import NoteSigner
from migrations.upgrade import upgrade
from tests.postgresql import private_server, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.synchronize import Barrier

PAYLOAD_BYTES = 1_300
ROUNDS = 5
SINGLE = 200
CLIENTS = 64
PER_CLIENT = 40
PROCESSES = 4
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
SIGNER = Ed25519Signer(_KEY)
LOG_KEY = NoteSigner("example.com/bench", SIGNER)


def main() -> None:
    """Measure and print."""
    print("## Durable appends\n")
    print(
        f"`python -m bench.appends`: entries of {len(envelopes(1)[0]):,} bytes, each with a signature that is verified "
        f"first; medians of {ROUNDS} rounds, ours and the floor in turn.\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        single = [_single(Path(folder) / f"single-{number}") for number in range(ROUNDS)]
        many = [_many(Path(folder) / f"many-{number}") for number in range(ROUNDS)]
    rows = [
        ("1 client, p50", *_pair(single, "p50", " ms"), "", _ratio(single, "p50")),
        ("1 client, p99", *_pair(single, "p99", " ms"), "at most 3 times", _ratio(single, "p99")),
        (f"{CLIENTS} clients, per second", *_pair(many, "rate", ""), "at least 70 %", _ratio(many, "rate")),
    ]
    print(markdown(("SQLite, FULL", "Liner Notes", "floor", "goal", "ours / floor"), rows))
    batches = statistics.median(each["ours"]["batch"] for each in many)
    print(f"Entries per transaction with {CLIENTS} clients: {batches:.0f} (median).\n")
    _postgresql()


Figures = dict[str, dict[str, float]]


def envelopes(count: int) -> list[bytes]:
    """Signed envelopes, no two alike."""
    made = []
    for _ in range(count):
        payload = os.urandom(PAYLOAD_BYTES // 2).hex().encode()
        made.append(sign(payload, SIGNER).to_bytes())
    return made


def _single(folder: Path) -> Figures:
    folder.mkdir()
    log = new_log(str(folder / "log.db"), folder)
    raw = _raw(folder / "floor.db")
    ours, floor = [], []
    for entry in envelopes(SINGLE):
        began = time.perf_counter()
        verify(Envelope.parse(entry), SIGNER.verifier)
        log.append([entry])
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("INSERT INTO entry (data) VALUES (?)", (entry,))
        raw.execute("COMMIT")
        floor.append(time.perf_counter() - began)
    log.engine.dispose()
    raw.close()
    return {"ours": _percentiles(ours), "floor": _percentiles(floor)}


def _many(folder: Path) -> Figures:
    folder.mkdir()
    log = new_log(str(folder / "log.db"), folder)
    entries = envelopes(CLIENTS * PER_CLIENT)
    seconds = appended_by_threads(log, entries)
    sizes = batch_sizes(log)
    log.engine.dispose()
    raw = _raw(folder / "floor.db")
    began = time.perf_counter()
    for batch in _cut(entries, sizes):
        rows = [_unavoidable(entry) for entry in batch]
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany("INSERT INTO entry (leaf, data) VALUES (?, ?)", rows)
        raw.execute("COMMIT")
    floor = time.perf_counter() - began
    raw.close()
    return {
        "ours": {"rate": len(entries) / seconds, "batch": statistics.mean(sizes)},
        "floor": {"rate": len(entries) / floor},
    }


def _postgresql() -> None:
    reason = why_not()
    if reason is not None:
        print(f"PostgreSQL was not measured: {reason}.\n")
        return
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with private_server(Path(folder) / "server", durable=True) as server:
            rounds = [_many_processes(server.url) for _ in range(ROUNDS)]
    name = f"{PROCESSES} processes with {CLIENTS} clients each, per second"
    row = (name, *_pair(rounds, "rate", ""), "at least 70 %", _ratio(rounds, "rate"))
    print(markdown(("PostgreSQL, synchronous_commit = on", "Liner Notes", "floor", "goal", "ours / floor"), [row]))
    batches = statistics.median(each["ours"]["batch"] for each in rounds)
    print(f"The floor inserts with COPY, in as many processes. Entries per transaction: {batches:.0f} (median).\n")


def _many_processes(url: str) -> Figures:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    upgrade(engine)
    log = Log(engine, LOG_KEY)
    count = PROCESSES * CLIENTS * PER_CLIENT
    seconds = _in_processes(_append_in_process, [(url,)] * PROCESSES)
    sizes = batch_sizes(log)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE floor (leaf BYTEA, data BYTEA, number BIGSERIAL PRIMARY KEY)")
    engine.dispose()
    floor = _in_processes(_floor_in_process, [(url, sizes[number::PROCESSES]) for number in range(PROCESSES)])
    return {"ours": {"rate": count / seconds, "batch": statistics.mean(sizes)}, "floor": {"rate": sum(sizes) / floor}}


def _in_processes(work: Callable[..., None], arguments: Sequence[tuple[object, ...]]) -> float:
    """Seconds from when all processes are ready until the last is done."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(len(arguments) + 1)
    processes = [context.Process(target=work, args=(ready, *each)) for each in arguments]
    for process in processes:
        process.start()
    ready.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
    return time.perf_counter() - began


def _append_in_process(ready: Barrier, url: str) -> None:
    log = Log(open_engine(url), LOG_KEY)
    log.size()
    entries = envelopes(CLIENTS * PER_CLIENT)
    ready.wait()
    appended_by_threads(log, entries)


def _floor_in_process(ready: Barrier, url: str, sizes: Sequence[int]) -> None:
    import psycopg  # noqa: PLC0415 - only where there is a server

    entries = envelopes(sum(sizes))
    with psycopg.connect(url.replace("+psycopg", "")) as raw:
        ready.wait()
        for batch in _cut(entries, sizes):
            rows = [_unavoidable(entry) for entry in batch]
            with raw.cursor() as cursor, cursor.copy("COPY floor (leaf, data) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["bytea", "bytea"])
                for row in rows:
                    copy.write_row(row)
            raw.commit()


def new_log(database: str, folder: Path) -> Log:
    """An empty log."""
    engine = open_engine(database)
    upgrade(engine)
    return Log(engine, LOG_KEY, last_checkpoint=folder / "last-checkpoint")


def appended_by_threads(log: Log, entries: Sequence[bytes]) -> float:
    """Seconds that `CLIENTS` threads take to verify and append entries, one after the other each."""
    ready = threading.Barrier(CLIENTS + 1)

    def client(own: Sequence[bytes]) -> None:
        ready.wait()
        for entry in own:
            verify(Envelope.parse(entry), SIGNER.verifier)
            log.append([entry])

    each = len(entries) // CLIENTS
    clients = [
        threading.Thread(target=client, args=(entries[number * each : (number + 1) * each],))
        for number in range(CLIENTS)
    ]
    for one in clients:
        one.start()
    ready.wait()
    began = time.perf_counter()
    for one in clients:
        one.join()
    return time.perf_counter() - began


def batch_sizes(log: Log) -> list[int]:
    """Entries in each transaction: every one signed a checkpoint."""
    with reading(log.engine) as connection:
        sizes = [0, *connection.scalars(text("SELECT size FROM checkpoint ORDER BY size"))]
    return [after - before for before, after in itertools.pairwise(sizes) if after > before]


def _unavoidable(entry: bytes) -> tuple[bytes, bytes]:
    """Verify an entry and hash it, with the bare library."""
    document = json.loads(entry)
    payload = base64.b64decode(document["payload"])
    _KEY.public_key().verify(base64.b64decode(document["signatures"][0]["sig"]), pae(document["payloadType"], payload))
    return hashlib.sha256(b"\x00" + entry).digest(), entry


def _cut(entries: Sequence[bytes], sizes: Sequence[int]) -> Iterator[Sequence[bytes]]:
    start = 0
    for size in sizes:
        yield entries[start : start + size]
        start += size


def _raw(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("CREATE TABLE entry (log_index INTEGER PRIMARY KEY, leaf BLOB, data BLOB)")
    return raw


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"p50": ordered[len(ordered) // 2] * 1000, "p99": ordered[int(len(ordered) * 0.99)] * 1000}


def _pair(rounds: Sequence[Figures], name: str, unit: str) -> tuple[str, str]:
    digits = ".2f" if unit else ",.0f"
    return tuple(  # type: ignore[return-value] # two sides
        f"{statistics.median(each[side][name] for each in rounds):{digits}}{unit}" for side in ("ours", "floor")
    )


def _ratio(rounds: Sequence[Figures], name: str) -> str:
    return f"{statistics.median(each['ours'][name] / each['floor'][name] for each in rounds):.2f}"


if __name__ == "__main__":
    main()
