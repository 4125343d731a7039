"""Long trials of the log under faults: `make soak`, some twenty minutes on two cores.

1. Writing processes are killed at random moments, 100 times on each database; now and then the server with them.
2. Every system call with which a process writes to SQLite's files fails once, in every way.
3. The disk of an SQLite log is full at every third of a page.
4. The system calls with which a PostgreSQL server commits fail.
5. The connection to PostgreSQL is cut at random statements.

After each: what was acknowledged is there, nothing is there twice, what was refused is not there, fsck
finds nothing, and whoever starts next goes on without help.
"""

import random
import secrets
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url, text

from ledger.database import open_engine
from ledger.errors import LedgerError
from ledger.log import Log
from migrations.upgrade import upgrade
from tests.ledger import failing
from tests.ledger.appender import SIGNER
from tests.ledger.crowd import Crowd
from tests.ledger.cut import Fault, proxy
from tests.postgresql import Server, private_server, why_not

KILLS = 100
ROUNDS_OF_ONE_LOG = 25
SERVER_CRASHES_EVERY = 10
CUTS = 150
SERVER_CALLS = 5
_SMALLEST_BYTES = 4096
_STEP_BYTES = 1366
_NAMES = ("one", "two", "three")
_THREADS = 3


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else secrets.randbits(32)
    say(f"seed {seed}; give it as an argument to try the same again")
    chance = random.Random(seed)
    with TemporaryDirectory(prefix="pg", dir="/tmp") as folder:  # a socket's path is short
        root = Path(folder)
        root.chmod(0o755)
        part("SQLite: processes killed", lambda: kill_on_sqlite(root, chance))
        part("SQLite: system calls that fail", lambda: fail_every_call(root))
        part("SQLite: writes cut short", lambda: cut_writes_short(root))
        reason = why_not()
        if reason is not None:
            say(f"PostgreSQL: not tried: {reason}")
            return
        with private_server(root / "server", durable=True) as server:
            part("PostgreSQL: processes killed", lambda: kill_on_postgresql(server, root, chance))
            part("PostgreSQL: system calls that fail", lambda: fail_the_server(server, root))
            part("PostgreSQL: connections cut", lambda: cut_connections(server, root, chance))


