import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.fsck import FsckReport, Problem, check
from ledger.keys import Ed25519Signer
from ledger.log import Entry, Log
from ledger.merkle import EMPTY_ROOT
from ledger.note import NoteSigner

SIZE = 13


@pytest.fixture
def full(log: Log) -> Log:
    """A log of thirteen entries and four checkpoints."""
    log.checkpoint()
    for batch in (range(1), range(1, 8), range(8, SIZE)):
        log.append([b"entry %d" % number for number in batch])
    return log


def tamper(database: Path, statement: str, *values: object) -> None:
    """Changes the past as the owner of the file could, and puts the triggers back."""
    raw = sqlite3.connect(database, isolation_level=None)
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    triggers = raw.execute(query).fetchall()
    for name, _ in triggers:
        raw.execute(f"DROP TRIGGER {name}")
    raw.execute("PRAGMA ignore_check_constraints = ON")
    assert raw.execute(statement, values).rowcount
    for _, sql in triggers:
        raw.execute(sql)
    raw.close()


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
            "node 1/2",
            r"not the hash of its children\. \(and 2 more\)",
        ),
        (
            "UPDATE entry SET leaf_hash = randomblob(32) WHERE log_index = 5",
            "checkpoint 8",
            r"an entry before it was changed\. \(and 1 more\)",
        ),
        ("DELETE FROM entry WHERE log_index = 12", "checkpoint 13", "covers 13 entries"),
        ("DELETE FROM entry WHERE log_index IN (3, 4)", "entry 5", "2 are missing"),
        ("DELETE FROM entry WHERE log_index = 0", "entry 1", "1 are missing"),
        ("UPDATE node SET hash = randomblob(32) WHERE level = 2", "node 2/0", "and 2 more"),
        ("DELETE FROM node WHERE level = 1 AND node_index = 1", "node 1/1", "missing"),
        ("DELETE FROM node WHERE level = 1 AND node_index = 1", "log", "9 tree nodes where 13"),
        ("INSERT INTO node VALUES (5, 0, randomblob(32))", "log", "11 tree nodes where 13"),
        ("INSERT INTO node VALUES (1, 6, randomblob(32))", "log", "11 tree nodes where 13"),
        ("DELETE FROM checkpoint WHERE size = 13", "log", "newest checkpoint covers 8"),
        ("UPDATE checkpoint SET note = x'00' WHERE size = 8", "checkpoint 8", "no empty line"),
        ("UPDATE checkpoint SET size = 9 WHERE size = 8", "checkpoint 9", "note is for size 8"),
        ("UPDATE checkpoint SET size = 20 WHERE size = 13", "checkpoint 20", "covers 20"),
    ],
)
def test_what_was_changed_is_found(full: Log, database: Path, statement: str, where: str, what: str) -> None:
    tamper(database, statement)
    report = check(full)
    [problem] = [problem for problem in report.problems if problem.where == where]
    assert problem.what
    with pytest.raises(AssertionError, match=what):
        raise AssertionError(problem.what)


def test_one_changed_entry_is_one_problem(full: Log, database: Path) -> None:
    tamper(database, "UPDATE entry SET data = x'00' WHERE log_index = 5")
    assert [problem.where for problem in check(full).problems] == ["entry 5"]


def test_checkpoints_by_another_key_are_found(full: Log, database: Path) -> None:
    stranger = NoteSigner("example.com/log", Ed25519Signer.generate())
    note = sign_checkpoint(Checkpoint("example.com/log", 1, EMPTY_ROOT), stranger)
    tamper(database, "UPDATE checkpoint SET note = ? WHERE size = 1", note)
    assert [problem.where for problem in check(full).problems] == ["checkpoint 1"]


def test_the_callers_own_check_sees_every_entry(full: Log) -> None:
    seen: list[int] = []

    def inspect(entry: Entry) -> Iterator[Problem]:
        seen.append(entry.index)
        if entry.index == 7:
            yield Problem("This one means nothing.", "entry 7")

    assert check(full, inspect).problems == (Problem("This one means nothing.", "entry 7"),)
    assert seen == list(range(SIZE))


def test_a_clock_that_was_set_back_is_a_warning(full: Log, database: Path) -> None:
    tamper(database, "UPDATE entry SET appended_at = '2020-01-01T00:00:00Z' WHERE log_index = 6")
    report = check(full)
    assert report.problems == ()
    assert [warning.where for warning in report.warnings] == ["entry 6"]
    assert "clock was set back" in report.warnings[0].what


def test_a_missing_trigger_is_found(full: Log, database: Path) -> None:
    raw = sqlite3.connect(database)
    raw.execute("DROP TRIGGER checkpoint_no_update")
    raw.close()
    [problem] = check(full).problems
    assert problem.where == "database"
    assert "checkpoint_no_update is gone" in problem.what


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
