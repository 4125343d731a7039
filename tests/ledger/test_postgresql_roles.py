"""Roles on PostgreSQL: each tries everything there is, and the server itself refuses what it may not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, MetaData, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

import api.tables
import fingerprint.tables
import ledger.tables
import provenance.tables
from api.erasure import erase
from api.home import Home
from api.integrity import fsck, rebuild
from api.recording import generate
from api.settings import Settings
from api.tokens import create as create_token
from generator.request import GenerationRequest
from ledger.database import open_engine, reading, writing
from ledger.errors import DatabaseUnavailableError
from ledger.fsck import check
from ledger.log import Log
from ledger.merkle import leaf_hash
from ledger.note import NoteSigner
from ledger.tile import TilePath
from migrations import roles
from migrations.upgrade import upgrade

TABLES = sorted(roles.tables())
CHANGED = {
    "head": {"size", "edge"},
    "job": {column.name for column in api.tables.job.c},
    "token": {column.name for column in api.tables.token.c},
    "edit_draft": {column.name for column in api.tables.edit_draft.c},
}
"""Columns that the writer may UPDATE."""
KEPT = {"entry", "tile", "checkpoint", "timestamp", "head", "fingerprint", "alembic_version"}
"""Tables from which the writer may not DELETE."""
PRIVATE = {"opening", "job", "token", "edit_draft", "idempotency"}
"""Tables that the reader may not see."""


@pytest.fixture(scope="module")
def url(new_postgresql: Callable[[], str]) -> str:
    """A database whose owner has handed out the roles, twice."""
    url = new_postgresql()
    owner = open_engine(url)
    for _ in range(2):
        with writing(owner) as connection:
            for statement in roles.statements():
                connection.exec_driver_sql(statement)
    owner.dispose()
    return url


def engine_of(url: str, role: str) -> Engine:
    engine = open_engine(make_url(url).set(username=role, password=None).render_as_string())
    try:
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT current_user")) == role
    except DatabaseUnavailableError as fault:
        pytest.skip(f"{role} may not log in without a password ({fault}): its rights were not tried")
    return engine


@pytest.fixture(scope="module")
def writer(url: str) -> Iterator[Engine]:
    engine = engine_of(url, roles.WRITER)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def reader(url: str) -> Iterator[Engine]:
    engine = engine_of(url, roles.READER)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def log(writer: Engine, signer: NoteSigner) -> Log:
    """A log that the writer has appended to."""
    log = Log(writer, signer)
    log.append([b"entry %d" % number for number in range(300)], idempotency_key="first")
    return log


def may(engine: Engine, statement: str) -> bool:
    """Whether the server lets a role do something; it is not done."""
    with engine.connect() as connection:
        try:
            connection.exec_driver_sql(statement)
        except DatabaseUnavailableError as refusal:
            assert "this user may not do that there; see `docs/operations.md`" in str(refusal)  # noqa: PT017
            return False
        except DBAPIError as fault:
            assert "permission denied" not in str(fault)  # noqa: PT017
    return True


def test_every_table_has_its_rights(url: str) -> None:
    owner = open_engine(url)
    metadata: list[MetaData] = [module.METADATA for module in (api.tables, fingerprint.tables, ledger.tables)]
    metadata.append(provenance.tables.METADATA)
    ours = {table.name for each in metadata for table in each.sorted_tables}
    assert set(inspect(owner).get_table_names()) == roles.tables() == ours | {"alembic_version"}
    owner.dispose()


def columns(engine: Engine, table: str) -> list[str]:
    return [column["name"] for column in inspect(engine).get_columns(table)]


@pytest.mark.parametrize("table", TABLES)
def test_what_the_writer_may_do_to_a_table(writer: Engine, table: str) -> None:
    def allowed(statement: str, column: str = "") -> bool:
        return may(writer, statement.replace("@", table).replace("#", column))

    assert allowed("SELECT count(*) FROM @")
    assert allowed("INSERT INTO @ SELECT * FROM @ WHERE false") is (table not in {"head", "alembic_version"})
    assert allowed("DELETE FROM @ WHERE false") is (table not in KEPT)
    for column in columns(writer, table):
        assert allowed("UPDATE @ SET # = # WHERE false", column) is (column in CHANGED.get(table, ()))
    for statement in (
        "TRUNCATE @",
        "DROP TABLE @",
        "ALTER TABLE @ DISABLE TRIGGER ALL",
        "ALTER TABLE @ ADD COLUMN more integer",
        f"ALTER TABLE @ OWNER TO {roles.WRITER}",
        "CREATE INDEX ON @ (ctid)",
        "CREATE TRIGGER mine BEFORE INSERT ON @ FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        "CREATE RULE mine AS ON INSERT TO @ DO INSTEAD NOTHING",
    ):
        assert not allowed(statement), statement


@pytest.mark.parametrize("table", TABLES)
def test_what_the_reader_may_do_to_a_table(reader: Engine, table: str) -> None:
    assert may(reader, "SELECT count(*) FROM @".replace("@", table)) is (table not in PRIVATE)
    for statement in (
        "INSERT INTO @ SELECT * FROM @ WHERE false",
        "UPDATE @ SET # = # WHERE false",
        "DELETE FROM @ WHERE false",
        "SELECT 1 FROM @ WHERE false FOR UPDATE",
        "TRUNCATE @",
        "LOCK TABLE @ IN SHARE MODE",
    ):
        assert not may(reader, statement.replace("@", table).replace("#", columns(reader, table)[0])), statement


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x integer)",
        "CREATE TEMPORARY TABLE entry (x integer)",
        "CREATE SCHEMA mine",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        "DROP FUNCTION refuse_shrinking() CASCADE",
        "CREATE ROLE mine",
        "SET session_replication_role = replica",
        "COPY entry TO PROGRAM 'cat'",
        "COPY entry FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE postgres",
        "CHECKPOINT",
        "SELECT pg_switch_wal()",
        "SELECT pg_ls_waldir()",
        "COMMENT ON TABLE opening IS 'scrubbed before entry 9'",
    ],
)
def test_what_neither_may_do(writer: Engine, reader: Engine, statement: str) -> None:
    assert not may(writer, statement)
    assert not may(reader, statement)


def test_the_log_is_whole_in_the_hands_of_its_writer(log: Log, writer: Engine, signer: NoteSigner) -> None:
    size = log.size()
    assert log.append([b"entry 0"] + [b"entry %d" % number for number in range(1, 300)], idempotency_key="first")
    log.tlog_proof(7).verify(leaf_hash(b"entry 7"), [log.verifier])
    assert len(log.tile(TilePath(0, 0))) == 8192
    assert log.consistency_proof(5, 299).new_size == 299
    Log(writer, signer.verifier, publishes_at_once=False).append([b"more"])
    Log(writer, signer, publishes_at_once=False).publish()
    assert log.size() == size + 1
    assert check(log).problems == ()
    upgrade(writer)  # which is up to date


def test_the_reader_can_check_and_prove(log: Log, reader: Engine, signer: NoteSigner) -> None:
    view = Log(reader, signer.verifier, publishes_at_once=False)
    assert check(view).problems == ()
    view.tlog_proof(7).verify(leaf_hash(b"entry 7"), [log.verifier])
    with pytest.raises(DatabaseUnavailableError, match="may not do that"):
        view.append([b"x"])


def test_nobody_else_may_connect(url: str, writer: Engine) -> None:
    owner = open_engine(url)
    with writing(owner) as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS linernotes_stranger")
        connection.exec_driver_sql("CREATE ROLE linernotes_stranger LOGIN")
    stranger = open_engine(make_url(url).set(username="linernotes_stranger", password=None).render_as_string())
    with pytest.raises(DatabaseUnavailableError, match="this user may not"), reading(stranger):
        pass
    stranger.dispose()
    with writing(owner) as connection:
        connection.exec_driver_sql("DROP ROLE linernotes_stranger")
    owner.dispose()


def test_a_writer_cannot_upgrade(new_postgresql: Callable[[], str]) -> None:
    url = new_postgresql()
    owner = open_engine(url)
    with writing(owner) as connection:
        for statement in roles.statements():
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0005_tiles'")
    owner.dispose()
    engine = engine_of(url, roles.WRITER)
    with pytest.raises(DatabaseUnavailableError, match="this user may not do that there"):
        upgrade(engine)
    engine.dispose()


def test_the_whole_program_works_as_the_writer(new_postgresql: Callable[[], str], tmp_path: Path) -> None:
    url = new_postgresql()
    owner = open_engine(url)
    with writing(owner) as connection:
        for statement in roles.statements():
            connection.exec_driver_sql(statement)
    owner.dispose()
    engine = engine_of(url, roles.WRITER)
    engine.dispose()
    database = engine.url.render_as_string()
    home = Home(Settings(home=tmp_path / "home", device="cpu", database=database))
    made = generate(home, GenerationRequest("a busy allegro in D major", seed=11, bars=2), tmp_path / "take.wav")
    create_token(home, "one", ["read"])
    assert fsck(home).problems == ()
    assert rebuild(home) == (home.log.size(), True)
    with home.writing() as connection:
        home.index.rebuild(connection)
    erased = erase(home, made.recording_id)
    assert {each.field for each in erased.erased} >= {"prompt"}
    assert ["as the owner of the tables" in each for each in erased.left_to_do] == [True]
    assert fsck(home).problems == ()
    home.close()
