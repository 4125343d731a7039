"""Durable appends: what a receipt costs, against a floor that does only the unavoidable.

The floor with one client is a bare durable INSERT of the same bytes. With many it verifies, hashes and inserts in
batches of the same sizes as ours, one after the other in one thread, without any code of ours in between. On
PostgreSQL it adds rows by COPY; what the other ways to add them take stands in a table of its own.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import event, insert, text

from bench.crowd import by_threads, together
from bench.logs import LOG_KEY, PRIVATE_KEY, append_verified, bare_table, envelopes, insert_bare, new_log
from bench.table import markdown
from ledger import store
from ledger.database import open_engine, reading
from ledger.entry import Entry
from ledger.envelope import pae
from ledger.log import Log
from ledger.merkle import leaf_hash
from ledger.tables import ENTRY
from migrations.upgrade import upgrade
from tests.postgresql import private_server, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine

ROUNDS = 5
SINGLE = 1_000
CLIENTS = 64
PER_CLIENT = 100
PROCESSES = 4
ROWS_OF_A_BATCH = (16, 64, 256)
BATCHES = 60


def main() -> None:
    """Measure and print."""
    print("## Durable appends\n")
    print(
        f"`python -m bench.appends`: entries of {len(envelopes(1)[0]):,} bytes, each with a signature that is verified "
        f"first; medians of {ROUNDS} rounds, ours and the floor in turn.\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        alone = [single(Path(folder) / f"single-{number}") for number in range(ROUNDS)]
        crowded = [many(Path(folder) / f"many-{number}") for number in range(ROUNDS)]
    rows = [
        ("1 client, p50", *_pair(alone, "p50", " ms"), "", _ratio(alone, "p50")),
        ("1 client, p99", *_pair(alone, "p99", " ms"), "at most 3 times", _ratio(alone, "p99")),
        (f"{CLIENTS} clients, per second", *_pair(crowded, "rate", ""), "at least 70 %", _ratio(crowded, "rate")),
    ]
    print(markdown(("SQLite, FULL", "Liner Notes", "floor", "goal", "ours / floor"), rows))
    batches = statistics.median(each["ours"]["batch"] for each in crowded)
    print(f"Entries per transaction with {CLIENTS} clients: {batches:.0f} (median).\n")
    _postgresql()


Figures = dict[str, dict[str, float]]


def single(folder: Path) -> Figures:
    """Milliseconds of one client's appends, and of the floor's, in turn."""
    folder.mkdir()
    log = new_log(str(folder / "log.db"), folder)
    raw = bare_table(folder / "floor.db")
    ours, floor = [], []
    for entry in envelopes(SINGLE):
        began = time.perf_counter()
        append_verified(log, entry)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        insert_bare(raw, entry)
        floor.append(time.perf_counter() - began)
    log.engine.dispose()
    raw.close()
    return {"ours": _percentiles(ours), "floor": _percentiles(floor)}


def many(folder: Path, delay: float = 0.0) -> Figures:
    """Appends per second of many clients, and of the floor with the same batches.

    Args:
        folder: Of the databases.
        delay: Seconds by which every commit of both takes longer.
    """
    folder.mkdir()
    log = new_log(str(folder / "log.db"), folder)
    event.listen(log.engine, "commit", lambda _: time.sleep(delay))
    entries = envelopes(CLIENTS * PER_CLIENT)
    seconds = by_threads(partial(append_verified, log), entries, CLIENTS)
    sizes = batch_sizes(log)
    log.engine.dispose()
    raw = bare_table(folder / "floor.db")
    began = time.perf_counter()
    for batch in _cut(entries, sizes):
        rows = [_unavoidable(entry) for entry in batch]
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany("INSERT INTO entry (leaf, data) VALUES (?, ?)", rows)
        time.sleep(delay)
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
            ways = [_ways_to_insert(server.url, rows) for rows in ROWS_OF_A_BATCH]
    name = f"{PROCESSES} processes with {CLIENTS} clients each, per second"
    rows = [
        (name, *_pair(rounds, "rate", ""), "at least 70 %", _ratio(rounds, "rate")),
        (
            "the floor with one row locked in turn",
            *_pair(rounds, "rate", "", "in turn"),
            "",
            _ratio(rounds, "rate", "in turn"),
        ),
    ]
    print(markdown(("PostgreSQL, synchronous_commit = on", "Liner Notes", "floor", "goal", "ours / floor"), rows))
    batches = statistics.median(each["ours"]["batch"] for each in rounds)
    print(
        "The floor inserts with COPY, in as many processes, which do not wait for each other; in the second row each "
        "locks one row first, as whoever gives out one index after the other has to. Entries per transaction: "
        f"{batches:.0f} (median).\n"
    )
    named = ("rows of `entry` added at once, without the commit", "INSERT of arrays (ours)", "COPY", "INSERT of rows")
    print(markdown(named, ways))


def _many_processes(url: str) -> Figures:
    engine = emptied(url)
    log = Log(engine, LOG_KEY)
    count = PROCESSES * CLIENTS * PER_CLIENT
    seconds, _ = together(_append_in_process, [(url,)] * PROCESSES)
    sizes = batch_sizes(log)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE floor (leaf BYTEA, data BYTEA, number BIGSERIAL PRIMARY KEY)")
        connection.exec_driver_sql("CREATE TABLE turn (number BIGINT)")
        connection.exec_driver_sql("INSERT INTO turn VALUES (0)")
    engine.dispose()
    shares = [sizes[number::PROCESSES] for number in range(PROCESSES)]
    floor, _ = together(_floor_in_process, [(url, share, False) for share in shares])
    in_turn, _ = together(_floor_in_process, [(url, share, True) for share in shares])
    return {
        "ours": {"rate": count / seconds, "batch": statistics.mean(sizes)},
        "floor": {"rate": sum(sizes) / floor},
        "in turn": {"rate": sum(sizes) / in_turn},
    }


def emptied(url: str) -> Engine:
    """A database of a PostgreSQL server, with empty tables."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    upgrade(engine)
    return engine


