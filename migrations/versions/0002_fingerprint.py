"""Fingerprints of the recordings, and the inverted index over them."""

import sqlalchemy as sa
from alembic import op

revision = "0002_fingerprint"
down_revision = "0001_ledger"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "fingerprint",
        sa.Column("start_address", number, primary_key=True, autoincrement=False),
        sa.Column("item_count", sa.Integer, nullable=False),
        sa.Column("recording_id", sa.String(200), nullable=False, unique=True),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        sa.Column("algorithm", sa.String(32), nullable=False),
        sa.Column("items", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "posting_segment",
        sa.Column("start_address", number, primary_key=True, autoincrement=False),
        sa.Column("end_address", number, nullable=False),
        sa.Column("posting_count", number, nullable=False),
        sa.Column("bucket_bits", sa.Integer, nullable=False),
    )
    op.create_table(
        "posting_bucket",
        sa.Column("segment", number, primary_key=True, autoincrement=False),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("postings", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["segment"], ["posting_segment.start_address"]),
    )


def downgrade() -> None:
    for table in ("posting_bucket", "posting_segment", "fingerprint"):
        op.drop_table(table)
