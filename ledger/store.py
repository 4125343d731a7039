"""Every question to the log's tables, and the only statements that add to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    bindparam,
    func,
    insert,
    or_,
    select,
    text,
)

from ledger import postgresql, sqlite
from ledger.entry import Entry
from ledger.errors import LogDamagedError
from ledger.merkle import HASH_BYTES, Frontier
from ledger.tables import CHECKPOINT, ENTRY, GUARD_FUNCTIONS, GUARDS, HEAD, IDEMPOTENCY, TILE, TIMESTAMP
from ledger.tile import Tile, TileId, split

_ENTRY_COLUMNS = (ENTRY.c.log_index, ENTRY.c.leaf_hash, ENTRY.c.data, ENTRY.c.appended_at)

_MAX_PARAMETERS = 500
"""Values in one `IN`: far below the limit of either database."""
_ROWS_AT_ONCE = 256
_HELD_SECONDS: float = 10
"""How long whoever has the lock may stand still: when its machine has died, the others wait no longer."""
_ARRAY_TYPES = {BigInteger: "int8[]", Integer: "int4[]", LargeBinary: "bytea[]", String: "varchar[]"}
_TILES_AT_ONCE = 16

_STAMPS = select(TIMESTAMP.c.size, TIMESTAMP.c.token, TIMESTAMP.c.taken_at)

# Statements of every append and proof are built once: building them is most of their cost.
_HEAD = select(HEAD.c.size, HEAD.c.edge).where(HEAD.c.id == 1)
_LOCK_HEAD = (
    "SELECT set_config('idle_in_transaction_session_timeout', '{:d}ms', true) FROM head WHERE id = 1 FOR UPDATE"
)
_LAST = ENTRY.c.log_index.desc()
_NEWEST = CHECKPOINT.c.size.desc()
_STATE = select(
    select(HEAD.c.size).where(HEAD.c.id == 1).scalar_subquery().label("size"),
    select(HEAD.c.edge).where(HEAD.c.id == 1).scalar_subquery().label("edge"),
    select(ENTRY.c.log_index).order_by(_LAST).limit(1).scalar_subquery().label("last_index"),
    select(ENTRY.c.leaf_hash).order_by(_LAST).limit(1).scalar_subquery().label("last_leaf"),
    select(CHECKPOINT.c.size).order_by(_NEWEST).limit(1).scalar_subquery().label("covered"),
    select(CHECKPOINT.c.note).order_by(_NEWEST).limit(1).scalar_subquery().label("note"),
)
_STATE_TEXT = str(_STATE.compile(compile_kwargs={"literal_binds": True}))
_LEAF_HASHES = (
    select(ENTRY.c.leaf_hash)
    .where(ENTRY.c.log_index >= bindparam("start"), ENTRY.c.log_index < bindparam("stop"))
    .order_by(ENTRY.c.log_index)
)
_TILE_ROOTS = (
    select(TILE.c.root)
    .where(TILE.c.level == bindparam("tile_level"))
    .where(TILE.c.tile_index >= bindparam("start"), TILE.c.tile_index < bindparam("stop"))
    .order_by(TILE.c.tile_index)
)


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as it lies in the database.

    Attributes:
        size: Tree size, as the row says.
        note: The signed note.
    """

    size: int
    note: bytes


@dataclass(frozen=True, slots=True)
class StoredStamp:
    """The time stamp of a checkpoint as it lies in the database.

    Attributes:
        size: Tree size of the checkpoint.
        token: The RFC 3161 token.
        taken_at: When it was kept, by our own clock: RFC 3339.
    """

    size: int
    token: bytes
    taken_at: str


