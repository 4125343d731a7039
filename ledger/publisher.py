"""Publish: sign checkpoints, of what is consistent with every checkpoint signed before, and remember the newest."""

import logging
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine

from ledger import store
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.database import appending, reading
from ledger.errors import LedgerError, LogDamagedError, NotPublishedError, WrongLogError
from ledger.guard import require_sound
from ledger.last_checkpoint import LastCheckpoint
from ledger.merkle import Frontier
from ledger.note import NoteSigner, NoteVerifier
from ledger.rotation import Succession, sign_handover
from ledger.store import State, StoredCheckpoint

_LOGGER = logging.getLogger(__name__)


class Publisher:
    """What speaks for a log.

    Args:
        engine: The log's database.
        key: The log's key; with only its public half, nothing can be published.
        last_checkpoint: A file that remembers the newest checkpoint outside the database.
        published: Told of every checkpoint that is signed here, once it is durable; it has to return at once.
        succession: All keys that the log has had; when left out, the one that is given is the first.

    Attributes:
        succession: The keys of the log.
    """

    def __init__(
        self,
        engine: Engine,
        key: NoteSigner | NoteVerifier,
        last_checkpoint: Path | None,
        published: Callable[[bytes], None] | None = None,
        succession: Succession | None = None,
    ) -> None:
        self._engine = engine
        self._signer = key if isinstance(key, NoteSigner) else None
        self._own = key.verifier if isinstance(key, NoteSigner) else key
        self.succession = succession or Succession.of(self._own)
        self._last_checkpoint = LastCheckpoint(last_checkpoint) if last_checkpoint else None
        self._published = published
        self._held: tuple[bytes | None, bytes | None] | None = None

    def publish(self) -> bytes:
        """Does what `ledger.log.Log.publish` says.

        Returns:
            The newest checkpoint, a signed note.

        Raises:
            LedgerError: As there.
        """
        remembered = self.remembered()  # before the snapshot, which another publisher may outrun
        with reading(self._engine) as connection:
            committed = store.state(connection)
            newest = committed.newest
            if newest is None or newest.size != committed.entries or newest.note != remembered:
                self.require_sound(connection, committed, remembered)
        if newest is not None and newest.size == committed.entries:
            if newest.note != remembered:
                self.keep(newest.note)
            return newest.note
        signed: StoredCheckpoint | None = None
        with appending(self._engine) as connection:
            newest = store.locked_state(connection).newest
            if newest is None or newest.size < committed.entries:  # else another publisher was faster
                newest = signed = self.sign(committed.head, newest)
                store.change(connection, [store.checkpoint_added(signed)])
        if signed is not None:
            self.remember(signed.note)
        return newest.note

    def newest(self) -> StoredCheckpoint | None:
        """Returns the newest checkpoint, as it may be shown to others, or None when there is none.

        One that another process signed is held against what is remembered here, and then remembered in its place: so
        whoever has seen a checkpoint notices a database that is older than that.

        Raises:
            RolledBackError: One was signed before that is larger, or that it contradicts.
            WrongLogError: It, or the one that is remembered, was not signed by the log's own key.
            LogDamagedError: The stored rows contradict each other, or what is remembered cannot be read.
        """
        remembered = self.remembered()  # before the snapshot, as below
        with reading(self._engine) as connection:
            return self.seen(connection, remembered).newest

    def seen(self, connection: Connection, remembered: bytes | None) -> State:
        """Returns where the log stands, if its newest checkpoint may be shown to others: see `newest`.

        Args:
            connection: A transaction, in which nothing changes meanwhile.
            remembered: What `remembered` returned before it began.

        Raises:
            LedgerError: As `newest` does.
        """
        state = store.state(connection)
        note = None if state.newest is None else state.newest.note
        if note != remembered and (remembered, note) != self._held:
            require_sound(connection, state, self.succession, remembered)
            if note is not None:
                self.keep(note)
            self._held = remembered, note  # where it cannot be kept
        return state

    def sign(
        self, edge: Frontier, newest: StoredCheckpoint | None, successor: NoteSigner | None = None
    ) -> StoredCheckpoint:
        """Signs a checkpoint, which is to be added; it may be let out once the transaction that adds it is durable.

        Args:
            edge: Of a tree that `require_sound` has found to be sound, or that extends such a one.
            newest: The newest checkpoint, as the transaction sees it that holds the lock.
            successor: The key to which the log is handed over with the last entry of the tree; it signs too.

        Raises:
            NotPublishedError: This process has not the private key.
            WrongLogError: The key is not the log's.
            SuccessionError: The log was handed over to a key that is not known here; or the successor cannot follow.
        """
        if self._signer is None:
            raise NotPublishedError(
                f"This process knows only the public key of the log {self._own.name}, and cannot sign a checkpoint "
                "for it; run `linernotes log publish` where the log's key lies."
            )
        self._require_in_office()
        if newest is not None:
            self.succession.require_newest(newest.note)
        checkpoint = Checkpoint(self.succession.origin, edge.size, edge.root)
        if successor is None:
            note = sign_checkpoint(checkpoint, self._signer)
        else:
            self.succession.extended(successor.verifier, edge.size - 1)
            note = sign_handover(checkpoint, self._signer, successor)
        return StoredCheckpoint(edge.size, note)

    def hand_over(self, successor: NoteSigner, index: int) -> None:
        """Signs with another key from now on, once the checkpoint that both signed is durable.

        Args:
            successor: The key that signed it too.
            index: Of the entry that names it.
        """
        self.succession = self.succession.extended(successor.verifier, index)
        self._signer, self._own = successor, successor.verifier

    def require_sound(self, connection: Connection, state: State, remembered: bytes | None) -> None:
        """Lets a tree be extended, or signed for, only if that contradicts nothing that was signed before.

        Args:
            connection: A transaction, in which nothing changes meanwhile.
            state: Where the log stands in it.
            remembered: The newest signed checkpoint as it is known outside the database, if it is.

        Raises:
            RolledBackError: The tree is smaller than, or contradicts, a checkpoint that was signed.
            WrongLogError: Such a checkpoint, or the key that is here, is of another log.
            LogDamagedError: Entries, tree and checkpoints contradict each other.
        """
        require_sound(connection, state, self.succession, remembered)
        self._require_in_office()

    def has_signed(self, note: bytes, state: State) -> bool:
        """Whether a checkpoint is signed by the log's own key, for all that the log holds.

        Args:
            note: The checkpoint.
            state: Where the log stands.
        """
        try:
            signed = self.succession.open(note)
        except LedgerError:
            return False
        return (signed.size, signed.root_hash) == (state.entries, state.head.root) and state.head.size == signed.size

    def remembered(self) -> bytes | None:
        """Returns the newest checkpoint as it is kept outside the database, if it is.

        Raises:
            LogDamagedError: The file cannot be read, or is not a checkpoint.
        """
        return self._last_checkpoint.read() if self._last_checkpoint else None

    def remember(self, note: bytes) -> None:
        """Keeps a committed checkpoint that was signed here outside the database, and tells of it."""
        if self._published is not None:
            self._published(note)
        self.keep(note)

    def keep(self, note: bytes) -> None:
        """Keeps a committed and sound checkpoint outside the database; a failure cannot undo the commit."""
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

    def _require_in_office(self) -> None:
        current = self.succession.current
        if self._own != current:
            raise WrongLogError(
                f"The key that lies here is {self._own.vkey}, and the log {current.name} signs with {current.vkey}. "
                "Put that one in its place, or open the log again, if it was handed over to another key meanwhile. The "
                "log takes no entry before."
            )
