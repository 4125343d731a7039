"""Checks a whole log against itself: every entry, every tile, every checkpoint."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ledger import store
from ledger.database import reading
from ledger.entry import Entry
from ledger.errors import DatabaseUnavailableError, LedgerError, LogDamagedError
from ledger.guard import require_covered
from ledger.log import Log
from ledger.merkle import Frontier, leaf_hash
from ledger.rotation import Succession
from ledger.store import StoredCheckpoint
from ledger.tile import TILE_HEIGHT, TILE_WIDTH, Tile, TileId
from ledger.timestamp import TimeStamp, TsaRoots, stamped_bytes, verify


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be.

    Attributes:
        what: A sentence that says what is wrong.
        where: The row: `entry 7`, `tile 0/1`, `checkpoint 8`, `database`, `log`.
    """

    what: str
    where: str


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What a check found.

    Attributes:
        entries: Entries in the log.
        problems: What must not be; none in a sound log.
        warnings: What is odd, and breaks nothing.
    """

    entries: int
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


Inspect = Callable[[Entry], Iterable[Problem]]
"""The caller's own check of one entry, whose bytes mean nothing to the log."""


def check(log: Log, inspect: Inspect | None = None, tsa_roots: TsaRoots | None = None) -> FsckReport:
    """Checks a log in one read transaction, so that appends may go on meanwhile.

    1. The database file is whole, and still refuses changes.
    2. Indices are contiguous, and every entry has the leaf hash of its bytes.
    3. Every tile holds the hashes of its entries or of the tiles below; none is missing, none too many.
    4. Every checkpoint is signed by the key whose turn it was (`ledger.rotation`), and states the root of the tree
       at its size.
    5. Head, newest checkpoint and the one kept beside the key agree with the entries; entries that no
       checkpoint covers yet are a warning where a publisher of its own signs, else a problem.
    6. Every time stamp is of a checkpoint that was signed, and holds under the roots, when they are given.
    7. `inspect`, when given, finds nothing wrong with any entry.

    Args:
        log: The log.
        inspect: Called once with every entry, in order.
        tsa_roots: The time-stamping authorities that are trusted.

    Returns:
        The report. Of problems of one kind with nodes or checkpoints, which tend to come in
        thousands, the first is reported together with the number of others.
    """
    findings = _Findings()
    entries = 0
    remembered = _remembered(log, findings)  # before the snapshot, or it might be the newer one
    try:
        with reading(log.engine) as connection:
            _check_database(connection, findings)
            entries = store.entry_count(connection)
            _check_tree(connection, log.succession, inspect, findings)
            _check_newest(connection, log, remembered, findings)
            _check_stamps(connection, tsa_roots, findings)
    except DatabaseUnavailableError as fault:
        findings.problem(str(fault), "database")
    return FsckReport(entries, findings.problems(), tuple(findings.warnings))


@dataclass(slots=True)
class _Findings:
    singles: list[Problem] = field(default_factory=list)
    series: dict[str, list[Problem]] = field(default_factory=lambda: defaultdict(list))
    warnings: list[Problem] = field(default_factory=list)

    def problem(self, what: str, where: str) -> None:
        self.singles.append(Problem(what, where))

    def one_of_many(self, kind: str, what: str, where: str) -> None:
        self.series[kind].append(Problem(what, where))

    def problems(self) -> tuple[Problem, ...]:
        firsts = [
            Problem(f"{first.what} (and {len(others)} more)" if others else first.what, first.where)
            for first, *others in self.series.values()
        ]
        return (*self.singles, *firsts)


def _check_database(connection: Connection, findings: _Findings) -> None:
    for fault in store.physical_faults(connection):
        findings.problem(f"The database file is damaged: {fault}", "database")
    for guard in store.missing_guards(connection):
        findings.problem(
            f"The trigger {guard} is gone, so the database does not refuse changes any more.",
            "database",
        )


def _check_tree(connection: Connection, succession: Succession, inspect: Inspect | None, findings: _Findings) -> None:
    tree = _Tree(connection, succession, findings)
    expected, latest = 0, ""
    for entry in store.all_entries(connection):
        where = f"entry {entry.index}"
        if entry.index != expected:
            findings.problem(
                f"Before this entry, {entry.index - expected} are missing; the tree cannot be checked from there on.",
                where,
            )
            tree.broken = True
        expected = entry.index + 1
        if leaf_hash(entry.data) != entry.leaf_hash:
            findings.problem("The bytes do not have the leaf hash that was recorded.", where)
        if entry.appended_at < latest:
            findings.warnings.append(
                Problem(
                    f"It was appended at {entry.appended_at} by the clock, but an entry before it "
                    f"at {latest}: the clock was set back.",
                    where,
                )
            )
        latest = max(latest, entry.appended_at)
        tree.add(entry.leaf_hash)
        if inspect is not None:
            findings.singles.extend(inspect(entry))
    tree.finish()


