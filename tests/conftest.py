"""What the tests of all packages share: the command in this process, and a home with a recording."""

import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def linernotes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command as a shell would, in this process: arguments in, exit code and output out."""
    from api.cli import main

    def run(*arguments: object, home: Path | None = None) -> Outcome:
        if home is not None:
            monkeypatch.setenv("LINERNOTES_HOME", str(home))
        monkeypatch.delenv("COLUMNS", raising=False)
        monkeypatch.setattr(sys, "argv", ["linernotes", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(bool(exit_.code))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, captured.err)

    return run


@dataclass(frozen=True)
class Studio:
    """A home with one recording, and the files that were handed out."""

    root: Path
    recording_id: str

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def wav(self) -> Path:
        return self.root / "take.wav"

    @property
    def midi(self) -> Path:
        return self.root / "take.mid"


@pytest.fixture(scope="session")
def finished_studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A studio made once; tests that change anything take a copy of it (see ``studio``)."""
    from api.home import Home
    from api.recording import generate
    from api.settings import Settings
    from generator.request import GenerationRequest

    root = tmp_path_factory.mktemp("studio")
    home = Home(Settings(home=root / "home", device="cpu"))
    request = GenerationRequest("a busy allegro in D major", seed=11, bars=6)
    made = generate(home, request, root / "take.wav")
    home.engine.dispose()
    return Studio(root, made.recording_id)


@pytest.fixture
def studio(finished_studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A studio of one's own, and the home that commands use."""
    root = tmp_path / "studio"
    shutil.copytree(finished_studio.root, root, symlinks=True)
    for variable in [name for name in os.environ if name.startswith("LINERNOTES_")]:
        if variable not in {"LINERNOTES_VECTORS", "LINERNOTES_STANDARDS"}:
            monkeypatch.delenv(variable)
    monkeypatch.setenv("LINERNOTES_HOME", str(root / "home"))
    return Studio(root, finished_studio.recording_id)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server: the one that is named, or a private one; else the test is skipped, loudly."""
    from tests import postgresql as server

    named = os.environ.get(server.VARIABLE)
    if named:
        yield named
        return
    reason = server.why_not()
    if reason is not None:
        pytest.skip(f"{reason}; a server can be named in {server.VARIABLE}")
    with TemporaryDirectory(prefix="pg", dir="/tmp") as folder:  # a socket's path is short
        Path(folder).chmod(0o755)
        with server.private_server(Path(folder) / "server") as private:
            yield private.url


@pytest.fixture(scope="session")
def new_postgresql(postgresql: str) -> Iterator[Callable[[], str]]:
    """Makes an upgraded, empty database in the server, and gives its URL."""
    from sqlalchemy import create_engine, make_url

    from ledger.database import open_engine
    from migrations.upgrade import upgrade
    from tests.postgresql import VARIABLE

    admin = create_engine(postgresql, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make(template: str = "") -> str:
        name = f"linernotes_test_{secrets.token_hex(6)}"
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} {f'TEMPLATE {template}' if template else ''}")
        made.append(name)
        return name

    def url(name: str) -> str:
        return make_url(postgresql).set(database=name).render_as_string(hide_password=False)

    template = make()
    engine = open_engine(url(template))
    upgrade(engine)
    engine.dispose()
    yield lambda: url(make(template))
    if VARIABLE in os.environ:  # a private server goes with all it holds
        with admin.connect() as connection:
            for name in reversed(made):
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()