@dataclass(frozen=True, slots=True)
class State:
    """Where a log stands: what an append begins with.

    Attributes:
        head: The edge of the tree, as its own row says.
        entries: How many entries there are, by the index of the last.
        last_leaf: Leaf hash of the last entry.
        newest: The newest checkpoint.
    """

    head: Frontier
    entries: int
    last_leaf: bytes | None
    newest: StoredCheckpoint | None


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be added to the log's tables: see `change`.

    Attributes:
        table: The table; of the head, its one row is changed.
        rows: Values in the order of the columns, without the head's id; there may be none.
    """

    table: Table
    rows: Sequence[tuple[object, ...]]


def entry_count(connection: Connection) -> int:
    """Returns the number of entries, by the index of the last."""
    last = connection.scalar(select(func.max(ENTRY.c.log_index)))
    return 0 if last is None else int(last) + 1


def newest_checkpoint(connection: Connection) -> StoredCheckpoint | None:
    """Returns the checkpoint of the greatest size, or None before the first."""
    query = select(CHECKPOINT.c.size, CHECKPOINT.c.note).order_by(CHECKPOINT.c.size.desc())
    row = connection.execute(query.limit(1)).first()
    return None if row is None else StoredCheckpoint(row.size, row.note)


def checkpoint_at(connection: Connection, size: int) -> StoredCheckpoint | None:
    """Returns the checkpoint of a size, or None when none was signed."""
    row = connection.execute(select(CHECKPOINT.c.note).where(CHECKPOINT.c.size == size)).first()
    return None if row is None else StoredCheckpoint(size, _blob(row.note))


def checkpoints_between(connection: Connection, start: int, stop: int) -> list[StoredCheckpoint]:
    """Returns the checkpoints of the sizes in `(start, stop]`, by size; from 0 on also those of size 0."""
    query = select(CHECKPOINT.c.size, CHECKPOINT.c.note).where(CHECKPOINT.c.size <= stop).order_by(CHECKPOINT.c.size)
    if start:
        query = query.where(CHECKPOINT.c.size > start)
    return [StoredCheckpoint(row.size, _blob(row.note)) for row in connection.execute(query)]


def checkpoints_beyond(connection: Connection, size: int) -> list[int]:
    """Returns the sizes of checkpoints that are larger than a tree."""
    return list(
        connection.scalars(select(CHECKPOINT.c.size).where(CHECKPOINT.c.size > size).order_by(CHECKPOINT.c.size))
    )


def head(connection: Connection) -> Frontier:
    """Returns the right-hand edge of the tree over all entries.

    Raises:
        LogDamagedError: The row is missing, or is not an edge of its size.
    """
    row = connection.execute(_HEAD).first()
    return _edge(None, None) if row is None else _edge(row.size, row.edge)


def locked_state(connection: Connection) -> State:
    """Keeps others from appending until the transaction ends, and returns where the log stands.

    Raises:
        LogDamagedError: The head is missing, or is not an edge of its size.
    """
    if connection.dialect.name == "sqlite":  # where the transaction itself is the lock
        return state(connection)
    return _state(postgresql.last_of(connection, [_lock(), _STATE_TEXT]).one())


def lock(connection: Connection) -> None:
    """Keeps others from appending until the transaction ends, and waits for those who do."""
    if connection.dialect.name == "postgresql":
        postgresql.last_of(connection, [_lock()])


def settle_doubt(connection: Connection, first: int, leaves: Sequence[bytes], used: Mapping[str, range]) -> bool:
    """Finds out whether a transaction is recorded whose commit failed, and else sees to it that it never will be.

    Args:
        connection: A transaction that holds the lock, and by then neither the one in doubt nor any other can; what
            is said here counts once it is committed.
        first: Index of the first entry that was added.
        leaves: Leaf hashes of all that were, at least one.
        used: Idempotency keys that were added with them.
    """
    if leaf_hashes(connection, first, first + len(leaves)) == list(leaves):
        return appended_with(connection, list(used)) == used
    if connection.dialect.name == "sqlite":
        sqlite.supersede(connection)
    return False


def state(connection: Connection) -> State:
    """Returns where the log stands, read in one statement.

    Raises:
        LogDamagedError: The head is missing, or is not an edge of its size.
    """
    return _state(connection.exec_driver_sql(_STATE_TEXT).one())


def change(connection: Connection, changes: Sequence[Change]) -> None:
    """Makes changes, in their order, which go to the database in one go.

    The database refuses an entry whose index or leaf hash it has, and a head or a checkpoint that is not larger than
    what is there.
    """
    wanted = [each for each in changes if each.rows]
    if not wanted:
        return
    if connection.dialect.name == "postgresql":
        postgresql.together(connection, [(_insert_arrays(each.table), _columns(each.rows)) for each in wanted])
    else:
        sqlite.together(connection, [(_insert(each.table), each.rows) for each in wanted])


def entries_added(added: Sequence[Entry]) -> Change:
    """Entries behind the last."""
    return Change(ENTRY, [(item.index, item.leaf_hash, item.appended_at, item.data) for item in added])


def tiles_added(level: int, first: int, added: Sequence[Tile]) -> Change:
    """Full tiles of one level with consecutive indices."""
    rows = [(level, index, tile.root, tile.groups, tile.hashes) for index, tile in enumerate(added, first)]
    return Change(TILE, rows)


def head_moved(edge: Frontier) -> Change:
    """The edge of the tree after an append."""
    return Change(HEAD, [(edge.size, b"".join(edge.hashes))])


def idempotency_added(used: Mapping[str, range]) -> Change:
    """Which entries were appended with which idempotency key."""
    return Change(IDEMPOTENCY, [(key, indices.start, len(indices)) for key, indices in used.items()])


def checkpoint_added(checkpoint: StoredCheckpoint) -> Change:
    """A checkpoint that is larger than all before."""
    return Change(CHECKPOINT, [(checkpoint.size, checkpoint.note)])


def leaf_hashes(connection: Connection, start: int, stop: int) -> list[bytes]:
    """Returns the leaf hashes of the entries with indices in `[start, stop)`, those that exist, in order."""
    return [_blob(value) for value in connection.scalars(_LEAF_HASHES, {"start": start, "stop": stop})]


def tile_roots(connection: Connection, level: int, start: int, stop: int) -> list[bytes]:
    """Returns the roots of the full tiles of a level at the indices `[start, stop)`, those that exist, in order."""
    found = connection.scalars(_TILE_ROOTS, {"tile_level": level, "start": start, "stop": stop})
    return [_blob(value) for value in found]


def tiles(connection: Connection, wanted: Sequence[TileId]) -> dict[TileId, Tile]:
    """Returns those of the tiles that are full."""
    found: dict[TileId, Tile] = {}
    for first in range(0, len(wanted), _TILES_AT_ONCE):
        some = wanted[first : first + _TILES_AT_ONCE]
        values = {
            name: value
            for number, tile in enumerate(some)
            for name, value in ((f"level_{number}", tile.level), (f"position_{number}", tile.position))
        }
        for row in connection.execute(_tiles_query(len(some)), values):
            found[TileId(row.level, row.tile_index)] = _tile(row)
    return found


def tile_count(connection: Connection) -> int:
    """Returns the number of full tiles."""
    return connection.scalar(select(func.count()).select_from(TILE)) or 0


def entry(connection: Connection, index: int) -> Entry | None:
    """Returns the entry at an index, or None."""
    query = select(*_ENTRY_COLUMNS).where(ENTRY.c.log_index == index)
    row = connection.execute(query).first()
    return None if row is None else _entry(row)


def entry_by_leaf(connection: Connection, leaf_hash: bytes) -> Entry | None:
    """Returns the entry with a leaf hash, or None."""
    query = select(*_ENTRY_COLUMNS).where(ENTRY.c.leaf_hash == leaf_hash)
    row = connection.execute(query).first()
    return None if row is None else _entry(row)


def entries(connection: Connection, start: int, stop: int) -> list[Entry]:
    """Returns the entries with indices in `[start, stop)`, those that exist, in order."""
    query = select(*_ENTRY_COLUMNS).order_by(ENTRY.c.log_index)
    rows = connection.execute(query.where(ENTRY.c.log_index >= start, ENTRY.c.log_index < stop))
    return [_entry(row) for row in rows]


def last_index(connection: Connection) -> int | None:
    """Returns the largest index that there is, or None."""
    last: int | None = connection.scalar(select(func.max(ENTRY.c.log_index)))
    return last


def first_index(connection: Connection, least: int | None = None) -> int | None:
    """Returns the smallest index that there is, of those from `least` on, or None."""
    query = select(func.min(ENTRY.c.log_index))
    first: int | None = connection.scalar(query if least is None else query.where(ENTRY.c.log_index >= least))
    return first


def indices_of(connection: Connection, leaf_hashes: Sequence[bytes]) -> dict[bytes, int]:
    """Returns the index of each of the leaf hashes that the log holds."""
    query = select(ENTRY.c.leaf_hash, ENTRY.c.log_index)
    found: dict[bytes, int] = {}
    for first in range(0, len(leaf_hashes), _MAX_PARAMETERS):
        some = leaf_hashes[first : first + _MAX_PARAMETERS]
        rows = connection.execute(query.where(ENTRY.c.leaf_hash.in_(some)))
        found.update((row.leaf_hash, row.log_index) for row in rows)
    return found


def appended_with(connection: Connection, keys: Sequence[str]) -> dict[str, range]:
    """Returns the indices of the entries that were appended with each of the idempotency keys that are known."""
    query = select(IDEMPOTENCY.c.key, IDEMPOTENCY.c.first_index, IDEMPOTENCY.c.count)
    found: dict[str, range] = {}
    for first in range(0, len(keys), _MAX_PARAMETERS):
        for row in connection.execute(query.where(IDEMPOTENCY.c.key.in_(keys[first : first + _MAX_PARAMETERS]))):
            found[row.key] = range(row.first_index, row.first_index + row.count)
    return found


def stamps(connection: Connection, newest: int | None = None) -> list[StoredStamp]:
    """Returns time stamps, that of the largest tree first.

    Args:
        connection: To the log's database.
        newest: How many at most; None for all.
    """
    rows = connection.execute(_STAMPS.order_by(TIMESTAMP.c.size.desc()).limit(newest))
    return [_stamp(row) for row in rows]


def stamp_covering(connection: Connection, index: int) -> StoredStamp | None:
    """Returns the time stamp of the smallest tree that holds an index, or None: it states the earliest time."""
    row = connection.execute(_STAMPS.where(TIMESTAMP.c.size > index).order_by(TIMESTAMP.c.size).limit(1)).first()
    return None if row is None else _stamp(row)


def checkpoints_since_stamp(connection: Connection) -> int:
    """Returns how many checkpoints are larger than every one that has a time stamp."""
    last = select(func.coalesce(func.max(TIMESTAMP.c.size), -1)).scalar_subquery()
    return connection.scalar(select(func.count()).select_from(CHECKPOINT).where(CHECKPOINT.c.size > last)) or 0


def add_stamp(connection: Connection, stamp: StoredStamp) -> None:
    """Keeps the time stamp of a checkpoint, unless it has one: the first says what a later one would."""
    if connection.scalar(select(TIMESTAMP.c.size).where(TIMESTAMP.c.size == stamp.size)) is None:
        values = {"size": stamp.size, "token": stamp.token, "taken_at": stamp.taken_at}
        connection.execute(insert(TIMESTAMP), [values])


def missing_guards(connection: Connection) -> list[str]:
    """Returns the names of those triggers of the migrations that are gone or disabled, or do something else."""
    dialect = connection.dialect.name
    present = _triggers(connection) if dialect == "sqlite" else _server_triggers(connection)
    return sorted(name for name, definition in GUARDS[dialect].items() if (name, definition) not in present)


def physical_faults(connection: Connection) -> list[str]:
    """Returns what the database engine itself finds wrong with its file (SQLite only)."""
    if connection.dialect.name != "sqlite":
        return []
    lines = connection.scalars(text("PRAGMA integrity_check")).all()
    return [line for line in lines if line != "ok"]


def _triggers(connection: Connection) -> set[tuple[object, object]]:
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
    return {(row.name, row.sql) for row in rows}


def _server_triggers(connection: Connection) -> set[tuple[object, object]]:
    """Those that are enabled, and whose function does what it has to; each with the definition that the server gives.

    It leaves out the schema of what is found without; in which names it sees key words depends on the release.
    """
    rows = connection.execute(
        text(
            "SELECT tgname, proname, prosrc,"
            " replace(pg_get_triggerdef(pg_trigger.oid, true), quote_ident(relname), relname) AS definition"
            " FROM pg_trigger"
            " JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid"
            " JOIN pg_language ON pg_language.oid = prolang"
            " WHERE pg_table_is_visible(pg_class.oid) AND tgenabled IN ('O', 'A') AND lanname = 'plpgsql'"
        )
    )
    return {(row.tgname, row.definition) for row in rows if GUARD_FUNCTIONS.get(row.proname) == row.prosrc}


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _lock() -> str:
    return _LOCK_HEAD.format(round(_HELD_SECONDS * 1000))


def _state(row: Row[*tuple[Any, ...]]) -> State:
    newest = None if row.covered is None else StoredCheckpoint(row.covered, _blob(row.note))
    last = None if row.last_leaf is None else _blob(row.last_leaf)
    return State(_edge(row.size, row.edge), 0 if row.last_index is None else row.last_index + 1, last, newest)


@cache
def _insert(table: Table) -> str:
    """For rows: the driver's own statement, as what SQLAlchemy does with each row takes longer than to insert it."""
    if table is HEAD:
        return "UPDATE head SET size = ?, edge = ? WHERE id = 1"
    return f"INSERT INTO {table.name} ({', '.join(table.c.keys())}) VALUES ({', '.join('?' * len(table.c))})"  # noqa: S608


