"""Logs to measure on, and the entries that go into them; all of it by the way that the program itself goes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.database import open_engine
from ledger.envelope import Envelope, sign, verify
from ledger.keys import Ed25519Signer, Verifier
from ledger.log import Log
from ledger.note import NoteSigner
from migrations.upgrade import upgrade

PRIVATE_KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(32))
SIGNER: Final = Ed25519Signer(PRIVATE_KEY)
LOG_KEY: Final = NoteSigner("example.com/bench", SIGNER)
PAYLOAD_BYTES: Final = 1_300
ENTRY_BYTES: Final = 100
BATCH: Final = 20_000
"""Entries of one append while a log is filled."""


def new_log(database: str, folder: Path) -> Log:
    """An empty log."""
    engine = open_engine(database)
    upgrade(engine)
    return Log(engine, LOG_KEY, last_checkpoint=folder / "last-checkpoint")


def grow(log: Log, size: int) -> None:
    """Append short entries until a log has a size."""
    for start in range(log.size(), size, BATCH):
        log.append(list(numbered(start, min(start + BATCH, size))))


def numbered(start: int, stop: int) -> Iterator[bytes]:
    """Short entries, no two alike."""
    for number in range(start, stop):
        yield (b"%d " % number).ljust(ENTRY_BYTES, b"x")


def envelopes(count: int) -> list[bytes]:
    """Signed envelopes, no two alike."""
    made = []
    for _ in range(count):
        payload = os.urandom(PAYLOAD_BYTES // 2).hex().encode()
        made.append(sign(payload, SIGNER).to_bytes())
    return made


def append_verified(log: Log, entry: bytes, verifier: Verifier = SIGNER.verifier) -> None:
    """What an append is: the signature is verified, and then the entry is made durable."""
    verify(Envelope.parse(entry), verifier)
    log.append([entry])


def bare_table(path: Path) -> sqlite3.Connection:
    """A table of SQLite for the floors: as durable as ours, and nothing else."""
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("CREATE TABLE entry (log_index INTEGER PRIMARY KEY, leaf BLOB, data BLOB)")
    return raw


def insert_bare(raw: sqlite3.Connection, entry: bytes) -> None:
    """A durable INSERT, and nothing else."""
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("INSERT INTO entry (data) VALUES (?)", (entry,))
    raw.execute("COMMIT")