def _append_in_process(wait: Callable[[], object], url: str) -> None:
    log = Log(open_engine(url), LOG_KEY)
    log.size()
    entries = envelopes(CLIENTS * PER_CLIENT)
    wait()
    by_threads(partial(append_verified, log), entries, CLIENTS)


def _floor_in_process(wait: Callable[[], object], url: str, sizes: Sequence[int], in_turn: bool) -> None:  # noqa: FBT001
    import psycopg  # noqa: PLC0415 - only where there is a server

    entries = envelopes(sum(sizes))
    with psycopg.connect(url.replace("+psycopg", "")) as raw:
        wait()
        for batch in _cut(entries, sizes):
            rows = [_unavoidable(entry) for entry in batch]
            if in_turn:  # as whoever gives out one index after the other has to
                raw.execute("UPDATE turn SET number = number + %s", (len(rows),))
            with raw.cursor() as cursor, cursor.copy("COPY floor (leaf, data) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["bytea", "bytea"])
                for row in rows:
                    copy.write_row(row)
            raw.commit()


def _ways_to_insert(url: str, rows: int) -> tuple[str, ...]:
    """Adds rows by turns in all ways, each in a transaction that is undone."""
    engine = emptied(url)
    ways = (_insert_arrays, _copy_entries, _insert_entries)
    seconds: dict[object, list[float]] = {way: [] for way in ways}
    for _ in range(BATCHES):
        batch = [Entry(n, leaf_hash(data), data, "2026-01-01T00:00:00Z") for n, data in enumerate(envelopes(rows))]
        for way in ways:
            seconds[way].append(_undone(engine, partial(way, added=batch)))
    engine.dispose()
    return str(rows), *(f"{statistics.median(seconds[way]) * 1000:.2f} ms" for way in ways)


def _insert_arrays(connection: Connection, added: Sequence[Entry]) -> None:
    store.change(connection, [store.entries_added(added)])


def _copy_entries(connection: Connection, added: Sequence[Entry]) -> None:
    driver = connection.connection.driver_connection
    statement = "COPY entry (log_index, leaf_hash, appended_at, data) FROM STDIN (FORMAT BINARY)"
    if driver is None:
        raise RuntimeError("the connection was closed")
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["int8", "bytea", "varchar", "bytea"])
        for each in added:
            copy.write_row((each.index, each.leaf_hash, each.appended_at, each.data))


def _insert_entries(connection: Connection, added: Sequence[Entry]) -> None:
    values = [
        {"log_index": each.index, "leaf_hash": each.leaf_hash, "appended_at": each.appended_at, "data": each.data}
        for each in added
    ]
    connection.execute(insert(ENTRY), values)


def _undone(engine: Engine, work: Callable[[Connection], None]) -> float:
    """Seconds that a piece of work takes in a transaction that is rolled back."""
    with engine.connect() as connection, connection.begin() as transaction:
        began = time.perf_counter()
        work(connection)
        seconds = time.perf_counter() - began
        transaction.rollback()
    return seconds


def batch_sizes(log: Log) -> list[int]:
    """Entries in each transaction: every one signed a checkpoint."""
    with reading(log.engine) as connection:
        sizes = [0, *connection.scalars(text("SELECT size FROM checkpoint ORDER BY size"))]
    return [after - before for before, after in itertools.pairwise(sizes) if after > before]


def _unavoidable(entry: bytes) -> tuple[bytes, bytes]:
    """Verify an entry and hash it, with the bare library."""
    document = json.loads(entry)
    payload = base64.b64decode(document["payload"])
    PRIVATE_KEY.public_key().verify(
        base64.b64decode(document["signatures"][0]["sig"]), pae(document["payloadType"], payload)
    )
    return hashlib.sha256(b"\x00" + entry).digest(), entry


def _cut(entries: Sequence[bytes], sizes: Sequence[int]) -> Iterator[Sequence[bytes]]:
    start = 0
    for size in sizes:
        yield entries[start : start + size]
        start += size


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"p50": ordered[len(ordered) // 2] * 1000, "p99": ordered[int(len(ordered) * 0.99)] * 1000}


def _pair(rounds: Sequence[Figures], name: str, unit: str, floor: str = "floor") -> tuple[str, str]:
    digits = ".2f" if unit else ",.0f"
    return tuple(  # type: ignore[return-value] # two sides
        f"{statistics.median(each[side][name] for each in rounds):{digits}}{unit}" for side in ("ours", floor)
    )


def _ratio(rounds: Sequence[Figures], name: str, floor: str = "floor") -> str:
    return f"{statistics.median(each['ours'][name] / each[floor][name] for each in rounds):.2f}"


if __name__ == "__main__":
    main()
