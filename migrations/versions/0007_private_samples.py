"""No samples of private columns in PostgreSQL's statistics, which would outlive an erasure."""

from alembic import op

revision = "0007_private_samples"
down_revision = "0006_timestamp"
branch_labels = None
depends_on = None

_PRIVATE = {"opening": ("value", "salt"), "job": ("request", "result", "error")}


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        for table, columns in _PRIVATE.items():
            for column in columns:
                op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")


def downgrade() -> None:
    raise NotImplementedError("a log is never taken back; restore the database from its backup")
