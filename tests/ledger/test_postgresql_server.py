"""A PostgreSQL that waits for its disk, and what it may do to those who use it: refuse them, run full, and crash."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Engine, make_url, text

from ledger.database import open_engine, writing
from ledger.errors import DatabaseUnavailableError
from ledger.log import Log
from ledger.note import NoteSigner
from migrations.upgrade import upgrade
from tests.ledger import failing
from tests.ledger.crowd import Crowd, crowd_on
from tests.postgresql import Server, private_server, why_not

pytestmark = pytest.mark.xdist_group("a server that crashes")

_PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A durable server, which one user may reach by TCP and with a password."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"{reason}: nothing was tried that needs a server of its own")
    with TemporaryDirectory(prefix="pg", dir="/tmp") as folder:  # a socket's path is short
        Path(folder).chmod(0o755)
        settings = {"listen_addresses": "'127.0.0.1'", "port": str(free_port())}
        access = ["local all all trust", "host all linernotes_far 127.0.0.1/32 scram-sha-256"]
        with private_server(Path(folder) / "server", durable=True, settings=settings, access=access) as private:
            admin = open_engine(private.url)
            with writing(admin) as connection:
                connection.exec_driver_sql("CREATE ROLE linernotes_far LOGIN PASSWORD 'right'")
                connection.exec_driver_sql("CREATE ROLE linernotes_none LOGIN CONNECTION LIMIT 0")
                connection.exec_driver_sql("CREATE ROLE linernotes_shut NOLOGIN")
            admin.dispose()
            yield private


@pytest.fixture
def empty(server: Server) -> Iterator[Engine]:
    """An upgraded, empty database in the server."""
    name = f"linernotes_{secrets.token_hex(6)}"
    admin = open_engine(server.url).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine = open_engine(make_url(server.url).set(database=name).render_as_string())
    upgrade(engine)
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("user", "password", "host", "database", "says"),
    [
        ("linernotes_far", "wrong", "127.0.0.1", "postgres", "the password is wrong"),
        ("linernotes_far", None, "127.0.0.1", "postgres", "the password is wrong"),
        ("postgres", None, "127.0.0.1", "postgres", "this user may not connect; check pg_hba.conf"),
        ("linernotes_shut", None, "", "postgres", "this user may not connect"),
        ("linernotes_nobody", None, "", "postgres", "this user may not connect"),
        ("linernotes_none", None, "", "postgres", "it takes no more connections"),
        ("postgres", None, "", "nowhere", "there is no such database"),
    ],
)
def test_those_who_are_refused_are_told_why(
    server: Server, user: str, password: str | None, host: str, database: str, says: str
) -> None:
    url = make_url(server.url).set(username=user, password=password, database=database)
    if host:
        url = url.set(host=host, query={"port": server.port, "sslmode": "disable"})
    engine = open_engine(url.render_as_string(hide_password=False))
    with pytest.raises(DatabaseUnavailableError, match=says) as refusal, writing(engine):
        pass
    assert "wrong " not in str(refusal.value)  # the password that was given
    engine.dispose()


def test_the_right_password_from_afar(server: Server) -> None:
    engine = open_engine(f"postgresql://linernotes_far:right@127.0.0.1:{server.port}/postgres")
    with writing(engine) as connection:
        assert connection.scalar(text("SELECT current_user")) == "linernotes_far"
        assert connection.scalar(text("SHOW tcp_keepalives_idle")) == "10"  # who vanishes keeps no lock for long
    engine.dispose()


@contextmanager
def tiny_disk(server: Server) -> Iterator[Path]:
    """A disk of three megabytes, half of which a file takes."""
    place = server.folder / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        place.rmdir()
        pytest.skip(f"no disk could be mounted ({mounted.stderr.strip()}): a full one was not tried")
    try:
        shutil.chown(place, "postgres")
        (place / "filler").write_bytes(bytes(1_500_000))
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        place.rmdir()


def test_a_full_disk_is_named_and_nothing_is_recorded(server: Server, empty: Engine, signer: NoteSigner) -> None:
    log = Log(empty, signer)
    with tiny_disk(server) as place:
        with empty.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql(f"CREATE TABLESPACE tiny LOCATION '{place}'")
            connection.exec_driver_sql("ALTER TABLE entry SET TABLESPACE tiny")
        with pytest.raises(DatabaseUnavailableError, match=r"its disk is full; free some space.*nothing was"):
            fill(log)
        size = log.size()
        (place / "filler").unlink()
        assert log.append([os.urandom(60_000)])[0].index == size
        with empty.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("ALTER TABLE entry SET TABLESPACE pg_default")
            connection.exec_driver_sql("DROP TABLESPACE tiny")


def fill(log: Log) -> None:
    while True:
        log.append([os.urandom(60_000) for _ in range(3)])


def shut_down_at_once(server: Server, _empty: Engine, _folder: Path) -> None:
    server.stop("immediate")
    server.start()


def killed(server: Server, _empty: Engine, _folder: Path) -> None:
    server.kill()
    server.start()


def a_backend_killed(_server: Server, empty: Engine, _folder: Path) -> None:
    os.kill(backend_of_a_writer(empty), signal.SIGKILL)


def failing_disk(server: Server, empty: Engine, folder: Path) -> None:
    reason = failing.why_not()
    if reason is not None:
        pytest.skip(f"{reason}: a failing disk was not tried")
    failure = failing.Failure("fdatasync", "EIO", 2).before(folder / "trace")
    tracer = subprocess.Popen([*failure, "-p", str(backend_of_a_writer(empty))], stderr=subprocess.DEVNULL)
    tracer.wait()
    assert "PANIC:  could not fdatasync file" in (server.folder / "log").read_text()


def backend_of_a_writer(empty: Engine) -> int:
    query = text(
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'linernotes' AND pid <> pg_backend_pid()"
    )
    with empty.connect() as connection:
        return int(connection.scalars(query).all()[0])


@pytest.mark.parametrize("crash", [shut_down_at_once, killed, a_backend_killed, failing_disk])
def test_a_server_that_crashes_under_load_loses_nothing(
    server: Server, empty: Engine, tmp_path: Path, crash: Callable[[Server, Engine, Path], None]
) -> None:
    crowd = crowd_on(empty, tmp_path)
    processes = crowd.start("one", "two", threads=4)
    try:
        until_more(crowd, 50)
        crash(server, empty, tmp_path)
        until_more(crowd, 50)
        assert [process.poll() for process in processes] == [None] * 2  # without help
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert crowd.account().faults
    crowd.require_sound()


def test_what_a_crash_is_said_to_have_undone_is_not_there(server: Server, empty: Engine, tmp_path: Path) -> None:
    crowd, names = crowd_on(empty, tmp_path), ("one", "two", "three")
    processes = dict(zip(names, crowd.start(*names, threads=2, quits=True), strict=True))
    try:
        until_more(crowd, 20)
        server.stop("immediate")
        before = acknowledged(crowd)
        server.start()
        for name, process in processes.items():  # it gives up, or was in doubt and finds that all is well
            until(lambda n=name, p=process: p.poll() is not None or acknowledged(crowd)[n] > before[n])
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    crowd.require_sound()


def acknowledged(crowd: Crowd) -> Counter[str]:
    return Counter(wish.name for wish in crowd.account().receipts)


def until_more(crowd: Crowd, count: int) -> None:
    """Waits until as many more appends were acknowledged."""
    goal = len(crowd.account().receipts) + count
    until(lambda: len(crowd.account().receipts) >= goal)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
