"""The tree in tiles instead of nodes, one head row to lock, and idempotency keys.

Tiles and head follow from the entries, and are made here from those that are there.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from ledger.merkle import Frontier
from ledger.tile import TILE_WIDTH, Tile

revision = "0005_tiles"
down_revision = "0004_api"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ROWS_AT_ONCE = 4096


def upgrade() -> None:
    op.drop_table("node")
    head = op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", _NUMBER, nullable=False),
        sa.Column("edge", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("id = 1", name="head_single"),
        sa.CheckConstraint("size >= 0", name="head_size"),
    )
    tile = op.create_table(
        "tile",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("tile_index", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("group_roots", sa.LargeBinary, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("level >= 0 AND tile_index >= 0", name="tile_place"),
        sa.CheckConstraint(
            "length(root) = 32 AND length(group_roots) = 512 AND length(hashes) = 8192",
            name="tile_lengths",
        ),
    )
    op.create_table(
        "idempotency",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("first_index", _NUMBER, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.CheckConstraint("first_index >= 0 AND count >= 1", name="idempotency_range"),
    )
    edge = _fill(tile) if not op.get_context().as_sql else Frontier()
    op.execute(head.insert().values(id=1, size=edge.size, edge=b"".join(edge.hashes)))
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE tile ALTER COLUMN hashes SET STORAGE EXTERNAL")  # hashes cannot be compressed
        _guard_on_postgresql()
    else:
        _guard_on_sqlite()


def downgrade() -> None:
    raise NotImplementedError("a log is never taken back; restore the database from its backup")


def _fill(tile: sa.Table) -> Frontier:
    edge = Frontier()
    waiting: list[list[bytes]] = [[]]
    for leaf in _leaves():
        edge = edge.extended([leaf]).frontier
        waiting[0].append(leaf)
        level = 0
        while len(waiting[level]) == TILE_WIDTH:
            full = Tile.complete(b"".join(waiting[level]))
            index = edge.size // TILE_WIDTH ** (level + 1) - 1
            op.execute(
                tile.insert().values(
                    level=level, tile_index=index, root=full.root, group_roots=full.groups, hashes=full.hashes
                )
            )
            waiting[level].clear()
            level += 1
            if level == len(waiting):
                waiting.append([])
            waiting[level].append(full.root)
    return edge


def _leaves() -> Iterator[bytes]:
    query = sa.text("SELECT leaf_hash FROM entry WHERE log_index >= :start ORDER BY log_index LIMIT :rows")
    start = 0
    while rows := op.get_bind().execute(query, {"start": start, "rows": _ROWS_AT_ONCE}).all():
        yield from (bytes(row.leaf_hash) for row in rows)
        start += len(rows)


def _guard_on_sqlite() -> None:
    for table in ("tile", "head"):
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} BEGIN"
            f" SELECT RAISE(ABORT, '{table} is append-only: DELETE is refused'); END"
        )
    op.execute(
        "CREATE TRIGGER tile_no_update BEFORE UPDATE ON tile BEGIN"
        " SELECT RAISE(ABORT, 'tile is append-only: UPDATE is refused'); END"
    )
    op.execute(
        "CREATE TRIGGER tile_no_replace BEFORE INSERT ON tile"
        " WHEN EXISTS (SELECT 1 FROM tile WHERE level = NEW.level AND tile_index = NEW.tile_index) BEGIN"
        " SELECT RAISE(ABORT, 'tile is append-only: the row is not the next one'); END"
    )
    op.execute(
        "CREATE TRIGGER head_no_shrinking BEFORE UPDATE ON head WHEN NEW.size <= OLD.size BEGIN"
        " SELECT RAISE(ABORT, 'head only grows: the update is refused'); END"
    )
    op.execute(
        "CREATE TRIGGER head_no_replace BEFORE INSERT ON head BEGIN"
        " SELECT RAISE(ABORT, 'head has one row: INSERT is refused'); END"
    )


def _guard_on_postgresql() -> None:
    op.execute(
        "CREATE TRIGGER tile_no_change BEFORE UPDATE OR DELETE ON tile FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute("CREATE TRIGGER head_no_delete BEFORE DELETE ON head FOR EACH ROW EXECUTE FUNCTION refuse_change()")
    op.execute(
        "CREATE FUNCTION refuse_shrinking() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.size <= OLD.size THEN"
        " RAISE EXCEPTION 'head only grows: the update is refused'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER head_no_shrinking BEFORE UPDATE ON head FOR EACH ROW EXECUTE FUNCTION refuse_shrinking()"
    )
    for table in ("tile", "head"):
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
