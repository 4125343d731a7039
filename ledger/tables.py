"""The tables of the log. The migrations make them, with triggers that refuse every change."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

METADATA = MetaData()

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's row id is INTEGER alone

ENTRY = Table(
    "entry",
    METADATA,
    Column("log_index", _NUMBER, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False, unique=True),
    Column("appended_at", String(20), nullable=False),
    Column("data", LargeBinary, nullable=False),
    CheckConstraint("log_index >= 0", name="entry_log_index"),
    CheckConstraint("length(leaf_hash) = 32", name="entry_leaf_hash"),
)
"""The entries; `leaf_hash` is level 0 of the tree."""

NODE = Table(
    "node",
    METADATA,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("node_index", _NUMBER, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("level >= 1 AND node_index >= 0", name="node_place"),
    CheckConstraint("length(hash) = 32", name="node_hash"),
    sqlite_with_rowid=False,
)
"""The interior nodes that are complete: perfect subtrees of 2^level leaves."""

CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    Column("size", _NUMBER, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    CheckConstraint("size >= 0", name="checkpoint_size"),
)
"""Every checkpoint that was signed."""
