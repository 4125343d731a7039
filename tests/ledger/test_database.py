import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from ledger import database as module
from ledger.database import open_engine, reading, writing
from ledger.errors import DatabaseBusyError, DatabaseUnavailableError
from ledger.log import Log
from ledger.note import NoteSigner
from migrations.upgrade import upgrade


def pragma(engine: Engine, name: str) -> object:
    with reading(engine) as connection:
        return connection.scalar(text(f"PRAGMA {name}"))


@pytest.mark.usefixtures("database")
def test_settings(engine: Engine) -> None:
    assert pragma(engine, "journal_mode") == "wal"
    assert pragma(engine, "synchronous") == 2  # FULL
    assert pragma(engine, "foreign_keys") == 1
    assert pragma(engine, "fullfsync") == 1
    assert pragma(engine, "busy_timeout") == module.BUSY_SECONDS * 1000


@pytest.mark.usefixtures("engine")
def test_a_url_and_a_path_open_the_same_file(database: Path) -> None:
    for place in (database, str(database), f"sqlite:///{database}"):
        other = open_engine(place)
        with reading(other) as connection:
            assert connection.scalar(text("SELECT count(*) FROM entry")) == 0
        other.dispose()


def fail_while_writing(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO thing VALUES (1)"))
        raise KeyError


def test_writing_commits_and_rolls_back(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE thing (x INTEGER)"))
    with pytest.raises(KeyError):
        fail_while_writing(engine)
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO thing VALUES (2)"))
    with reading(engine) as connection:
        assert connection.scalars(text("SELECT x FROM thing")).all() == [2]


def test_a_writer_holds_the_lock_from_its_beginning(engine: Engine, database: Path) -> None:
    with writing(engine):
        other = sqlite3.connect(database, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM entry").fetchone() == (0,)
        other.close()


def test_readers_keep_their_snapshot_and_do_not_block_the_writer(engine: Engine, log: Log) -> None:
    log.append([b"one"])
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT count(*) FROM entry")) == 1
        log.append([b"two"])
        assert connection.scalar(text("SELECT count(*) FROM entry")) == 1
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT count(*) FROM entry")) == 2


def test_readers_do_not_wait_for_the_writer(engine: Engine, log: Log) -> None:
    log.append([b"one", b"two"])
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE thing (x INTEGER)"))
        assert log.size() == 2
        assert log.entry(1).data == b"two"
        assert log.tlog_proof(1).index == 1
        assert log.checkpoint()


def test_a_busy_database_is_named(
    engine: Engine, database: Path, signer: NoteSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0)
    impatient = open_engine(database)
    with writing(engine), pytest.raises(DatabaseBusyError, match=r"linernotes\.db was locked"):
        Log(impatient, signer).append([b"entry"])
    assert Log(impatient, signer).append([b"entry"])[0].index == 0
    impatient.dispose()


@pytest.mark.usefixtures("database")
def test_a_full_disk_is_named_and_nothing_is_recorded(engine: Engine, log: Log) -> None:
    log.append([b"before"])
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(DatabaseUnavailableError, match="disk is full; free some space"):
        log.append([bytes([number]) * 60_000 for number in range(9)])
    assert log.size() == 1
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    assert log.append([bytes(60_000)])[0].index == 1


def test_read_only(database: Path, log: Log, signer: NoteSigner) -> None:
    log.append([b"entry"])
    reader = open_engine(database, read_only=True)
    view = Log(reader, signer)
    assert view.entry(0).data == b"entry"
    assert view.checkpoint() == log.checkpoint()
    with pytest.raises(DatabaseUnavailableError, match="may not be written"):
        view.append([b"another"])
    reader.dispose()
    assert log.size() == 1


def test_read_only_makes_no_file(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "none.db", read_only=True)
    with pytest.raises(DatabaseUnavailableError, match="cannot be opened"), reading(engine) as s:
        s.execute(text("SELECT 1"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "nowhere" / "linernotes.db")
    with pytest.raises(DatabaseUnavailableError, match=r"nowhere.*check that its folder exists"):
        upgrade(engine)


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "linernotes.db"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" * 1000)
    with pytest.raises(DatabaseUnavailableError, match="not an SQLite database"):
        upgrade(open_engine(path))
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_database_that_is_not_set_up_is_named(tmp_path: Path, signer: NoteSigner) -> None:
    engine = open_engine(tmp_path / "linernotes.db")
    with pytest.raises(DatabaseUnavailableError, match=r"not set up.*linernotes db upgrade"):
        Log(engine, signer).size()
    engine.dispose()


def test_a_url_that_is_none_is_named() -> None:
    with pytest.raises(DatabaseUnavailableError, match="neither a file nor a database URL"):
        open_engine("://")


def test_paths_are_not_read_as_urls(tmp_path: Path) -> None:
    path = tmp_path / "odd ?mode=ro#%20é.db"
    for read_only in (False, True):
        engine = open_engine(path, read_only=read_only)
        with reading(engine) as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        engine.dispose()
    assert path.exists()
