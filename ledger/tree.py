"""The tree as it is stored: full tiles, the entries behind the last of them, and the edge of it all."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from ledger import store
from ledger.errors import LogDamagedError
from ledger.merkle import Frontier, NodeId, fold, root, root_nodes
from ledger.store import Change
from ledger.tile import TILE_HEIGHT, TILE_WIDTH, Tile, TileId

_KEPT_NODES = 2**16


def filled_tiles(connection: Connection, size: int, leaves: Sequence[bytes]) -> list[Change]:
    """Returns every tile that new leaves fill.

    Args:
        connection: A transaction that holds the write lock.
        size: Leaves in the tree before: those that the database holds.
        leaves: The new leaf hashes.

    Raises:
        LogDamagedError: What the tiles are made of is not all there.
    """
    level, first, added = 0, size, list(leaves)
    filled = []
    while (index := first // TILE_WIDTH) < (stop := (first + len(added)) // TILE_WIDTH):
        row = [*hashes(connection, level, index * TILE_WIDTH, first), *added]
        tiles = [
            Tile.complete(b"".join(row[at : at + TILE_WIDTH]))
            for at in range(0, (stop - index) * TILE_WIDTH, TILE_WIDTH)
        ]
        filled.append(store.tiles_added(level, index, tiles))
        level, first, added = level + 1, index, [tile.root for tile in tiles]
    return filled


def edge_at(connection: Connection, size: int) -> Frontier:
    """Returns the right-hand edge of the tree of the first `size` entries.

    Raises:
        LogDamagedError: What it is made of is not all there.
    """
    nodes = root_nodes(size)
    found = node_hashes(connection, nodes)
    return Frontier(size, tuple(found[node] for node in nodes))


class Proofs:
    """Joins stored nodes into the hashes of proofs, and keeps those above the lowest tiles, which never change."""

    def __init__(self) -> None:
        self._upper: dict[NodeId, bytes] = {}

    def folded(self, connection: Connection, groups: Sequence[Sequence[NodeId]], edge: Frontier) -> tuple[bytes, ...]:
        """Joins the nodes of each group into one hash.

        Args:
            connection: A transaction.
            groups: As `ledger.merkle.inclusion_nodes` and `consistency_nodes` give them.
            edge: Of the tree over all entries, to spare reading what it knows.

        Raises:
            LogDamagedError: A node cannot be made from what is stored.
        """
        known = dict(zip(root_nodes(edge.size), edge.hashes, strict=True))
        found: dict[NodeId, bytes] = {}
        missing: list[NodeId] = []
        for node in (node for group in groups for node in group):
            value = known.get(node) or self._upper.get(node)
            if value is None:
                missing.append(node)
            else:
                found[node] = value
        if missing:
            read = node_hashes(connection, missing)
            found |= read
            self._keep(read)
        return tuple(fold([found[node] for node in group]) for group in groups)

    def _keep(self, read: Mapping[NodeId, bytes]) -> None:
        if len(self._upper) > _KEPT_NODES:
            self._upper.clear()
        self._upper.update((node, value) for node, value in read.items() if node.level >= TILE_HEIGHT)


def node_hashes(connection: Connection, nodes: Iterable[NodeId]) -> dict[NodeId, bytes]:
    """Returns the hashes of perfect subtrees: from full tiles, or from the hashes that will make a tile.

    Raises:
        LogDamagedError: One cannot be made from what is stored.
    """
    by_tile: dict[TileId, list[NodeId]] = defaultdict(list)
    for node in set(nodes):
        by_tile[_tile_of(node)].append(node)
    full = store.tiles(connection, sorted(by_tile))
    found: dict[NodeId, bytes] = {}
    for tile, inside in by_tile.items():
        if tile in full:
            found |= {node: full[tile].subtree(*_place(node)) for node in inside}
        else:
            found |= _in_partial_tile(connection, tile, inside)
    return found


def hashes(connection: Connection, level: int, start: int, stop: int) -> list[bytes]:
    """Returns the hashes at `[start, stop)` of the row that a level's tiles cut into pieces.

    Raises:
        LogDamagedError: The row is not that long.
    """
    if start >= stop:
        return []
    found = (
        store.leaf_hashes(connection, start, stop)
        if level == 0
        else store.tile_roots(connection, level - 1, start, stop)
    )
    if len(found) != stop - start:
        what = "entries" if level == 0 else f"tiles of level {level - 1}"
        raise LogDamagedError(
            f"Of the {what} from {start} to {stop - 1}, the log has only {len(found)}: rows were removed from its "
            "database. Run `linernotes log fsck` to see what else is missing, and restore the database from its "
            "backup."
        )
    return found


def _in_partial_tile(connection: Connection, tile: TileId, nodes: Sequence[NodeId]) -> dict[NodeId, bytes]:
    first = tile.position * TILE_WIDTH
    ranges = {}
    for node in nodes:
        height, position = _place(node)
        ranges[node] = (position << height, (position + 1) << height)
    start, stop = min(begin for begin, _ in ranges.values()), max(end for _, end in ranges.values())
    row = hashes(connection, tile.level, first + start, first + stop)
    return {node: root(row[begin - start : end - start]) for node, (begin, end) in ranges.items()}


def _tile_of(node: NodeId) -> TileId:
    level, height = divmod(node.level, TILE_HEIGHT)
    return TileId(level, node.position >> (TILE_HEIGHT - height))


def _place(node: NodeId) -> tuple[int, int]:
    """The height of a subtree in its tile, and which of that height it is there."""
    height = node.level % TILE_HEIGHT
    return height, node.position & ((1 << (TILE_HEIGHT - height)) - 1)
