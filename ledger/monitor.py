"""A monitor: it follows somebody else's log, and takes nothing on trust but the keys of its policy.

It reads what every mirror can read: the checkpoint, the tiles and the bundles of entries (C2SP
tlog-tiles). Its own edge of the tree, extended by every new leaf, has to have the root that the new
checkpoint states; so the log it follows is the log it followed before, and nothing in between is
missing. What it remembers lies in one file, and does not move past an entry before whoever follows the
log acknowledges it: every entry is handed over at least once.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ledger.checkpoint import Checkpoint
from ledger.durability import replace
from ledger.encoding import MAX_NUMBER, decode_base64, encode_base64
from ledger.errors import (
    DisagreeingTilesError,
    ForkedLogError,
    LedgerError,
    MonitorError,
    NoteError,
    ShrunkLogError,
    TileError,
    shown,
)
from ledger.merkle import HASH_BYTES, Frontier, leaf_hash
from ledger.note import MAX_NOTE_BYTES, Note
from ledger.policy import Policy
from ledger.tile import TILE_WIDTH, TilePath, parse_bundle
from ledger.tiled_tree import TiledTree

STRETCH = 2**18
"""Entries whose leaf hashes are verified, and held in memory, at once: in about 100 MB."""

_MODE = 0o600
_MAX_MEMORY_BYTES = MAX_NOTE_BYTES * 2


class Source(Protocol):
    """Where a log can be read: over HTTP, or from a mirror in a folder."""

    def checkpoint(self) -> bytes:
        """Returns the newest checkpoint, a signed note."""
        ...

    def tile(self, path: TilePath) -> bytes:
        """Returns a tile or a bundle of entries."""
        ...


@dataclass(frozen=True, slots=True)
class Followed:
    """How far a monitor has come.

    Attributes:
        edge: Of the tree over the entries that were acknowledged, and over those that were left out
            because the monitor began behind them.
        seen: The largest checkpoint that was accepted, a signed note; None before the first. It may
            cover more than the edge.
    """

    edge: Frontier = field(default_factory=Frontier)
    seen: bytes | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry that a checkpoint covers.

    Attributes:
        index: Zero-based index in the log.
        data: Its bytes.
    """

    index: int
    data: bytes


