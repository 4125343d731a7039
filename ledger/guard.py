"""The publisher's rule: never sign a checkpoint that contradicts one signed before.

C2SP tlog-checkpoint: "A log MUST not sign any checkpoint which is inconsistent with any
checkpoint it previously signed." Whoever holds two such checkpoints can prove that the log forked.
"""

from sqlalchemy import Connection

from ledger.checkpoint import Checkpoint
from ledger.errors import LogDamagedError, RolledBackError, SignatureError, SuccessionError, WrongLogError
from ledger.merkle import Frontier
from ledger.note import Note
from ledger.rotation import Succession
from ledger.store import State
from ledger.tree import edge_at


def require_sound(connection: Connection, state: State, succession: Succession, remembered: bytes | None) -> None:
    """Lets a tree be extended, or signed for, only if that contradicts nothing that was signed before.

    Args:
        connection: A transaction, in which nothing changes meanwhile.
        state: Where the log stands in it.
        succession: The log's own keys.
        remembered: The newest signed checkpoint as it is known outside the database, if it is.

    Raises:
        RolledBackError: The tree is smaller than, or contradicts, one of the two checkpoints.
        WrongLogError: One of the two was signed by another log, or by a key whose turn it was not.
        LogDamagedError: Entries, tree and checkpoints contradict each other.
    """
    head = edge_at(connection, state.entries)
    newest = None if state.newest is None else state.newest.note
    if newest is not None:
        _require_extends(connection, head, _opened(newest, succession), "in its own database")
    if remembered is not None and remembered != newest:
        _require_handed_on(head, succession, remembered)
        _require_extends(connection, head, _opened(remembered, succession), "kept beside its key")
    if head != state.head:
        raise LogDamagedError(
            f"The database holds {head.size} entries with the root {head.root.hex()}, but its head says that there "
            f"are {state.head.size} with the root {state.head.root.hex()}: entries were removed, added or changed "
            "behind the log's back. Run `linernotes log fsck`, and restore the database from its backup; the log takes "
            "no entry before."
        )


def require_as_new(size: int, signed: int, origin: str, where: str = "kept beside its key") -> None:
    """Refuses a log that has fewer entries than it once signed for.

    Args:
        size: Entries there are, or that its newest checkpoint covers.
        signed: Entries that a checkpoint covers which was signed before.
        origin: The log's name.
        where: Where that checkpoint is kept.

    Raises:
        RolledBackError: It has.
    """
    if signed > size:
        raise RolledBackError(
            f"The log {origin} has {size} entries, but a checkpoint for "
            f"{signed} was signed before ({where}): entries were lost, most likely because an "
            "older copy of the database was put in its place. Put the newest copy back. If it is "
            "lost, this log cannot go on without contradicting itself: begin a new one with a new "
            "key and name, and keep the old checkpoint. This one takes no more entries."
        )


def require_covered(state: State) -> None:
    """Refuses a tree that is larger than what its log, which signs with every append, has signed for.

    Raises:
        LogDamagedError: Entries were added, or checkpoints removed, behind the log's back.
    """
    covered = 0 if state.newest is None else state.newest.size
    if covered < state.entries:
        raise LogDamagedError(
            f"The database holds {state.entries} entries, but its newest checkpoint covers {covered}: entries were "
            "added or checkpoints removed behind the log's back, or a publisher of its own has not signed for them "
            "yet. Run `linernotes log fsck`; if it finds nothing else, `linernotes log publish` signs for them, else "
            "restore the database from its backup. The log takes no entry before."
        )


def _opened(note: bytes, succession: Succession) -> Checkpoint:
    try:
        return succession.open(note)
    except (SignatureError, SuccessionError) as fault:
        raise WrongLogError(
            f"The newest checkpoint of this log was not signed by the key {succession.current.vkey}: {fault} "
            "The database, the key and the file that remembers the newest checkpoint have to be "
            "those of one log; put the right ones together, or open the log again, if it was handed over to another "
            "key meanwhile. The log takes no entry before."
        ) from fault


def _require_handed_on(head: Frontier, succession: Succession, remembered: bytes) -> None:
    """Notices a database that is older than a handover: it cannot know the key that signed since."""
    note = Note.parse(remembered)
    known = {tenure.verifier.key_id for tenure in succession.tenures}
    size = Checkpoint.parse(note.text).size
    strange = [each for each in note.signatures if each.name == succession.origin and each.key_id not in known]
    if strange and size > head.size:
        raise RolledBackError(
            f"The log {succession.origin} has {head.size} entries, but a checkpoint for {size} is kept beside its key, "
            f"signed by a key ({strange[0].key_id:08x}) that these entries do not name: the database is older than the "
            "handover of the log to that key. Put the newest copy back. If it is lost, this log cannot go on without "
            "contradicting itself: begin a new one with a new key and name, and keep the checkpoint. This one takes no "
            "more entries."
        )


def _require_extends(connection: Connection, head: Frontier, signed: Checkpoint, where: str) -> None:
    require_as_new(head.size, signed.size, signed.origin, where)
    root = head.root if signed.size == head.size else edge_at(connection, signed.size).root
    if root != signed.root_hash:
        raise RolledBackError(
            f"The first {signed.size} entries of the log {signed.origin} have the root "
            f"{root.hex()}, but the checkpoint that was signed for them ({where}) states "
            f"{signed.root_hash.hex()}: the past was changed. Run `linernotes log fsck` to see "
            "where, and put back a copy of the database that agrees with the checkpoint. The log "
            "takes no entry before."
        )
