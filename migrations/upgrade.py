"""Brings a database to the form that this release expects: all of it, or nothing."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from ledger.database import writer
from ledger.errors import LogDamagedError, NewerDatabaseError


def upgrade(engine: Engine) -> None:
    """Applies every migration that a database lacks, in one transaction.

    A database that is up to date is only read. Of several processes that begin at once, one does
    the work and the others wait for it.

    Args:
        engine: The database, as `ledger.database.open_engine` gives it.

    Raises:
        NewerDatabaseError: A newer release made or upgraded the database; it is left as it is.
        DatabaseBusyError: Another process kept the database locked.
        DatabaseUnavailableError: The database cannot be read or written.
        LogDamagedError: Its tables are not those of the revision that it states; it is left as it is.
    """
    if _is_current(current_revision(engine)):
        return
    with writer(engine).begin() as connection:
        revision = _revision(connection)
        if _is_current(revision):  # another process was faster
            return
        try:
            command.upgrade(config(connection), "head")
        except DBAPIError as fault:
            raise LogDamagedError(
                f"The database states the revision {revision!r}, and has other tables than that one ({fault.orig}): it "
                "was changed behind the log's back. Restore it from its backup; nothing was changed."
            ) from fault


def current_revision(engine: Engine) -> str | None:
    """Returns the revision that a database is at, or None when it is empty.

    Raises:
        DatabaseUnavailableError: The database cannot be read.
        LogDamagedError: It states several.
    """
    with engine.connect() as connection:
        return _revision(connection)


def head_revision() -> str:
    """Returns the newest revision that this release knows."""
    head = _scripts().get_current_head()
    if head is None:
        raise RuntimeError(f"no migrations in {_folder()}; install the program again")
    return head


def config(connection: Connection) -> Config:
    """Returns Alembic's configuration for a connection; there is no `alembic.ini`."""
    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return settings


def _folder() -> Path:
    return Path(__file__).parent


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(_folder())


def _revision(connection: Connection) -> str | None:
    try:
        return MigrationContext.configure(connection).get_current_revision()
    except CommandError as fault:
        raise LogDamagedError(
            f"The database states several revisions ({fault}): it was changed behind the log's back. Restore it from "
            "its backup; nothing was changed."
        ) from fault


def _is_current(revision: str | None) -> bool:
    scripts = _scripts()
    known = {script.revision for script in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        raise NewerDatabaseError(
            f"The database is at revision {revision!r}, which this release does not know (its "
            f"newest is {scripts.get_current_head()!r}): a newer release made it. Install that "
            "release, or use another home; nothing was changed."
        )
    return revision == scripts.get_current_head()
