"""What an edited file said in words, by kind: whoever fetches a draft later is told it, too."""

import sqlalchemy as sa
from alembic import op

revision = "0010_left_out"
down_revision = "0009_private_call"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("edit_draft", sa.Column("left_out", sa.String(400), nullable=False, server_default=""))


def downgrade() -> None:
    raise NotImplementedError("a log is never taken back; restore the database from its backup")
