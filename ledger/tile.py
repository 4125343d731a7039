"""C2SP tlog-tiles: the tree in tiles of 256 hashes, the entries in bundles of 256, and their paths (pure).

A tile of level L holds, left to right, the hashes of the perfect subtrees of 256^L leaves; each hash of
a tile above level 0 is the root of a full tile below. A full tile never changes.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from ledger.encoding import MAX_NUMBER
from ledger.errors import TileError, shown
from ledger.merkle import HASH_BYTES, MAX_ENTRY_BYTES, node_hash

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH_BYTES
MAX_TILE_LEVEL = 7
"""Level of the only tile of a tree of 2^63 leaves; tlog-tiles lets paths name up to 63."""

_GROUP_HEIGHT = 4
_GROUP_WIDTH = 1 << _GROUP_HEIGHT
_LENGTH = struct.Struct(">H")
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)
_MAX_PATH_CHARACTERS = 64


class TileId(NamedTuple):
    """Place of a tile: its level, and its `position` counted from the left (the index of tlog-tiles)."""

    level: int
    position: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A full tile, with enough of the levels inside it that any of them takes a few hashes.

    Attributes:
        hashes: 256 hashes, one after the other: what tlog-tiles serves.
        groups: The 16 roots over 16 hashes each, one after the other.
        root: The root over all of them: one hash of the tile above.
    """

    hashes: bytes
    groups: bytes
    root: bytes

    @classmethod
    def complete(cls, hashes: bytes) -> Self:
        """Makes a tile of its hashes.

        Args:
            hashes: 8,192 bytes.

        Raises:
            TileError: They are not 256 hashes.
        """
        if len(hashes) != TILE_BYTES:
            raise TileError(f"A full tile has {TILE_BYTES} bytes, this one {len(hashes)}; get it again from the log.")
        rows = split(hashes)
        groups = [_perfect_root(rows[at : at + _GROUP_WIDTH]) for at in range(0, TILE_WIDTH, _GROUP_WIDTH)]
        return cls(hashes, b"".join(groups), _perfect_root(groups))

    def subtree(self, height: int, position: int) -> bytes:
        """Returns the root over `2^height` hashes of the tile.

        Args:
            height: 0 (a hash of the tile itself) to 8 (its root).
            position: Which of the tile's subtrees of that height, from the left.
        """
        if height == TILE_HEIGHT:
            return self.root
        if height >= _GROUP_HEIGHT:
            width = 1 << (height - _GROUP_HEIGHT)
            return _perfect_root(split(self.groups, position * width, width))
        return _perfect_root(split(self.hashes, position << height, 1 << height))


@dataclass(frozen=True, slots=True)
class TilePath:
    """What a path below the log's prefix asks for.

    Attributes:
        level: Of the tile, or None for a bundle of entries.
        index: Of the tile or bundle, from the left.
        width: Hashes or entries in it: 256, or 1 to 255 where it is partial.
    """

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @classmethod
    def parse(cls, path: str) -> Self:
        """Reads a path such as `tile/0/x001/234` or `tile/entries/000.p/12`.

        Raises:
            TileError: It is not a path of tlog-tiles, or lies beyond any tree of 2^63-1 leaves.
        """
        match = _PATH.fullmatch(path) if len(path) <= _MAX_PATH_CHARACTERS else None
        if match is None:
            raise _no_path(path)
        level, index, width = match.groups()
        found = cls(
            None if level == "entries" else int(level),
            int(index.replace("x", "").replace("/", "")),
            int(width) if width else TILE_WIDTH,
        )
        too_deep = (found.level or 0) > MAX_TILE_LEVEL or found.index > MAX_NUMBER
        if too_deep or (width and found.width >= TILE_WIDTH) or found.format() != path:
            raise _no_path(path)
        return found

    def format(self) -> str:
        """Returns the path, without a leading slash."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{'entries' if self.level is None else self.level}/{name}{partial}"


def split(hashes: bytes, first: int = 0, count: int | None = None) -> list[bytes]:
    """Cuts hashes that lie one after the other into single ones: `count` of them from the `first` on."""
    stop = len(hashes) if count is None else (first + count) * HASH_BYTES
    return [hashes[at : at + HASH_BYTES] for at in range(first * HASH_BYTES, stop, HASH_BYTES)]


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """Returns an entry bundle: every entry after its length as a big-endian uint16.

    Raises:
        TileError: There is no entry or more than 256, or one is too long for its length field.
    """
    if not 0 < len(entries) <= TILE_WIDTH or any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise TileError(
            f"A bundle holds 1 to {TILE_WIDTH} entries of up to {MAX_ENTRY_BYTES} bytes; these {len(entries)} do not "
            "fit into one."
        )
    return b"".join(piece for entry in entries for piece in (_LENGTH.pack(len(entry)), entry))


def parse_bundle(data: bytes, width: int) -> tuple[bytes, ...]:
    """Reads an entry bundle.

    Args:
        data: The bundle.
        width: How many entries it has to hold, 1 to 256.

    Returns:
        The entries, of which `format_bundle` gives the same bytes.

    Raises:
        TileError: It does not hold that many, or not only them.
    """
    entries: list[bytes] = []
    position = 0
    while position < len(data) and len(entries) < width:
        start = position + _LENGTH.size
        length = int.from_bytes(data[position:start])
        position = start + length
        entries.append(data[start:position])
    if position != len(data) or len(entries) != width or not width:
        raise TileError(
            f"A bundle of {len(data)} bytes does not hold exactly {width} entries with their lengths; get it again "
            "from the log."
        )
    return tuple(entries)


def _perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def _no_path(path: str) -> TileError:
    return TileError(
        f"{shown(path)} is not the path of a tile: it is tile/<level>/<index> or tile/entries/<index>, the index in "
        "groups of three digits such as x001/234, and .p/<width> for a partial one."
    )
