import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.findings import FsckReport, Problem
from ledger.fsck import Inspection, check
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.merkle import EMPTY_ROOT, Frontier
from ledger.note import NoteSigner
from ledger.tables import GUARD_FUNCTIONS, GUARDS

SIZE = 513
SWAP = "; ".join(
    f"UPDATE entry SET log_index = {after} WHERE log_index = {before}"  # noqa: S608 - fixed numbers
    for before, after in ((5, 999), (6, 5), (999, 6))
)


@pytest.fixture
def full(log: Log) -> Log:
    """A log of 513 entries, two full tiles and four checkpoints."""
    log.checkpoint()
    for batch in (range(1), range(1, 8), range(8, SIZE)):
        log.append([b"entry %d" % number for number in batch])
    return log


def tamper(engine: Engine, statements: str, *values: object) -> None:
    """Changes the past as the owner of the file, or a superuser of the server, could; the triggers stay."""
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "sqlite":
            triggers = _without_triggers(connection)
        else:
            triggers = []
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            statements = _in_postgresql(statements)
        for statement in statements.split("; "):
            assert connection.exec_driver_sql(statement, values).rowcount
        for trigger in triggers:
            connection.exec_driver_sql(trigger)
    engine.dispose()  # forgets that constraints are ignored


def _without_triggers(connection: Connection) -> list[str]:
    triggers = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    for name, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
    return [sql for _, sql in triggers]


def _in_postgresql(statement: str) -> str:
    statement = re.sub(r"x'([0-9a-f]*)'", r"'\\x\1'::bytea", statement)
    statement = re.sub(r"randomblob\((\d+)\)", lambda size: f"'\\x{secrets.token_hex(int(size[1]))}'::bytea", statement)
    return statement.replace("?", "%s")


def test_a_sound_log(full: Log) -> None:
    assert check(full) == FsckReport(SIZE, (), ())


def test_an_empty_log(log: Log) -> None:
    assert check(log) == FsckReport(0, (), ())
    log.checkpoint()
    assert check(log) == FsckReport(0, (), ())


def test_a_log_of_many_entries(log: Log) -> None:
    log.append([b"%d" % number for number in range(3000)])
    assert check(log) == FsckReport(3000, (), ())


@pytest.mark.parametrize(
    ("statement", "where", "what"),
    [
        ("UPDATE entry SET data = x'00' WHERE log_index = 5", "entry 5", "leaf hash"),
        (
            "UPDATE entry SET leaf_hash = randomblob(32) WHERE log_index = 5",
            "entry 5",
            "leaf hash",
        ),
        (
            "UPDATE entry SET leaf_hash = randomblob(32) WHERE log_index = 5",
            "tile 0/0",
            "not hold the hashes of what is below",
        ),
        (
            "UPDATE entry SET leaf_hash = randomblob(32) WHERE log_index = 5",
            "checkpoint 8",
            r"an entry before it was changed\. \(and 1 more\)",
        ),
        (
            SWAP,
            "tile 0/0",
            "not hold the hashes of what is below",
        ),
        ("INSERT INTO entry VALUES (513, randomblob(32), '2030-01-01T00:00:00Z', x'00')", "entry 513", "leaf hash"),
        (
            "INSERT INTO entry VALUES (513, randomblob(32), '2030-01-01T00:00:00Z', x'00')",
            "log",
            "added or changed behind the log's back",
        ),
        ("DELETE FROM entry WHERE log_index = 512", "checkpoint 513", "covers 513 entries"),
        ("DELETE FROM entry WHERE log_index IN (3, 4)", "entry 5", "2 are missing"),
        ("DELETE FROM entry WHERE log_index = 0", "entry 1", "1 are missing"),
        (
            "UPDATE tile SET root = randomblob(32)",
            "tile 0/0",
            r"not hold the hashes of what is below it\. \(and 1 more",
        ),
        ("UPDATE tile SET hashes = randomblob(8192) WHERE tile_index = 1", "tile 0/1", "not hold the hashes"),
        ("UPDATE tile SET group_roots = randomblob(512) WHERE tile_index = 1", "tile 0/1", "not hold the hashes"),
        ("DELETE FROM tile WHERE tile_index = 1", "tile 0/1", "missing"),
        ("DELETE FROM tile WHERE tile_index = 1", "log", "1 full tiles where 513 entries fill 2"),
        (
            "INSERT INTO tile VALUES (0, 2, randomblob(32), randomblob(512), randomblob(8192))",
            "log",
            "3 full tiles where 513",
        ),
        ("UPDATE head SET edge = randomblob(64)", "head", "says that the log has 513 entries"),
        ("UPDATE head SET size = 512, edge = randomblob(32)", "head", "says that the log has 512 entries"),
        ("UPDATE head SET edge = x'00'", "head", "contradicts itself"),
        ("DELETE FROM head", "head", "lost the row"),
        ("DELETE FROM checkpoint WHERE size = 513", "log", "newest checkpoint covers 8"),
        ("UPDATE checkpoint SET note = x'00' WHERE size = 8", "checkpoint 8", "no empty line"),
        ("UPDATE checkpoint SET size = 9 WHERE size = 8", "checkpoint 9", "note is for size 8"),
        ("UPDATE checkpoint SET size = 600 WHERE size = 513", "checkpoint 600", "covers 600"),
    ],
)
def test_what_was_changed_is_found(full: Log, engine: Engine, statement: str, where: str, what: str) -> None:
    tamper(engine, statement)
    report = check(full)
    there = [problem.what for problem in report.problems if problem.where == where]
    assert re.search(what, "\n".join(there)), there


