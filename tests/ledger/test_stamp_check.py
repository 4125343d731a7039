"""Stamps in the log: what they are held against, and when they were kept."""

import datetime as dt
import sqlite3
from pathlib import Path

import pytest

from ledger.database import writing
from ledger.fsck import check
from ledger.log import Log
from ledger.store import StoredStamp, add_stamp
from ledger.timestamp import rfc3339, stamped_bytes
from tests.ledger.local_tsa import NOW, LocalTsa


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    return LocalTsa.make(tmp_path_factory.mktemp("tsa") / "local")


@pytest.fixture
def token(tsa: LocalTsa, log: Log) -> bytes:
    log.append([b"entry"])
    return tsa.token(stamped_bytes(log.checkpoint()))


def keep(log: Log, token: bytes, taken_at: str) -> None:
    with writing(log.engine) as connection:
        add_stamp(connection, StoredStamp(1, token, taken_at))


def test_a_stamp_that_was_kept_when_it_was_made(log: Log, tsa: LocalTsa, token: bytes) -> None:
    keep(log, token, rfc3339(NOW))
    for roots in (None, tsa.roots):
        report = check(log, tsa_roots=roots)
        assert (report.problems, report.warnings) == ((), ())


@pytest.mark.parametrize("away", [dt.timedelta(hours=-2), dt.timedelta(hours=2), dt.timedelta(days=-9999)])
def test_a_stamp_that_was_kept_at_another_time(log: Log, tsa: LocalTsa, token: bytes, away: dt.timedelta) -> None:
    keep(log, token, rfc3339(NOW + away))
    for roots in (None, tsa.roots):
        report = check(log, tsa_roots=roots)
        assert report.problems == ()
        [warning] = report.warnings
        assert warning.where == "timestamp 1"
        assert f"was kept at {rfc3339(NOW + away)} by the clock" in warning.what


@pytest.mark.parametrize("value", ["'yesterday'", "x'00ff'", "5", "''"])
def test_a_stamp_that_was_kept_at_no_time(database: Path, log: Log, token: bytes, value: str) -> None:
    with sqlite3.connect(database) as raw:
        raw.execute(f"INSERT INTO timestamp VALUES (1, ?, {value})", (token,))  # noqa: S608 - fixed values
    raw.close()
    [problem] = check(log).problems
    assert problem.where == "timestamp 1"
    assert "which is no time: the row was changed" in problem.what


def test_a_stamp_of_something_else(log: Log, tsa: LocalTsa, token: bytes) -> None:
    keep(log, tsa.token(b"something else"), rfc3339(NOW))
    for roots in (None, tsa.roots):
        [problem] = check(log, tsa_roots=roots).problems
        assert problem.where == "timestamp 1"
