"""The log: entries, interior nodes, checkpoints, and triggers that refuse every change.

A row is only ever added, at the end. On SQLite the insert triggers also stop `INSERT OR REPLACE`,
which deletes the row in its way without firing a delete trigger.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001_ledger"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = ("entry", "node", "checkpoint")

_OUT_OF_PLACE = {
    "entry": (
        "NEW.log_index <> (SELECT COALESCE(MAX(log_index) + 1, 0) FROM entry)"
        " OR EXISTS (SELECT 1 FROM entry WHERE leaf_hash = NEW.leaf_hash)"
    ),
    "node": ("EXISTS (SELECT 1 FROM node WHERE level = NEW.level AND node_index = NEW.node_index)"),
    "checkpoint": "NEW.size <= (SELECT COALESCE(MAX(size), -1) FROM checkpoint)",
}


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "entry",
        sa.Column("log_index", number, primary_key=True, autoincrement=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("appended_at", sa.String(20), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("log_index >= 0", name="entry_log_index"),
        sa.CheckConstraint("length(leaf_hash) = 32", name="entry_leaf_hash"),
    )
    op.create_table(
        "node",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("node_index", number, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("level >= 1 AND node_index >= 0", name="node_place"),
        sa.CheckConstraint("length(hash) = 32", name="node_hash"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", number, primary_key=True, autoincrement=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("size >= 0", name="checkpoint_size"),
    )
    if op.get_context().dialect.name == "postgresql":
        _refuse_changes_on_postgresql()
    else:
        _refuse_changes_on_sqlite()


def downgrade() -> None:
    raise NotImplementedError("a log is never taken back; restore the database from its backup")


def _refuse_changes_on_sqlite() -> None:
    for table in _TABLES:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} BEGIN"
                f" SELECT RAISE(ABORT, '{table} is append-only: {change} is refused'); END"
            )
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
            f" WHEN {_OUT_OF_PLACE[table]} BEGIN"
            f" SELECT RAISE(ABORT, '{table} is append-only: the row is not the next one'); END"
        )


def _refuse_changes_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION USING MESSAGE ="
        " TG_TABLE_NAME || ' is append-only: ' || TG_OP || ' is refused'; END $$"
    )
    for table in _TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
