"""Places to measure a service at: a log, as many homes over it as there are workers, and a token."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api import tokens
from api.home import Home
from api.settings import load_settings
from bench.appends import emptied
from tests.postgresql import private_server, why_not


@dataclass(frozen=True, slots=True)
class Engine:
    """A database to measure on.

    Attributes:
        name: For people.
        url: Empty for the SQLite file of a home.
        workers: Services at the same time.
    """

    name: str
    url: str
    workers: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an empty log is.

    Attributes:
        name: For people.
        environments: Settings of each worker's home.
        token: A secret that may submit and read.
        home: The first of them, closed; it can still sign.
    """

    name: str
    environments: Sequence[Mapping[str, str]]
    token: str
    home: Home


@contextmanager
def engines() -> Iterator[list[Engine]]:
    """Give SQLite, and PostgreSQL where there can be a server."""
    found = [Engine("SQLite, 1 worker", "", 1)]
    reason = why_not()
    if reason is not None:
        print(f"PostgreSQL was not measured: {reason}.\n")
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with private_server(Path(folder) / "server", durable=True) as server:
            yield [*found, Engine("PostgreSQL, 2 workers", server.url, 2)]


def new_place(folder: Path, engine: Engine) -> Place:
    """Make a log in an empty folder, and empty the database for it."""
    if engine.url:
        emptied(engine.url).dispose()
    environments = [_environment(folder / f"home-{number}", engine.url) for number in range(engine.workers)]
    home = opened(environments[0])
    _, token = tokens.create(home, "bench", ["submit", "read"])
    home.close()
    for environment in environments[1:]:
        shutil.copytree(home.root, environment["LINERNOTES_HOME"])
    return Place(engine.name, environments, token, home)


def opened(environment: Mapping[str, str]) -> Home:
    """Open the home of a process that has no other one."""
    os.environ.update(environment)
    return Home(load_settings())


def _environment(home: Path, url: str) -> dict[str, str]:
    return {"LINERNOTES_HOME": str(home), "LINERNOTES_DATABASE": url, "LINERNOTES_DEVICE": "cpu"}
