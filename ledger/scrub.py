"""Making what was deleted unreadable: a database keeps old rows in free pages and in its journals.

SQLite: the file is written anew (VACUUM), and the write-ahead log is emptied. PostgreSQL: the tables are written anew
(VACUUM FULL), and every segment of the write-ahead log is written over. Whoever writes to a server may do neither; so
the owner of the tables does it.

Whoever deletes may be killed before any of that. So the database itself remembers that it is still to be done, and a
copy of its files says it of itself: an SQLite file bears a mark, set in the very transaction that deletes and removed
by the scrub that began after it; the tables of a server say up to which entry of the log they were scrubbed.
"""

import re
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPICursor

from ledger import postgresql, segments, sqlite, store
from ledger.database import reading
from ledger.errors import DatabaseBusyError, DatabaseUnavailableError

PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.1
_SERVER_PAUSE_SECONDS = 1.0
"""A table is locked while it is written anew: in between, others get their turn."""
_CLEAN = 1
_MARKS = 2**31 - 2
"""Marks are numbers above `_CLEAN` that fit SQLite's `user_version`, drawn by lot; 0 is a file that was never scrubbed.

So a scrub knows the mark that it began with from one that was set meanwhile, which is not its to remove.
"""
_SCRUBBED = "scrubbed before entry "
_SAID = "SELECT obj_description(to_regclass(%s), 'pg_class')"
_NUMBER = re.compile(r"\d+")
_OF_THE_OWNER = (
    "The values are deleted, but their bytes are still in the files of the database server, which this user may not "
    'rewrite. Run `linernotes db scrub` as the owner of the tables (docs/operations.md, "Erasing").'
)
_OF_A_SUPERUSER = (
    "The tables are written anew, but the bytes of what was deleted are still in the server's write-ahead log, which "
    "this user may not move on. Let a superuser run `linernotes db roles | psql`, which gives the owner of the "
    'database that right; then run `linernotes db scrub` as the owner (docs/operations.md, "Erasing").'
)
_COPIES = (
    "The server archives its write-ahead log or has standbys: erase what is older than now there, and make the "
    'standbys anew (docs/operations.md, "Erasing").'
)


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """How far the files of a database are free of what was deleted.

    Attributes:
        done: Whether all of them are that this database has.
        left_to_do: By whom else and how the rest is removed; one paragraph each.
    """

    done: bool
    left_to_do: tuple[str, ...] = ()


def owe(connection: Connection) -> None:
    """Marks an SQLite file as one that is still to be scrubbed; on a server the log itself says what was erased since.

    Args:
        connection: The transaction that deletes something for good.
    """
    if connection.dialect.name == "sqlite":
        sqlite.mark(connection, _CLEAN + 1 + secrets.randbelow(_MARKS - _CLEAN))


def is_owed(engine: Engine) -> bool | None:
    """Whether an SQLite file is marked; None where it was never scrubbed, and was not marked by whoever deleted.

    Raises:
        DatabaseUnavailableError: The database cannot be read.
    """
    with reading(engine) as connection:
        mark = sqlite.marked(connection)
    return mark != _CLEAN if mark else None


def scrub(engine: Engine, tables: Sequence[str], patience: float | None = None) -> Scrubbed:
    """Leaves nothing in the database's files of rows that were deleted from some tables, as far as this user may.

    Args:
        engine: The database.
        tables: Names of the tables; SQLite's one file is written anew whatever they are.
        patience: Seconds to wait for whoever uses an SQLite file; `PATIENCE_SECONDS` when left out.

    Raises:
        DatabaseBusyError: Somebody went on reading an old state of the database, or kept a table locked.
        DatabaseUnavailableError: There is no room, or the server is gone.
    """
    if engine.dialect.name == "sqlite":
        seconds = PATIENCE_SECONDS if patience is None else patience
        with _alone(engine) as (_, cursor):
            mark = _mark(cursor)
            _empty_the_journal(cursor, seconds)  # or the file would be written anew in vain
            cursor.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
            cursor.execute("VACUUM")
            _empty_the_journal(cursor, seconds)
            _settle(cursor, mark)
        return Scrubbed(done=True)
    with reading(engine) as connection:
        size = store.head(connection).size
    with _alone(engine) as (driver, cursor):
        if not all(_written_anew(driver, cursor, table) for table in tables):
            return Scrubbed(done=False, left_to_do=(_OF_THE_OWNER,))
        if not segments.may_be_turned(cursor):
            return Scrubbed(done=False, left_to_do=(_OF_A_SUPERUSER,))
        kept = segments.turn_all(cursor)
        if kept:
            return Scrubbed(done=False, left_to_do=(_held(kept),))
        for table in tables:
            cursor.execute(f"COMMENT ON TABLE {table} IS '{_SCRUBBED}{size}'")
        return Scrubbed(done=True, left_to_do=(_COPIES,) if segments.copies_elsewhere(cursor) else ())


