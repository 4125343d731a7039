"""The tables of recognition: one row per fingerprint, and the sealed part of the index.

All items lie in one space of addresses: a recording's items begin at its `start_address` and one
address stays free behind them. The posting tables can be dropped and made again from the first, and the first from the
sound of the recordings (`fingerprint.inventory`).
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

METADATA = MetaData()

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's row id is INTEGER alone

FINGERPRINT = Table(
    "fingerprint",
    METADATA,
    Column("start_address", _NUMBER, primary_key=True, autoincrement=False),
    Column("item_count", Integer, nullable=False),
    Column("recording_id", String(200), nullable=False, unique=True),
    Column("duration_ms", Integer, nullable=False),
    Column("algorithm", String(32), nullable=False),
    Column("items", LargeBinary, nullable=False),
)
"""`items` are little-endian unsigned 32-bit integers."""

POSTING_SEGMENT = Table(
    "posting_segment",
    METADATA,
    Column("start_address", _NUMBER, primary_key=True, autoincrement=False),
    Column("end_address", _NUMBER, nullable=False),
    Column("posting_count", _NUMBER, nullable=False),
    Column("bucket_bits", Integer, nullable=False),
)
"""The stretches of the address space whose items are in buckets."""

POSTING_BUCKET = Table(
    "posting_bucket",
    METADATA,
    Column("segment", _NUMBER, primary_key=True, autoincrement=False),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("postings", LargeBinary, nullable=False),
    ForeignKeyConstraint(["segment"], ["posting_segment.start_address"]),
)
"""`postings` are sorted little-endian unsigned 64-bit integers; see `fingerprint.posting`."""
