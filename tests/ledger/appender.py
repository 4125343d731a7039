"""Appends to a log until its work is done or somebody kills it, and keeps account of what it was told.

Arguments: database, file of the last checkpoint, file of the account, name of this process, number of
batches of each thread, what to do at a fault (`retry` or `quit`), and for each thread its first batch.
"""

import os
import sys
import threading
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection

from ledger import integration
from ledger.database import open_engine
from ledger.entry import Receipt
from ledger.errors import DatabaseBusyError, DatabaseUnavailableError
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.note import NoteSigner

SIGNER = NoteSigner("example.com/log", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32)))))
_PAUSE_SECONDS = 0.05
_CHECKPOINT_PAGES = 50
"""Every few appends SQLite moves its write-ahead log into the file, where it would every thousand pages."""


def batch(name: str, thread: int, number: int) -> list[bytes]:
    """What a thread appends at once: one entry to three, a little longer each time."""
    filler = "." * (number * 97 % 1500)
    return [f"{name} {thread} {number} {part} {filler}".encode() for part in range(number % 3 + 1)]


class Appender:
    """One process, and its page in the account."""

    def __init__(self, log: Log, account: str, name: str, *, quits: bool) -> None:
        self.log = log
        self.account = os.open(account, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.name = name
        self.quits = quits

    def work(self, thread: int, first: int, stop: int) -> None:
        for number in range(first, stop):
            receipts = self.append(thread, number)
            self.note("told", thread, number, receipts[0].index)

    def append(self, thread: int, number: int) -> list[Receipt]:
        while True:
            try:
                key = f"{self.name} {thread} {number}"
                return self.log.append(batch(self.name, thread, number), idempotency_key=key)
            except (DatabaseUnavailableError, DatabaseBusyError) as fault:
                self.note(type(fault).__name__, thread, number, str(fault))
                if self.quits:
                    self.note("quit", thread, number, type(fault).__name__)
                    os._exit(9)
                time.sleep(_PAUSE_SECONDS)

    def note(self, what: str, thread: int, number: int, more: object) -> None:
        line = f"{what} {self.name} {thread} {number} {more}\n"
        os.writev(self.account, [line.encode()])  # not `write`, which tests make fail


def checkpoint_often(connection: DBAPIConnection, _entry: object) -> None:
    connection.cursor().execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")


def main(database: str, memory: str, account: str, name: str, batches: str, at_fault: str, *firsts: str) -> None:
    engine = open_engine(database)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", checkpoint_often)
        integration.DOUBT_SECONDS = 1  # there is no server to wait for
    appender = Appender(Log(engine, SIGNER, last_checkpoint=Path(memory)), account, name, quits=at_fault == "quit")
    os.writev(1, [b"ready\n"])
    sys.stdin.readline()
    others = [
        threading.Thread(target=appender.work, args=(thread, int(first), int(batches)))
        for thread, first in enumerate(firsts[1:], 1)
    ]
    for other in others:
        other.start()
    appender.work(0, int(firsts[0]), int(batches))
    for other in others:
        other.join()
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
