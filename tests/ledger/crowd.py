"""Writers of one log, each a process of its own that may be killed, and the account of what they were told."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from ledger.checkpoint import open_checkpoint
from ledger.database import open_engine
from ledger.fsck import check
from ledger.log import Log
from tests.ledger.appender import SIGNER, batch

_APPENDER = Path(__file__).with_name("appender.py")
_ROOT = _APPENDER.parents[2]
FOR_EVER = 1_000_000


@dataclass(frozen=True)
class Wish:
    """One append of one thread."""

    name: str
    thread: int
    number: int


@dataclass
class Account:
    """What the writers were told.

    Attributes:
        receipts: Index of the first entry of each append that was acknowledged.
        faults: How often each kind of error was raised.
        final: The error of each append with which its process ended.
    """

    receipts: dict[Wish, int] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    final: dict[Wish, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Crowd:
    """The writers of one log.

    Attributes:
        database: Its file or URL.
        folder: For what they share: the account, and the last checkpoint.
    """

    database: str
    folder: Path

    @property
    def memory(self) -> Path:
        return self.folder / "last-checkpoint"

    @property
    def complaints(self) -> Path:
        """What the writers wrote to stderr."""
        return self.folder / "complaints"

    def start(
        self, *names: str, threads: int = 1, batches: int = FOR_EVER, quits: bool = False, before: Sequence[str] = ()
    ) -> list[subprocess.Popen[bytes]]:
        """Start writers, each of which goes on where the one of its name was stopped; they begin together.

        Args:
            names: Of the processes.
            threads: How many append at once in each.
            batches: Of each thread, from its first start on.
            quits: End at the first error, without closing anything.
            before: A program that runs the writer, and its arguments.
        """
        processes = [self._start(name, threads, batches, "quit" if quits else "retry", before) for name in names]
        for process in processes:
            assert process.stdin
            with process.stdin as pipe:
                pipe.write(b"go\n")
        return processes

    def _start(
        self, name: str, threads: int, batches: int, at_fault: str, before: Sequence[str]
    ) -> subprocess.Popen[bytes]:
        firsts = [0] * threads
        for wish in self.account().receipts:
            if wish.name == name:
                firsts[wish.thread] = max(firsts[wish.thread], wish.number + 1)
        arguments = (self.database, self.memory, self.folder / "account", name, batches, at_fault, *firsts)
        with self.complaints.open("ab") as complaints:
            process = subprocess.Popen(
                [*before, sys.executable, _APPENDER, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                cwd=_ROOT,
                env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
            )
        assert process.stdout
        with process.stdout as pipe:
            assert pipe.readline() == b"ready\n", self.complaints.read_text()
        return process

    def account(self) -> Account:
        """Read what the writers were told until now."""
        account = Account()
        path = self.folder / "account"
        for line in path.read_text().splitlines() if path.exists() else []:
            what, name, thread, number, more = line.split(" ", 4)
            wish = Wish(name, int(thread), int(number))
            if what == "told":
                account.receipts[wish] = int(more)
                account.final.pop(wish, None)
            elif what == "quit":
                account.final[wish] = more
            else:
                account.faults[what] += 1
        return account

    def require_sound(self) -> Log:
        """Open the log as its next start does, and hold it against the account.

        Everything that was acknowledged is where the receipt says; nothing is there twice, or in part; what was
        refused for certain is not there; indices are contiguous; and nothing is found by fsck.
        """
        complaints = self.complaints.read_text() if self.complaints.exists() else ""
        assert "Exception in thread" not in complaints, complaints
        engine = open_engine(self.database)
        log = Log(engine, SIGNER, last_checkpoint=self.memory)
        log.append([b"another start"] if not log.size() else [b"another start %d" % log.size()])
        entries = [entry.data for entry in log.entries()]
        assert [entry.index for entry in log.entries()] == list(range(len(entries)))
        assert len(set(entries)) == len(entries)
        account = self.account()
        places = {data: index for index, data in enumerate(entries)}
        for wish, first in account.receipts.items():
            expected = batch(wish.name, wish.thread, wish.number)
            assert entries[first : first + len(expected)] == expected
        for wish, fault in account.final.items():
            expected = batch(wish.name, wish.thread, wish.number)
            there = [data for data in expected if data in places]
            assert there in ([], expected)
            assert not there or fault == "InDoubtError", f"{fault}, but {wish} is there"
        assert check(log).problems == ()
        remembered = log.remembered()
        assert remembered is not None
        assert open_checkpoint(remembered, [log.verifier]).size == len(entries)
        engine.dispose()
        return log


def crowd_on(engine: Engine, folder: Path) -> Crowd:
    """Writers of the log in a database that is set up."""
    return Crowd(engine.url.render_as_string(hide_password=False), folder)
