"""The tables of the log. The migrations make them, with triggers that refuse every change.

`entry` and `checkpoint` are the truth; `tile` and `head` follow from the entries; `idempotency` is operational.
"""

from itertools import product

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

_APPENDED = ("entry", "tile", "checkpoint", "timestamp")
_IN_THE_WAY = {
    "entry": (
        (
            "NEW.log_index <> (SELECT COALESCE(MAX(log_index) + 1, 0) FROM entry)"
            " OR EXISTS (SELECT 1 FROM entry WHERE leaf_hash = NEW.leaf_hash)"
        ),
        "entry is append-only: the row is not the next one",
    ),
    "tile": (
        "EXISTS (SELECT 1 FROM tile WHERE level = NEW.level AND tile_index = NEW.tile_index)",
        "tile is append-only: the row is not the next one",
    ),
    "checkpoint": (
        "NEW.size <= (SELECT COALESCE(MAX(size), -1) FROM checkpoint)",
        "checkpoint is append-only: the row is not the next one",
    ),
    "timestamp": (
        "EXISTS (SELECT 1 FROM timestamp WHERE size = NEW.size)",
        "timestamp is append-only: the checkpoint has a stamp",
    ),
}
"""When SQLite refuses a row that is inserted, and in which words."""


def _aborting(name: str, when: str, why: str) -> tuple[str, str]:
    return name, f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{why}'); END"


def _refusing(name: str, when: str, each: str = "ROW", function: str = "refuse_change") -> tuple[str, str]:
    return name, f"CREATE TRIGGER {name} BEFORE {when} FOR EACH {each} EXECUTE FUNCTION {function}()"


GUARDS = {
    "sqlite": dict(
        [
            *(
                _aborting(
                    f"{table}_no_{change.lower()}",
                    f"{change} ON {table}",
                    f"{table} is append-only: {change} is refused",
                )
                for table, change in (*product(_APPENDED, ("UPDATE", "DELETE")), ("head", "DELETE"))
            ),
            *(
                _aborting(f"{table}_no_replace", f"INSERT ON {table} WHEN {when}", why)
                for table, (when, why) in _IN_THE_WAY.items()
            ),
            _aborting(
                "head_no_shrinking",
                "UPDATE ON head WHEN NEW.size <= OLD.size",
                "head only grows: the update is refused",
            ),
            _aborting("head_no_replace", "INSERT ON head", "head has one row: INSERT is refused"),
        ]
    ),
    "postgresql": dict(
        [
            *(_refusing(f"{table}_no_change", f"DELETE OR UPDATE ON {table}") for table in _APPENDED),
            *(_refusing(f"{table}_no_truncate", f"TRUNCATE ON {table}", "STATEMENT") for table in (*_APPENDED, "head")),
            _refusing("head_no_delete", "DELETE ON head"),
            _refusing("head_no_shrinking", "UPDATE ON head", function="refuse_shrinking"),
        ]
    ),
}
"""The triggers that keep what is written from being changed: by database and name, as the database states them."""
GUARD_FUNCTIONS = {
    "refuse_change": (
        " BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only: ' || TG_OP || ' is refused'; END "
    ),
    "refuse_shrinking": (
        " BEGIN IF NEW.size <= OLD.size THEN"
        " RAISE EXCEPTION 'head only grows: the update is refused'; END IF; RETURN NEW; END "
    ),
}
"""What those of PostgreSQL execute: PL/pgSQL, by name."""
