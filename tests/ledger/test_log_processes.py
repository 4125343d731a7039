"""Several processes on one log, and processes that die in the middle."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.database import open_engine
from ledger.log import Log
from ledger.note import NoteSigner
from tests.ledger.appender import batch
from tests.ledger.crowd import Crowd, crowd_on


@pytest.fixture
def crowd(engine: Engine, tmp_path: Path) -> Crowd:
    return crowd_on(engine, tmp_path)


def all_there(log: Log, names: list[str], threads: int, batches: int) -> None:
    wanted = {
        data
        for name in names
        for thread in range(threads)
        for number in range(batches)
        for data in batch(name, thread, number)
    }
    found = {entry.data for entry in log.entries() if not entry.data.startswith(b"another")}
    assert found == wanted


@pytest.mark.usefixtures("database")
def test_two_processes_append_to_one_file(crowd: Crowd, log: Log) -> None:
    names = ["left", "right"]
    processes = crowd.start(*names, batches=25)
    assert [process.wait() for process in processes] == [0, 0]
    crowd.require_sound()
    account = crowd.account()
    assert len(account.receipts) == 50
    assert not account.faults
    all_there(log, names, 1, 25)


def test_four_processes_of_many_threads(new_postgresql: Callable[[], str], signer: NoteSigner, tmp_path: Path) -> None:
    engine = open_engine(new_postgresql())
    crowd, names = crowd_on(engine, tmp_path), ["one", "two", "three", "four"]
    processes = crowd.start(*names, threads=16, batches=4)
    assert [process.wait() for process in processes] == [0] * 4
    crowd.require_sound()
    account = crowd.account()
    assert len(account.receipts) == 4 * 16 * 4
    assert not account.faults
    all_there(Log(engine, signer), names, 16, 4)
    engine.dispose()


def test_killed_processes_lose_nothing_that_they_acknowledged(crowd: Crowd, log: Log) -> None:
    chance = random.Random(5)
    for _ in range(2):
        before = len(crowd.account().receipts)
        processes = crowd.start("left", "right", threads=3)
        while len(crowd.account().receipts) < before + 20:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.02))
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        crowd.require_sound()
    account = crowd.account()
    [process] = crowd.start("left", threads=3, batches=max(wish.number for wish in account.receipts) + 3)
    assert process.wait() == 0
    crowd.require_sound()
    assert len(crowd.account().receipts) > len(account.receipts)
    assert log.size() > len(account.receipts)
