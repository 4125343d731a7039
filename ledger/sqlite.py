"""SQLite as the log uses it: write-ahead logging, every commit on the disk, one writer at a time."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExecutionContext
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.errors import DatabaseBusyError, DatabaseUnavailableError, LedgerError

_REMEDIES: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and try again: nothing was recorded",
    sqlite3.SQLITE_READONLY: (
        "it may not be written; check who owns the file and its folder, and whether the disk is mounted read-only"
    ),
    sqlite3.SQLITE_PERM: "it may not be opened by this user; check who owns the file",
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened; check that its folder exists and that this user may read and write there"
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk reports an error; check the disk, and restore the file from its backup if it is damaged"
    ),
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it from its backup",
    sqlite3.SQLITE_NOTADB: (
        "the file is not an SQLite database; give the path of the database, or move this file away"
    ),
}

_DURABLE: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "fullfsync=ON",
    "wal_autocheckpoint=4000",
    "secure_delete=ON",
)
"""An append changes some seven pages; so about every 600th waits until the log beside the file is copied into it.

What is deleted is overwritten with zeros at once, whatever SQLite was built with; an append deletes nothing, and pays
nothing for it. Copies that were made before are left to `ledger.scrub`.
"""
_OTHER_COLUMNS: Final = ("no such column", "has no column named")
_FILE = "linernotes_file"
"""Name under which a connection knows which file it has opened."""
_TOGETHER = "linernotes_together"


def make_engine(url: URL, *, read_only: bool, patience_seconds: int) -> Engine:
    """Makes an engine for a file.

    Args:
        url: Of the file.
        read_only: Refuse every write, and do not make the file when it is missing.
        patience_seconds: How long a writer waits for another.
    """
    if read_only and url.database:
        location = Path(url.database).absolute().as_uri()
        url = url.set(database=location, query={**url.query, "mode": "ro", "uri": "true"})
    engine = create_engine(url, connect_args={"timeout": patience_seconds})
    pragmas = ["query_only=ON"] if read_only else _DURABLE

    def prepare(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver opens no transactions of its own: `begin` does
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={patience_seconds * 1000}", *pragmas, "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        entry.info[_FILE] = _identity(url)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "do_execute", _execute_together)
    return engine


def begin(connection: Connection, *, writes: bool) -> None:
    """Begins a transaction; one that will write takes the one write lock at once.

    Raises:
        DatabaseUnavailableError: The file is not the one that was opened. SQLite would write into that one, though
            nobody will ever find it again.
    """
    url = connection.engine.url
    if writes and connection.info[_FILE] != _identity(url):
        raise DatabaseUnavailableError(
            f"The database {url.database}: its file was moved, removed or replaced while it was open; see that the "
            "right file is there, and start this program again: nothing was recorded."
        )
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def together(connection: Connection, statements: Sequence[tuple[str, Sequence[tuple[object, ...]]]]) -> None:
    """Executes statements of the driver, one after the other, at the price of one of SQLAlchemy's.

    It goes through the engine's own `execute`, so that errors are treated as everywhere.

    Args:
        connection: A transaction.
        statements: At least one, each with the values of its rows.
    """
    named = "; ".join(statement for statement, _ in statements)
    connection.exec_driver_sql(named, execution_options={_TOGETHER: statements})


def is_broken(connection: Connection) -> bool:
    """Whether SQLite has rolled a transaction back by itself."""
    driver = connection.connection.driver_connection
    return not (isinstance(driver, sqlite3.Connection) and driver.in_transaction)


def mark(connection: Connection, number: int) -> None:
    """Sets the number that the file bears (`user_version`), in a transaction like everything else.

    Args:
        connection: A transaction that holds the write lock.
        number: From 0, which every file begins with, to 2^31 - 1.
    """
    connection.exec_driver_sql(f"PRAGMA user_version = {number:d}")


def marked(connection: Connection) -> int:
    """Returns the number that the file bears."""
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def supersede(connection: Connection) -> None:
    """Writes a page as it is, and with it over a transaction whose commit failed.

    Such a transaction may stand in the write-ahead log complete, though no process sees it; if all of them died
    before the next commit, the one that recovers the file would take it for committed.

    Args:
        connection: A transaction that holds the write lock; by its own commit the other is gone for good.
    """
    mark(connection, marked(connection))


def meaning(fault: sqlite3.Error, url: URL | None, patience_seconds: int) -> LedgerError | None:
    """Returns what a driver's error means to a user, or None when it means a mistake of ours."""
    where = f"The database {url.database if url else ''}"
    code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # the primary result code
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}:
        return DatabaseBusyError(
            f"{where} was locked by another process for {patience_seconds} seconds ({fault}); wait "
            "for that process to finish, or stop it, and try again: nothing was recorded."
        )
    if code == sqlite3.SQLITE_ERROR and "no such table" in str(fault):
        return DatabaseUnavailableError(f"{where} is not set up ({fault}); run `linernotes db upgrade`.")
    if code == sqlite3.SQLITE_ERROR and any(words in str(fault) for words in _OTHER_COLUMNS):
        return DatabaseUnavailableError(
            f"{where} has not the tables of this release ({fault}): it was changed behind the log's back; restore it "
            "from its backup."
        )
    if "Could not decode to UTF-8" in str(fault):
        return DatabaseUnavailableError(
            f"{where} holds a text that is none ({fault}): it was changed behind the log's back; restore it from its "
            "backup."
        )
    remedy = _REMEDIES.get(code)
    return DatabaseUnavailableError(f"{where}: {remedy} ({fault}).") if remedy else None


def _execute_together(
    cursor: DBAPICursor, _statement: str, _values: object, context: ExecutionContext
) -> Literal[True] | None:
    statements = context.execution_options.get(_TOGETHER)
    if statements is None:
        return None
    for statement, rows in statements:
        cursor.executemany(statement, rows)
    return True


def _identity(url: URL) -> tuple[int, int] | None:
    try:
        found = Path(url.database or "").stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
