"""Cost against size: a proof and an append in a log of 10,000 to 10,000,000 entries, and what an entry takes on disk.

Beside it the peer that most people would take (pymerkle), with the same entries.
"""

from __future__ import annotations

import importlib
import math
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from bench.crowd import by_threads
from bench.logs import ENTRY_BYTES, bare_table, grow, insert_bare, new_log, numbered
from bench.plot import Fit, Panel, draw
from bench.table import markdown
from ledger.database import reading

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from ledger.log import Log

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "cost-against-size.svg"
PEER_LEAVES = 50_000
PEER_APPENDS = 200
CLIENTS = 64
CROWDED_APPENDS = 64 * 50
PROOFS = 2_000
APPENDS = 200
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """What a log of a size costs.

    Attributes:
        size: Entries.
        proof: Seconds of one inclusion proof.
        append: Seconds of one durable append.
        floor: Seconds of one bare durable INSERT of the same bytes, in turn with the appends.
        bytes_per_entry: Of the database's file.
        tile_bytes: Of the tiles among them.
        built: Entries per second while it was filled from the size before.
    """

    size: int
    proof: float
    append: float
    floor: float
    bytes_per_entry: float
    tile_bytes: float
    built: float


def main() -> None:
    """Measure and print; sizes named on the command line are measured in place of the usual ones, without a picture."""
    named = sorted(map(int, sys.argv[1:]))
    print("## Cost against size\n")
    print(
        f"`python -m bench.proofs`: one log in SQLite that grows by entries of {ENTRY_BYTES} bytes; proofs of entries "
        f"at random, medians of {ROUNDS} rounds of {PROOFS:,}; appends of one entry, medians of {APPENDS}, in turn "
        "with the floor, a bare durable INSERT of the same bytes.\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, bare = new_log(str(folder / "log.db"), folder), bare_table(folder / "floor.db")
        costs = [_at_size(log, bare, size, folder) for size in named or SIZES]
        bare.close()
    _print_costs(costs)
    _print_growth(costs)
    if not named:
        PICTURE.write_text(draw(_panels(costs), "entries, logarithmic"), encoding="utf-8")
        print(f"![Cost against size](pictures/{PICTURE.name})\n")
    _peer()


def _at_size(log: Log, bare: sqlite3.Connection, size: int, folder: Path) -> Cost:
    missing = size - log.size()
    filled = _seconds(partial(_fill, log, size))
    appends, floors = [], []
    for _ in range(APPENDS):
        entry = os.urandom(ENTRY_BYTES)
        appends.append(_seconds(lambda: log.append([entry])))
        floors.append(_seconds(lambda: insert_bare(bare, entry)))
    proofs = [_seconds(lambda: _prove(log, size)) / PROOFS for _ in range(ROUNDS)]
    with reading(log.engine) as connection:
        tiles = connection.scalar(
            text("SELECT sum(pgsize) FROM dbstat WHERE name IN ('tile', 'sqlite_autoindex_tile_1')")
        )
    return Cost(
        size,
        statistics.median(proofs),
        statistics.median(appends),
        statistics.median(floors),
        (folder / "log.db").stat().st_size / size,
        (tiles or 0) / size,
        missing / filled,
    )


def _fill(log: Log, size: int) -> None:
    """Fills a log, and brings what is in the write-ahead log into the database."""
    grow(log, size)
    with log.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _print_costs(costs: Sequence[Cost]) -> None:
    rows = [
        (
            f"{each.size:,}",
            f"{1 / each.proof:,.0f}",
            f"{each.proof * 1000:.3f} ms",
            f"{each.append * 1000:.2f} ms",
            f"{each.floor * 1000:.2f} ms",
            f"{each.bytes_per_entry:.0f}",
            f"{each.tile_bytes:.1f}",
            f"{each.built:,.0f}",
        )
        for each in costs
    ]
    columns = ("entries", "proofs per second", "one proof", "one append", "bare durable INSERT")
    print(markdown((*columns, "bytes an entry", "of these tiles", "filled, entries per second"), rows))
    print(
        "Goals: at least 4,000 proofs a second at 1,000,000 entries; tiles at most 40 bytes an entry; growth no worse"
    )
    print("than logarithmic.\n")


def _print_growth(costs: Sequence[Cost]) -> None:
    if len(costs) == 1:
        return
    sizes = [each.size for each in costs]
    rows = []
    for panel in _panels(costs):
        fit = Fit.of(sizes, panel.values)
        rows.append(
            (
                panel.title,
                f"{fit.start:.3g} {fit.slope:+.3g} · log₂(entries) {panel.unit}",
                f"{max(abs(value / fit.at(size) - 1) for size, value in zip(sizes, panel.values, strict=True)):.0%}",
                f"{panel.values[-1] / panel.values[0]:.2f}",
                f"{math.log2(sizes[-1]) / math.log2(sizes[0]):.2f}",
            )
        )
    times = f"{sizes[-1]:,} against {sizes[0]:,}"
    print(markdown(("", "fit", "farthest from it", f"cost at {times}", "their logarithms"), rows))


def _panels(costs: Sequence[Cost]) -> tuple[Panel, Panel]:
    sizes = [each.size for each in costs]
    return (
        Panel("one append", "ms", sizes, [each.append * 1000 for each in costs]),
        Panel("one inclusion proof", "ms", sizes, [each.proof * 1000 for each in costs]),
    )


def _prove(log: Log, size: int) -> None:
    chosen = random.Random(size)  # noqa: S311 - which entries are asked for is no secret
    for _ in range(PROOFS):
        log.inclusion_proof(chosen.randrange(size))


def peer_alone(rounds: int) -> float | None:
    """Return appends per second of the peer, one at a time; None where it is not installed."""
    peer = _peer_module()
    if peer is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        tree = peer.SqliteTree(str(Path(folder) / "peer.db"))
        seconds = [
            by_threads(tree.append_entry, list(numbered(start, start + PEER_APPENDS)), 1)
            for start in range(0, rounds * PEER_APPENDS, PEER_APPENDS)
        ]
    return PEER_APPENDS / statistics.median(seconds)


def crowd_of(log: Log) -> float:
    """Return appends per second of many clients, of entries as the peer gets them."""
    start = log.size()
    crowd = list(numbered(start, start + CROWDED_APPENDS))
    return CROWDED_APPENDS / by_threads(lambda entry: log.append([entry]), crowd, CLIENTS)


def _peer_appends(rounds: int) -> tuple[float, float, float, float] | None:
    """Return appends per second: see `_appended_in_turn`; None where the peer is not installed."""
    peer = _peer_module()
    if peer is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        tree = peer.SqliteTree(str(Path(folder) / "peer.db"))
        log = new_log(str(Path(folder) / "log.db"), Path(folder))
        rates = [_appended_in_turn(tree.append_entry, log) for _ in range(rounds)]
    single, theirs, crowd, their_crowd = (statistics.median(each) for each in zip(*rates, strict=True))
    return single, theirs, crowd, their_crowd


def _peer_module() -> Any:
    try:
        return importlib.import_module("pymerkle")  # a peer, and no dependency: GPLv3+
    except ImportError:
        return None


def _peer() -> None:
    pymerkle = _peer_module()
    appended = _peer_appends(ROUNDS)
    if appended is None:
        print("pymerkle was not measured: it is not installed (`pip install pymerkle`; GPLv3+, a peer only).\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = pymerkle.SqliteTree(str(Path(folder) / "peer.db"))
        log = new_log(str(Path(folder) / "log.db"), Path(folder))
        tree.append_entries(list(numbered(0, PEER_LEAVES)), chunksize=10_000)
        grow(log, PEER_LEAVES)
        proof = statistics.median(_seconds(lambda: tree.prove_inclusion(at, PEER_LEAVES)) for at in (1, 12_345, 49_999))
        ours = _seconds(lambda: _prove(log, PEER_LEAVES)) / PROOFS
    single, theirs, crowd, their_crowd = appended
    rows = [
        ("appends per second, one at a time", f"{single:,.0f}", f"{theirs:,.0f}", "", f"{single / theirs:.1f}"),
        (
            f"appends per second, {CLIENTS} clients",
            f"{crowd:,.0f}",
            f"{their_crowd:,.0f}",
            "at least 50 times its single ones",
            f"{crowd / theirs:.1f} times its single ones",
        ),
        (
            f"one proof at {PEER_LEAVES:,} leaves",
            f"{ours * 1000:.3f} ms",
            f"{proof * 1000:.1f} ms",
            "at least 100",
            f"{proof / ours:,.0f}",
        ),
    ]
    print("What many clients gain is the wait for the disk that they share: the slower the disk, the more.\n")
    print(markdown(("SQLite, each durable, medians", "Liner Notes", "pymerkle", "goal", "times better"), rows))


def _appended_in_turn(peer: Callable[[bytes], object], log: Log) -> tuple[float, float, float, float]:
    """Appends per second of the same entries: ours and the peer's one at a time, then both by many clients."""
    start = log.size()
    entries = list(numbered(start, start + PEER_APPENDS))
    crowd = list(numbered(start + PEER_APPENDS, start + PEER_APPENDS + CROWDED_APPENDS))

    def ours(entry: bytes) -> object:
        return log.append([entry])

    return (
        PEER_APPENDS / by_threads(ours, entries, 1),
        PEER_APPENDS / by_threads(peer, entries, 1),
        CROWDED_APPENDS / by_threads(ours, crowd, CLIENTS),
        PEER_APPENDS / by_threads(peer, crowd[:PEER_APPENDS], CLIENTS),
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
