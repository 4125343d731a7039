"""Projections of the statements, and the private openings of their commitments."""

import sqlalchemy as sa
from alembic import op

revision = "0003_provenance"
down_revision = "0002_fingerprint"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "statement",
        sa.Column("leaf_hash", sa.String(71), primary_key=True),
        sa.Column("log_index", number, nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False, index=True),
        sa.Column("statement_id", sa.String(200), nullable=False, unique=True),
        sa.Column("time", sa.String(20), nullable=False),
        sa.Column("recording_id", sa.String(200), nullable=True, index=True),
    )
    op.create_table(
        "registration",
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("leaf_hash", sa.String(71), nullable=False),
        sa.Column("log_index", number, nullable=False),
    )
    op.create_table(
        "recording",
        sa.Column("recording_id", sa.String(200), primary_key=True),
        sa.Column("leaf_hash", sa.String(71), nullable=False, unique=True),
        sa.Column("log_index", number, nullable=False, index=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("parent_recording_id", sa.String(200), nullable=True, index=True),
        sa.Column("content_digest", sa.String(71), nullable=False, index=True),
        sa.Column("score_digest", sa.String(71), nullable=False),
        sa.Column("iscc", sa.String(200), nullable=False),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        sa.Column("time", sa.String(20), nullable=False),
    )
    op.create_table(
        "rendition",
        sa.Column("leaf_hash", sa.String(71), primary_key=True),
        sa.Column("log_index", number, nullable=False),
        sa.Column("recording_id", sa.String(200), nullable=False, index=True),
        sa.Column("part", sa.String(200), nullable=False),
        sa.Column("media_type", sa.String(200), nullable=False),
        sa.Column("asset_digest", sa.String(71), nullable=False, index=True),
        sa.Column("content_digest", sa.String(71), nullable=False, index=True),
        sa.Column("manifest_id", sa.String(200), nullable=False, index=True),
    )
    op.create_table(
        "opening",
        sa.Column("commitment", sa.String(76), primary_key=True),
        sa.Column("leaf_hash", sa.String(71), nullable=False),
        sa.Column("field", sa.String(200), nullable=False),
        sa.Column("value", sa.String, nullable=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
    )
    op.create_index("opening_leaf", "opening", ["leaf_hash", "field"])


def downgrade() -> None:
    for table in ("opening", "rendition", "recording", "registration", "statement"):
        op.drop_table(table)
