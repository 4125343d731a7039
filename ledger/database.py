"""The database as the whole program uses it: how it is opened, locked and complained about.

On SQLite a transaction says at its beginning whether it will write. `writing` takes the one write
lock at once (`BEGIN IMMEDIATE`), waits for it, and commits durably (WAL, `synchronous=FULL`).
`reading` sees one snapshot, and neither waits for a writer nor makes one wait.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.errors import DatabaseBusyError, DatabaseUnavailableError, LedgerError, shown

BUSY_SECONDS = 30
"""How long a writer waits for another process to finish."""

_WRITES = "linernotes_writes"

_REMEDIES = {
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


def open_engine(database: str | Path, *, read_only: bool = False) -> Engine:
    """Opens a database for any number of threads; nothing is read before the first use.

    Every engine made here raises `DatabaseBusyError` and `DatabaseUnavailableError` in place of
    the driver's errors, also for statements of other packages.

    Args:
        database: A file, or an SQLAlchemy URL.
        read_only: Refuse every write, and do not make the file when it is missing.

    Returns:
        The engine.

    Raises:
        DatabaseUnavailableError: A text with `://` is not a database URL.
    """
    url = _url(database)
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and read_only and url.database:
        location = Path(url.database).absolute().as_uri()
        url = url.set(database=location, query={**url.query, "mode": "ro", "uri": "true"})
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS} if sqlite else {})
    event.listen(engine, "handle_error", _translate, retval=True)
    if sqlite:
        event.listen(engine, "connect", _prepare_reader if read_only else _prepare_writer)
        event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """Opens one durable transaction that holds the write lock from its beginning.

    Yields:
        The session; it is committed when the block ends and rolled back when it raises.

    Raises:
        DatabaseBusyError: Another process held the lock for more than `BUSY_SECONDS`.
        DatabaseUnavailableError: The database cannot be read or written.
    """
    with Session(writer(engine), expire_on_commit=False) as session, session.begin():
        session.connection()  # a session begins when it is first used; the lock is needed now
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Opens one read transaction: a snapshot that no writer changes and that blocks no writer.

    Yields:
        The session; whatever it would have written is rolled back.

    Raises:
        DatabaseUnavailableError: The database cannot be read.
    """
    with Session(engine) as session:
        yield session


def writer(engine: Engine) -> Engine:
    """Returns the same engine (and pool) with transactions that take the write lock at once."""
    return engine.execution_options(**{_WRITES: True})


def _url(database: str | Path) -> URL:
    if isinstance(database, Path) or "://" not in database:
        return URL.create("sqlite", database=str(database))
    try:
        return make_url(database)
    except ArgumentError as fault:
        raise DatabaseUnavailableError(
            f"{shown(database)} is neither a file nor a database URL: {fault}; give a path, or a "
            "URL like sqlite:////var/lib/linernotes.db."
        ) from fault


def _prepare_writer(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    _prepare(connection, "journal_mode=WAL", "synchronous=FULL", "fullfsync=ON", "foreign_keys=ON")


def _prepare_reader(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    _prepare(connection, "query_only=ON", "foreign_keys=ON")


def _prepare(connection: DBAPIConnection, *pragmas: str) -> None:
    connection.isolation_level = None  # the driver opens no transactions of its own: `_begin` does
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", *pragmas):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _translate(context: ExceptionContext) -> LedgerError | None:
    fault = context.original_exception
    return _meaning(fault, context.engine) if isinstance(fault, sqlite3.Error) else None


def _meaning(fault: sqlite3.Error, engine: Engine | None) -> LedgerError | None:
    where = f"The database {engine.url.database if engine else ''}"
    code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # the primary result code
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return DatabaseBusyError(
            f"{where} was locked by another process for {BUSY_SECONDS} seconds ({fault}); wait "
            "for that process to finish, or stop it, and try again: nothing was recorded."
        )
    if code == sqlite3.SQLITE_ERROR and "no such table" in str(fault):
        return DatabaseUnavailableError(f"{where} is not set up ({fault}); run `linernotes db upgrade`.")
    remedy = _REMEDIES.get(code)
    return DatabaseUnavailableError(f"{where}: {remedy} ({fault}).") if remedy else None
