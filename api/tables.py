"""Operational tables: jobs, bearer tokens, and edits that wait for a signature. Nothing here is part of the record."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table

METADATA = MetaData()

job = Table(
    "job",
    METADATA,
    Column("job_id", String(36), primary_key=True),
    Column("state", String(16), nullable=False, index=True),
    Column("request", String, nullable=False),
    Column("stage", String(64), nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("result", String, nullable=False),
    Column("error", String, nullable=False),
    Column("created", String(20), nullable=False),
    Column("idempotency_key", String(200), nullable=True, unique=True),
)

token = Table(
    "token",
    METADATA,
    Column("token_id", String(36), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("digest", String(71), nullable=False, unique=True),
    Column("scopes", String(400), nullable=False),
    Column("created", String(20), nullable=False),
    Column("revoked", String(20), nullable=False),
)

edit_draft = Table(
    "edit_draft",
    METADATA,
    Column("draft_id", String(36), primary_key=True),
    Column("token_id", String(36), nullable=False, index=True),
    Column("state", String(16), nullable=False, index=True),
    Column("recording_id", String(36), nullable=False, unique=True),
    Column("party_id", String(200), nullable=False, index=True),
    Column("payload", LargeBinary, nullable=False),
    Column("mix", String(71), nullable=False),
    Column("created", String(20), nullable=False),
    Column("expires", String(20), nullable=False),
    Column("envelope", String(71), nullable=False),
    Column("leaf_hash", String(71), nullable=False),
    Column("result", String, nullable=False),
    Column("left_out", String(400), nullable=False, server_default=""),
)
