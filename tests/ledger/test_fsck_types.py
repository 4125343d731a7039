"""SQLite lets whoever tampers put a value of any type anywhere: each is found, and nothing breaks off."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from ledger.database import open_engine
from ledger.fsck import check
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.note import NoteSigner, sign
from migrations.upgrade import upgrade
from tests.ledger.test_fsck import tamper

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 300


@pytest.fixture
def log(tmp_path: Path, signer: NoteSigner) -> Log:
    engine = open_engine(tmp_path / "log.db")
    upgrade(engine)
    log = Log(engine, signer)
    log.append([b"%d" % number for number in range(SIZE)])
    return log


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE entry SET data = 5 WHERE log_index = 7", "entry 7"),
        ("UPDATE entry SET leaf_hash = 5 WHERE log_index = 7", "entry 7"),
        ("UPDATE entry SET leaf_hash = 5 WHERE log_index = 7", "tile 0/0"),
        ("UPDATE entry SET log_index = -1 WHERE log_index = 0", "entry -1"),
        ("UPDATE entry SET log_index = 9223372036854775807 WHERE log_index = 299", "entry 9223372036854775807"),
        ("UPDATE entry SET log_index = 9223372036854771711 WHERE log_index = 299", "entry 9223372036854771711"),
        ("UPDATE checkpoint SET note = 5", "checkpoint 300"),
        ("UPDATE head SET edge = 5", "head"),
        ("UPDATE head SET edge = cast(edge AS TEXT)", "database"),
        ("UPDATE head SET size = 1.5", "head"),
        ("UPDATE head SET size = 'many'", "head"),
        ("UPDATE tile SET hashes = 5", "tile 0/0"),
        ("INSERT INTO timestamp VALUES (300, 5, 'today')", "timestamp 300"),
    ],
)
def test_a_value_of_another_type(log: Log, statement: str, where: str) -> None:
    tamper(log.engine, statement)
    assert where in {problem.where for problem in check(log).problems}


@pytest.mark.parametrize("index", [0, 7, SIZE - 1])
@pytest.mark.parametrize("value", ["5", "x'00ff'", "NULL", "'never'", "'2026-02-30T00:00:00Z'"])
def test_a_time_that_is_none(tmp_path: Path, log: Log, value: str, index: int) -> None:
    log.engine.dispose()
    with sqlite3.connect(tmp_path / "log.db") as raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'entry'")
    raw.close()
    tamper(log.engine, f"UPDATE entry SET appended_at = {value} WHERE log_index = {index}")  # noqa: S608 - fixed values
    report = check(log)
    assert [problem.where for problem in report.problems] == [f"entry {index}"]
    assert "which is no time: the row was changed" in report.problems[0].what
    assert report.warnings == ()


def test_a_signature_that_was_added_to_a_checkpoint(log: Log) -> None:
    added = sign("x\n", NoteSigner("somebody.example/else", Ed25519Signer.generate())).format().splitlines()[-1]
    tamper(log.engine, "UPDATE checkpoint SET note = note || ?", added + b"\n")
    [problem] = [each for each in check(log).problems if each.where == f"checkpoint {SIZE}"]
    assert problem.what == "It has 2 signatures, and not those of the log alone: somebody added to it."
