"""Integrate: one durable transaction takes a batch of appends into the database and the tree."""

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger import store
from ledger.database import appending, reading, require_intact
from ledger.entry import Entry, Receipt
from ledger.errors import (
    DatabaseBusyError,
    DatabaseUnavailableError,
    DuplicateEntryError,
    IdempotencyError,
    InDoubtError,
    LedgerError,
    LogDamagedError,
    shown,
)
from ledger.guard import require_covered
from ledger.merkle import Frontier
from ledger.note import NoteSigner
from ledger.publisher import Publisher
from ledger.sequencer import Append
from ledger.store import State, StoredCheckpoint
from ledger.tree import filled_tiles

DOUBT_SECONDS = 30
"""How long to ask what became of a commit that failed: longer than a restarted server needs to recover."""

_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class _Left:
    """The log, and the checkpoint that is remembered outside: both as the last commit of this process left them."""

    state: State
    remembered: bytes | None


@dataclass(frozen=True, slots=True)
class _Added:
    """What a transaction adds to the log.

    Attributes:
        entries: In order; at least one.
        edge: Of the tree with them.
        receipts: Of each append.
        used: The entries of each idempotency key.
    """

    entries: Sequence[Entry]
    edge: Frontier
    receipts: Sequence[tuple[Append, list[Receipt]]]
    used: Mapping[str, range]

    @property
    def leaves(self) -> list[bytes]:
        return [entry.leaf_hash for entry in self.entries]

    @property
    def successor(self) -> NoteSigner | None:
        """The key to which the log is handed over; such an append is alone."""
        return self.receipts[0][0].successor


class _RefusedWithinError(Exception):
    """The `within` of one append raised: the others have to be committed without it."""

    def __init__(self, append: Append, cause: Exception) -> None:
        super().__init__()
        self.append = append
        self.cause = cause


class Integrator:
    """Commits batches of appends.

    Args:
        engine: The log's database.
        publisher: Knows what was signed before, and signs.
        publishes_at_once: Sign a checkpoint in the same transaction.
    """

    def __init__(self, engine: Engine, publisher: Publisher, *, publishes_at_once: bool) -> None:
        self._engine = engine
        self._publisher = publisher
        self._publishes_at_once = publishes_at_once
        self._sound: _Left | None = None

    def commit(self, appends: Sequence[Append], more: Callable[[], Sequence[Append]] = tuple) -> None:
        """Settles every append: those that can be are committed together, the others are told why not.

        Args:
            appends: At least one.
            more: Gives those that came while this waited for other processes; they are settled too.
        """
        pending = list(appends)
        while pending:
            try:
                self._commit_together(pending, more)
            except _RefusedWithinError as refused:
                refused.append.error = refused.cause
                pending.remove(refused.append)
                more = tuple
                continue
            except DBAPIError as fault:
                if len(pending) == 1:
                    pending[0].error = self._reason(pending[0], fault)
                else:  # whose entry it is shows when each is alone
                    for append in pending:
                        self.commit([append])
            except LedgerError as fault:
                for append in pending:
                    if not append.settled:
                        append.error = fault
            return

    def _commit_together(self, appends: list[Append], more: Callable[[], Sequence[Append]]) -> None:
        added: _Added | None = None
        newest: StoredCheckpoint | None = None
        try:
            with appending(self._engine) as connection:
                state = store.locked_state(connection)
                appends += more()
                remembered = self._require_sound(connection, state)
                fresh = self._fresh(connection, appends)
                if fresh:
                    added = _planned(state.head, fresh)
                    newest = self._signed(state, added)
                    _add(connection, state, added, newest)
                    for append, receipts in added.receipts:
                        _run_within(connection, append, receipts)
        except InDoubtError as doubt:
            if added is not None:
                self._require_recorded(added, doubt)
        if added is None:
            return
        if added.successor is not None:
            self._publisher.hand_over(added.successor, added.edge.size - 1)
        if newest is not None and newest != state.newest:
            self._publisher.remember(newest.note)
            remembered = newest.note
        elif newest is not None and newest.note != remembered:  # another process signed it, maybe on another machine
            self._publisher.keep(newest.note)
            remembered = newest.note
        last = added.entries[-1]
        self._sound = _Left(State(added.edge, added.edge.size, last.leaf_hash, newest), remembered)
        for append, receipts in added.receipts:
            append.receipts = receipts

    def _signed(self, state: State, added: _Added) -> StoredCheckpoint | None:
        """Signs for what a transaction adds, if that is asked for, and returns the newest checkpoint."""
        if self._publishes_at_once or added.successor is not None:
            return self._publisher.sign(added.edge, state.newest, added.successor)
        return state.newest

    def _require_recorded(self, added: _Added, doubt: InDoubtError) -> None:
        """Finds out what became of a commit that failed.

        Raises:
            DatabaseUnavailableError: Nothing was recorded, and will not be.
            InDoubtError: The database does not answer.
        """
        deadline = time.monotonic() + DOUBT_SECONDS
        while True:
            try:
                with appending(self._engine) as connection:
                    store.lock(connection)  # which the transaction in doubt has until it has ended
                    recorded = store.settle_doubt(connection, added.entries[0].index, added.leaves, added.used)
            except (DatabaseBusyError, DatabaseUnavailableError) as fault:
                if time.monotonic() > deadline:
                    raise InDoubtError(
                        f"{doubt} For {DOUBT_SECONDS} seconds it did not tell. Try again when it does: with the same "
                        "idempotency key, or the same bytes, nothing is appended twice."
                    ) from fault
                time.sleep(_PAUSE_SECONDS)
            else:
                break
        if not recorded:
            raise DatabaseUnavailableError(
                f"The database failed during the commit, and nothing was recorded: {doubt.__cause__}"
            ) from doubt

    def _require_sound(self, connection: Connection, state: State) -> bytes | None:
        """Checks what is there against what was signed; after an own commit, that nothing has come between.

        Returns the checkpoint that is remembered outside the database.
        """
        remembered = self._publisher.remembered()
        left = self._sound
        if left is None or not (self._is_left(left, state, remembered) or self._goes_on(left, state, remembered)):
            self._publisher.require_sound(connection, state, remembered)
            if self._publishes_at_once:
                require_covered(state)
        return remembered

    def _is_left(self, left: _Left, state: State, remembered: bytes | None) -> bool:
        return state == left.state and remembered in {None, left.remembered}

    def _goes_on(self, left: _Left, state: State, remembered: bytes | None) -> bool:
        """Whether another process of this log took it on from there: it has signed for exactly this tree."""
        newest = state.newest
        if newest is None or state.entries <= left.state.entries:
            return False
        return remembered in {None, newest.note} and self._publisher.has_signed(newest.note, state)

    def _fresh(self, connection: Connection, appends: Sequence[Append]) -> list[Append]:
        """Settles the appends that were made before, under their idempotency keys, and returns the others."""
        named = {append.idempotency_key: append for append in appends if append.idempotency_key is not None}
        known = store.appended_with(connection, list(named)) if named else {}
        fresh = []
        for append in appends:
            key = append.idempotency_key
            if key is None or (key not in known and named[key] is append):
                fresh.append(append)
            elif key in known:
                repeat(append, key, store.leaf_hashes(connection, known[key].start, known[key].stop), known[key].start)
            else:
                raise IntegrityError(f"two appends with the key {key}", None, ValueError(key))
        return fresh

    def _reason(self, append: Append, fault: DBAPIError) -> LedgerError:
        """Why the database refused an append that was alone."""
        if not isinstance(fault, IntegrityError):
            return LedgerError(
                f"The database refused the append ({fault.orig}), and nothing was recorded. Run `linernotes db "
                "upgrade`; if that does not help, report this."
            )
        with reading(self._engine) as connection:
            known = store.indices_of(connection, append.leaf_hashes)
        for position, leaf in enumerate(append.leaf_hashes):
            if leaf in known:
                return duplicate(position, leaf, f"index {known[leaf]} of the log")
        return LogDamagedError(
            f"The database refused the next entry ({fault.orig}): it holds rows that do not belong to the log. Run "
            "`linernotes log fsck`, and restore the database from its backup; nothing was appended."
        )


