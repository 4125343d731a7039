"""Every question to the log's tables, and the only statements that add to them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Row, Select, bindparam, func, insert, or_, select, text
from sqlalchemy.orm import Session

from ledger.entry import Entry
from ledger.errors import LogDamagedError
from ledger.merkle import Frontier, NodeId, fold, root_nodes
from ledger.tables import CHECKPOINT, ENTRY, METADATA, NODE

_ENTRY_COLUMNS = (ENTRY.c.log_index, ENTRY.c.leaf_hash, ENTRY.c.data, ENTRY.c.appended_at)

_MAX_PARAMETERS = 500
"""Values in one `IN`: far below the limit of either database."""
_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as it lies in the database.

    Attributes:
        size: Tree size, as the row says.
        note: The signed note.
    """

    size: int
    note: bytes


def entry_count(session: Session) -> int:
    """Returns the number of entries, by the index of the last."""
    last = session.scalar(select(func.max(ENTRY.c.log_index)))
    return 0 if last is None else int(last) + 1


def newest_checkpoint(session: Session) -> StoredCheckpoint | None:
    """Returns the checkpoint of the greatest size, or None before the first."""
    query = select(CHECKPOINT.c.size, CHECKPOINT.c.note).order_by(CHECKPOINT.c.size.desc())
    row = session.execute(query.limit(1)).first()
    return None if row is None else StoredCheckpoint(row.size, row.note)


def checkpoints(session: Session) -> Iterator[StoredCheckpoint]:
    """Yields every checkpoint, by size."""
    query = select(CHECKPOINT.c.size, CHECKPOINT.c.note).order_by(CHECKPOINT.c.size)
    for row in session.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}):
        yield StoredCheckpoint(row.size, row.note)


def frontier(session: Session, size: int) -> Frontier:
    """Reads the right-hand edge of the tree at a size.

    Raises:
        LogDamagedError: A node of it is missing.
    """
    nodes = root_nodes(size)
    hashes = node_hashes(session, nodes)
    return Frontier(size, tuple(hashes[node] for node in nodes))


def folded(session: Session, groups: Sequence[Sequence[NodeId]]) -> tuple[bytes, ...]:
    """Reads the nodes of each group, all in one query, and joins each group into one hash.

    Raises:
        LogDamagedError: A node is missing.
    """
    hashes = node_hashes(session, [node for group in groups for node in group])
    return tuple(fold([hashes[node] for node in group]) for group in groups)


def node_hashes(session: Session, nodes: Iterable[NodeId]) -> dict[NodeId, bytes]:
    """Reads the hashes of nodes; those of level 0 are the entries' own.

    Raises:
        LogDamagedError: One is missing.
    """
    wanted = set(nodes)
    leaves = [node.position for node in wanted if node.level == 0]
    interior = [node for node in wanted if node.level]
    found: dict[NodeId, bytes] = {}
    if leaves:
        query = select(ENTRY.c.log_index, ENTRY.c.leaf_hash)
        rows = session.execute(query.where(ENTRY.c.log_index.in_(leaves)))
        found.update((NodeId(0, row.log_index), _blob(row.leaf_hash)) for row in rows)
    if interior:
        values = {
            f"{name}_{number}": value for number, node in enumerate(interior) for name, value in node._asdict().items()
        }
        found.update(_interior(session, _nodes_query(len(interior)), values))
    if missing := wanted - found.keys():
        level, position = min(missing)
        raise LogDamagedError(
            f"The log lacks the tree node at level {level}, position {position}: rows were "
            "removed from its database. Run `linernotes log fsck` to see what else is missing, "
            "and restore the database from its backup."
        )
    return found


def level_nodes(session: Session, level: int, start: int, stop: int) -> dict[NodeId, bytes]:
    """Reads the interior nodes of one level at the positions `[start, stop)`, those that exist."""
    query = select(NODE.c.level, NODE.c.node_index, NODE.c.hash).where(
        NODE.c.level == level, NODE.c.node_index >= start, NODE.c.node_index < stop
    )
    return _interior(session, query, {})


def node_count(session: Session) -> int:
    """Returns the number of interior nodes."""
    return session.scalar(select(func.count()).select_from(NODE)) or 0


def entry(session: Session, index: int) -> Entry | None:
    """Returns the entry at an index, or None."""
    query = select(*_ENTRY_COLUMNS).where(ENTRY.c.log_index == index)
    row = session.execute(query).first()
    return None if row is None else _entry(row)


