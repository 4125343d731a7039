"""Edits that wait for a signature: operational data, no part of the record."""

import sqlalchemy as sa
from alembic import op

revision = "0008_edit_draft"
down_revision = "0007_private_samples"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "edit_draft",
        sa.Column("draft_id", sa.String(36), primary_key=True),
        sa.Column("token_id", sa.String(36), nullable=False, index=True),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("recording_id", sa.String(36), nullable=False, unique=True),
        sa.Column("party_id", sa.String(200), nullable=False, index=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("mix", sa.String(71), nullable=False),
        sa.Column("created", sa.String(20), nullable=False),
        sa.Column("expires", sa.String(20), nullable=False),
        sa.Column("envelope", sa.String(71), nullable=False),
        sa.Column("leaf_hash", sa.String(71), nullable=False),
        sa.Column("result", sa.String, nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":
        for column in ("payload", "result"):  # no samples that would outlive an erasure
            op.execute(f"ALTER TABLE edit_draft ALTER COLUMN {column} SET STATISTICS 0")


def downgrade() -> None:
    op.drop_table("edit_draft")
