"""docs/operations.md, followed to the letter: setting up a server, two machines, and an erasure with the real roles.

Names of machines and folders are replaced by those of the test, and nothing else: the commands are those of the page.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests import postgresql as servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Outcome, Run

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
SECTION = re.compile(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"(?:^    .+\n)+", re.MULTILINE)
WRONG_USE, NOTHING_THERE = 2, 3


def blocks(section: str) -> list[str]:
    """The commands of a section of the page."""
    text = dict(SECTION.findall(PAGE.read_text(encoding="utf-8")))[section]
    return [re.sub("^    ", "", block, flags=re.MULTILINE) for block in BLOCK.findall(text)]


@dataclass(frozen=True)
class Stranger:
    """Somebody who has the page, a server, and room for the machines."""

    server: servers.Server
    room: Path

    def follow(self, block: str, machine: str = "first") -> subprocess.CompletedProcess[str]:
        """Run commands of the page on a machine, as the superuser of the server's own where psql is used."""
        home = str(self.home(machine).parent)
        commands = (
            block.replace("db.example", f"127.0.0.1:{self.server.port}")
            .replace("scp -pr first.example:/var/lib", f"cp -pr {self.home('first').parent}")
            .replace("/var/lib", home)
        )
        programs = [str(Path(sys.executable).parent), str(self.server.programs), os.environ["PATH"]]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LINERNOTES_", "PG"))},
            "PATH": os.pathsep.join(programs),
            "PGHOST": str(self.server.folder / "socket"),
            "PGPORT": self.server.port,
            "PGUSER": "postgres",
            "LINERNOTES_HOME": str(self.room / "nowhere"),
        }
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", commands],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def home(self, machine: str) -> Path:
        return self.room / machine / "linernotes"

    def holding(self, value: str) -> list[str]:
        """The files of the server that hold a value."""
        data = self.server.folder / "data"
        held = [path for path in data.rglob("*") if path.is_file() and value.encode() in path.read_bytes()]
        return [str(path.relative_to(data)) for path in held]

    def ask(self, *statements: str) -> list[object]:
        """Run statements as the superuser; gives what the last one says."""
        url = self.server.url.replace("+psycopg", "").replace("/postgres?", "/linernotes?")
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                answer = connection.execute(statement.encode())
            return [value for row in answer.fetchall() for value in row] if answer.description else []


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    """A server that was set up by the page, with a log that the first machine has begun."""
    reason = servers.why_not()
    if reason is not None:
        pytest.skip(f"{reason}: docs/operations.md was not tried")
    with TemporaryDirectory(prefix="pg", dir="/tmp") as folder:  # a socket's path is short
        Path(folder).chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        settings = {"listen_addresses": "'127.0.0.1'", "port": str(port)}
        with servers.private_server(Path(folder) / "server", settings=settings) as server:
            room = Path(folder) / "room"
            for machine in ("first", "second", "alone"):
                (room / machine).mkdir(parents=True)
            stranger = Stranger(server, room)
            as_superuser, as_owner = blocks("Set up")
            for block in (as_superuser, as_owner, blocks("Machines")[0]):
                done = stranger.follow(block)
                assert done.returncode == 0, done.stderr
            assert "ERROR" not in done.stderr
            yield stranger