def entry_by_leaf(session: Session, leaf_hash: bytes) -> Entry | None:
    """Returns the entry with a leaf hash, or None."""
    query = select(*_ENTRY_COLUMNS).where(ENTRY.c.leaf_hash == leaf_hash)
    row = session.execute(query).first()
    return None if row is None else _entry(row)


def entries(session: Session, start: int, stop: int) -> list[Entry]:
    """Returns the entries with indices in `[start, stop)`, those that exist, in order."""
    query = select(*_ENTRY_COLUMNS).order_by(ENTRY.c.log_index)
    rows = session.execute(query.where(ENTRY.c.log_index >= start, ENTRY.c.log_index < stop))
    return [_entry(row) for row in rows]


def all_entries(session: Session) -> Iterator[Entry]:
    """Yields every entry in order, without holding them all in memory."""
    query = select(*_ENTRY_COLUMNS).order_by(ENTRY.c.log_index)
    for row in session.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}):
        yield _entry(row)


def indices_of(session: Session, leaf_hashes: Sequence[bytes]) -> dict[bytes, int]:
    """Returns the index of each of the leaf hashes that the log holds."""
    query = select(ENTRY.c.leaf_hash, ENTRY.c.log_index)
    found: dict[bytes, int] = {}
    for first in range(0, len(leaf_hashes), _MAX_PARAMETERS):
        some = leaf_hashes[first : first + _MAX_PARAMETERS]
        rows = session.execute(query.where(ENTRY.c.leaf_hash.in_(some)))
        found.update((row.leaf_hash, row.log_index) for row in rows)
    return found


def add_entries(session: Session, added: Sequence[Entry]) -> None:
    """Adds entries; the database refuses any that is not the next one."""
    session.execute(
        insert(ENTRY),
        [
            {
                "log_index": item.index,
                "leaf_hash": item.leaf_hash,
                "appended_at": item.appended_at,
                "data": item.data,
            }
            for item in added
        ],
    )


def add_nodes(session: Session, added: Sequence[tuple[NodeId, bytes]]) -> None:
    """Adds interior nodes that are complete."""
    if added:
        session.execute(
            insert(NODE),
            [{"level": node.level, "node_index": node.position, "hash": value} for node, value in added],
        )


def add_checkpoint(session: Session, checkpoint: StoredCheckpoint) -> None:
    """Adds a checkpoint; the database refuses one that is not larger than all before."""
    session.execute(insert(CHECKPOINT), [{"size": checkpoint.size, "note": checkpoint.note}])


def missing_guards(session: Session) -> list[str]:
    """Returns the names of those triggers of the migrations that are gone."""
    if session.get_bind().dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        kinds = ["update", "delete", "replace"]
    else:
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        kinds = ["change", "truncate"]
    expected = {f"{table.name}_no_{kind}" for table in METADATA.sorted_tables for kind in kinds}
    return sorted(expected - set(session.scalars(text(query))))


def physical_faults(session: Session) -> list[str]:
    """Returns what the database engine itself finds wrong with its file (SQLite only)."""
    if session.get_bind().dialect.name != "sqlite":
        return []
    lines = session.scalars(text("PRAGMA integrity_check")).all()
    return [line for line in lines if line != "ok"]


@cache
def _nodes_query(count: int) -> Select[int, int, bytes]:
    """Asks for a number of nodes; built once per number, which is most of its cost.

    Not with `(level, node_index) IN (...)`: SQLite scans the whole table for that.
    """
    places = (
        (NODE.c.level == bindparam(f"level_{number}")) & (NODE.c.node_index == bindparam(f"position_{number}"))
        for number in range(count)
    )
    return select(NODE.c.level, NODE.c.node_index, NODE.c.hash).where(or_(*places))


def _interior(session: Session, query: Select[int, int, bytes], values: dict[str, int]) -> dict[NodeId, bytes]:
    rows = session.execute(query, values)
    return {NodeId(row.level, row.node_index): _blob(row.hash) for row in rows}


def _entry(row: Row[int, bytes, bytes, str]) -> Entry:
    return Entry(row.log_index, _blob(row.leaf_hash), _blob(row.data), row.appended_at)


def _blob(value: bytes | str) -> bytes:
    """The bytes of a column; SQLite lets whoever tampers put text there, which `fsck` must survive."""
    return value.encode(errors="surrogateescape") if isinstance(value, str) else value
