import importlib.util
import io
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, text

import migrations.upgrade
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.database import open_engine, writer, writing
from ledger.errors import LogDamagedError, NewerDatabaseError
from ledger.fsck import check
from ledger.log import Log
from ledger.merkle import leaf_hash, root
from ledger.note import NoteSigner
from ledger.tables import METADATA
from migrations.upgrade import config, current_revision, head_revision, upgrade


def revision(name: str) -> ModuleType:
    path = Path(migrations.upgrade.__file__).parent / "versions" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"revision_{name}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_empty_database_is_upgraded(engine: Engine) -> None:
    assert current_revision(engine) == head_revision()


def test_the_migrations_make_the_tables(engine: Engine) -> None:
    ours = {table.name for table in METADATA.sorted_tables}
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _parents: kind != "table" or name in ours},
        )
        assert compare_metadata(context, METADATA) == []


def test_an_old_database_keeps_its_entries(engine: Engine, log: Log) -> None:
    log.append([b"entry"])
    upgrade(engine)
    assert log.entry(0).data == b"entry"


def test_a_newer_database_is_refused_and_left_alone(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_future'"))
    with pytest.raises(NewerDatabaseError, match=r"'9999_future'.*Install that release"):
        upgrade(engine)
    assert current_revision(engine) == "9999_future"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("DELETE FROM alembic_version", "states the revision None, and has other tables"),
        ("DROP TABLE alembic_version", "states the revision None, and has other tables"),
        ("UPDATE alembic_version SET version_num = '0009_private_call'", "states the revision '0009_private_call'"),
        ("INSERT INTO alembic_version VALUES ('0005_tiles')", "states several revisions"),
    ],
)
def test_a_database_of_other_tables_than_it_states_is_refused(engine: Engine, log: Log, change: str, says: str) -> None:
    log.append([b"entry"])
    with writing(engine) as connection:
        connection.execute(text(change))
    with pytest.raises(LogDamagedError, match=says):
        upgrade(engine)
    assert log.entry(0).data == b"entry"


def test_a_failed_upgrade_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine(tmp_path / "linernotes.db")
    with monkeypatch.context() as patch:
        patch.setattr(Operations, "execute", lambda *_arguments: 1 / 0, raising=False)
        with pytest.raises(ZeroDivisionError):
            upgrade(engine)
    assert current_revision(engine) is None
    upgrade(engine)
    assert current_revision(engine) == head_revision()
    engine.dispose()


def test_processes_that_race_at_first_use(tmp_path: Path, signer: NoteSigner) -> None:
    path = tmp_path / "linernotes.db"
    program = (
        "import sys; from ledger.database import open_engine; from migrations.upgrade import upgrade\n"
        "sys.stdin.readline(); upgrade(open_engine(sys.argv[1])); print('done')"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    assert [racer.communicate()[0] for racer in racers] == ["done\n"] * 4
    engine = open_engine(path)
    assert Log(engine, signer).append([b"entry"])[0].index == 0
    engine.dispose()


def test_the_statements_for_postgresql() -> None:
    output = io.StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": output})
    with Operations.context(context):
        revision("0001_ledger").upgrade()
        revision("0005_tiles").upgrade()
    sql = output.getvalue()
    assert "log_index BIGINT NOT NULL" in sql
    assert "leaf_hash BYTEA NOT NULL" in sql
    for table in ("entry", "tile", "checkpoint"):
        assert f"BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW" in sql
    for table in ("entry", "tile", "head", "checkpoint"):
        assert f"BEFORE TRUNCATE ON {table}" in sql
    assert "RAISE(ABORT" not in sql


@pytest.mark.parametrize("name", ["0001_ledger", "0005_tiles", "0010_left_out"])
def test_there_is_no_way_back(name: str) -> None:
    with pytest.raises(NotImplementedError, match="never taken back"):
        revision(name).downgrade()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700, 65_536 + 256 + 3])
def test_a_tree_of_nodes_becomes_one_of_tiles(tmp_path: Path, signer: NoteSigner, size: int) -> None:
    engine = open_engine(tmp_path / "linernotes.db")
    with writer(engine).begin() as connection:
        command.upgrade(config(connection), "0004_api")
        data = [b"%d" % number for number in range(size)]
        rows = [(number, leaf_hash(each), "2026-01-01T00:00:00Z", each) for number, each in enumerate(data)]
        if size:
            connection.exec_driver_sql("INSERT INTO entry VALUES (?, ?, ?, ?)", rows)
        note = sign_checkpoint(Checkpoint(signer.name, size, root([row[1] for row in rows])), signer)
        connection.exec_driver_sql("INSERT INTO checkpoint VALUES (?, ?)", (size, note))
    upgrade(engine)
    log = Log(engine, signer)
    assert check(log).problems == ()
    assert log.append([b"one more"])[0].index == size
    log.tlog_proof(0).verify(leaf_hash(data[0] if size else b"one more"), [log.verifier])
    engine.dispose()
