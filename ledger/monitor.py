"""A monitor: it follows somebody else's log, and takes nothing on trust but the keys of its policy.

It reads what every mirror can read: the checkpoint, the tiles and the bundles of entries (C2SP
tlog-tiles). Its own edge of the tree, extended by every new leaf, has to have the root that the new
checkpoint states; so the log it follows is the log it followed before, and nothing in between is
missing. What it remembers lies in one file.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ledger.checkpoint import Checkpoint
from ledger.durability import replace
from ledger.encoding import MAX_NUMBER, decode_base64, encode_base64
from ledger.errors import ForkedLogError, LedgerError, MonitorError, NoteError, ShrunkLogError, TileError, shown
from ledger.merkle import HASH_BYTES, Frontier, leaf_hash
from ledger.note import MAX_NOTE_BYTES, Note
from ledger.policy import Policy
from ledger.tile import TILE_WIDTH, TilePath, parse_bundle, split

MAX_NEW_ENTRIES = 2**22
"""Entries that one look takes in: their leaf hashes are held in memory, 32 bytes each."""

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
        edge: Of the tree over the entries that were taken in.
        seen: The largest checkpoint that was accepted, a signed note; None before the first. It may
            cover more than was taken in.
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

    Raises:
        MonitorError: The file is there and is not a monitor's.
        OSError: It cannot be read.
    """

    def __init__(self, source: Source, policy: Policy, memory: Path) -> None:
        self._source = source
        self._policy = policy
        self._memory = memory
        self.followed = _read(memory)

    def look(self) -> Iterator[list[Seen]]:
        """Takes in what is new, a bundle at a time, after all of it was shown to extend what was seen before.

        The monitor remembers a bundle when the next one is asked for: whoever stops while dealing
        with one is given it again.

        Yields:
            The new entries of each bundle, in order.

        Raises:
            ShrunkLogError: The log is smaller than it was.
            ForkedLogError: The log does not extend what was seen before.
            MonitorError: There are more new entries than one look takes in.
            PolicyError: The policy does not accept the checkpoint.
            LedgerError: What the source gives is no checkpoint, tile or bundle; or it gives nothing.
        """
        note = self._source.checkpoint()
        checkpoint = self._policy.check(note)
        self._require_same_log(checkpoint, note)
        edge = self.followed.edge
        if checkpoint.size < edge.size:
            raise _shrunk(checkpoint, edge.size)
        if checkpoint.size - edge.size > MAX_NEW_ENTRIES:
            raise MonitorError(
                f"The log has {checkpoint.size - edge.size} new entries, more than the {MAX_NEW_ENTRIES} that are "
                "taken in at once; mirror its tiles, and begin from there."
            )
        leaves = self._new_leaves(checkpoint.size)
        if not self._extends(leaves, checkpoint):
            raise self._forked(checkpoint, note)
        self._remember(Followed(edge, note))
        for bundle in self._bundles(checkpoint.size, leaves):
            yield bundle
            edge = edge.extended([leaf_hash(entry.data) for entry in bundle]).frontier
            self._remember(Followed(edge, note))

    def _require_same_log(self, checkpoint: Checkpoint, note: bytes) -> None:
        if self.followed.seen is None:
            return
        before = Checkpoint.parse(Note.parse(self.followed.seen).text)
        if before.origin != checkpoint.origin:
            raise MonitorError(
                f"This monitor follows the log {shown(before.origin)}, and the source is of "
                f"{shown(checkpoint.origin)}; remember each log in a file of its own."
            )
        if checkpoint.size < before.size:
            raise _shrunk(checkpoint, before.size)
        if checkpoint.size == before.size and checkpoint.root_hash != before.root_hash:
            raise self._forked(checkpoint, note)

    def _extends(self, leaves: list[bytes], checkpoint: Checkpoint) -> bool:
        """Whether the new leaves lead from the edge to the checkpoint, by way of the one that was seen before."""
        edge, tree = self.followed.edge, self.followed.edge.extended(leaves).frontier
        if self.followed.seen is not None:
            before = Checkpoint.parse(Note.parse(self.followed.seen).text)
            if edge.extended(leaves[: before.size - edge.size]).frontier.root != before.root_hash:
                return False
        return tree.root == checkpoint.root_hash

    def _new_leaves(self, size: int) -> list[bytes]:
        """The leaf hashes behind the edge, from the tiles."""
        first = self.followed.edge.size
        leaves: list[bytes] = []
        for path in _paths(0, first, size):
            tile = self._source.tile(path)
            if len(tile) != path.width * HASH_BYTES:
                raise TileError(f"The log gives {len(tile)} bytes for {path.format()}, not {path.width} hashes.")
            leaves += split(tile, max(0, first - path.index * TILE_WIDTH))
        return leaves

    def _bundles(self, size: int, leaves: list[bytes]) -> Iterator[list[Seen]]:
        """The entries behind the edge; each has to have its leaf hash."""
        first = self.followed.edge.size
        for path in _paths(None, first, size):
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

    def _forked(self, checkpoint: Checkpoint, note: bytes) -> ForkedLogError:
        return ForkedLogError(
            f"The log {shown(checkpoint.origin)} states the root {checkpoint.root_hash.hex()} at size "
            f"{checkpoint.size}, which does not extend the {self.followed.edge.size} entries that were seen before: "
            "its past was changed, or it shows different people different logs. Keep the two checkpoints, which prove "
            f"it, and tell others: before: {_whole(self.followed.seen)}; now: {_whole(note)}"
        )


def _whole(note: bytes | None) -> str:
    """A checkpoint in a message: all of it, for it is evidence."""
    return "none" if note is None else repr(note.decode("utf-8", "replace"))


def _paths(level: int | None, first: int, size: int) -> Iterator[TilePath]:
    """The tiles or bundles that hold the leaves `[first, size)`."""
    for index in range(first // TILE_WIDTH, -(-size // TILE_WIDTH)):
        yield TilePath(level, index, min(TILE_WIDTH, size - index * TILE_WIDTH))


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
    if seen is not None:
        Checkpoint.parse(Note.parse(seen).text)
    return Followed(Frontier(size, hashes), seen)