def kill_on_sqlite(root: Path, chance: random.Random) -> str:
    total: Counter[str] = Counter()
    for number in range(KILLS // ROUNDS_OF_ONE_LOG):
        crowd = new_sqlite(root / f"killed-{number}")
        for _ in range(ROUNDS_OF_ONE_LOG):
            kill_some(crowd, chance)
        total += summary(crowd)
    return told(KILLS, total)


def kill_on_postgresql(server: Server, root: Path, chance: random.Random) -> str:
    total: Counter[str] = Counter()
    for number in range(KILLS // ROUNDS_OF_ONE_LOG):
        crowd = new_postgresql(server, root / f"killed-there-{number}")
        for round_ in range(ROUNDS_OF_ONE_LOG):
            crash = chance.choice((stopped, killed)) if round_ % SERVER_CRASHES_EVERY == 0 else None
            kill_some(crowd, chance, (lambda crash=crash: crash(server)) if crash else None)
        total += summary(crowd)
    return told(KILLS, total)


def kill_some(crowd: Crowd, chance: random.Random, crash: Callable[[], None] | None = None) -> None:
    """Lets three processes append until they are killed one after the other, and looks after it."""
    processes = crowd.start(*_NAMES, threads=_THREADS)
    time.sleep(chance.uniform(0.02, 0.4))
    if crash:
        crash()
        time.sleep(chance.uniform(0.02, 0.4))
    chance.shuffle(processes)
    for process in processes:
        assert process.poll() is None, "a process ended by itself"
        process.kill()
        process.wait()
        time.sleep(chance.choice((0, 0, chance.uniform(0, 0.05))))
    crowd.require_sound()


def fail_every_call(root: Path) -> str:
    assert failing.why_not() is None, failing.why_not()
    made = failing.template(root)
    counted = failing.count(made, root / "counted")
    tried: Counter[str] = Counter()
    for failure in failing.failures(counted):
        for quits in (True,) if failure.lasts else (True, False):
            folder = root / "failing"
            failing.survive(made, folder, failure, quits=quits)
            tried[f"{failure.call} {failure.how}{' for good' if failure.lasts else ''}"] += 1
            shutil.rmtree(folder)
    return f"{tried.total()} failures: " + ", ".join(f"{count} {name}" for name, count in tried.items())


def cut_writes_short(root: Path) -> str:
    assert shutil.which("prlimit"), "prlimit is not installed"
    made = root / "template.db"
    folder, tried, size = root / "short", 0, _SMALLEST_BYTES
    while failing.survive_limit(made, folder, size):
        shutil.rmtree(folder)
        tried, size = tried + 1, size + _STEP_BYTES
    assert tried, "nothing was cut short"
    return f"{tried} sizes from {_SMALLEST_BYTES} to {size} bytes"


def fail_the_server(server: Server, root: Path) -> str:
    assert failing.why_not() is None, failing.why_not()
    met: Counter[str] = Counter()
    for call in ("pwrite64", "fdatasync"):
        for how in ("EIO", "ENOSPC"):
            for when in range(1, SERVER_CALLS + 1):
                crowd = new_postgresql(server, root / f"server-{call}-{how}-{when}")
                met[f"{call} {how}"] += fail_once(crowd, failing.Failure(call, how, when))
    return ", ".join(f"{count} {name}" for name, count in met.items())


def fail_once(crowd: Crowd, failure: failing.Failure) -> bool:
    """Makes a call fail of the server's process that works for a writer, which goes on.

    Returns:
        Whether that process made such a call.
    """
    [process] = crowd.start("one", threads=_THREADS)
    wait_for(crowd, 1)
    engine = open_engine(crowd.database)
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with engine.connect() as connection:
        backend = connection.scalar(text(query))
    engine.dispose()
    trace = crowd.folder / "trace"
    with subprocess.Popen([*failure.before(trace), "-p", str(backend)], stderr=subprocess.DEVNULL) as tracer:
        wait_for(crowd, len(crowd.account().receipts) + 50)
        tracer.terminate()
    assert process.poll() is None, "the writer ended by itself"
    process.kill()
    process.wait()
    crowd.require_sound()
    return "(INJECTED)" in trace.read_text()


def cut_connections(server: Server, root: Path, chance: random.Random) -> str:
    crowd = new_postgresql(server, root / "cut")
    points = (b"COMMIT\0", b"COMMIT\0", b"COMMIT\0", b"FOR UPDATE", b"COPY entry", b"UPDATE head", b"checkpoint")
    faults: Counter[str] = Counter()
    with proxy(crowd.database) as wire:
        engine = open_engine(wire.url)
        log = Log(engine, SIGNER, last_checkpoint=crowd.memory)

        def append(name: str) -> None:
            while True:
                try:
                    log.append([name.encode()], idempotency_key=name)
                except LedgerError as fault:
                    faults[type(fault).__name__] += 1
                else:
                    return

        with ThreadPoolExecutor(8) as pool:
            for round_ in range(CUTS):
                wire.at, wire.fault = (
                    chance.choice(points),
                    chance.choice([Fault.LOSE_IT, Fault.LOSE_REPLY, Fault.LATE]),
                )
                if wire.at == b"COPY entry":
                    wire.fault = Fault.LOSE_IT  # or the server waits for the rows
                names = [f"{round_} {number}" for number in range(16)]
                list(pool.map(append, names))
        engine.dispose()
    expected = {f"{round_} {number}".encode() for round_ in range(CUTS) for number in range(16)}
    crowd.require_sound()
    engine = open_engine(crowd.database)
    found = {entry.data for entry in Log(engine, SIGNER).entries() if not entry.data.startswith(b"another")}
    engine.dispose()
    assert found == expected, "entries are missing"
    return told(CUTS, Counter(entries=len(found)) + faults)


def stopped(server: Server) -> None:
    server.stop("immediate")
    server.start()


def killed(server: Server) -> None:
    server.kill()
    server.start()


def new_sqlite(folder: Path) -> Crowd:
    folder.mkdir()
    engine = open_engine(folder / "linernotes.db")
    upgrade(engine)
    engine.dispose()
    return Crowd(str(folder / "linernotes.db"), folder)


def new_postgresql(server: Server, folder: Path) -> Crowd:
    folder.mkdir()
    name = f"linernotes_{secrets.token_hex(6)}"
    admin = open_engine(server.url).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    engine = open_engine(make_url(server.url).set(database=name).render_as_string())
    upgrade(engine)
    engine.dispose()
    return Crowd(make_url(server.url).set(database=name).render_as_string(), folder)


def wait_for(crowd: Crowd, receipts: int) -> None:
    deadline = time.monotonic() + 120
    while len(crowd.account().receipts) < receipts:
        assert time.monotonic() < deadline, f"nothing is acknowledged any more: {crowd.account().faults}"
        time.sleep(0.02)


def summary(crowd: Crowd) -> Counter[str]:
    account = crowd.account()
    return Counter(acknowledged=len(account.receipts)) + account.faults


def told(rounds: int, counted: Counter[str]) -> str:
    return f"{rounds} rounds; " + ", ".join(f"{count} {name}" for name, count in counted.items())


@contextmanager
def clocked() -> Iterator[Callable[[], float]]:
    begun = time.monotonic()
    yield lambda: time.monotonic() - begun


def part(name: str, trial: Callable[[], str]) -> None:
    with clocked() as seconds:
        what = trial()
        say(f"{name}: {what} ({seconds():.0f} s)")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
