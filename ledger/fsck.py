"""Checks a whole log against itself: every entry, every stored node, every checkpoint."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from ledger import store
from ledger.checkpoint import open_checkpoint
from ledger.database import reading
from ledger.entry import Entry
from ledger.errors import DatabaseUnavailableError, LedgerError
from ledger.guard import sound_frontier
from ledger.log import Log
from ledger.merkle import Frontier, NodeId, leaf_hash
from ledger.note import NoteVerifier
from ledger.store import StoredCheckpoint

_NODES_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be.

    Attributes:
        what: A sentence that says what is wrong.
        where: The row: `entry 7`, `node 2/1`, `checkpoint 8`, `database`, `log`.
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


def check(log: Log, inspect: Inspect | None = None) -> FsckReport:
    """Checks a log in one read transaction, so that appends may go on meanwhile.

    1. The database file is whole, and still refuses changes.
    2. Indices are contiguous, and every entry has the leaf hash of its bytes.
    3. Every interior node is the hash of its children; none is missing, none too many.
    4. Every checkpoint is signed by the log and states the root of the tree at its size.
    5. The newest checkpoint covers every entry, and agrees with the one kept beside the key.
    6. `inspect`, when given, finds nothing wrong with any entry.

    Args:
        log: The log.
        inspect: Called once with every entry, in order.

    Returns:
        The report. Of problems of one kind with nodes or checkpoints, which tend to come in
        thousands, the first is reported together with the number of others.
    """
    findings = _Findings()
    entries = 0
    remembered = _remembered(log, findings)  # before the snapshot, or it might be the newer one
    try:
        with reading(log.engine) as session:
            _check_database(session, findings)
            entries = store.entry_count(session)
            _check_tree(session, log.verifier, inspect, findings)
            _check_newest(session, log.verifier, remembered, findings)
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


def _check_database(session: Session, findings: _Findings) -> None:
    for fault in store.physical_faults(session):
        findings.problem(f"The database file is damaged: {fault}", "database")
    for guard in store.missing_guards(session):
        findings.problem(
            f"The trigger {guard} is gone, so the database does not refuse changes any more.",
            "database",
        )


def _check_tree(session: Session, verifier: NoteVerifier, inspect: Inspect | None, findings: _Findings) -> None:
    tree = _Tree(session, verifier, findings)
    expected, latest = 0, ""
    for entry in store.all_entries(session):
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
    """The tree as the entries give it, beside the nodes and checkpoints that are stored."""

    def __init__(self, session: Session, verifier: NoteVerifier, findings: _Findings) -> None:
        self.broken = False
        self._session = session
        self._verifier = verifier
        self._findings = findings
        self._edge = Frontier()
        self._completed: list[tuple[NodeId, bytes]] = []
        self._checkpoints = store.checkpoints(session)
        self._next_checkpoint = next(self._checkpoints, None)

    def add(self, leaf: bytes) -> None:
        if self.broken:
            return
        self._check_checkpoints()
        growth = self._edge.extended([leaf])
        self._edge = growth.frontier
        self._completed.extend(growth.completed)
        if len(self._completed) >= _NODES_AT_ONCE:
            self._check_nodes()

    def finish(self) -> None:
        self._check_nodes()
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
        complete = self._edge.size - self._edge.size.bit_count()  # a tree of n leaves has n - popcount
        stored = store.node_count(self._session)
        if stored != complete:
            self._findings.problem(
                f"The database holds {stored} tree nodes where {self._edge.size} entries make {complete}.",
                "log",
            )

    def _check_nodes(self) -> None:
        levels: dict[int, dict[NodeId, bytes]] = defaultdict(dict)
        for node, value in self._completed:
            levels[node.level][node] = value
        self._completed.clear()
        for level, computed in levels.items():
            positions = [node.position for node in computed]
            stored = store.level_nodes(self._session, level, min(positions), max(positions) + 1)
            for node, value in computed.items():
                where = f"node {node.level}/{node.position}"
                if node not in stored:
                    self._findings.one_of_many("missing", "The tree node is missing.", where)
                elif stored[node] != value:
                    self._findings.one_of_many("node", "The tree node is not the hash of its children.", where)

    def _check_checkpoints(self) -> None:
        while (stored := self._next_checkpoint) is not None and stored.size <= self._edge.size:
            self._check_checkpoint(stored)
            self._next_checkpoint = next(self._checkpoints, None)

    def _check_checkpoint(self, stored: StoredCheckpoint) -> None:
        where = f"checkpoint {stored.size}"
        try:
            signed = open_checkpoint(stored.note, [self._verifier])
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


def _remembered(log: Log, findings: _Findings) -> bytes | None:
    try:
        return log.remembered()
    except LedgerError as fault:
        findings.problem(str(fault), "log")
        return None


def _check_newest(session: Session, verifier: NoteVerifier, remembered: bytes | None, findings: _Findings) -> None:
    try:
        sound_frontier(session, verifier, remembered)
    except DatabaseUnavailableError:
        raise
    except LedgerError as fault:
        findings.problem(str(fault), "log")