class _Tree:
    """The tree as the entries give it, beside the tiles and checkpoints that are stored."""

    def __init__(self, connection: Connection, succession: Succession, findings: _Findings) -> None:
        self.broken = False
        self._session = connection
        self._succession = succession
        self._findings = findings
        self._edge = Frontier()
        self._rows: list[list[bytes]] = [[]]
        self._tiles = 0
        self._checkpoints = store.checkpoints(connection)
        self._next_checkpoint = next(self._checkpoints, None)

    def add(self, leaf: bytes) -> None:
        if self.broken:
            return
        self._check_checkpoints()
        self._edge = self._edge.extended([leaf]).frontier
        self._fill(0, leaf)

    def finish(self) -> None:
        if self.broken:
            return
        self._check_checkpoints()
        while self._next_checkpoint is not None:
            self._findings.one_of_many(
                "large",
                f"It covers {self._next_checkpoint.size} entries, but the log holds {self._edge.size}.",
                f"checkpoint {self._next_checkpoint.size}",
            )
            self._next_checkpoint = next(self._checkpoints, None)
        stored = store.tile_count(self._session)
        if stored != self._tiles:
            self._findings.problem(
                f"The database holds {stored} full tiles where {self._edge.size} entries fill {self._tiles}.",
                "log",
            )
        self._check_head()

    def _fill(self, level: int, value: bytes) -> None:
        """Puts a hash into the unfinished tile of a level, and compares the tile once it is full."""
        if level == len(self._rows):
            self._rows.append([])
        row = self._rows[level]
        row.append(value)
        if len(row) == TILE_WIDTH:
            tile = Tile.complete(b"".join(row))
            row.clear()
            self._tiles += 1
            self._check_tile(TileId(level, (self._edge.size >> (TILE_HEIGHT * (level + 1))) - 1), tile)
            self._fill(level + 1, tile.root)

    def _check_tile(self, place: TileId, computed: Tile) -> None:
        where = f"tile {place.level}/{place.position}"
        stored = store.tiles(self._session, [place]).get(place)
        if stored is None:
            self._findings.one_of_many("missing", "The tile is missing.", where)
        elif stored != computed:
            self._findings.one_of_many("tile", "The tile does not hold the hashes of what is below it.", where)

    def _check_head(self) -> None:
        try:
            head = store.head(self._session)
        except LogDamagedError as fault:
            self._findings.problem(str(fault), "head")
            return
        if head != self._edge:
            self._findings.problem(
                f"It says that the log has {head.size} entries and the root {head.root.hex()}, but there are "
                f"{self._edge.size} with the root {self._edge.root.hex()}.",
                "head",
            )

    def _check_checkpoints(self) -> None:
        while (stored := self._next_checkpoint) is not None and stored.size <= self._edge.size:
            self._check_checkpoint(stored)
            self._next_checkpoint = next(self._checkpoints, None)

    def _check_checkpoint(self, stored: StoredCheckpoint) -> None:
        where = f"checkpoint {stored.size}"
        try:
            signed = self._succession.open(stored.note)
        except LedgerError as fault:
            self._findings.one_of_many("unsigned", str(fault), where)
            return
        if signed.size != stored.size:
            self._findings.one_of_many("size", f"Its note is for size {signed.size}.", where)
        elif signed.root_hash != self._edge.root:
            self._findings.one_of_many(
                "root",
                f"It was signed for the root {signed.root_hash.hex()}, but the entries have the "
                f"root {self._edge.root.hex()}: an entry before it was changed.",
                where,
            )


def _check_stamps(connection: Connection, roots: TsaRoots | None, findings: _Findings) -> None:
    for stored in store.stamps(connection):
        where = f"timestamp {stored.size}"
        stamped = store.checkpoint_at(connection, stored.size)
        if stamped is None:
            findings.one_of_many("stamped", "It is of a checkpoint that is not there.", where)
            continue
        try:
            message = stamped_bytes(stamped.note)
            if roots is not None:
                verify(stored.token, message, roots)
            elif TimeStamp.parse(stored.token).message_digest != hashlib.sha256(message).digest():
                findings.one_of_many("stamp", "It is about something else than its checkpoint.", where)
        except LedgerError as fault:
            findings.one_of_many("stamp", str(fault), where)


def _remembered(log: Log, findings: _Findings) -> bytes | None:
    try:
        return log.remembered()
    except LedgerError as fault:
        findings.problem(str(fault), "log")
        return None


def _check_newest(connection: Connection, log: Log, remembered: bytes | None, findings: _Findings) -> None:
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
