"""Tables of this package, by class of data.

``statement``, ``registration``, ``recording`` and ``rendition`` are projections: folds over the log,
which can be dropped and rebuilt to the same rows. ``opening`` is private: it cannot be derived, it is
what a backup must hold, and erasing a row erases the value.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

METADATA = MetaData()
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

statement = Table(
    "statement",
    METADATA,
    Column("leaf_hash", String(71), primary_key=True),
    Column("log_index", _NUMBER, nullable=False, unique=True),
    Column("kind", String(32), nullable=False, index=True),
    Column("statement_id", String(200), nullable=False, unique=True),
    Column("time", String(20), nullable=False),
    Column("recording_id", String(200), nullable=True, index=True),
)

registration = Table(
    "registration",
    METADATA,
    Column("kind", String(32), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("leaf_hash", String(71), nullable=False),
    Column("log_index", _NUMBER, nullable=False),
)

recording = Table(
    "recording",
    METADATA,
    Column("recording_id", String(200), primary_key=True),
    Column("leaf_hash", String(71), nullable=False, unique=True),
    Column("log_index", _NUMBER, nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("parent_recording_id", String(200), nullable=True, index=True),
    Column("content_digest", String(71), nullable=False, index=True),
    Column("score_digest", String(71), nullable=False),
    Column("iscc", String(200), nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("time", String(20), nullable=False),
)

rendition = Table(
    "rendition",
    METADATA,
    Column("leaf_hash", String(71), primary_key=True),
    Column("log_index", _NUMBER, nullable=False),
    Column("recording_id", String(200), nullable=False, index=True),
    Column("part", String(200), nullable=False),
    Column("media_type", String(200), nullable=False),
    Column("asset_digest", String(71), nullable=False, index=True),
    Column("content_digest", String(71), nullable=False, index=True),
    Column("manifest_id", String(200), nullable=False, index=True),
)

opening = Table(
    "opening",
    METADATA,
    Column("commitment", String(76), primary_key=True),
    Column("leaf_hash", String(71), nullable=False),
    Column("field", String(200), nullable=False),
    Column("value", String, nullable=False),
    Column("salt", LargeBinary(32), nullable=False),
    Index("opening_leaf", "leaf_hash", "field"),
)

PROJECTIONS = (statement, registration, recording, rendition)
PRIVATE = (opening,)
