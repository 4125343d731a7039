"""Jobs and bearer tokens: operational data, no part of the record."""

import sqlalchemy as sa
from alembic import op

revision = "0004_api"
down_revision = "0003_provenance"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job",
        sa.Column("job_id", sa.String(36), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("request", sa.String, nullable=False),
        sa.Column("stage", sa.String(64), nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("result", sa.String, nullable=False),
        sa.Column("error", sa.String, nullable=False),
        sa.Column("created", sa.String(20), nullable=False),
        sa.Column("idempotency_key", sa.String(200), nullable=True, unique=True),
    )
    op.create_table(
        "token",
        sa.Column("token_id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(71), nullable=False, unique=True),
        sa.Column("scopes", sa.String(400), nullable=False),
        sa.Column("created", sa.String(20), nullable=False),
        sa.Column("revoked", sa.String(20), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("token")
    op.drop_table("job")
