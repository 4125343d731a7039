"""Is everything that was ever recorded still there, and still what it was?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger import fsck as ledger_fsck
from ledger import store as log_store
from ledger.database import appending
from ledger.envelope import Envelope
from ledger.errors import LedgerError
from ledger.fsck import FsckReport, Problem
from provenance import store
from provenance.errors import DisclosureError, ProvenanceError
from provenance.identity import Digest
from provenance.keyring import Keyring
from provenance.predicate import EditPredicate, ErasurePredicate, GenerationPredicate, RenditionPredicate
from provenance.signed_entry import read_entry
from provenance.statement import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from api.home import Home
    from ledger.entry import Entry
    from provenance.predicate import Predicate


def fsck(home: Home, progress: Callable[[str, int, int], None] | None = None) -> FsckReport:
    """Rehash and re-check everything a home holds, and change nothing.

    The log itself (``ledger.fsck``), every statement and its signature, every projection against a
    fold of the entries, every private opening against its commitment, every stored file against its
    name, and every file that an entry points at.

    Args:
        home: What to check.
        progress: Told of each stage.
    """
    tell = progress or (lambda _stage, _done, _total: None)
    tell("rehashing the log", 0, 3)
    reader = _Reader()
    report = ledger_fsck.check(home.log, reader.inspect, home.time.roots)
    problems, warnings = list(report.problems), list(report.warnings)
    tell("checking tables", 1, 3)
    problems += _projections(home) if not problems else []
    faults, missing = _openings(home, reader)
    problems += faults
    warnings += missing
    tell("checking stored files", 2, 3)
    found = _objects(home, reader.named)
    problems += found
    warnings += _unreferenced(home, reader.named) + _unfinished(reader)
    return FsckReport(report.entries, tuple(problems), tuple(warnings))


def rebuild(home: Home) -> tuple[int, bool]:
    """Drop the projections and fold the log again.

    Returns:
        The number of entries folded, and whether the rows are the same as before.
    """
    folded = 0
    with appending(home.engine) as connection:
        log_store.lock(connection)  # or entries come meanwhile, whose rows are folded twice or not at all
        before = store.projection_rows(connection)
        store.clear_projections(connection)
        for entry in home.log.entries():
            statement = parse(Envelope.parse(entry.data).payload)
            store.fold(connection, Digest("sha256:" + entry.leaf_hash.hex()), entry.index, statement)
            folded += 1
        same = store.projection_rows(connection) == before
    return folded, same


class _Reader:
    """Reads every entry once, and remembers what it will be held against."""

    def __init__(self) -> None:
        self.ring = Keyring()
        self.named: dict[str, str] = {}
        self.commitments: dict[tuple[str, str], str] = {}
        self.erased: set[tuple[str, str]] = set()
        self.made: dict[str, str] = {}
        self.sealed: set[str] = set()

    def inspect(self, entry: Entry) -> Iterable[Problem]:
        """Check one entry; called by the ledger in log order."""
        where = f"entry {entry.index}"
        try:
            signed = read_entry(entry.index, entry.data, self.ring.keys)
            self.ring = self.ring.after(signed)
        except (LedgerError, ProvenanceError) as error:
            return [Problem(str(error), where)]
        self._note(signed.statement.predicate, signed.leaf_hash, where)
        return []

    def _note(self, predicate: Predicate, leaf: str, where: str) -> None:
        for field, value in predicate:
            if isinstance(value, str) and value.startswith("hmac-sha256:"):
                self.commitments[leaf, field] = value
        if isinstance(predicate, GenerationPredicate | EditPredicate):
            self.named |= {file.asset_digest: where for file in predicate.content.files}
            self.made[leaf] = predicate.recording_id
        elif isinstance(predicate, ErasurePredicate):
            self.erased |= {(predicate.of, field) for field in predicate.fields}
        elif isinstance(predicate, RenditionPredicate):
            self.named[predicate.asset_digest] = where
            self.sealed.add(predicate.of)


def _projections(home: Home) -> list[Problem]:
    with store.scratch() as connection:
        for entry in home.log.entries():
            statement = parse(Envelope.parse(entry.data).payload)
            store.fold(connection, Digest("sha256:" + entry.leaf_hash.hex()), entry.index, statement)
        expected = store.projection_rows(connection)
    with home.reading() as connection:
        found = store.projection_rows(connection)
    problems: list[Problem] = []
    for table, rows in expected.items():
        differing = set(rows) ^ set(found[table])
        if differing:
            first = min(differing, key=str)
            what = f"{len(differing)} rows differ from what the log says; rebuild them: linernotes db rebuild"
            problems.append(Problem(what, f"table {table}, row {first[0]}"))
    return problems


def _openings(home: Home, reader: _Reader) -> tuple[list[Problem], list[Problem]]:
    """Problems with what is held, and warnings of what is not."""
    problems: list[Problem] = []
    with home.reading() as connection:
        openings = store.all_openings(connection)
    held = set()
    for leaf, field, opening in openings:
        where = f"opening of {field} of {leaf}"
        held.add((leaf, field))
        try:
            opening.check()
        except DisclosureError as error:
            problems.append(Problem(str(error), where))
        if reader.commitments.get((leaf, field)) != opening.commitment:
            problems.append(Problem("no entry of the log holds this commitment there", where))
        if (leaf, field) in reader.erased:
            problems.append(Problem("an entry of the log says that it was erased; erase it again", where))
    what = "it is not held here, and no entry says that it was erased: it was signed elsewhere, or lost"
    missing = sorted(reader.commitments.keys() - held - reader.erased)
    return problems, [Problem(what, f"opening of {field} of {leaf}") for leaf, field in missing]


def _objects(home: Home, named: dict[str, str]) -> list[Problem]:
    problems: list[Problem] = []
    stored = set(home.objects.names())
    for name, where in named.items():
        if name not in stored:
            problems.append(Problem(f"the stored file {name} is missing; restore it from a backup", where))
    what = "the stored file was altered; restore it from a backup"
    problems += [Problem(what, f"object {name}") for name in sorted(stored) if not home.objects.is_intact(name)]
    return problems


def _unreferenced(home: Home, named: dict[str, str]) -> list[Problem]:
    what = "no entry names this stored file: its making was interrupted; it may be deleted"
    return [Problem(what, f"object {name}") for name in home.objects.names() if name not in named]


def _unfinished(reader: _Reader) -> list[Problem]:
    what = "no signed file was ever made of this recording: its making was interrupted"
    return [Problem(what, f"recording {id_}") for leaf, id_ in reader.made.items() if leaf not in reader.sealed]
