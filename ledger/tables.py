"""The tables of the log. The migrations make them, with triggers that refuse every change.

`entry` and `checkpoint` are the truth; `tile` and `head` follow from the entries; `idempotency` is operational.
"""

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

HEAD = Table(
    "head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", _NUMBER, nullable=False),
    Column("edge", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="head_single"),
    CheckConstraint("size >= 0", name="head_size"),
)
"""One row: how many entries there are, and the hashes of the tree's right-hand edge, the largest subtree first.

Whoever appends locks it. It only ever grows, and holds nothing that the entries do not.
"""

TILE = Table(
    "tile",
    METADATA,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("tile_index", _NUMBER, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("group_roots", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    CheckConstraint("level >= 0 AND tile_index >= 0", name="tile_place"),
    CheckConstraint(
        "length(root) = 32 AND length(group_roots) = 512 AND length(hashes) = 8192",
        name="tile_lengths",
    ),
)
"""The full tiles (C2SP tlog-tiles), in the form of `ledger.tile.Tile`; `root` first, for it is read alone."""

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("first_index", _NUMBER, nullable=False),
    Column("count", Integer, nullable=False),
    CheckConstraint("first_index >= 0 AND count >= 1", name="idempotency_range"),
)
"""Which entries an append with an idempotency key made: operational, kept for as long as somebody may try again."""

CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    Column("size", _NUMBER, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    CheckConstraint("size >= 0", name="checkpoint_size"),
)
"""Every checkpoint that was signed."""

TIMESTAMP = Table(
    "timestamp",
    METADATA,
    Column("size", _NUMBER, primary_key=True, autoincrement=False),
    Column("token", LargeBinary, nullable=False),
    Column("taken_at", String(20), nullable=False),
    CheckConstraint("size >= 0", name="timestamp_size"),
    CheckConstraint("length(token) BETWEEN 1 AND 65536", name="timestamp_token"),
)
"""RFC 3161 tokens over checkpoints: the first that was taken for each checkpoint that was stamped."""

GUARDS = {
    "sqlite": (
        *(
            f"{table}_no_{kind}"
            for table in ("entry", "tile", "checkpoint", "timestamp")
            for kind in ("update", "delete", "replace")
        ),
        *(f"head_no_{kind}" for kind in ("shrinking", "delete", "replace")),
    ),
    "postgresql": (
        *(
            f"{table}_no_{kind}"
            for table in ("entry", "tile", "checkpoint", "timestamp")
            for kind in ("change", "truncate")
        ),
        *(f"head_no_{kind}" for kind in ("shrinking", "delete", "truncate")),
    ),
}
"""Names of the triggers that keep what is written from being changed, by database."""
