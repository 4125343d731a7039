"""A disk that fails: at the n-th system call of a kind, or from a size of its files on."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger.database import open_engine
from ledger.log import Log
from migrations.upgrade import upgrade
from tests.ledger.appender import SIGNER
from tests.ledger.crowd import Crowd

WRITES = ("pwrite64", "write")
CALLS = (*WRITES, "fdatasync", "fsync", "ftruncate")
BATCHES = 6
_QUIT = 9
_SIZE = 253
"""Entries before: those that are appended fill a tile."""


@dataclass(frozen=True)
class Failure:
    """What goes wrong.

    Attributes:
        call: The system call.
        how: `EIO`, `ENOSPC`, or `short` for a write of which nothing was written. (strace does not let the call
            through, so that any other number would be a lie about what is on the disk; `limited` writes in part.)
        when: Which call of the process it is, from 1.
        lasts: Whether all later calls fail too.
    """

    call: str
    how: str
    when: int
    lasts: bool = False

    def __str__(self) -> str:
        return f"{self.call} {self.when}{'+' if self.lasts else ''} {self.how}"

    def before(self, trace: Path) -> list[str]:
        what = "retval=0" if self.how == "short" else f"error={self.how}"
        return [
            *_strace(trace, self.call),
            "-e",
            f"inject={self.call}:{what}:when={self.when}{'+' if self.lasts else ''}",
        ]


def why_not() -> str | None:
    """Why no call can be made to fail here, or None when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (Debian: apt install strace)"
    tried = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace here: {tried.stderr.strip()}" if tried.returncode else None


def limited(size: int) -> list[str]:
    """Lets no file grow beyond a number of bytes: the write that reaches it is cut short, the next one fails.

    The account has to fit in, too.
    """
    return ["prlimit", f"--fsize={size}:unlimited", "--"]


def template(folder: Path) -> Path:
    """Makes a log to start with."""
    path = folder / "template.db"
    engine = open_engine(path)
    upgrade(engine)
    Log(engine, SIGNER).append([b"entry %d" % number for number in range(_SIZE)])
    engine.dispose()
    return path


def crowd_of(made: Path, folder: Path) -> Crowd:
    """Gives the writers of a copy of a log; nothing is remembered outside it yet."""
    folder.mkdir()
    shutil.copy(made, folder / "x.db")
    return Crowd(str(folder / "x.db"), folder)


def count(made: Path, folder: Path) -> Counter[str]:
    """Returns how often each system call is made by a writer that nothing happens to."""
    crowd, trace = crowd_of(made, folder), folder / "trace"
    [process] = crowd.start("writer", batches=BATCHES, before=_strace(trace, ",".join(CALLS)))
    assert process.wait() == 0
    return Counter(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE))


def failures(counted: Counter[str]) -> Iterator[Failure]:
    """Yields everything that can go wrong once, and every tenth call from which on the disk is dead."""
    for call in CALLS:
        for when in range(1, counted[call] + 1):
            for how in ("EIO", "ENOSPC", *(("short",) if call in WRITES else ())):
                yield Failure(call, how, when)
                if how == "EIO" and call in {"pwrite64", "fdatasync"} and when % 10 == 3:
                    yield Failure(call, how, when, lasts=True)


def survive(made: Path, folder: Path, failure: Failure, *, quits: bool) -> None:
    """Lets a writer meet a failure, and holds the log against what it was told, before and after it goes on.

    Args:
        made: The log to begin with.
        folder: A new one.
        failure: What happens to it.
        quits: The writer dies of it, where it notices; else it tries again, which helps if the failure does not last.
    """
    crowd, trace = crowd_of(made, folder), folder / "trace"
    [process] = crowd.start("writer", batches=BATCHES, quits=quits, before=failure.before(trace))
    code = process.wait()
    assert "(INJECTED)" in trace.read_text()
    assert code in ((0, _QUIT) if quits else (0,))
    go_on(crowd)


def survive_limit(made: Path, folder: Path, size: int) -> bool:
    """Lets a writer meet the size beyond which no file may grow, of which it dies; as `survive` otherwise.

    Returns:
        Whether it met it.
    """
    crowd = crowd_of(made, folder)
    [process] = crowd.start("writer", batches=BATCHES, quits=True, before=limited(size))
    code = process.wait()
    assert code in (0, _QUIT)
    assert bool(crowd.account().final) == bool(code)
    go_on(crowd)
    return bool(code)


def go_on(crowd: Crowd) -> None:
    """Holds a log against what its writer was told, and lets that do the rest of its work."""
    crowd.require_sound()
    if len(crowd.account().receipts) == BATCHES:
        return
    [process] = crowd.start("writer", batches=BATCHES)
    assert process.wait() == 0
    assert len(crowd.account().receipts) == BATCHES
    crowd.require_sound()


def _strace(trace: Path, calls: str) -> list[str]:
    return ["strace", "-f", "--seccomp-bpf", "-qq", "-o", str(trace), "-e", f"trace={calls}"]
