# ruff: noqa: S608 - fixed numbers
"""What several processes find of a log is what one finds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.database import open_engine
from ledger.errors import CheckStoppedError
from ledger.findings import FsckReport, Problem
from ledger.fsck import Inspection, check
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.note import NoteSigner
from ledger.rotation import Succession
from ledger.stretch import STRETCH, Examination, _begin
from tests.ledger.test_fsck import tamper

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine

    from ledger.entry import Entry

ROOT = Path(__file__).parents[2]
SIZE = 2 * STRETCH + 300
BEGIN = """
import multiprocessing, sys
from tests.ledger.test_stretch import wait_for_ever
child = multiprocessing.get_context("spawn").Process(target=wait_for_ever, args=(sys.argv[1],))
child.start()
print(child.pid, flush=True)
child.join()
"""
CHANGES = (
    f"UPDATE entry SET leaf_hash = randomblob(32) WHERE log_index = {STRETCH + 5}",
    f"DELETE FROM entry WHERE log_index >= {STRETCH} AND log_index < {2 * STRETCH}",
    f"DELETE FROM tile WHERE tile_index = {STRETCH // 256}",
    f"UPDATE checkpoint SET note = x'00' WHERE size = {SIZE}",
    f"UPDATE entry SET log_index = {2**50} WHERE log_index = {SIZE - 1}",
)


@pytest.fixture
def long(log: Log) -> Log:
    log.append([b"entry %d" % number for number in range(SIZE - 1)])
    log.append([b"the last one"])
    return log


def indices(_connection: Connection, entries: Sequence[Entry]) -> tuple[int, list[int]]:
    return os.getpid(), [entry.index for entry in entries]


def die(_connection: Connection, _entries: Sequence[Entry]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Taken:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.indices: list[int] = []
        self.processes: set[int] = set()

    def __call__(self, found: tuple[int, list[int]]) -> Iterator[Problem]:
        process, some = found
        self.processes.add(process)
        self.indices += some
        yield from ()


def test_other_processes_do_the_work_and_it_comes_in_order(long: Log) -> None:
    taken = Taken()
    told: list[tuple[int, int]] = []
    report = check(long, Inspection(indices, taken), processes=2, progress=lambda *done: told.append(done))
    assert report == FsckReport(SIZE, (), ())
    assert taken.indices == list(range(SIZE))
    assert os.getpid() not in taken.processes
    assert told == [(STRETCH, SIZE), (2 * STRETCH, SIZE), (SIZE, SIZE)]


@pytest.mark.parametrize("statement", CHANGES)
def test_it_does_not_matter_how_many_processes_there_are(long: Log, engine: Engine, statement: str) -> None:
    tamper(engine, statement)
    alone = check(long)
    assert alone.problems
    assert check(long, processes=2) == alone


def append_meanwhile(url: str, _connection: Connection, entries: Sequence[Entry]) -> None:
    engine = open_engine(url)
    key = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    Log(engine, NoteSigner("example.com/log", key)).append([b"beside %d" % entries[0].index])
    engine.dispose()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_log_that_grows_meanwhile_is_sound(long: Log, processes: int) -> None:
    """The last stretch is read after something was appended, and that is not of it."""
    url = long.engine.url.render_as_string(hide_password=False)
    growing = Inspection(partial(append_meanwhile, url), lambda _: ())
    assert check(long, growing, processes=processes) == FsckReport(SIZE, (), ())
    assert check(long, processes=processes) == FsckReport(SIZE + 3, (), ())


def test_a_process_that_dies_stops_the_check(long: Log) -> None:
    with pytest.raises(CheckStoppedError, match="Nothing was changed"):
        check(long, Inspection(die, lambda _: ()), processes=2)


def test_processes_end_with_the_one_that_began_them(tmp_path: Path) -> None:
    """Killed hard in the middle of a check, it leaves nothing behind."""
    command = [sys.executable, "-c", BEGIN, str(tmp_path / "log.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as begun:
        assert begun.stdout is not None
        child = int(begun.stdout.readline())
        begun.kill()
    deadline = time.monotonic() + 60
    while _goes_on(child):
        assert time.monotonic() < deadline, "the other process goes on alone"
        time.sleep(0.02)


def _goes_on(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text("utf-8").split()[2] != "Z"


def wait_for_ever(database: str) -> None:
    _begin(database, Examination(Succession.of(NoteSigner("example.com/log", Ed25519Signer.generate()).verifier)))
    time.sleep(600)
