"""The log: append entries, integrate them into the tree, publish a signed checkpoint.

Appending and integrating are one durable transaction, so that an index, once given out, is never
lost. A log that publishes at once signs a checkpoint in the same transaction, and lets it out only
when that is durable; otherwise a publisher of its own signs for what is there (`publish`).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection, Engine

from ledger import store
from ledger.checkpoint import Checkpoint
from ledger.database import reading
from ledger.encoding import MAX_NUMBER
from ledger.entry import Entry, Receipt
from ledger.errors import EntryError, NoSuchEntryError, NotPublishedError, shown
from ledger.integration import Integrator, duplicate, repeat
from ledger.merkle import (
    MAX_ENTRY_BYTES,
    Frontier,
    consistency_nodes,
    inclusion_nodes,
    leaf_hash,
)
from ledger.note import Note, NoteSigner, NoteVerifier
from ledger.proof import ConsistencyProof, InclusionProof, TlogProof
from ledger.publisher import Publisher
from ledger.rotation import Succession
from ledger.sequencer import Append, Sequencer, Within
from ledger.tile import TILE_HEIGHT, TILE_WIDTH, TileId, TilePath, format_bundle
from ledger.tree import Proofs, hashes

__all__ = ["Entry", "Log", "Receipt", "Within"]

MAX_IDEMPOTENCY_KEY_CHARACTERS = 200
PUBLISHED_WITHIN_SECONDS = 10
"""How long to wait for a checkpoint that covers an entry: ten times the longest publish interval."""

_BATCH = 256
_POLL_SECONDS = 0.02


class Log:
    """An append-only log in a database that `migrations.upgrade` has set up.

    Several threads and processes may append to one database: threads share transactions, processes take turns.

    Args:
        engine: The database (see `ledger.database.open_engine`).
        key: The log's key, whose name is the origin; only its public half where another process publishes.
        publishes_at_once: Sign a checkpoint with every append. Else `publish` does when it is called.
        max_entry_bytes: Longest entry that is taken.
        last_checkpoint: A file that remembers the newest checkpoint outside the database, beside
            the key: with it, a database that was replaced by an older copy is noticed.
        published: Told of every checkpoint that is signed here, once it is durable; it has to return at once.
        succession: All keys that the log has had; when left out, the one that is given is the first.

    Raises:
        ValueError: The log has to publish at once, and only the public half of its key is given.
    """

    def __init__(
        self,
        engine: Engine,
        key: NoteSigner | NoteVerifier,
        *,
        publishes_at_once: bool = True,
        max_entry_bytes: int = MAX_ENTRY_BYTES,
        last_checkpoint: Path | None = None,
        published: Callable[[bytes], None] | None = None,
        succession: Succession | None = None,
    ) -> None:
        if publishes_at_once and isinstance(key, NoteVerifier):
            raise ValueError("a log that publishes at once needs its private key")
        self._engine = engine
        self._publishes_at_once = publishes_at_once
        self._publisher = Publisher(engine, key, last_checkpoint, published, succession)
        self._sequencer = Sequencer(Integrator(engine, self._publisher, publishes_at_once=publishes_at_once).commit)
        self._max_entry_bytes = max_entry_bytes
        self._proofs = Proofs()

    @property
    def engine(self) -> Engine:
        """The database."""
        return self._engine

    @property
    def verifier(self) -> NoteVerifier:
        """What the log's newest checkpoints are checked with."""
        return self.succession.current

    @property
    def succession(self) -> Succession:
        """All keys that the log has had: what any of its checkpoints is checked with."""
        return self._publisher.succession

    @property
    def origin(self) -> str:
        """Identity of the log: the first line of its checkpoints, and its key's name."""
        return self.verifier.name

    @property
    def publishes_at_once(self) -> bool:
        """Whether every append signs a checkpoint."""
        return self._publishes_at_once

    def append(
        self, entries: Sequence[bytes], within: Within | None = None, *, idempotency_key: str | None = None
    ) -> list[Receipt]:
        """Appends entries in one durable transaction, which appends of other threads may share.

        Args:
            entries: At least one; each at most `max_entry_bytes` long and not in the log yet.
            within: Called just before the commit with the transaction's `sqlalchemy.Connection`
                and the receipts; what it raises undoes this append, and no other.
            idempotency_key: A name, up to 200 characters, of this append: when the answer to the
                first attempt was lost, a second one with the same entries gets the same receipts.

        Returns:
            One receipt per entry, with contiguous indices; by then all of it is on the disk.

        Raises:
            EntryError: There is no entry, or one is too long.
            DuplicateEntryError: The log holds one of them, or one is given twice.
            IdempotencyError: The key was used for other entries.
            RolledBackError: The database is older than a checkpoint that was signed before.
            WrongLogError: The key that is here is not the log's.
            SuccessionError: The log was handed over to another key.
            LogDamagedError: The stored rows contradict each other.
            DatabaseBusyError: Another process kept the database locked.
            DatabaseUnavailableError: The database cannot be written.
        """
        self._require_fit(entries, idempotency_key)
        leaves = [leaf_hash(data) for data in entries]
        _require_distinct(leaves)
        return self._sequencer.submit(Append(list(entries), leaves, within, idempotency_key))

    def appended_before(self, entries: Sequence[bytes], idempotency_key: str) -> list[Receipt] | None:
        """Returns what an earlier append with an idempotency key gave, or None when there was none.

        `append` gives the same; this is for those who would have to refuse the entries by now.

        Raises:
            IdempotencyError: The key was used for other entries.
        """
        with reading(self._engine) as connection:
            known = store.appended_with(connection, [idempotency_key]).get(idempotency_key)
            if known is None:
                return None
            leaves = store.leaf_hashes(connection, known.start, known.stop)
        asked = Append(list(entries), [leaf_hash(data) for data in entries], None, idempotency_key)
        repeat(asked, idempotency_key, leaves, known.start)
        return asked.result()

    def hand_over(self, entry: bytes, successor: NoteSigner, within: Within | None = None) -> Receipt:
        """Appends the entry that names the log's next key, and lets both keys sign the checkpoint that covers it.

        That checkpoint is signed in the same transaction, even where a publisher of its own signs the others. From
        then on this log signs with the new key; whoever else has it open, with the old one, cannot sign any more.

        Args:
            entry: What says that the key follows; what it says is for others to read.
            successor: The new key, which has to be kept durably before.
            within: As for `append`.

        Returns:
            The entry's receipt; by then entry and checkpoint are on the disk.

        Raises:
            SuccessionError: The key cannot follow, or the log was handed over already.
            NotPublishedError: This process has not the log's private key.
            LedgerError: The entry cannot be appended, as for `append`.
        """
        self._require_fit([entry], None)
        handing_over = Append([entry], [leaf_hash(entry)], within, successor=successor)
        return self._sequencer.submit(handing_over)[0]

    def publish(self) -> bytes:
        """Signs a checkpoint for the entries that are durable, unless the newest covers them all.

        Returns:
            The newest checkpoint, a signed note.

        Raises:
            RolledBackError: A larger or contradicting checkpoint was signed before.
            LogDamagedError: The stored rows contradict each other.
            WrongLogError: The key that is here is not the log's.
            SuccessionError: The log was handed over to another key.
            NotPublishedError: This process has not the private key.
        """
        return self._publisher.publish()

    def size(self) -> int:
        """Returns the number of entries."""
        with reading(self._engine) as connection:
            return store.head(connection).size

    def checkpoint(self) -> bytes:
        """Returns the newest checkpoint, a signed note; a log without any signs its first one now.

        Raises:
            RolledBackError: One was signed before that is larger, or that the newest contradicts.
            WrongLogError: The newest was not signed by the log's own key.
            LogDamagedError: The stored rows contradict each other.
        """
        newest = self._publisher.newest()
        return self.publish() if newest is None else newest.note

    def checkpoint_at(self, size: int) -> bytes | None:
        """Returns the checkpoint that was signed for a size, a signed note, or None when none was."""
        with reading(self._engine) as connection:
            stored = store.checkpoint_at(connection, size)
        return None if stored is None else stored.note

    def entry(self, index: int) -> Entry:
        """Returns the entry at an index.

        Raises:
            NoSuchEntryError: The log has no such index.
        """
        with reading(self._engine) as connection:
            found = store.entry(connection, index) if 0 <= index <= MAX_NUMBER else None
            if found is None:
                raise _outside(f"index {index}", store.head(connection).size)
        return found

    def entry_by_leaf(self, leaf: bytes) -> Entry | None:
        """Returns the entry with a leaf hash, or None."""
        with reading(self._engine) as connection:
            return store.entry_by_leaf(connection, leaf)

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
        with reading(self._engine) as connection:
            head = store.head(connection)
            return self._inclusion(connection, index, _known_size(head, size), head)

    def consistency_proof(self, old_size: int, new_size: int | None = None) -> ConsistencyProof:
        """Proves that the tree of one size extends the tree of a smaller one.

        Args:
            old_size: Leaves in the older tree, at least 1.
            new_size: Leaves in the newer tree; None for the newest.

        Raises:
            NoSuchEntryError: The log is not that large, or the sizes are not 1 ≤ old ≤ new.
        """
        with reading(self._engine) as connection:
            head = store.head(connection)
            new_size = _known_size(head, new_size)
            if not 1 <= old_size <= new_size:
                raise _outside(f"older tree of size {old_size}", new_size)
            path = self._proofs.folded(connection, consistency_nodes(old_size, new_size), head)
        return ConsistencyProof(old_size, new_size, path)

    def tlog_proof(self, index: int) -> TlogProof:
        """Proves that the log holds the entry at an index, against the newest checkpoint.

        Where a publisher of its own signs the checkpoints, the next one is waited for.

        Raises:
            NoSuchEntryError: The log has no such index.
            NotPublishedError: No checkpoint came to cover it.
            RolledBackError: A checkpoint was signed before that is larger than the newest, or that it contradicts.
        """
        deadline = time.monotonic() + PUBLISHED_WITHIN_SECONDS
        while True:
            remembered = self._publisher.remembered()
            with reading(self._engine) as connection:
                state = self._publisher.seen(connection, remembered)
                head, newest = state.head, state.newest
                if not 0 <= index < head.size:
                    raise _outside(f"index {index}", head.size)
                if newest is not None and newest.size > index:
                    return TlogProof(index, self._inclusion(connection, index, newest.size, head).path, newest.note)
            if time.monotonic() > deadline:
                raise NotPublishedError(
                    f"The entry at index {index} is in the log, but no checkpoint covers it after "
                    f"{PUBLISHED_WITHIN_SECONDS} seconds: the publisher is not running. Start it (`linernotes log "
                    "publish`, or `linernotes serve` with the log's key), and try again."
                )
            time.sleep(_POLL_SECONDS)

    def proof_against(self, index: int, note: bytes) -> TlogProof | None:
        """Proves that the log holds the entry at an index, against a checkpoint of this log with more signatures.

        Args:
            index: Zero-based index of the entry.
            note: A signed checkpoint of this log, such as witnesses have cosigned.

        Returns:
            The proof, or None where that checkpoint does not cover the entry.

        Raises:
            NoteError: The note is no signed note.
            CheckpointError: It is no checkpoint.
            NoSuchEntryError: It is of a larger tree than this log has.
        """
        size = Checkpoint.parse(Note.parse(note).text).size
        return TlogProof(index, self.inclusion_proof(index, size).path, note) if 0 <= index < size else None

    def tile(self, path: TilePath) -> bytes:
        """Returns a tile or a bundle of entries (C2SP tlog-tiles), as far as the newest checkpoint covers it.

        Raises:
            NoSuchEntryError: The newest checkpoint's tree does not reach that far.
        """
        with reading(self._engine) as connection:
            if path.level is not None and path.width == TILE_WIDTH:
                full = store.tiles(connection, [TileId(path.level, path.index)])
                if full:
                    return next(iter(full.values())).hashes
            newest = store.newest_checkpoint(connection)
            covered = 0 if newest is None else newest.size
            start, level = path.index * TILE_WIDTH, path.level or 0
            if start + path.width > covered >> (TILE_HEIGHT * level):
                raise _outside(path.format(), covered)
            if path.level is None:
                return format_bundle([entry.data for entry in store.entries(connection, start, start + path.width)])
            return b"".join(hashes(connection, level, start, start + path.width))

    def require_sound(self, connection: Connection, state: store.State, remembered: bytes | None) -> None:
        """Finds out whether what is stored contradicts nothing that was signed, and the key here is the log's.

        Args:
            connection: A transaction, in which nothing changes meanwhile.
            state: Where the log stands in it.
            remembered: The newest signed checkpoint as it is known outside the database, if it is.

        Raises:
            RolledBackError: The tree is smaller than, or contradicts, a checkpoint that was signed.
            WrongLogError: Such a checkpoint, or the key that is here, is of another log.
            LogDamagedError: Entries, tree and checkpoints contradict each other.
        """
        self._publisher.require_sound(connection, state, remembered)

    def remembered(self) -> bytes | None:
        """Returns the newest checkpoint as it is kept outside the database, if it is.

        Raises:
            LogDamagedError: The file cannot be read, or is not a checkpoint.
        """
        return self._publisher.remembered()

    def _require_fit(self, entries: Sequence[bytes], idempotency_key: str | None) -> None:
        if not entries:
            raise EntryError("There is no entry to append; give at least one.")
        for position, data in enumerate(entries):
            if len(data) > self._max_entry_bytes:
                raise EntryError(
                    f"Entry {position} of the batch is {len(data)} bytes long, but the log takes "
                    f"at most {self._max_entry_bytes}; put the large part into a file and state "
                    "its digest. Nothing was appended."
                )
        if idempotency_key is not None and not idempotency_key.isprintable():
            raise EntryError(
                f"The idempotency key {shown(idempotency_key)} holds characters that cannot be printed, which not "
                "every database stores; a random UUID is a good one. Nothing was appended."
            )
        if idempotency_key is not None and not 0 < len(idempotency_key) <= MAX_IDEMPOTENCY_KEY_CHARACTERS:
            raise EntryError(
                f"The idempotency key {shown(idempotency_key)} has {len(idempotency_key)} characters, where 1 to "
                f"{MAX_IDEMPOTENCY_KEY_CHARACTERS} are taken; a random UUID is a good one. Nothing was appended."
            )

    def _inclusion(self, connection: Connection, index: int, size: int, head: Frontier) -> InclusionProof:
        if not 0 <= index < size:
            raise _outside(f"index {index}", size)
        return InclusionProof(index, size, self._proofs.folded(connection, inclusion_nodes(index, size), head))

    def _batches(self, start: int, stop: int) -> Iterator[Entry]:
        for first in range(start, stop, _BATCH):  # no read transaction outlives its batch
            with reading(self._engine) as connection:
                batch = store.entries(connection, first, min(first + _BATCH, stop))
            yield from batch


def _require_distinct(leaves: Sequence[bytes]) -> None:
    places: dict[bytes, int] = {}
    for position, leaf in enumerate(leaves):
        if leaf in places:
            raise duplicate(position, leaf, f"position {places[leaf]} of the same batch")
        places[leaf] = position


def _known_size(head: Frontier, size: int | None) -> int:
    if size is not None and not 0 <= size <= head.size:
        raise _outside(f"tree of size {size}", head.size)
    return head.size if size is None else size


def _outside(what: str, size: int) -> NoSuchEntryError:
    return NoSuchEntryError(
        f"There is no {what} in a log of {size} entries; indices go from 0 to one below the size, "
        "and trees from 1 to the size."
    )
