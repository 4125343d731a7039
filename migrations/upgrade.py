"""Brings a database to the form that this release expects: all of it, or nothing."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from ledger.database import writer
from ledger.errors import NewerDatabaseError


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
    """
    if _is_current(current_revision(engine)):
        return
    with writer(engine).begin() as connection:
        if not _is_current(_revision(connection)):  # another process may have been faster
            command.upgrade(config(connection), "head")


def current_revision(engine: Engine) -> str | None:
    """Returns the revision that a database is at, or None when it is empty.

    Raises:
        DatabaseUnavailableError: The database cannot be read.
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
    return MigrationContext.configure(connection).get_current_revision()


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
