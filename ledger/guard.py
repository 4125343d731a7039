"""The publisher's rule: never sign a checkpoint that contradicts one signed before.

C2SP tlog-checkpoint: "A log MUST not sign any checkpoint which is inconsistent with any
checkpoint it previously signed." Whoever holds two such checkpoints can prove that the log forked.
"""

from sqlalchemy.orm import Session

from ledger import store
from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import LogDamagedError, RolledBackError, SignatureError, WrongLogError
from ledger.merkle import EMPTY_ROOT, Frontier, root_nodes
from ledger.note import NoteVerifier


def sound_frontier(session: Session, verifier: NoteVerifier, remembered: bytes | None) -> Frontier:
    """Reads the right-hand edge of the tree, and only gives it out if it may be extended.

    Args:
        session: A transaction that holds the write lock.
        verifier: The log's own key.
        remembered: The newest signed checkpoint as it is known outside the database, if it is.

    Returns:
        The edge of a tree that agrees with the newest checkpoint in the database and with the
        remembered one.

    Raises:
        RolledBackError: The tree is smaller than, or contradicts, one of the two.
        WrongLogError: One of the two was signed by another log or key.
        LogDamagedError: Entries, nodes and checkpoints contradict each other.
    """
    count = store.entry_count(session)
    newest = store.newest_checkpoint(session)
    covered = 0 if newest is None else newest.size
    if covered < count:
        raise LogDamagedError(
            f"The database holds {count} entries, but its newest checkpoint covers {covered}: "
            "entries were added or checkpoints removed behind the log's back. Run `linernotes log "
            "fsck`, and restore the database from its backup; the log takes no entry before."
        )
    edge = store.frontier(session, count)
    if newest is not None:
        _require_extends(session, edge, _opened(newest.note, verifier), "in its own database")
    if remembered is not None and (newest is None or remembered != newest.note):
        _require_extends(session, edge, _opened(remembered, verifier), "kept beside its key")
    return edge


def _opened(note: bytes, verifier: NoteVerifier) -> Checkpoint:
    try:
        return open_checkpoint(note, [verifier])
    except SignatureError as fault:
        raise WrongLogError(
            f"The newest checkpoint of this log was not signed by the key {verifier.vkey}: {fault} "
            "The database, the key and the file that remembers the newest checkpoint have to be "
            "those of one log; put the right ones together. The log takes no entry before."
        ) from fault


def _require_extends(session: Session, edge: Frontier, signed: Checkpoint, where: str) -> None:
    if signed.size > edge.size:
        raise RolledBackError(
            f"The log {signed.origin} has {edge.size} entries, but a checkpoint for "
            f"{signed.size} was signed before ({where}): entries were lost, most likely because an "
            "older copy of the database was put in its place. Put the newest copy back. If it is "
            "lost, this log cannot go on without contradicting itself: begin a new one with a new "
            "key and name, and keep the old checkpoint. This one takes no more entries."
        )
    root = _root(session, edge, signed.size)
    if root != signed.root_hash:
        raise RolledBackError(
            f"The first {signed.size} entries of the log {signed.origin} have the root "
            f"{root.hex()}, but the checkpoint that was signed for them ({where}) states "
            f"{signed.root_hash.hex()}: the past was changed. Run `linernotes log fsck` to see "
            "where, and put back a copy of the database that agrees with the checkpoint. The log "
            "takes no entry before."
        )


def _root(session: Session, edge: Frontier, size: int) -> bytes:
    if size == edge.size:
        return edge.root
    return store.folded(session, [root_nodes(size)])[0] if size else EMPTY_ROOT
