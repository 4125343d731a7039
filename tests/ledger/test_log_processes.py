"""Several processes on one log, and processes that die in the middle."""

import signal
import subprocess
import sys
from pathlib import Path

from ledger.checkpoint import open_checkpoint
from ledger.fsck import check
from ledger.log import Log

APPENDER = Path(__file__).with_name("appender.py")


def start(database: Path, name: str, batches: int, per_batch: int) -> subprocess.Popen[str]:
    memory = database.with_name("last-checkpoint")
    arguments = [str(database), str(memory), name, str(batches), str(per_batch)]
    process = subprocess.Popen(
        [sys.executable, str(APPENDER), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=APPENDER.parents[2],
        env={"PYTHONPATH": str(APPENDER.parents[2])},
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_processes_append_at_once(log: Log, database: Path) -> None:
    batches, per_batch = 25, 3
    processes = [start(database, name, batches, per_batch) for name in ("left", "right")]
    for process in processes:
        go(process)
    acknowledged = [[int(line) for line in process.communicate()[0].split()] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    entries = list(log.entries())
    assert [entry.index for entry in entries] == list(range(2 * batches * per_batch))
    for name, last_indices in zip(("left", "right"), acknowledged, strict=True):
        own = [entry for entry in entries if entry.data.startswith(name.encode())]
        assert [entry.data.decode() for entry in own] == [
            f"{name} {batch} {number}" for batch in range(batches) for number in range(per_batch)
        ]
        assert [entry.index for entry in own[per_batch - 1 :: per_batch]] == last_indices
        for batch in range(batches):  # each batch is contiguous
            some = own[batch * per_batch : (batch + 1) * per_batch]
            assert some[-1].index - some[0].index == per_batch - 1
    assert check(log).problems == ()
    remembered = database.with_name("last-checkpoint").read_bytes()
    assert open_checkpoint(remembered, [log.verifier]).size == len(entries)


def test_a_killed_process_loses_nothing_that_it_acknowledged(log: Log, database: Path) -> None:
    durable = 0
    for attempt in range(4):
        process = start(database, f"attempt {attempt}", 10_000, 3)
        go(process)
        assert process.stdout
        acknowledged = [int(process.stdout.readline()) for _ in range(5 + 3 * attempt)]
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        acknowledged += [int(line) for line in rest.split("\n")[:-1]]
        assert acknowledged[0] >= durable
        size = log.size()
        assert size > acknowledged[-1]
        assert size % 3 == 0  # no batch is there in part
        assert b"attempt %d" % attempt in log.entry(acknowledged[-1]).data
        report = check(log)
        assert report.entries == size
        assert report.problems == ()
        durable = size
    again = start(database, "afterwards", 1, 3)
    go(again)
    assert again.communicate()[0] == f"{durable + 2}\n"
