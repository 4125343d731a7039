"""Is everything that was ever recorded still there, and still what it was?"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final

from api import index_integrity, object_integrity
from api.erasure import still_in_files
from ledger import fsck as ledger_fsck
from ledger import store as ledger_store
from ledger.database import appending
from ledger.encoding import MAX_NUMBER
from ledger.envelope import Envelope
from ledger.errors import DatabaseUnavailableError, LedgerError, LogDamagedError, RolledBackError, WrongLogError
from ledger.findings import FsckReport, Problem, shortened
from ledger.fsck import Inspection
from migrations import schema
from provenance import store
from provenance.errors import ProvenanceError
from provenance.identity import Digest
from provenance.keyring import Keyring
from provenance.signed_entry import read_entry
from provenance.statement import parse
from provenance.stretch import Reader, Run, differences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from api.home import Home
    from ledger.entry import Entry
    from provenance.key_term import RegisteredKey
    from provenance.predicate import Predicate
    from provenance.statement import Statement
    from provenance.stretch import Reading

_FOLDED_AT_ONCE: Final = 1_000
_SHOWN: Final = 100
"""Warnings of one kind that are named, of those that may come in thousands."""


def fsck(home: Home, progress: Callable[[str, int, int], None] | None = None, processes: int = 1) -> FsckReport:
    """Rehash and re-check everything a home holds, and change nothing.

    The tables themselves, the log (``ledger.fsck``), every statement and its signatures, every row that follows from
    the entries, every fingerprint against its digest, every private opening against its commitment, every stored file
    against its name, every file that an entry points at, and what is kept of the log beside its key.

    It is about the entries that there are when it begins; what is appended meanwhile explains what seems to be missing.

    Args:
        home: What to check.
        progress: Told of each stage.
        processes: How many processes share the work on the entries; see ``ledger.fsck``.
    """
    tell = progress or (lambda _stage, _done, _total: None)
    audit = _Audit(home)
    cosigned, damage = _cosigned(home)
    damage += _succession_faults(home)
    damage += (others := _tried(lambda: _table_faults(home)))
    reader = Reader(_keys_at_hand(home), compares=not others)
    inspection = Inspection(reader, audit.take)
    report = ledger_fsck.check(
        home.log,
        inspection,
        home.time.roots,
        cosigned,
        processes=processes,
        progress=lambda done, total: tell("checking entries", done, total),
    )
    tell("checking tables", 0, 1)
    problems = [*report.problems, *audit.roles(reader.keys), *damage]
    problems += _tried(audit.differences) if not problems else []
    tell("checking fingerprints", 0, 1)
    problems += _tried(lambda: index_integrity.faults(home)) if not problems else []
    problems += _tried(audit.openings) if not others else []
    missing = _tried(lambda: _missing_memory(home))
    problems, elsewhere = (problems, missing) if home.settings.database else (problems + missing, [])
    files = object_integrity.check(
        home.objects, audit.files, lambda done, total: tell("checking stored files", done, total)
    )
    problems += files.problems
    problems += _tried(audit.catch_up)
    warnings = [*report.warnings, *elsewhere, *audit.unopened(), *files.unnamed(audit.files), *files.strays]
    warnings += [*audit.unfinished(), *_left_in_files(home)]
    return FsckReport(report.entries, tuple(dict.fromkeys(problems)), tuple(warnings))


def unopened(fault: LedgerError | ProvenanceError) -> FsckReport:
    """Return the report on a home that cannot even be opened."""
    where = "log" if isinstance(fault, RolledBackError | WrongLogError) else "database"
    return FsckReport(0, (Problem(str(fault), where),), ())


def rebuild(home: Home) -> tuple[int, bool]:
    """Drop the projections and fold the log again; then put the fingerprint index right.

    Returns:
        The number of entries folded, and whether the rows are the same as before.

    Raises:
        ObjectError: Some fingerprints cannot be made again; everything else was rebuilt.
    """
    folded = 0
    with appending(home.engine) as connection:
        ledger_store.lock(connection)  # or entries come meanwhile, whose rows are folded twice or not at all
        before = store.projection_digests(connection)
        store.clear_projections(connection)
        entries = home.log.entries()
        while some := list(islice(entries, _FOLDED_AT_ONCE)):
            store.fold(connection, (_stated(entry) for entry in some))
            folded += len(some)
        same = store.projection_digests(connection) == before
    mended = index_integrity.mend(home)
    return folded, same and not mended


def _stated(entry: Entry) -> tuple[Digest, int, Statement[Predicate]]:
    return Digest("sha256:" + entry.leaf_hash.hex()), entry.index, parse(Envelope.parse(entry.data).payload)


class _Audit:
    """What was read of the entries, as far as they were, in log order."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._ring = Keyring()
        self._size = 0
        self._differences: list[Problem] = []
        self._rows: Counter[str] = Counter()
        self._registrations: dict[tuple[str, str], tuple[str, int]] = {}
        self._made: dict[str, str] = {}
        self._unopened: list[tuple[str, str]] = []
        self._erased: set[tuple[str, str]] = set()
        self.files: dict[str, int] = {}

    def take(self, reading: Reading) -> Iterator[Problem]:
        """Take note of the next stretch; yields what is wrong with its entries."""
        yield from (Problem(what, where) for what, where in reading.faults)
        for each in reading.signed:
            yield from self._judge(each)
        self._size = max(self._size, reading.stop)
        self._differences += [Problem(what, where) for what, where in reading.differences]
        self._rows.update(reading.rows)
        self._registrations |= reading.registrations
        self.files = reading.files | self.files
        self._made.update(reading.made)
        self._unopened += reading.unopened
        self._explain(reading)

    def catch_up(self) -> None:
        """Take note of what was appended since the check began, as far as it explains what is there or is missing.

        Who reads later than the others sees that something was erased or finished, of which their entries do not tell.
        """
        reader = Reader(self._ring.keys, compares=False)
        start = self._size
        with self._home.reading() as connection:
            while (first := ledger_store.first_index(connection, start)) is not None and first < MAX_NUMBER:
                start = min(first + _FOLDED_AT_ONCE, MAX_NUMBER)
                reading = reader(connection, ledger_store.entries(connection, first, start))
                self.files = reading.files | self.files
                self._explain(reading)

    def _explain(self, reading: Reading) -> None:
        for leaf in reading.sealed:
            self._made.pop(leaf, None)
        self._erased.update(reading.erased)

    def _judge(self, signed: Run | Entry) -> Iterator[Problem]:
        index, alike = (signed.first.index, signed.count - 1) if isinstance(signed, Run) else (signed.index, 0)
        if index < self._ring.size:  # there can be no such index, as the log itself has found
            return
        try:
            first = signed.first if isinstance(signed, Run) else read_entry(index, signed.data, self._ring.keys)
            self._ring = self._ring.after(first)
        except (LedgerError, ProvenanceError) as error:
            others = f" ({alike} more entries after it are signed alike)" if alike else ""
            yield Problem(f"{error}{others}", f"entry {index}")

    def roles(self, keys: Mapping[str, RegisteredKey]) -> list[Problem]:
        """Say which keys were taken for others than they are while entries were read."""
        what = "its role is not the one that the entries give it; rebuild the rows: linernotes db rebuild"
        known = self._ring.keys
        wrong = [keyid for keyid, key in keys.items() if keyid in known and known[keyid].role != key.role]
        return [Problem(what, f"key {keyid}") for keyid in wrong]

    def differences(self) -> list[Problem]:
        """Say where the rows that follow from the entries are not what they have to be."""
        problems = self._differences
        with self._home.reading() as connection:
            now = ledger_store.head(connection).size
            counts = store.row_counts(connection, self._size)
            beyond = store.stray_counts(connection, now)
            present = store.all_registrations(connection)
        if not problems:
            for table, count in self._rows.items():
                if counts[table] != count:
                    what = f"{counts[table]} rows where the log has {count}; rebuild them: linernotes db rebuild"
                    problems.append(Problem(what, f"table {table}"))
        for table, count in beyond.items():
            if count:
                what = f"{count} rows of entries that there are not; rebuild them: linernotes db rebuild"
                problems.append(Problem(what, f"table {table}"))
        newer = {name for name, (_, index) in present.items() if isinstance(index, int) and index >= self._size}
        expected, found = (
            [(*name, *place) for name, place in rows.items() if name not in newer]
            for rows in (self._registrations, present)
        )
        if set(expected) != set(found):
            problems.append(Problem(*differences("registration", expected, found)))
        return problems

    def openings(self) -> list[Problem]:
        """Say which openings are held that must not be."""
        problems = []
        with self._home.reading() as connection:
            for leaf, _, _ in store.openings_of_nothing(connection):
                what = "no entry of the log holds this commitment there"
                problems.append(Problem(what, f"opening of {leaf}"))
            for leaf, name in sorted(self._erased):
                if name in store.openings(connection, leaf):
                    what = "an entry of the log says that it was erased; erase it again"
                    problems.append(Problem(what, f"opening of {name} of {leaf}"))
        return problems

    def unopened(self) -> list[Problem]:
        """Say which openings are not held, though nobody erased them."""
        what = "it is not held here, and no entry says that it was erased: it was signed elsewhere, or lost"
        missing = [each for each in self._unopened if each not in self._erased]
        return shortened(
            [Problem(what, f"opening of {name} of {leaf}") for leaf, name in missing[:_SHOWN]], len(missing)
        )

    def unfinished(self) -> list[Problem]:
        """Say which recordings were made and never sealed."""
        what = "no signed file was ever made of this recording: its making was interrupted"
        shown = [Problem(what, f"recording {name}") for name in islice(self._made.values(), _SHOWN)]
        return shortened(shown, len(self._made))


