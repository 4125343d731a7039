"""A stretch of the log, read by itself: what it says, who signed it, and whether what follows from it is there.

Stretches are read in any order and in any process (``ledger.stretch``). So no stretch knows which keys were
registered before it: it checks every signature with the key that the envelope names, wherever that key was learned
from (the name of a key is the digest of its bytes), and leaves it to :meth:`provenance.keyring.Keyring.after` to say,
in log order, whether those keys were allowed to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.envelope import Envelope
from ledger.errors import LedgerError
from provenance import store
from provenance.document import commitments
from provenance.errors import DisclosureError, ProvenanceError, UnknownKeyError
from provenance.identity import Digest
from provenance.keyring import KINDS
from provenance.recording_predicate import EditPredicate, GenerationPredicate, RenditionPredicate
from provenance.signed_entry import SignedEntry, checked_signers
from provenance.statement import parse
from provenance.use_predicate import ErasurePredicate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from ledger.entry import Entry
    from provenance.key_term import RegisteredKey
    from provenance.predicate import Predicate
    from provenance.store import ProjectedRow


@dataclass(slots=True)
class Run:
    """Entries that are alike to a keyring: signed by the same keys, of one kind, and with no change of keys between.

    Where a party's key is among these, they are all about one party.

    Attributes:
        first: The first of them.
        count: How many there are.
    """

    first: SignedEntry
    count: int = 1


@dataclass(slots=True)
class Reading:
    """What a stretch of the log holds.

    Attributes:
        stop: The index after its last entry.
        signed: What a keyring has to see, in log order; an entry as it is stored where the key that it names was not
            at hand.
        faults: What is wrong with entries and openings, and where.
        differences: What is wrong with rows that follow from entries, and where.
        rows: How many rows of each table have to follow from these entries.
        registrations: By kind and name, leaf hash and index of the newest statement.
        files: Asset digest of every file that an entry names, with the index of the first that does.
        made: Leaf hash of every recording that was made, with its id.
        sealed: Leaf hashes of recordings of which there is a signed file.
        erased: Leaf hash and field of every private value that is said to be erased.
        unopened: Leaf hash and field of every commitment whose opening is not held.
    """

    stop: int = 0
    signed: list[Run | Entry] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    differences: list[tuple[str, str]] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    registrations: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    made: list[tuple[str, str]] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)
    erased: list[tuple[str, str]] = field(default_factory=list)
    unopened: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads stretches of a log; it travels to other processes.

    Attributes:
        keys: Keys that signatures may be by, by name. One that is missing costs time. Whether they have these roles
            is to be asked of the keyring in the end.
        compares: Whether the tables are held against the entries.
    """

    keys: Mapping[str, RegisteredKey]
    compares: bool = True

    def __call__(self, connection: Connection, entries: Sequence[Entry]) -> Reading:
        """Read entries, check every signature, and hold what the tables say against what follows from the entries.

        Args:
            connection: To the home's database.
            entries: As they are stored, in log order.
        """
        reading = _Stretch(self.keys, connection)
        for entry in entries:
            reading.take(entry)
        if entries:
            reading.found.stop = entries[-1].index + 1
            if self.compares:
                reading.compare(entries[0].index, reading.found.stop)
        return reading.found


class _Stretch:
    """The reading of one stretch, as far as it has come."""

    def __init__(self, keys: Mapping[str, RegisteredKey], connection: Connection) -> None:
        self.found = Reading()
        self._keys = keys
        self._connection = connection
        self._runs: dict[tuple[object, ...], Run] = {}
        self._rows: dict[str, list[ProjectedRow]] = {table.name: [] for table in store.BY_ENTRY}
        self._commitments: dict[tuple[str, str], str] = {}

    def take(self, entry: Entry) -> None:
        """Read the next entry."""
        try:
            envelope = Envelope.parse(entry.data)
            statement = parse(envelope.payload)
        except (LedgerError, ProvenanceError) as error:
            self.found.faults.append((str(error), f"entry {entry.index}"))
            return
        leaf = Digest("sha256:" + entry.leaf_hash.hex())
        try:
            self._sign(SignedEntry(entry.index, leaf, statement, checked_signers(envelope, statement, self._keys)))
        except UnknownKeyError:
            self._runs.clear()
            self.found.signed.append(entry)
        except (LedgerError, ProvenanceError) as error:
            self.found.faults.append((str(error), f"entry {entry.index}"))
        for table, row in store.projected(leaf, entry.index, statement):
            if table.name in self._rows:
                self._rows[table.name].append(row)
        self._note(entry.index, leaf, statement.predicate)

    def compare(self, start: int, stop: int) -> None:
        """Hold rows and openings against the entries with indices in ``[start, stop)``."""
        present = store.rows_between(self._connection, start, stop)
        for table, expected in self._rows.items():
            self.found.rows[table] = len(expected)
            if present[table] != expected:
                self.found.differences.append(differences(table, expected, present[table]))
        held = set()
        for leaf, name, opening in store.openings_between(self._connection, start, stop):
            where = f"opening of {name} of {leaf}"
            held.add((leaf, name))
            try:
                opening.check()
            except DisclosureError as error:
                self.found.faults.append((str(error), where))
            if self._commitments.get((leaf, name)) != opening.commitment:
                self.found.faults.append(("no entry of the log holds this commitment there", where))
        self.found.unopened = [each for each in self._commitments if each not in held]

    def _sign(self, entry: SignedEntry) -> None:
        predicate = entry.statement.predicate
        if predicate.KIND in KINDS:
            self._runs.clear()
            self.found.signed.append(Run(entry))
            return
        own = any(self._keys[keyid].role == "party" for keyid in entry.signers)
        alike = (entry.signers, predicate.KIND, getattr(predicate, "party_id", None) if own else None)
        run = self._runs.get(alike)
        if run is None:
            self._runs[alike] = run = Run(entry)
            self.found.signed.append(run)
        else:
            run.count += 1

    def _note(self, index: int, leaf: Digest, predicate: Predicate) -> None:
        for name, value in commitments(predicate):
            self._commitments[leaf, name] = value
        match predicate:
            case GenerationPredicate() | EditPredicate():
                for file in predicate.content.files:
                    self.found.files.setdefault(file.asset_digest, index)
                self.found.made.append((leaf, predicate.recording_id))
            case RenditionPredicate():
                self.found.files.setdefault(predicate.asset_digest, index)
                self.found.sealed.append(predicate.of)
            case ErasurePredicate():
                self.found.erased += [(predicate.of, name) for name in predicate.fields]
            case _ if name := store.registered_name(predicate):
                self.found.registrations[predicate.KIND, name] = (leaf, index)


def differences(table: str, expected: Iterable[ProjectedRow], present: Iterable[ProjectedRow]) -> tuple[str, str]:
    """Say how the rows of a table differ from those that follow from the log, and name the first."""
    differing = set(expected) ^ set(present)
    first = min(differing, key=str, default=("",))
    what = f"{len(differing)} rows differ from what the log says; rebuild them: linernotes db rebuild"
    return what, f"table {table}, row {first[0]}"
