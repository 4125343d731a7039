"""Making what was deleted unreadable: a database keeps old rows in free pages and in its journals.

SQLite: the file is written anew (VACUUM), and the write-ahead log is emptied. PostgreSQL: the tables
are written anew (VACUUM FULL), and the write-ahead log is moved on; segments that are recycled keep
old bytes unless the server is set to remove them, which only its administrator can do.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.engine.interfaces import DBAPICursor

from ledger import postgresql, sqlite
from ledger.errors import DatabaseBusyError

PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.1
_OF_THE_ADMINISTRATOR = (
    "PostgreSQL keeps recycled segments of its write-ahead log, replicas and archives: with wal_recycle = off, "
    "CHECKPOINT; SELECT pg_switch_wal(); CHECKPOINT removes the old segments; erase archives and back-ups by their own "
    "rules (docs/operations.md)."
)


def scrub(engine: Engine, tables: Sequence[str]) -> tuple[str, ...]:
    """Leaves nothing in the database's files of rows that were deleted from some tables.

    Args:
        engine: The database.
        tables: Names of the tables; SQLite's one file is written anew whatever they are.

    Returns:
        What is left to the administrator of the server; nothing on SQLite.

    Raises:
        DatabaseBusyError: Somebody went on reading an old state of the database.
        DatabaseUnavailableError: There is no room, or this user may not do it.
    """
    with _alone(engine) as cursor:
        if engine.dialect.name == "sqlite":
            cursor.execute("VACUUM")
            _empty_the_journal(cursor)
            return ()
        for table in tables:
            cursor.execute(f"VACUUM (FULL, ANALYZE) {table}")
        cursor.execute("CHECKPOINT")
        return (_OF_THE_ADMINISTRATOR,)


@contextmanager
def _alone(engine: Engine) -> Iterator[DBAPICursor]:
    """A connection of its own, without a transaction: these commands take none."""
    sqlite_ = engine.dialect.name == "sqlite"
    connection = engine.raw_connection()
    connection.detach()
    try:
        if not sqlite_:
            connection.dbapi_connection.autocommit = True  # type: ignore[union-attr] # psycopg's own
        yield connection.cursor()
    except Exception as fault:
        meant = sqlite.meaning(fault, engine.url, 0) if isinstance(fault, sqlite3.Error) else None
        meant = meant or (None if sqlite_ else postgresql.meaning(fault, engine.url, 0))
        if meant is None:
            raise
        raise meant from fault
    finally:
        connection.close()


def _empty_the_journal(cursor: DBAPICursor) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    cursor.execute("PRAGMA busy_timeout = 0")  # the waiting is done here
    while True:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if cursor.fetchall()[0][0] == 0:  # nobody was in the way
            return
        if time.monotonic() > deadline:
            raise DatabaseBusyError(
                f"The rows are deleted, but for {PATIENCE_SECONDS:.0f} seconds somebody went on reading an old state "
                "of the database, of which its -wal file keeps a copy. Stop the other programs that use the home, and "
                "run `linernotes db scrub`."
            )
        time.sleep(_PAUSE_SECONDS)
