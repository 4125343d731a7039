"""PostgreSQL as the log uses it: every commit on the disk, snapshots for readers, locks with an end.

The head row is the lock of those who append. Those who write anything else take turns by an
advisory lock, as on SQLite; they and the appenders do not wait for one another.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, Literal

from sqlalchemy import URL, Connection, CursorResult, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext

from ledger.errors import DatabaseBusyError, DatabaseUnavailableError, LedgerError

WRITERS_LOCK: Final = 0x6C696E6572  # "liner"
"""Key of the advisory lock of those who write anything but entries."""

_CONNECT_SECONDS: Final = 10
_IDLE_SECONDS: Final = 60
_PROBES: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
_UNANSWERED: Final = {"tcp_user_timeout": 25_000}
"""Server and client notice within half a minute that the other has vanished from the network (seconds; milliseconds).

Else a client would wait for hours, with all whose entries are in the same transaction, and a server keep its locks.
"""

_BUSY: Final = {
    "55P03": "was kept busy by others for {patience_seconds} seconds",
    "57014": "was told to stop what it did, or found that it took too long",
    "40001": "was changed by others at the same time",
    "40P01": "found that this and another transaction waited for each other",
}
_REMEDIES: Final = {
    "53100": "its disk is full; free some space and try again: nothing was recorded",
    "53300": "it takes no more connections; stop other programs, or raise its max_connections",
    "25006": "it may not be written: it is a standby, or was opened read-only",
    "25P03": "it ended a transaction that stood still for too long; try again: nothing was recorded",
    "42501": "this user may not do that there; see `docs/operations.md` for the roles and their grants",
    "42P01": "it is not set up; run `linernotes db upgrade`",
    "42703": "it has not the tables of this release: it was changed behind the log's back; restore it from its backup",
    "3D000": "there is no such database; create it, or correct its name in the setting `database`",
    "28P01": "the password is wrong; give it in a pgpass file or in PGPASSWORD",
    "28000": "this user may not connect; check pg_hba.conf and the setting `database`",
}
_CLASSES: Final = {
    "08": "it cannot be reached; check that it runs, and try again",
    "53": "it lacks memory or disk; check its log, and try again: nothing was recorded",
    "57": "it is being stopped or started; try again",
    "58": "it reports an error of its disk; check its log",
    "XX": "it reports damage; check its log, and restore it from its backup",
}
"""By SQLSTATE, or its class (PostgreSQL documentation, appendix A)."""
_REFUSALS: Final = (
    (re.compile(r"password authentication failed|no password supplied"), "28P01"),
    (re.compile(r"pg_hba\.conf|authentication failed|not permitted to log in|role \".*\" does not exist"), "28000"),
    (re.compile(r"database \".*\" does not exist"), "3D000"),
    (re.compile(r"permission denied for database"), "42501"),
    (re.compile(r"too many (connections|clients)|remaining connection slots"), "53300"),
    (re.compile(r"the database system is"), "57P03"),
)
"""What servers that speak English say to those who connect: the driver passes their words on, and no SQLSTATE."""
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_SEVERAL = "linernotes_several"


def make_engine(url: URL, *, read_only: bool, patience_seconds: int) -> Engine:
    """Makes an engine for a database.

    A connection that was cut is noticed before it is used again (`pool_pre_ping`), so that a server that was
    restarted needs no help.

    Args:
        url: Of the database; the driver is psycopg, whatever it names.
        read_only: Refuse every write.
        patience_seconds: How long a writer waits for another.
    """
    settings = {
        "synchronous_commit": "on",
        "default_transaction_isolation": r"read\ committed",
        "lock_timeout": f"{max(1, patience_seconds * 1000)}",  # 0 would mean for ever
        "idle_in_transaction_session_timeout": f"{_IDLE_SECONDS * 1000}",
        "default_transaction_read_only": "on" if read_only else "off",
        **{f"tcp_{name}": str(value) for name, value in _PROBES.items()},
        **{name: str(value) for name, value in _UNANSWERED.items()},
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        execution_options={"postgresql_readonly": True} if read_only else {},  # or BEGIN would say READ WRITE
        connect_args={
            "options": options,
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "linernotes",
            **_PROBES,
            **_UNANSWERED,
        },
    )
    event.listen(engine, "do_execute", _execute_several)
    return engine


def snapshot(engine: Engine) -> Engine:
    """Returns the engine with transactions that only read, all of them one state of the database."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def lock_writers(connection: Connection) -> None:
    """Waits for the other writers, and keeps them waiting until the transaction ends."""
    connection.execute(_LOCK, {"key": WRITERS_LOCK})


def last_of(connection: Connection, statements: Sequence[str]) -> CursorResult[*tuple[Any, ...]]:
    """Executes statements without values, one after the other, on one journey to the server and back.

    They do not go as a pipeline of the driver: behind one, PostgreSQL 15 does not count how long a transaction stands
    still, so that whoever vanishes with a lock would keep it.

    Args:
        connection: A transaction.
        statements: At least one.

    Returns:
        The result of the last.
    """
    return connection.exec_driver_sql("; ".join(statements), execution_options={_SEVERAL: True})


def together(connection: Connection, changes: Sequence[tuple[str, Sequence[object]]]) -> None:
    """Makes changes of different tables in one statement, so on one journey to the server and back.

    Args:
        connection: A transaction.
        changes: At least one, each an INSERT or an UPDATE of the driver with its values.
    """
    *others, last = [statement for statement, _ in changes]
    named = ", ".join(f"change_{number} AS ({statement})" for number, statement in enumerate(others))
    values = tuple(value for _, own in changes for value in own)
    connection.exec_driver_sql(f"WITH {named} {last}" if others else last, values)


def is_broken(connection: Connection) -> bool:
    """Whether the server answers everything but a rollback with an error."""
    from psycopg.pq import TransactionStatus  # noqa: PLC0415 - see `meaning`

    driver = connection.connection.driver_connection
    return driver is not None and bool(driver.info.transaction_status == TransactionStatus.INERROR)


def meaning(fault: BaseException, url: URL | None, patience_seconds: int) -> LedgerError | None:
    """Returns what a driver's error means to a user, or None when it means a mistake of ours."""
    import psycopg  # noqa: PLC0415 - takes a tenth of a second, and a home on SQLite never needs it

    if not isinstance(fault, psycopg.Error):
        return None
    where = f"The database {url.database if url else ''} on {_place(url)}"
    said = " ".join(str(fault).split())[:300]
    state = fault.sqlstate or ""
    if not state and isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError):
        state = next((state for pattern, state in _REFUSALS if pattern.search(said)), "08006")
    busy = _BUSY.get(state)
    if busy is not None:
        reason = busy.format(patience_seconds=patience_seconds)
        return DatabaseBusyError(f"{where} {reason} ({said}); try again: nothing was recorded.")
    remedy = _REMEDIES.get(state) or _CLASSES.get(state[:2])
    return DatabaseUnavailableError(f"{where}: {remedy} ({said}).") if remedy else None


def _execute_several(
    cursor: DBAPICursor, statement: str, _values: object, context: ExecutionContext
) -> Literal[True] | None:
    if not context.execution_options.get(_SEVERAL):
        return None
    driver: Any = cursor
    driver.execute(statement, prepare=False)
    while driver.nextset():
        pass
    return True


def _place(url: URL | None) -> str:
    named = (url.host or url.query.get("host", "")) if url else ""
    hosts = named if isinstance(named, str) else " or ".join(named)
    return "this machine" if not hosts or hosts.startswith("/") else hosts
