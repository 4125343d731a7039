"""What the tests of all packages share: the command in this process, and a home with a recording."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
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
