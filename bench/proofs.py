"""Inclusion proofs against the size of the log, beside the peer that most people would take (pymerkle).

What a log costs on disk, entry by entry, stands in the same table.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from bench.appends import new_log
from bench.table import markdown
from ledger.database import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger.log import Log

SIZES = (10_000, 100_000, 1_000_000)
PEER_LEAVES = 50_000
PEER_APPENDS = 200
PROOFS = 2_000
ROUNDS = 5
ENTRY_BYTES = 100
BATCH = 1_000


def main() -> None:
    """Measure and print; further sizes can be named on the command line."""
    sizes = sorted({*SIZES, *map(int, sys.argv[1:])})
    print("## Proofs, and what a log costs\n")
    print(
        f"`python -m bench.proofs`: a log of entries of {ENTRY_BYTES} bytes in SQLite; medians of {ROUNDS} rounds of "
        f"{PROOFS:,} proofs of entries at random.\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        log = new_log(str(Path(folder) / "log.db"), Path(folder))
        rows = [_at_size(log, size, Path(folder)) for size in sizes]
    columns = ("entries", "proofs per second", "one append", "database, bytes an entry", "of these tiles")
    print(markdown(columns, rows))
    print(
        "Goals: at least 4,000 proofs a second at 1,000,000 entries; tiles at most 40 bytes an entry; growth no worse"
    )
    print("than logarithmic.\n")
    _peer()


def _at_size(log: Log, size: int, folder: Path) -> tuple[str, ...]:
    for start in range(log.size(), size, BATCH):
        log.append(list(_entries(start, min(start + BATCH, size))))
    rates = [PROOFS / _seconds(lambda: _prove(log, size)) for _ in range(ROUNDS)]
    appends = [_seconds(lambda: log.append([os.urandom(ENTRY_BYTES)])) for _ in range(50)]
    with reading(log.engine) as connection:
        tiles = connection.scalar(
            text("SELECT sum(pgsize) FROM dbstat WHERE name IN ('tile', 'sqlite_autoindex_tile_1')")
        )
    whole = (folder / "log.db").stat().st_size
    return (
        f"{size:,}",
        f"{statistics.median(rates):,.0f}",
        f"{statistics.median(appends) * 1000:.2f} ms",
        f"{whole / size:.0f}",
        f"{(tiles or 0) / size:.1f}",
    )


def _prove(log: Log, size: int) -> None:
    chosen = random.Random(size)  # noqa: S311 - which entries are asked for is no secret
    for _ in range(PROOFS):
        log.inclusion_proof(chosen.randrange(size))


def _entries(start: int, stop: int) -> Iterator[bytes]:
    for number in range(start, stop):
        yield (b"%d " % number).ljust(ENTRY_BYTES, b"x")


def _peer() -> None:
    try:
        from pymerkle import SqliteTree  # noqa: PLC0415 - a peer, and no dependency: GPLv3+
    except ImportError:
        print("pymerkle was not measured: it is not installed (`pip install pymerkle`; GPLv3+, a peer only).\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = SqliteTree(str(Path(folder) / "peer.db"))
        single = _seconds(lambda: [tree.append_entry(each) for each in _entries(0, PEER_APPENDS)])
        tree.append_entries(list(_entries(PEER_APPENDS, PEER_LEAVES)), chunksize=10_000)
        proofs = [_seconds(lambda: tree.prove_inclusion(index, PEER_LEAVES)) for index in (1, 12_345, 49_999)]
        log = new_log(str(Path(folder) / "log.db"), Path(folder))
        log.append(list(_entries(0, PEER_APPENDS)))
        for start in range(PEER_APPENDS, PEER_LEAVES, BATCH):
            log.append(list(_entries(start, min(start + BATCH, PEER_LEAVES))))
        ours = _seconds(lambda: _prove(log, PEER_LEAVES)) / PROOFS
        extra = list(_entries(PEER_LEAVES, PEER_LEAVES + PEER_APPENDS))
        appended = _seconds(lambda: [log.append([each]) for each in extra])
    rows = [
        ("single appends per second", f"{PEER_APPENDS / appended:,.0f}", f"{PEER_APPENDS / single:,.0f}"),
        ("one proof at 50,000 leaves", f"{ours * 1000:.3f} ms", f"{statistics.median(proofs) * 1000:.1f} ms"),
    ]
    print(markdown(("SQLite", "Liner Notes", "pymerkle"), rows))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
