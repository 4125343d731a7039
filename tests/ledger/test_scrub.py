"""What the file remembers of what is still to be removed from it; that it is removed is tried in tests/api."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, event

from ledger import scrub as module
from ledger.database import open_engine, reading, writing
from ledger.errors import DatabaseBusyError
from ledger.scrub import is_owed, owe, scrub

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def delete(engine: Engine) -> None:
    with writing(engine) as connection:
        owe(connection)


@pytest.mark.usefixtures("database")
def test_a_file_is_marked_until_it_was_scrubbed(engine: Engine) -> None:
    assert is_owed(engine) is None
    for _ in range(2):
        delete(engine)
        assert is_owed(engine)
        assert scrub(engine, ()).done
        assert is_owed(engine) is False


@pytest.mark.usefixtures("database")
def test_nothing_is_marked_where_nothing_was_deleted(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        owe(connection)
        transaction.rollback()
    assert is_owed(engine) is None


@pytest.mark.usefixtures("database")
def test_the_mark_of_what_was_deleted_meanwhile_stays(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    empty: Callable[..., None] = module._empty_the_journal
    with monkeypatch.context() as patch:
        patch.setattr(module, "_empty_the_journal", lambda *each: (empty(*each), delete(engine)))
        delete(engine)
        scrub(engine, ())
        assert is_owed(engine)
    scrub(engine, ())
    assert is_owed(engine) is False


def test_the_file_is_not_written_anew_while_a_reader_keeps_the_old_one(engine: Engine, database: Path) -> None:
    delete(engine)
    reader = sqlite3.connect(database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM entry").fetchone()
    delete(engine)
    size = database.with_name(f"{database.name}-wal").stat().st_size
    with pytest.raises(DatabaseBusyError, match="for 0 seconds somebody went on reading"):
        scrub(engine, (), patience=0)
    assert database.with_name(f"{database.name}-wal").stat().st_size == size
    reader.close()
    assert is_owed(engine)
    assert scrub(engine, (), patience=0).done


@pytest.mark.usefixtures("engine")
def test_what_is_deleted_is_overwritten_whatever_sqlite_was_built_with(database: Path) -> None:
    engine = open_engine(database)

    def as_upstream_builds_it(connection: sqlite3.Connection, _entry: object) -> None:
        connection.execute("PRAGMA secure_delete = OFF")

    event.listen(engine, "connect", as_upstream_builds_it, insert=True)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar_one() == 1
    engine.dispose()


def test_on_a_server_the_tables_and_the_log_say_it(engine: Engine) -> None:
    delete(engine)
    if engine.dialect.name == "postgresql":
        assert module.scrubbed_up_to(engine, ("entry",)) == 0
    else:
        assert is_owed(engine)