@pytest.fixture
def run(stranger: Stranger, linernotes: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a machine, with the settings that the page gives to all of them."""
    for line in blocks("Machines")[0].splitlines()[:2]:
        name, value = line.removeprefix("export ").split("=", 1)
        monkeypatch.setenv(name, value.replace("db.example", f"127.0.0.1:{stranger.server.port}"))

    def run(*arguments: str, machine: str = "first") -> Outcome:
        return linernotes(*arguments, home=stranger.home(machine))

    return run


def test_an_upgrade_makes_no_home_and_the_owner_can_repeat_it(stranger: Stranger) -> None:
    upgrade, pipe = blocks("Set up")[1].splitlines()
    done = stranger.follow(f"{upgrade}\nexport PGUSER=linernotes_owner\n{pipe}")
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr
    assert "WARNING" not in done.stderr
    assert not (stranger.room / "nowhere").exists()


def test_machines_with_the_same_keys_append_to_one_log(stranger: Stranger, run: Run) -> None:
    done = stranger.follow(blocks("Machines")[1], "second")
    assert done.returncode == 0, done.stderr
    (stranger.home("second") / "objects").symlink_to(stranger.home("first") / "objects")
    for machine in ("second", "first", "second"):
        done = run("party", "add", "--name", machine, machine=machine)
        assert done.code == 0, done.err
    keys = {(stranger.home(machine) / "keys" / "log.vkey").read_text() for machine in ("first", "second")}
    assert len(keys) == 1
    for machine in ("first", "second"):
        assert "0 problems, 0 warnings" in run("log", "fsck", machine=machine).out


def test_a_machine_with_keys_of_its_own_is_refused(run: Run) -> None:
    before = run("log", "checkpoint").out
    done = run("party", "add", "--name", "alone", machine="alone")
    assert done.code == WRONG_USE
    [quoted] = re.findall(r'\("(.+?) …", "… (.+?) …"\)', " ".join(PAGE.read_text(encoding="utf-8").split()))
    assert any(words in done.err for words in quoted), done.err
    assert run("log", "checkpoint").out == before


def test_what_the_writer_erases_is_gone_when_the_owner_has_done_the_rest(stranger: Stranger, run: Run) -> None:
    name = "Zebulon Quixotewarble"
    party = run("party", "add", "--name", name, "--json").json["party_id"]
    stranger.ask("CHECKPOINT", "SELECT pg_switch_wal()", "CHECKPOINT")  # its segment waits to become a later one
    [present] = stranger.ask("SELECT pg_walfile_name(pg_current_wal_lsn())")
    held = stranger.holding(name)
    assert any(path.startswith("base/") for path in held)
    assert any(path > f"pg_wal/{present}" for path in held if path.startswith("pg_wal/")), held

    erased = run("erase", party)
    assert erased.code == 0, erased.err
    assert "Left to do: The values are deleted, but their bytes are still in the files" in erased.out
    again = run("erase", party)
    assert again.code == NOTHING_THERE
    assert f"may still be in the files of the database server (name of the party {party})" in again.err
    assert run("db", "scrub").code == 1  # the writer may not
    assert stranger.holding(name)

    [scrub] = blocks("Erasing")
    done = stranger.follow(scrub, "second")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "Nothing is left in the files of the database of what was erased.\n"
    assert stranger.holding(name) == []
    again = run("erase", party)
    assert again.code == NOTHING_THERE
    assert "still be" not in again.err
    assert " 0 problems" in run("log", "fsck").out


def test_what_stands_in_the_way_is_named_and_nothing_is_called_done(stranger: Stranger, run: Run) -> None:
    name = "Ottoline Vexillarious"
    [scrub] = blocks("Erasing")
    stranger.ask("SELECT pg_create_physical_replication_slot('standby', true)")
    party = run("party", "add", "--name", name, "--json").json["party_id"]
    assert run("erase", party).code == 0
    done = stranger.follow(scrub)
    assert done.returncode == 1
    assert re.search(r"keeps \d+ old segments of its write-ahead log .* for a replication slot", done.stdout)
    assert stranger.holding(name)
    stranger.ask("SELECT pg_drop_replication_slot('standby')", "REVOKE pg_checkpoint FROM linernotes_owner")
    done = stranger.follow(scrub)
    assert done.returncode == 1
    assert "Let a superuser run `linernotes db roles | psql`" in done.stdout
    assert "may still be" in run("erase", party).err
    pipe = blocks("Set up")[1].splitlines()[1]
    warned = stranger.follow(f"export PGUSER=linernotes_owner\n{pipe}").stderr
    assert "WARNING:  linernotes_owner cannot complete `linernotes db scrub` until a superuser" in warned
    assert stranger.follow(pipe).returncode == 0
    done = stranger.follow(scrub)
    assert done.returncode == 0, done.stdout + done.stderr
    assert stranger.holding(name) == []
