"""The log: sequence entries, integrate them into the tree, publish a signed checkpoint.

All three happen in one durable transaction, so that an index, once given out, is never lost, and
no entry is ever without a checkpoint that covers it.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ledger import store
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.database import reading, writing
from ledger.encoding import MAX_NUMBER
from ledger.entry import Entry, Receipt
from ledger.errors import (
    DuplicateEntryError,
    EntryError,
    LogDamagedError,
    NoSuchEntryError,
)
from ledger.guard import sound_frontier
from ledger.last_checkpoint import LastCheckpoint
from ledger.merkle import (
    MAX_ENTRY_BYTES,
    Frontier,
    consistency_nodes,
    inclusion_nodes,
    leaf_hash,
)
from ledger.note import NoteSigner, NoteVerifier
from ledger.proof import ConsistencyProof, InclusionProof, TlogProof
from ledger.store import StoredCheckpoint

__all__ = ["Entry", "Log", "Receipt", "Within"]

Within = Callable[[Session, Sequence[Receipt]], None]
"""What an appender does in the same transaction: add rows that must not exist without the entries."""

_BATCH = 256
_LOGGER = logging.getLogger(__name__)


class Log:
    """An append-only log in a database that `migrations.upgrade` has set up.

    Several processes may append to one database; each `append` takes its turn.

    Args:
        engine: The database (see `ledger.database.open_engine`).
        signer: The log's key; its name is the origin.
        max_entry_bytes: Longest entry that is taken.
        last_checkpoint: A file that remembers the newest checkpoint outside the database, beside
            the key: with it, a database that was replaced by an older copy is noticed.
    """

    def __init__(
        self,
        engine: Engine,
        signer: NoteSigner,
        *,
        max_entry_bytes: int = MAX_ENTRY_BYTES,
        last_checkpoint: Path | None = None,
    ) -> None:
        self._engine = engine
        self._signer = signer
        self._max_entry_bytes = max_entry_bytes
        self._last_checkpoint = LastCheckpoint(last_checkpoint) if last_checkpoint else None

    @property
    def engine(self) -> Engine:
        """The database."""
        return self._engine

    @property
    def verifier(self) -> NoteVerifier:
        """What the log's checkpoints are checked with."""
        return self._signer.verifier

    @property
    def origin(self) -> str:
        """Identity of the log: the first line of its checkpoints, and its key's name."""
        return self._signer.name

    def append(self, entries: Sequence[bytes], within: Within | None = None) -> list[Receipt]:
        """Appends entries in one durable transaction.

        Args:
            entries: At least one; each at most `max_entry_bytes` long and not in the log yet.
            within: Called just before the commit with the transaction's `sqlalchemy.orm.Session`
                and the receipts; what it raises undoes the append.

        Returns:
            One receipt per entry, with contiguous indices; by then all of it is on the disk.

        Raises:
            EntryError: There is no entry, or one is too long.
            DuplicateEntryError: The log holds one of them, or one is given twice.
            RolledBackError: The database is older than a checkpoint that was signed before.
            LogDamagedError: The stored rows contradict each other.
            DatabaseBusyError: Another process kept the database locked.
            DatabaseUnavailableError: The database cannot be written.
        """
        self._require_fit(entries)
        leaves = [leaf_hash(data) for data in entries]
        with writing(self._engine) as session:
            edge = self._frontier(session)
            _require_new(session, leaves)
            receipts = [Receipt(index, leaf) for index, leaf in enumerate(leaves, edge.size)]
            now = _now()
            store.add_entries(
                session,
                [
                    Entry(receipt.index, receipt.leaf_hash, data, now)
                    for receipt, data in zip(receipts, entries, strict=True)
                ],
            )
            growth = edge.extended(leaves)
            store.add_nodes(session, growth.completed)
            note = self._publish(session, growth.frontier)
            if within is not None:
                within(session, receipts)
        self._remember(note)
        return receipts

    def size(self) -> int:
        """Returns the number of entries."""
        with reading(self._engine) as session:
            return store.entry_count(session)

    def checkpoint(self) -> bytes:
        """Returns the newest checkpoint, a signed note; an empty log signs its first one now.

        Raises:
            RolledBackError: The log is empty, but a checkpoint was signed before.
        """
        with reading(self._engine) as session:
            newest = store.newest_checkpoint(session)
        if newest is not None:
            return newest.note
        with writing(self._engine) as session:
            edge = self._frontier(session)
            newest = store.newest_checkpoint(session)  # another process may have been faster
            note = newest.note if newest else self._publish(session, edge)
        self._remember(note)
        return note

    def entry(self, index: int) -> Entry:
        """Returns the entry at an index.

        Raises:
            NoSuchEntryError: The log has no such index.
        """
        with reading(self._engine) as session:
            found = store.entry(session, index) if 0 <= index <= MAX_NUMBER else None
            if found is None:
                raise _outside(f"index {index}", store.entry_count(session))
        return found

    def entry_by_leaf(self, leaf: bytes) -> Entry | None:
        """Returns the entry with a leaf hash, or None."""
        with reading(self._engine) as session:
            return store.entry_by_leaf(session, leaf)

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Yields the entries with indices in `[start, stop)`, in order.

        Args:
            start: First index.
            stop: Index after the last; None for the size at the time of the first read.

        Raises:
            NoSuchEntryError: The range reaches beyond the log.
        """
        size = self.size()
        stop = size if stop is None else stop
        if not 0 <= start <= stop <= size:
            raise _outside(f"range from {start} to {stop}", size)
        return self._batches(start, stop)

    def inclusion_proof(self, index: int, size: int | None = None) -> InclusionProof:
        """Proves that the tree of a size holds the leaf at an index.

        Args:
            index: Zero-based index of the leaf.
            size: Size of the tree; None for the newest.

        Raises:
            NoSuchEntryError: The log is not that large, or the tree does not reach that index.
        """
        with reading(self._engine) as session:
            size = _known_size(session, size)
            return _inclusion(session, index, size)

    def consistency_proof(self, old_size: int, new_size: int | None = None) -> ConsistencyProof:
        """Proves that the tree of one size extends the tree of a smaller one.

        Args:
            old_size: Leaves in the older tree, at least 1.
            new_size: Leaves in the newer tree; None for the newest.

        Raises:
            NoSuchEntryError: The log is not that large, or the sizes are not 1 ≤ old ≤ new.
        """
        with reading(self._engine) as session:
            new_size = _known_size(session, new_size)
            if not 1 <= old_size <= new_size:
                raise _outside(f"older tree of size {old_size}", new_size)
            path = store.folded(session, consistency_nodes(old_size, new_size))
        return ConsistencyProof(old_size, new_size, path)

    def tlog_proof(self, index: int) -> TlogProof:
        """Proves that the log holds the entry at an index, against the newest checkpoint.

        Raises:
            NoSuchEntryError: The log has no such index.
        """
        with reading(self._engine) as session:
            newest = store.newest_checkpoint(session)
            if newest is None:
                raise _outside(f"index {index}", 0)
            return TlogProof(index, _inclusion(session, index, newest.size).path, newest.note)

    def remembered(self) -> bytes | None:
        """Returns the newest checkpoint as it is kept outside the database, if it is.

        Raises:
            LogDamagedError: The file cannot be read, or is not a checkpoint.
        """
        return self._last_checkpoint.read() if self._last_checkpoint else None

    def _require_fit(self, entries: Sequence[bytes]) -> None:
        if not entries:
            raise EntryError("There is no entry to append; give at least one.")
        for position, data in enumerate(entries):
            if len(data) > self._max_entry_bytes:
                raise EntryError(
                    f"Entry {position} of the batch is {len(data)} bytes long, but the log takes "
                    f"at most {self._max_entry_bytes}; put the large part into a file and state "
                    "its digest. Nothing was appended."
                )

    def _frontier(self, session: Session) -> Frontier:
        return sound_frontier(session, self.verifier, self.remembered())

    def _publish(self, session: Session, frontier: Frontier) -> bytes:
        checkpoint = Checkpoint(self.origin, frontier.size, frontier.root)
        note = sign_checkpoint(checkpoint, self._signer)
        store.add_checkpoint(session, StoredCheckpoint(frontier.size, note))
        return note

    def _remember(self, note: bytes) -> None:
        """Keeps a committed checkpoint outside the database; a failure cannot undo the commit."""
        if self._last_checkpoint is None:
            return
        try:
            self._last_checkpoint.write(note)
        except (OSError, LogDamagedError) as fault:
            _LOGGER.warning(
                "The newest checkpoint is recorded in the database but could not be kept in %s "
                "(%s): until it can, an older copy of the database would be noticed less surely.",
                self._last_checkpoint.path,
                fault,
            )

    def _batches(self, start: int, stop: int) -> Iterator[Entry]:
        for first in range(start, stop, _BATCH):  # no read transaction outlives its batch
            with reading(self._engine) as session:
                batch = store.entries(session, first, min(first + _BATCH, stop))
            yield from batch


def _require_new(session: Session, leaves: Sequence[bytes]) -> None:
    places = {leaf: f"index {index} of the log" for leaf, index in store.indices_of(session, leaves).items()}
    for position, leaf in enumerate(leaves):
        if leaf in places:
            raise DuplicateEntryError(
                f"Entry {position} of the batch, with the leaf hash {leaf.hex()}, is at "
                f"{places[leaf]} already; every statement holds a random identifier, so the same "
                "bytes twice are a mistake. Nothing was appended; use the entry that is there."
            )
        places[leaf] = f"position {position} of the same batch"


def _inclusion(session: Session, index: int, size: int) -> InclusionProof:
    if not 0 <= index < size:
        raise _outside(f"index {index}", size)
    return InclusionProof(index, size, store.folded(session, inclusion_nodes(index, size)))


def _known_size(session: Session, size: int | None) -> int:
    count = store.entry_count(session)
    if size is not None and not 0 <= size <= count:
        raise _outside(f"tree of size {size}", count)
    return count if size is None else size


def _outside(what: str, size: int) -> NoSuchEntryError:
    return NoSuchEntryError(
        f"There is no {what} in a log of {size} entries; indices go from 0 to one below the size, "
        "and trees from 1 to the size."
    )


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
