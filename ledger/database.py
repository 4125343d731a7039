"""The database as the whole program uses it: how it is opened, locked and complained about.

A transaction says at its beginning what it will do. `writing` takes the one write lock at once and
waits for it; `appending` is for the log, whose lock is its head; both commit durably. `reading` sees
one snapshot, and neither waits for a writer nor makes one wait.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ledger import postgresql, sqlite
from ledger.errors import (
    BrokenTransactionError,
    DatabaseBusyError,
    DatabaseUnavailableError,
    InDoubtError,
    LedgerError,
    shown,
)

BUSY_SECONDS = 30
"""How long a writer waits for another process to finish."""

_ENGINES = {"sqlite": sqlite.make_engine, "postgresql": postgresql.make_engine}
_PURPOSE = "linernotes_purpose"


class _Purpose(Enum):
    WRITE = auto()
    APPEND = auto()


def open_engine(database: str | Path, *, read_only: bool = False) -> Engine:
    """Opens a database for any number of threads; nothing is read before the first use.

    Every engine made here raises `DatabaseBusyError` and `DatabaseUnavailableError` in place of
    the driver's errors, also for statements of other packages.

    Args:
        database: A file (SQLite), or a URL: `sqlite:///…` or `postgresql://…`.
        read_only: Refuse every write, and do not make the file when it is missing.

    Returns:
        The engine.

    Raises:
        DatabaseUnavailableError: A text with `://` is not the URL of a database that is known.
    """
    url = _url(database)
    make = _ENGINES.get(url.get_backend_name())
    if make is None:
        raise DatabaseUnavailableError(
            f"Databases of the kind {shown(url.get_backend_name())} are not supported: give a file, or a URL that "
            "begins with sqlite:// or postgresql://."
        )
    engine = make(url, read_only=read_only, patience_seconds=BUSY_SECONDS)
    event.listen(engine, "handle_error", _translate, retval=True)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Opens one durable transaction that holds the write lock from its beginning.

    Yields:
        The connection; it is committed when the block ends and rolled back when it raises.

    Raises:
        DatabaseBusyError: Another process held the lock for more than `BUSY_SECONDS`.
        DatabaseUnavailableError: The database cannot be read or written.
        InDoubtError: It failed during the commit, and may have recorded all or nothing.
        BrokenTransactionError: The block has passed over an error that undoes the transaction.
    """
    with _transaction(writer(engine)) as connection:
        yield connection


@contextmanager
def appending(engine: Engine) -> Iterator[Connection]:
    """Opens one durable transaction of the log, whose lock is its head (`ledger.store.locked_state`).

    On SQLite, which has one lock for everything, it is what `writing` gives.

    Yields:
        The connection; it is committed when the block ends and rolled back when it raises.

    Raises:
        DatabaseBusyError: Another process held the lock for more than `BUSY_SECONDS`.
        DatabaseUnavailableError: The database cannot be read or written.
        InDoubtError: It failed during the commit, and may have recorded all or nothing.
        BrokenTransactionError: The block has passed over an error that undoes the transaction.
    """
    with _transaction(engine.execution_options(**{_PURPOSE: _Purpose.APPEND})) as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Opens one read transaction: a snapshot that no writer changes and that blocks no writer.

    Yields:
        The connection; whatever it would have written is rolled back.

    Raises:
        DatabaseBusyError: This process reads too much at once.
        DatabaseUnavailableError: The database cannot be read.
    """
    view = postgresql.snapshot(engine) if engine.dialect.name == "postgresql" else engine
    with _connected(view) as connection:
        yield connection


def require_intact(connection: Connection) -> None:
    """Refuses a transaction that the database has given up, so that nobody believes its commit.

    After some errors SQLite has rolled it back, and PostgreSQL answers COMMIT with a rollback, which is no error to
    the driver. Whoever passes over an error of the database has to do it within a savepoint.

    Raises:
        BrokenTransactionError: An error was passed over.
    """
    broken = sqlite.is_broken if connection.dialect.name == "sqlite" else postgresql.is_broken
    if broken(connection):
        raise BrokenTransactionError(
            "The transaction was broken by an error of the database that the program passed over, so it was undone: "
            "nothing was recorded. Report this with the log of the program; to try again may help."
        )


def writer(engine: Engine) -> Engine:
    """Returns the same engine (and pool) with transactions that take the write lock at once."""
    return engine.execution_options(**{_PURPOSE: _Purpose.WRITE})


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with _connected(engine) as connection, connection.begin() as transaction:
        yield connection
        require_intact(connection)
        try:
            transaction.commit()
        except (DatabaseBusyError, DatabaseUnavailableError) as fault:
            raise InDoubtError(
                f"The database failed while a change was being committed, which may or may not be recorded: {fault}"
            ) from fault


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    try:
        connection = engine.connect()
    except PoolTimeoutError as fault:
        raise DatabaseBusyError(
            f"All connections of this process to the database {engine.url.database} were in use for too long "
            f"({fault}); try again when less is going on, or start another process: nothing was recorded."
        ) from fault
    with connection:
        yield connection


def _url(database: str | Path) -> URL:
    if isinstance(database, Path) or "://" not in database:
        return URL.create("sqlite", database=str(database))
    try:
        return make_url(database)
    except ArgumentError as fault:
        raise DatabaseUnavailableError(
            f"{shown(database)} is neither a file nor a database URL: {fault}; give a path, or a "
            "URL like sqlite:////var/lib/linernotes.db or postgresql://localhost/linernotes."
        ) from fault


def _begin(connection: Connection) -> None:
    purpose = connection.get_execution_options().get(_PURPOSE)
    if connection.dialect.name == "sqlite":
        sqlite.begin(connection, writes=purpose is not None)
    elif purpose is _Purpose.WRITE:
        postgresql.lock_writers(connection)


def _translate(context: ExceptionContext) -> LedgerError | None:
    if context.is_pre_ping:  # a stale connection is no fault: the pool makes another
        return None
    fault = context.original_exception
    url = context.engine.url if context.engine else None
    if isinstance(fault, sqlite3.Error):
        return sqlite.meaning(fault, url, BUSY_SECONDS)
    if context.dialect.name == "postgresql":
        return postgresql.meaning(fault, url, BUSY_SECONDS)
    return None