class Monitor:
    """Follows one log.

    Args:
        source: Where to read it.
        policy: Which logs are accepted, and how many witnesses have to have looked on.
        memory: File in which to remember how far it has come; its folder has to exist.
        first: Index of the entry to begin with where nothing is remembered yet; None for the first
            that comes after the newest checkpoint. What is left out is not shown, but bound all the same:
            the tree over it is part of the signed root, and no later look accepts another.

    Raises:
        MonitorError: The file is there and is not a monitor's.
        OSError: It cannot be read.
    """

    def __init__(self, source: Source, policy: Policy, memory: Path, first: int | None = 0) -> None:
        self._source = source
        self._policy = policy
        self._memory = memory
        self._first = first
        self.followed = _read(memory)
        self._given = self.followed

    def look(self) -> Iterator[list[Seen]]:
        """Gives what is new, a bundle at a time, after the checkpoint was shown to extend what was seen before.

        However much is new, it is taken in by stretches: the entries of one are given after all of their leaf hashes
        were shown to be those of the checkpoint's tree. Whatever is not acknowledged is given again by the next look.

        Yields:
            The new entries of each bundle, in order.

        Raises:
            ShrunkLogError: The log is smaller than it was.
            ForkedLogError: Its checkpoint and the one that was seen before contradict each other.
            DisagreeingTilesError: Its tiles do not lead to its checkpoint, so nothing shows that it
                extends what was seen before, nor that it does not.
            MonitorError: There are fewer entries than the one to begin with, or what is remembered was altered.
            PolicyError: The policy does not accept the checkpoint.
            LedgerError: What the source gives is no checkpoint, tile or bundle; or it gives nothing.
        """
        note = self._source.checkpoint()
        checkpoint = self._policy.check(note)
        self._require_same_log(checkpoint, note)
        tree = TiledTree(self._source.tile, checkpoint.size, checkpoint.root_hash)
        edge = self._start(tree, checkpoint)
        leaves = self._extension(edge, tree, checkpoint, note)
        self._remember(Followed(edge, note))
        self._given = self.followed
        while leaves:
            for bundle in self._bundles(edge.size, leaves, tree):
                edge = edge.extended([leaf_hash(entry.data) for entry in bundle]).frontier
                self._given = Followed(edge, note)
                yield bundle
            leaves = self._extension(edge, tree, checkpoint, note)

    def acknowledge(self) -> None:
        """Remembers that every entry given so far was dealt with, and returns when that is on the disk.

        Raises:
            OSError: It cannot be written.
        """
        self._remember(self._given)

    def _start(self, tree: TiledTree, checkpoint: Checkpoint) -> Frontier:
        """The edge from which to go on; where to begin is asked of the log, and shown to be true by its root."""
        edge, first = self.followed.edge, 0
        if self.followed.seen is None:
            first = checkpoint.size if self._first is None else self._first
            if first > checkpoint.size:
                raise MonitorError(
                    f"The log {shown(checkpoint.origin)} has {checkpoint.size} entries, so none to begin with at "
                    f"{first}; begin with {checkpoint.size} or one before."
                )
        if checkpoint.size < edge.size:
            raise _shrunk(checkpoint, edge.size)
        return tree.edge(first) if first else edge

    def _require_same_log(self, checkpoint: Checkpoint, note: bytes) -> None:
        before = _checkpoint(self.followed.seen)
        if before is None:
            return
        if before.origin != checkpoint.origin:
            raise MonitorError(
                f"This monitor follows the log {shown(before.origin)}, and the source is of "
                f"{shown(checkpoint.origin)}; remember each log in a file of its own."
            )
        if checkpoint.size < before.size:
            raise _shrunk(checkpoint, before.size)
        if checkpoint.size == before.size and checkpoint.root_hash != before.root_hash:
            raise self._forked(before, checkpoint, note)

    def _extension(self, edge: Frontier, tree: TiledTree, checkpoint: Checkpoint, note: bytes) -> list[bytes]:
        """The next stretch of leaf hashes behind the edge; the last one ends with the tree.

        They have to lead from the edge to the checkpoint, by way of the one that was seen before.
        """
        stop = min((edge.size + STRETCH) // TILE_WIDTH * TILE_WIDTH, tree.size)
        leaves, past = tree.leaves(edge.size, stop), edge
        if not tree.begins_with(stop, edge.extended(leaves).frontier.root):
            past = _past(tree, edge.size)
            if not tree.begins_with(stop, past.extended(leaves).frontier.root):
                raise self._disagreeing(edge.size, checkpoint, note)
        self._require_extends(past, leaves, tree, checkpoint, note)
        if past != edge:
            raise MonitorError(
                f"The log {shown(checkpoint.origin)} extends the checkpoint that was seen before, but not the "
                f"{edge.size} entries that {self._memory} stands for: that file was damaged or altered. Remove it, "
                "and the log is read again from its beginning."
            )
        return leaves

    def _require_extends(
        self, past: Frontier, leaves: list[bytes], tree: TiledTree, checkpoint: Checkpoint, note: bytes
    ) -> None:
        """The checkpoint's own tree has to begin with that of the one that was seen before."""
        before = _checkpoint(self.followed.seen)
        if before is None or (before.size, before.root_hash) == (checkpoint.size, checkpoint.root_hash):
            return
        if before.size <= past.size + len(leaves):
            then = past.extended(leaves[: before.size - past.size]).frontier
        elif tree.begins_with(before.size, before.root_hash):
            return
        else:
            then = _past(tree, before.size)
            if not tree.begins_with(then.size, then.root):
                raise self._disagreeing(past.size, checkpoint, note)
        # The checkpoint's own tree begins with this one: another root here is signed evidence of two pasts.
        if then.root != before.root_hash:
            raise self._forked(before, checkpoint, note)

    def _bundles(self, first: int, leaves: list[bytes], tree: TiledTree) -> Iterator[list[Seen]]:
        """The entries of a stretch; each has to have its leaf hash."""
        for path in tree.paths(None, first, first + len(leaves)):
            start = path.index * TILE_WIDTH
            entries = parse_bundle(self._source.tile(path), path.width)
            new = [Seen(index, data) for index, data in enumerate(entries, start) if index >= first]
            for entry in new:
                if leaf_hash(entry.data) != leaves[entry.index - first]:
                    raise TileError(
                        f"The log gives other bytes for entry {entry.index} than its tree holds; ask it, or a mirror, "
                        "again."
                    )
            yield new

    def _remember(self, followed: Followed) -> None:
        if followed == self.followed:
            return
        document = {
            "size": followed.edge.size,
            "edge": [encode_base64(value) for value in followed.edge.hashes],
            "seen": None if followed.seen is None else followed.seen.decode(),
        }
        replace(self._memory, json.dumps(document).encode(), mode=_MODE)
        self.followed = followed

    def _forked(self, before: Checkpoint, checkpoint: Checkpoint, note: bytes) -> ForkedLogError:
        return ForkedLogError(
            f"The log {shown(checkpoint.origin)} states the root {checkpoint.root_hash.hex()} at size "
            f"{checkpoint.size}, which does not extend the {before.size} entries that were seen before: "
            "its past was changed, or it shows different people different logs. The two checkpoints contradict each "
            "other, and the log signed both. Keep them, and tell others: "
            f"before: {_whole(self.followed.seen)}; now: {_whole(note)}"
        )

    def _disagreeing(self, size: int, checkpoint: Checkpoint, note: bytes) -> DisagreeingTilesError:
        return DisagreeingTilesError(
            f"The tiles of the log {shown(checkpoint.origin)} do not lead to its checkpoint, which states the root "
            f"{checkpoint.root_hash.hex()} at size {checkpoint.size}: a tile is damaged or false where it was read, or "
            "the log hides that its past was changed; nothing here proves which. No entry from "
            f"{size} on was taken in. Ask again, or ask a mirror; if it stays so, keep the checkpoints, and tell "
            f"others: before: {_whole(self.followed.seen)}; now: {_whole(note)}"
        )


def _checkpoint(note: bytes | None) -> Checkpoint | None:
    return None if note is None else Checkpoint.parse(Note.parse(note).text)


def _whole(note: bytes | None) -> str:
    """A checkpoint in a message: all of it, for it is evidence."""
    return "none" if note is None else repr(note.decode("utf-8", "replace"))


def _past(tree: TiledTree, size: int) -> Frontier:
    """The edge of a size as the log's tiles have it; that of no tree where it does not give them."""
    try:
        return tree.edge(size)
    except LedgerError:
        return Frontier(size, (bytes(HASH_BYTES),) * size.bit_count())


def _shrunk(checkpoint: Checkpoint, before: int) -> ShrunkLogError:
    return ShrunkLogError(
        f"The log {shown(checkpoint.origin)} has {checkpoint.size} entries now, and {before} were seen before: either "
        "an old copy answers, or entries were lost. Ask again; if it stays so, keep what you have, and tell others."
    )


def _read(path: Path) -> Followed:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_MEMORY_BYTES + 1)
    except FileNotFoundError:
        return Followed()
    try:
        return _parse(data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, LedgerError) as fault:
        raise MonitorError(
            f"{path} should hold how far a monitor has come, but does not ({fault}). If you are certain that nothing "
            "is to be compared with it, remove it: the log will be read again from its beginning."
        ) from fault


def _parse(data: bytes) -> Followed:
    document = json.loads(data)
    hashes = tuple(decode_base64(value, "A hash of the edge", NoteError) for value in document["edge"])
    seen = None if document["seen"] is None else document["seen"].encode()
    size = document["size"]
    if not isinstance(size, int) or not 0 <= size <= MAX_NUMBER or len(hashes) != size.bit_count():
        raise MonitorError("its edge is not that of its size")
    if any(len(value) != HASH_BYTES for value in hashes):
        raise MonitorError("its edge holds what is no hash")
    covered = 0 if seen is None else Checkpoint.parse(Note.parse(seen).text).size
    if size > covered:
        raise MonitorError(f"its edge is of {size} entries, and its checkpoint of {covered}")
    return Followed(Frontier(size, hashes), seen)