def test_one_changed_entry_is_one_problem(full: Log, engine: Engine) -> None:
    tamper(engine, "UPDATE entry SET data = x'00' WHERE log_index = 5")
    assert [problem.where for problem in check(full).problems] == ["entry 5"]


def test_checkpoints_by_another_key_are_found(full: Log, engine: Engine) -> None:
    stranger = NoteSigner("example.com/log", Ed25519Signer.generate())
    note = sign_checkpoint(Checkpoint("example.com/log", 1, EMPTY_ROOT), stranger)
    tamper(engine, "UPDATE checkpoint SET note = ? WHERE size = 1", note)
    assert [problem.where for problem in check(full).problems] == ["checkpoint 1"]


def test_a_checkpoint_for_another_tree_is_found(full: Log, engine: Engine, signer: NoteSigner) -> None:
    note = sign_checkpoint(Checkpoint(signer.name, 8, bytes(32)), signer)
    tamper(engine, "UPDATE checkpoint SET note = ? WHERE size = 8", note)
    [problem] = check(full).problems
    assert problem.where == "checkpoint 8"
    assert f"signed for the root {bytes(32).hex()}" in problem.what


def test_a_log_that_was_cut_short_in_all_its_parts_is_found(
    full: Log, engine: Engine, signer: NoteSigner, tmp_path: Path
) -> None:
    memory = tmp_path / "last-checkpoint"
    memory.write_bytes(full.checkpoint())
    leaves = [entry.leaf_hash for entry in full.entries(0, 8)]
    edge = b"".join(Frontier().extended(leaves).frontier.hashes)
    tamper(engine, "DELETE FROM entry WHERE log_index >= 8; DELETE FROM checkpoint WHERE size > 8; DELETE FROM tile")
    tamper(engine, "UPDATE head SET size = 8, edge = ?", edge)
    assert check(full).problems == ()  # such a thing is only seen by who remembers more
    [problem] = check(Log(engine, signer, last_checkpoint=memory)).problems
    assert f"has 8 entries, but a checkpoint for {SIZE} was signed" in problem.what


def test_the_callers_own_check_sees_every_entry(full: Log) -> None:
    seen: list[int] = []

    def take(found: Sequence[int]) -> Iterator[Problem]:
        seen.extend(found)
        if 7 in found:
            yield Problem("This one means nothing.", "entry 7")

    inspection = Inspection(lambda _, entries: [entry.index for entry in entries], take)
    assert check(full, inspection).problems == (Problem("This one means nothing.", "entry 7"),)
    assert seen == list(range(SIZE))


def test_a_clock_that_was_set_back_is_a_warning(full: Log, engine: Engine) -> None:
    tamper(engine, "UPDATE entry SET appended_at = '2020-01-01T00:00:00Z' WHERE log_index = 6")
    report = check(full)
    assert report.problems == ()
    assert [warning.where for warning in report.warnings] == ["entry 6"]
    assert "clock was set back" in report.warnings[0].what


def test_a_missing_trigger_is_found(full: Log, engine: Engine) -> None:
    name = "checkpoint_no_delete" if engine.dialect.name == "sqlite" else "checkpoint_no_change"
    where = "" if engine.dialect.name == "sqlite" else " ON checkpoint"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER {name}{where}")
    [problem] = check(full).problems
    assert problem.where == "database"
    assert f"{name} is gone" in problem.what


def test_triggers_that_do_nothing_are_found(full: Log, engine: Engine) -> None:
    """The names are there, and nothing is refused."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'").all()
            for name, table in rows:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
                connection.exec_driver_sql(f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN 0 BEGIN SELECT 1; END")
        else:
            for name in GUARD_FUNCTIONS:
                connection.exec_driver_sql(
                    f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN RETURN COALESCE(NEW, OLD); END $$"
                )
    problems = check(full).problems
    assert {problem.where for problem in problems} == {"database"}
    for name in GUARDS[engine.dialect.name]:
        assert any(f"The trigger {name} is gone, or does something else" in problem.what for problem in problems)


def test_a_damaged_file_is_found(full: Log, database: Path) -> None:
    full.engine.dispose()
    data = bytearray(database.read_bytes())
    for position in range(4096, len(data)):
        data[position] ^= 0x5A
    database.write_bytes(data)
    problems = check(full).problems
    assert problems
    assert problems[0].where == "database"
    assert "damaged" in problems[0].what


@pytest.mark.usefixtures("full")
def test_the_remembered_checkpoint_is_compared(engine: Engine, signer: NoteSigner, tmp_path: Path) -> None:
    memory = tmp_path / "last-checkpoint"
    remembering = Log(engine, signer, last_checkpoint=memory)
    assert check(remembering).problems == ()
    ahead = sign_checkpoint(Checkpoint(signer.name, SIZE + 1, EMPTY_ROOT), signer)
    memory.write_bytes(ahead)
    [problem] = check(remembering).problems
    assert problem.where == "log"
    assert f"has {SIZE} entries, but a checkpoint for {SIZE + 1} was signed" in problem.what
    memory.write_bytes(b"nonsense")
    [problem] = check(remembering).problems
    assert "should hold the newest checkpoint" in problem.what
