"""A real PostgreSQL for the tests: one that is named, or a private one in a folder of its own."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "LINERNOTES_TEST_POSTGRES"
_USER = "postgres"
_HOMES = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt")
_START_SECONDS = 60
_NOT_RUNNING = 3


@dataclass(frozen=True)
class Server:
    """A server that is ours alone.

    Attributes:
        folder: Of its data and its socket.
        programs: Folder of initdb, pg_ctl and the others.
    """

    folder: Path
    programs: Path

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{_USER}@/postgres?host={self.folder / 'socket'}&port={self.port}"

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        return int(self._lock_file()[0])

    @property
    def port(self) -> str:
        """Where it listens, and part of its socket's name."""
        return self._lock_file()[3]

    def start(self) -> None:
        """Start it, once the processes of a predecessor that was killed have gone."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-t", "60", "start")
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def stop(self, how: str = "fast") -> None:
        """Stop it: `fast` as an operator would, `immediate` as a crash; nothing where it does not run."""
        if self._code("pg_ctl", "-D", self.folder / "data", "status") != _NOT_RUNNING:
            self._run("pg_ctl", "-D", self.folder / "data", "-w", "-m", how, "stop")

    def kill(self) -> None:
        """Kill the postmaster; its children notice, each when it can."""
        os.kill(self.pid, signal.SIGKILL)

    def create(self, *, durable: bool, settings: Mapping[str, str], access: Sequence[str]) -> None:
        data = self.folder / "data"
        self._run("initdb", "-D", data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        lines = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{self.folder / 'socket'}'",
            "max_connections": "60",
            "shared_buffers": "'32MB'",
            "fsync": "on" if durable else "off",
            "full_page_writes": "on" if durable else "off",
            **settings,
        }
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in lines.items())
        if access:
            (data / "pg_hba.conf").write_text("\n".join(access) + "\n")

    def _lock_file(self) -> list[str]:
        """The lines of postmaster.pid: its process, its folder, when it began, its port, and more."""
        return (self.folder / "data" / "postmaster.pid").read_text().splitlines()

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self.programs / program), *map(str, arguments)]
        done = subprocess.run([*_as_somebody_else(), *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")

    def _code(self, program: str, *arguments: object) -> int:
        command = [str(self.programs / program), *map(str, arguments)]
        return subprocess.run([*_as_somebody_else(), *command], capture_output=True, check=False).returncode


def programs() -> Path | None:
    """The folder of the server's programs, if they are installed."""
    found = [path.parent for home in _HOMES for path in Path(home).glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    return max(found, default=Path(on_path).parent if on_path else None)


def why_not() -> str | None:
    """Why there can be no private server here, or None when there can."""
    if programs() is None:
        return "PostgreSQL is not installed (Debian: apt install postgresql)"
    if os.geteuid() == 0 and not (shutil.which("runuser") and _known(_USER)):
        return f"PostgreSQL does not run as root, and there is no user {_USER}"
    return None


@contextmanager
def private_server(
    folder: Path, *, durable: bool = False, settings: Mapping[str, str] | None = None, access: Sequence[str] = ()
) -> Iterator[Server]:
    """Bring up a server in a folder, and take it down again.

    Args:
        folder: An empty one with a short name: a socket's path may have 107 characters.
        durable: Wait for the disk, as in production; the tests of what is lost in a crash need it, others do not.
        settings: Lines of its postgresql.conf.
        access: Lines of its pg_hba.conf; without any, everybody on this machine may do everything.
    """
    found = programs()
    assert found is not None, why_not()
    server = Server(folder, found)
    (folder / "socket").mkdir(parents=True)
    if os.geteuid() == 0:
        for path in (folder, folder / "socket"):
            shutil.chown(path, _USER)
    server.create(durable=durable, settings=settings or {}, access=access)
    server.start()
    try:
        yield server
    finally:
        server.stop("immediate")


def wait_until_it_answers(url: str, seconds: float = 30) -> None:
    import psycopg

    deadline = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(url.replace("+psycopg", "")).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _as_somebody_else() -> Sequence[str]:
    return ("runuser", "-u", _USER, "--") if os.geteuid() == 0 else ()


def _known(user: str) -> bool:
    return subprocess.run(["id", user], capture_output=True, check=False).returncode == 0
