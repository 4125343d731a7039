"""RFC 3161 time stamps of checkpoints, with triggers that refuse every change."""

import sqlalchemy as sa
from alembic import op

revision = "0006_timestamp"
down_revision = "0005_tiles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "timestamp",
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("taken_at", sa.String(20), nullable=False),
        sa.CheckConstraint("size >= 0", name="timestamp_size"),
        sa.CheckConstraint("length(token) BETWEEN 1 AND 65536", name="timestamp_token"),
    )
    if op.get_context().dialect.name == "postgresql":
        _refuse_changes_on_postgresql()
    else:
        _refuse_changes_on_sqlite()


def downgrade() -> None:
    raise NotImplementedError("a log is never taken back; restore the database from its backup")


def _refuse_changes_on_sqlite() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER timestamp_no_{change.lower()} BEFORE {change} ON timestamp BEGIN"
            f" SELECT RAISE(ABORT, 'timestamp is append-only: {change} is refused'); END"
        )
    op.execute(
        "CREATE TRIGGER timestamp_no_replace BEFORE INSERT ON timestamp"
        " WHEN EXISTS (SELECT 1 FROM timestamp WHERE size = NEW.size) BEGIN"
        " SELECT RAISE(ABORT, 'timestamp is append-only: the checkpoint has a stamp'); END"
    )


def _refuse_changes_on_postgresql() -> None:
    op.execute(
        "CREATE TRIGGER timestamp_no_change BEFORE UPDATE OR DELETE ON timestamp"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER timestamp_no_truncate BEFORE TRUNCATE ON timestamp"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