@cache
def _insert_arrays(table: Table) -> str:
    """For columns: as fast as COPY, and it may travel with other statements (`docs/benchmarks.md`)."""
    if table is HEAD:
        return "UPDATE head SET size = (%b::int8[])[1], edge = (%b::bytea[])[1] WHERE id = 1"
    columns = ", ".join(f"%b::{_ARRAY_TYPES[type(column.type)]}" for column in table.c)
    return f"INSERT INTO {table.name} ({', '.join(table.c.keys())}) SELECT * FROM unnest({columns})"  # noqa: S608


@cache
def _tiles_query(count: int) -> Select[int, int, bytes, bytes, bytes]:
    """Asks for a number of tiles; built once per number, which is most of its cost.

    Not with `(level, tile_index) IN (...)`: SQLite scans the whole table for that.
    """
    places = (
        (TILE.c.level == bindparam(f"level_{number}")) & (TILE.c.tile_index == bindparam(f"position_{number}"))
        for number in range(count)
    )
    return select(TILE.c.level, TILE.c.tile_index, TILE.c.root, TILE.c.group_roots, TILE.c.hashes).where(or_(*places))


def _edge(size: object, edge: object) -> Frontier:
    hashes = _blob(edge)
    if not isinstance(size, int) or len(hashes) != size.bit_count() * HASH_BYTES:
        raise LogDamagedError(
            "The log has lost the row that says how large it is, or that row contradicts itself: the database was "
            "changed behind the log's back. Run `linernotes log fsck`, and restore the database from its backup."
        )
    return Frontier(size, tuple(split(hashes)))


def _stamp(row: Row[int, bytes, str]) -> StoredStamp:
    return StoredStamp(row.size, _blob(row.token), _text(row.taken_at))


def _tile(row: Row[int, int, bytes, bytes, bytes]) -> Tile:
    return Tile(_blob(row.hashes), _blob(row.group_roots), _blob(row.root))


def _entry(row: Row[int, bytes, bytes, str]) -> Entry:
    index, leaf, data, appended_at = row
    return Entry(index, _blob(leaf), _blob(data), _text(appended_at))


def _text(value: object) -> str:
    """The text of a column; of what somebody else put there, what it looks like."""
    return value if isinstance(value, str) else repr(value)


def _blob(value: object) -> bytes:
    """The bytes of a column; SQLite lets whoever tampers put anything there, which is none of what was signed."""
    if isinstance(value, bytes):
        return value
    return value.encode(errors="surrogateescape") if isinstance(value, str) else repr(value).encode()
