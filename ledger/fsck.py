"""Checks a whole log against itself: every entry, every tile, every checkpoint."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic

from sqlalchemy import Connection, Engine

from ledger import stamp_check, store
from ledger.database import reading
from ledger.encoding import MAX_NUMBER
from ledger.entry import is_moment
from ledger.errors import DatabaseUnavailableError, LedgerError, LogDamagedError, shown
from ledger.findings import Findings, FsckReport, Problem
from ledger.guard import require_covered
from ledger.log import Log
from ledger.merkle import Frontier
from ledger.stretch import STRETCH, CheckpointRead, Examination, Found_co, Inspect, Stretch, examined, tile_fault
from ledger.tile import TILE_WIDTH, Tile, TileId
from ledger.timestamp import TsaRoots
from ledger.tree import edge_at


@dataclass(frozen=True, slots=True)
class Inspection(Generic[Found_co]):
    """The caller's own check of entries, whose bytes mean nothing to the log.

    Attributes:
        inspect: Called with stretches of entries in any order, maybe in other processes, to which it has to travel.
        take: Called here with what it returned, in the order of the log; says what is wrong.
    """

    inspect: Inspect[Found_co]
    take: Callable[[Found_co], Iterable[Problem]]


def check(
    log: Log,
    inspection: Inspection[Found_co] | None = None,
    tsa_roots: TsaRoots | None = None,
    cosigned: bytes | None = None,
    *,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> FsckReport:
    """Checks a log as of one moment; appends may go on meanwhile.

    1. The database file is whole, and still refuses changes.
    2. Indices are contiguous, and every entry has the leaf hash of its bytes, and a time.
    3. Every tile holds the hashes of its entries or of the tiles below; none is missing, none too many.
    4. Every checkpoint is signed by the key whose turn it was (`ledger.rotation`), and states the root of the tree
       at its size.
    5. Head, newest checkpoint and the one kept beside the key agree with the entries; entries that no
       checkpoint covers yet are a warning where a publisher of its own signs, else a problem.
    6. Every time stamp is of a checkpoint that was signed, and holds under the roots, when they are given; that it
       was kept at another time than it states, by more than an hour, is a warning.
    7. The checkpoint that is kept with its cosignatures, when it is given, is one of this tree.
    8. The caller's own check, when there is one, finds nothing wrong with any entry.

    Args:
        log: The log.
        inspection: The caller's own check.
        tsa_roots: The time-stamping authorities that are trusted.
        cosigned: The newest checkpoint that witnesses cosigned; their signatures are not looked at.
        processes: How many processes share the work on the entries. With more than one, the program must be one that
            can be begun again (`multiprocessing`, spawn).
        progress: Told how many entries are done, of how many.

    Returns:
        The report.

    Raises:
        CheckStoppedError: Another process died.
    """
    findings = Findings()
    entries = 0
    remembered = _remembered(log, findings)  # before the snapshot, or it might be the newer one
    try:
        with ThreadPoolExecutor(1) as pool, reading(log.engine) as connection:
            entries = store.entry_count(connection)
            database = pool.submit(_database_faults, log.engine)
            tree = _Tree(connection, findings)
            examination = Examination(log.succession, None if inspection is None else inspection.inspect)
            shared = processes if entries > processes * STRETCH else 1
            for stretch in examined(connection, log.engine, examination, shared):
                tree.take(stretch)
                if inspection is not None and stretch.found is not None:
                    findings.problems_of(inspection.take(stretch.found))
                if progress is not None:
                    progress(min(stretch.start + STRETCH, entries), entries)
            tree.finish()
            for fault in database.result():
                findings.problem(fault, "database")
            _check_newest(connection, log, remembered, findings)
            stamp_check.run(connection, tsa_roots, findings)
            if cosigned is not None:
                _check_cosigned(connection, log, cosigned, findings)
    except DatabaseUnavailableError as fault:
        findings.problem(str(fault), "database")
    return FsckReport(entries, findings.problems, tuple(findings.warnings))


def _database_faults(engine: Engine) -> list[str]:
    """Says what is wrong with the database itself; it takes a while, so that it runs beside the rest."""
    with reading(engine) as connection:
        damage = [f"The database file is damaged: {fault}" for fault in store.physical_faults(connection)]
        gone = store.missing_guards(connection)
    return damage + [
        f"The trigger {guard} is gone, or does something else than it did, so the database does not refuse changes any "
        "more."
        for guard in gone
    ]


class _Tree:
    """The tree as the entries give it, beside the tiles and checkpoints that are stored."""

    def __init__(self, connection: Connection, findings: Findings) -> None:
        self._connection = connection
        self._findings = findings
        self._broken = False
        self._expected = 0
        self._latest = ""
        self._edge = Frontier()
        self._rows: list[list[bytes]] = []
        self._tiles = [0]

    def take(self, stretch: Stretch[object]) -> None:
        """Adds the next stretch that holds an entry."""
        self._findings.problems_of(stretch.problems)
        self._check_times(stretch.times)
        intact = not self._broken and stretch.start == self._expected
        self._check_indices(stretch.indices)
        if intact:
            self._grow(stretch)

    def finish(self) -> None:
        """Checks what there is only one of, and what lies beyond the last entry."""
        last = store.last_index(self._connection)
        if last == MAX_NUMBER:
            self._findings.problem("There can be no such index.", f"entry {last}")
        if self._broken:
            return
        for size in store.checkpoints_beyond(self._connection, self._edge.size):
            self._findings.one_of_many(
                "large", f"It covers {size} entries, but the log holds {self._edge.size}.", f"checkpoint {size}"
            )
        stored = store.tile_count(self._connection)
        if stored != sum(self._tiles):
            self._findings.problem(
                f"The database holds {stored} full tiles where {self._edge.size} entries fill {sum(self._tiles)}.",
                "log",
            )
        self._check_head()

    def _check_times(self, times: Iterable[tuple[int, str]]) -> None:
        for index, time in times:
            if not is_moment(time):
                what = f"It was appended at {shown(time)}, which is no time: the row was changed behind the log's back."
                self._findings.one_of_many("time", what, f"entry {index}")
                continue
            if time < self._latest:
                what = (
                    f"It was appended at {time} by the clock, but an entry before it at {self._latest}: the clock was "
                    "set back."
                )
                self._findings.warnings.append(Problem(what, f"entry {index}"))
            self._latest = max(self._latest, time)

    def _check_indices(self, indices: Sequence[int]) -> None:
        if isinstance(indices, range) and indices.start == self._expected:
            self._expected = indices.stop
            return
        for index in indices:
            if index != self._expected:
                self._broken = True
                missing = f"Before this entry, {index - self._expected} are missing"
                what = missing if index > self._expected else "There can be no such index"
                self._findings.problem(f"{what}; the tree cannot be checked from there on.", f"entry {index}")
            self._expected = index + 1

    def _grow(self, stretch: Stretch[object]) -> None:
        end = stretch.start + len(stretch.leaves)
        for stored in stretch.checkpoints:
            if stored.size > end:
                break
            self._advance(stretch, stored.size)
            self._check_checkpoint(stored)
        self._advance(stretch, end)
        for series, fault in stretch.tile_problems:
            self._findings.one_of_many(series, fault.what, fault.where)
        self._tiles[0] += len(stretch.tiles)
        for root in stretch.tiles:
            self._fill(1, root)

    def _advance(self, stretch: Stretch[object], size: int) -> None:
        """Moves the edge of the tree to a size within a stretch; over a full tile it goes in one step."""
        while self._edge.size < size:
            at = self._edge.size
            tile, within = divmod(at - stretch.start, TILE_WIDTH)
            if within == 0 and at + TILE_WIDTH <= size:
                tiles = Frontier(at // TILE_WIDTH, self._edge.hashes).extended([stretch.tiles[tile]]).frontier
                self._edge = Frontier(at + TILE_WIDTH, tiles.hashes)
            else:
                stop = min(size, at - within + TILE_WIDTH)
                leaves = stretch.leaves[at - stretch.start : stop - stretch.start]
                self._edge = self._edge.extended(leaves).frontier

    def _fill(self, level: int, value: bytes) -> None:
        """Puts a hash into the unfinished tile of a level above 0, and compares the tile once it is full."""
        if level > len(self._rows):
            self._rows.append([])
            self._tiles.append(0)
        row = self._rows[level - 1]
        row.append(value)
        if len(row) == TILE_WIDTH:
            tile = Tile.complete(b"".join(row))
            row.clear()
            place = TileId(level, self._tiles[level])
            self._tiles[level] += 1
            fault = tile_fault(place, tile, store.tiles(self._connection, [place]).get(place))
            if fault is not None:
                self._findings.one_of_many(fault[0], fault[1].what, fault[1].where)
            self._fill(level + 1, tile.root)

    def _check_head(self) -> None:
        try:
            head = store.head(self._connection)
        except LogDamagedError as fault:
            self._findings.problem(str(fault), "head")
            return
        if head != self._edge:
            self._findings.problem(
                f"It says that the log has {head.size} entries and the root {head.root.hex()}, but there are "
                f"{self._edge.size} with the root {self._edge.root.hex()}.",
                "head",
            )

    def _check_checkpoint(self, stored: CheckpointRead) -> None:
        where = f"checkpoint {stored.size}"
        if stored.series:
            self._findings.one_of_many(stored.series, stored.what, where)
        elif stored.root != self._edge.root:
            self._findings.one_of_many(
                "root",
                f"It was signed for the root {stored.root.hex()}, but the entries have the "
                f"root {self._edge.root.hex()}: an entry before it was changed.",
                where,
            )


def _remembered(log: Log, findings: Findings) -> bytes | None:
    try:
        return log.remembered()
    except LedgerError as fault:
        findings.problem(str(fault), "log")
        return None


def _check_newest(connection: Connection, log: Log, remembered: bytes | None, findings: Findings) -> None:
    try:
        state = store.state(connection)
        log.require_sound(connection, state, remembered)
        if log.publishes_at_once:
            require_covered(state)
    except DatabaseUnavailableError:
        raise
    except LedgerError as fault:
        findings.problem(str(fault), "log")
        return
    covered = 0 if state.newest is None else state.newest.size
    if covered < state.entries:
        findings.warnings.append(
            Problem(f"No checkpoint covers the last {state.entries - covered} entries yet: start the publisher.", "log")
        )


def _check_cosigned(connection: Connection, log: Log, note: bytes, findings: Findings) -> None:
    try:
        signed = log.succession.open(note)
        size = store.entry_count(connection)
        if signed.size > size:
            fault = f"It covers {signed.size} entries, but the log holds {size}: entries were lost."
        elif edge_at(connection, signed.size).root != signed.root_hash:
            fault = (
                f"Its root {signed.root_hash.hex()} is not that of the first {signed.size} entries: they were changed."
            )
        else:
            return
    except LedgerError as error:
        fault = str(error)
    findings.problem(fault, "cosigned checkpoint")