def scrubbed_up_to(engine: Engine, tables: Sequence[str]) -> int:
    """Returns the size of the log when `scrub` was last completed on a server; 0 where it never was.

    What entries from there on erased may still be in its files. The tables carry the number, so that a copy of the
    files says it of itself.
    """
    sizes = []
    with reading(engine) as connection:
        cursor = connection.connection.cursor()
        for table in tables:
            cursor.execute(_SAID, (table,))
            [[said]] = cursor.fetchall()
            size = str(said).removeprefix(_SCRUBBED)
            sizes.append(int(size) if size.isdecimal() else 0)
    return min(sizes)


def _written_anew(driver: Any, cursor: DBAPICursor, table: str) -> bool:
    """Write a table anew; False where the server passed over it, with no more than a warning, as not this user's.

    A row that was deleted goes along as long as some transaction began before: the server's report says how many did.
    """
    reports: list[str] = []

    def keep(notice: Any) -> None:
        if notice.message_detail:
            reports.append(notice.message_detail)

    driver.add_notice_handler(keep)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            reports.clear()
            cursor.execute(f"VACUUM (FULL, VERBOSE, ANALYZE) {table}")
            carried = [found for report in reports if (found := _NUMBER.search(report))]
            if not any(int(found.group()) for found in carried):
                return bool(carried)
            if time.monotonic() > deadline:
                raise DatabaseBusyError(
                    f"The rows are deleted, but for {PATIENCE_SECONDS:.0f} seconds somebody went on reading an old "
                    f"state of the database, for whom the table {table} keeps them. Wait for, or end, transactions "
                    "that have been open for long (pg_stat_activity, pg_prepared_xacts, pg_replication_slots), and run "
                    "`linernotes db scrub`."
                )
            time.sleep(_SERVER_PAUSE_SECONDS)
    finally:
        driver.remove_notice_handler(keep)


def _held(kept: Sequence[str]) -> str:
    return (
        f"The tables are written anew, but the server keeps {len(kept)} old segments of its write-ahead log (in "
        f"pg_wal, the names that end in {kept[0]} to {kept[-1]}), for a replication slot, for an archive that has not "
        "taken them, or because of wal_keep_size. See to that, and run `linernotes db scrub` again."
    )


@contextmanager
def _alone(engine: Engine) -> Iterator[tuple[Any, DBAPICursor]]:
    """A connection of its own, as its driver made it, without a transaction: these commands take none."""
    sqlite_ = engine.dialect.name == "sqlite"
    try:
        connection = engine.raw_connection()
        driver: Any = connection.driver_connection
        connection.detach()
        try:
            if not sqlite_:
                driver.autocommit = True
            yield driver, connection.cursor()
        finally:
            connection.close()
    except Exception as fault:
        meant = sqlite.meaning(fault, engine.url, 0) if isinstance(fault, sqlite3.Error) else None
        meant = meant or (None if sqlite_ else postgresql.meaning(fault, engine.url, 0))
        if meant is None:
            raise
        kind = DatabaseBusyError if isinstance(meant, DatabaseBusyError) else DatabaseUnavailableError
        said = " ".join(str(fault).split())[:300]
        raise kind(
            "What was deleted stays deleted, but its bytes may still be in the files of the database, which could not "
            f"be rewritten ({said}). See to that, and run `linernotes db scrub`."
        ) from fault


def _mark(cursor: DBAPICursor) -> int:
    cursor.execute("PRAGMA user_version")
    return int(cursor.fetchall()[0][0])


def _settle(cursor: DBAPICursor, mark: int) -> None:
    """Remove the mark, unless somebody has deleted more meanwhile, and set another."""
    cursor.execute(f"PRAGMA busy_timeout = {round(PATIENCE_SECONDS * 1000)}")
    cursor.execute("BEGIN IMMEDIATE")
    if _mark(cursor) == mark != _CLEAN:
        cursor.execute(f"PRAGMA user_version = {_CLEAN}")
    cursor.execute("COMMIT")


def _empty_the_journal(cursor: DBAPICursor, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    cursor.execute("PRAGMA busy_timeout = 0")  # the waiting is done here
    while True:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if cursor.fetchall()[0][0] == 0:  # nobody was in the way
            return
        if time.monotonic() > deadline:
            raise DatabaseBusyError(
                f"The rows are deleted, but for {seconds:.0f} seconds somebody went on reading an old state of the "
                "database, of which its -wal file keeps a copy. Stop the other programs that use the home, and run "
                "`linernotes db scrub`."
            )
        time.sleep(_PAUSE_SECONDS)