def _keys_at_hand(home: Home) -> Mapping[str, RegisteredKey]:
    """Return the keys as the rows point them out; none where they cannot be read, which only takes longer."""
    try:
        return home.ring.now().keys
    except (LedgerError, ProvenanceError):
        return {}


def _tried(check: Callable[[], Iterable[Problem] | None]) -> list[Problem]:
    """Return what a check finds; that it cannot be made is a problem, too."""
    try:
        return list(check() or ())
    except (DatabaseUnavailableError, LogDamagedError) as fault:
        return [Problem(str(fault), "database")]


def _table_faults(home: Home) -> list[Problem]:
    """Say which tables are not as they were made; then entries are checked, and not what follows from them."""
    with home.reading() as connection:
        found = schema.faults(connection)
    return [
        Problem(f"{what}: it was changed behind the log's back; restore the database from its backup", f"table {table}")
        for table, what in found
    ]


def _left_in_files(home: Home) -> list[Problem]:
    try:
        return [Problem(what, "database") for what in still_in_files(home)]
    except (LedgerError, ProvenanceError):  # the problems say why
        return []


def _cosigned(home: Home) -> tuple[bytes | None, list[Problem]]:
    try:
        return home.cosigned.read(), []
    except LogDamagedError as error:
        what = str(error)
    except OSError as error:
        what = f"the file {error.filename} cannot be read: {error.strerror}; move it away, and ask the witnesses again"
    return None, [Problem(what, "cosigned checkpoint")]


def _succession_faults(home: Home) -> list[Problem]:
    fault = home.custody.fault(home.log.succession)
    return [Problem(fault, "keys/log-succession")] if fault else []


def _missing_memory(home: Home) -> list[Problem]:
    """Say so where a checkpoint was signed, and nothing outside the database remembers any.

    Whoever signs a checkpoint writes the file, so a home with a database of its own has it from the first one on. Of
    several homes that share a server's database, one that has not signed yet has none.
    """
    with home.reading() as connection:
        newest = ledger_store.newest_checkpoint(connection)
    if newest is None or home.last_checkpoint.exists():
        return []
    what = (
        f"it is missing, and the checkpoint of {newest.size} entries was signed: an older copy of the database would "
        "not be noticed. Restore it from a backup, or make certain that this database is the newest: the next entry "
        "makes the file again"
    )
    return [Problem(what, "keys/last-checkpoint")]