def duplicate(position: int, leaf: bytes, place: str) -> DuplicateEntryError:
    """Returns the refusal of an entry whose bytes are known."""
    return DuplicateEntryError(
        f"Entry {position} of the batch, with the leaf hash {leaf.hex()}, is at {place} already; every statement holds "
        "a random identifier, so the same bytes twice are a mistake. Nothing was appended; use the entry that is there."
    )


def _planned(head: Frontier, appends: Sequence[Append]) -> _Added:
    """Gives the entries of appends their places behind a tree."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries: list[Entry] = []
    made: list[tuple[Append, list[Receipt]]] = []
    used: dict[str, range] = {}
    for append in appends:
        first = head.size + len(entries)
        receipts = [Receipt(index, leaf) for index, leaf in enumerate(append.leaf_hashes, first)]
        pairs = zip(receipts, append.entries, strict=True)
        entries += (Entry(receipt.index, receipt.leaf_hash, data, now) for receipt, data in pairs)
        made.append((append, receipts))
        if append.idempotency_key is not None:
            used[append.idempotency_key] = range(first, first + len(receipts))
    edge = head.extended([entry.leaf_hash for entry in entries]).frontier
    return _Added(entries, edge, made, used)


def _add(connection: Connection, state: State, added: _Added, newest: StoredCheckpoint | None) -> None:
    """Adds entries to a log that stands somewhere, and all that its tree, their keys and its checkpoints need."""
    changes = [
        store.entries_added(added.entries),
        *filled_tiles(connection, state.head.size, added.leaves),
        store.idempotency_added(added.used),
        store.head_moved(added.edge),
    ]
    if newest is not None and newest != state.newest:
        changes.append(store.checkpoint_added(newest))
    store.change(connection, changes)


def _run_within(connection: Connection, append: Append, receipts: Sequence[Receipt]) -> None:
    if append.within is None:
        return
    try:
        append.within(connection, receipts)
        require_intact(connection)
    except Exception as cause:
        raise _RefusedWithinError(append, cause) from cause


def repeat(append: Append, key: str, leaves: Sequence[bytes], first: int) -> None:
    """Gives an append the receipts of the first with its key, if it is the same."""
    if list(append.leaf_hashes) == list(leaves):
        append.receipts = [Receipt(index, leaf) for index, leaf in enumerate(leaves, first)]
    else:
        append.error = IdempotencyError(
            f"The idempotency key {shown(key)} was used for {len(leaves)} other entries, from index {first} on. Use a "
            "new key for new entries, and the same entries, byte for byte, with the same key. Nothing was appended."
        )
