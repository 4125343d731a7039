"""A checkpoint's tree as somebody else's tiles have it: what they say is true only if it leads to the root."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ledger.errors import ProofError, TileError
from ledger.merkle import HASH_BYTES, Frontier, NodeId, consistency_nodes, fold, root, root_nodes, verify_consistency
from ledger.tile import TILE_HEIGHT, TILE_WIDTH, TilePath, split


@dataclass(frozen=True, slots=True)
class TiledTree:
    """A tree whose root is known, and whose tiles are asked for.

    Attributes:
        tile: Gives the bytes of a tile, true or not.
        size: Number of leaves.
        root: Of the whole tree.
    """

    tile: Callable[[TilePath], bytes]
    size: int
    root: bytes

    def begins_with(self, size: int, root_hash: bytes) -> bool:
        """Tells whether another tree is shown to be the beginning of this one, by hashes of the tiles.

        Args:
            size: Leaves in the other tree, at least 1 and no more than in this one, or as many as in this one.
            root_hash: Its root.

        Raises:
            LedgerError: A tile is not given, or is none.
        """
        if size == self.size:
            return root_hash == self.root
        groups = consistency_nodes(size, self.size)
        found = self._nodes(node for group in groups for node in group)
        path = [fold([found[node] for node in group]) for group in groups]
        try:
            verify_consistency(size, self.size, root_hash, self.root, path)
        except ProofError:
            return False
        return True

    def edge(self, size: int) -> Frontier:
        """Returns the edge over the first leaves as the tiles have it, which nothing shows to be true yet.

        Raises:
            LedgerError: A tile is not given, or is none.
        """
        nodes = root_nodes(size) if size else ()
        found = self._nodes(nodes)
        return Frontier(size, tuple(found[node] for node in nodes))

    def leaves(self, first: int, stop: int) -> list[bytes]:
        """Returns leaf hashes as the tiles have them, which nothing shows to be true yet.

        Args:
            first: Index of the first.
            stop: Index behind the last; the end of a full tile, or of the tree.

        Raises:
            LedgerError: A tile is not given, or is none.
        """
        leaves: list[bytes] = []
        for path in self.paths(0, first, stop):
            leaves += split(self._checked(path), max(0, first - path.index * TILE_WIDTH))
        return leaves

    def paths(self, level: int | None, first: int, stop: int) -> Iterator[TilePath]:
        """Yields the tiles of a level, or the bundles, that hold its hashes or entries `[first, stop)`."""
        for index in range(first // TILE_WIDTH, -(-stop // TILE_WIDTH)):
            yield self._path(level, index)

    def _nodes(self, nodes: Iterable[NodeId]) -> dict[NodeId, bytes]:
        """The hashes of perfect subtrees; each tile is asked for once."""
        tiles: dict[TilePath, bytes] = {}
        found = {}
        for node in nodes:
            level, height = divmod(node.level, TILE_HEIGHT)
            first = node.position << height
            path = self._path(level, first // TILE_WIDTH)
            if path not in tiles:
                tiles[path] = self._checked(path)
            found[node] = root(split(tiles[path], first % TILE_WIDTH, 1 << height))
        return found

    def _path(self, level: int | None, index: int) -> TilePath:
        row = self.size >> TILE_HEIGHT * (level or 0)
        return TilePath(level, index, min(TILE_WIDTH, row - index * TILE_WIDTH))

    def _checked(self, path: TilePath) -> bytes:
        tile = self.tile(path)
        if len(tile) != path.width * HASH_BYTES:
            raise TileError(f"The log gives {len(tile)} bytes for {path.format()}, not {path.width} hashes.")
        return tile
