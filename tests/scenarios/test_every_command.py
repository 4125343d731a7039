"""Every value of every command, those included that will be added: what is unusable is refused in a sentence.

The commands and their values are read from the program itself. No value may end in a defect (exit code 70), a
traceback, or a wait for something that never comes; and whatever was tried, the ledger is whole.
"""

import os
import shutil
import signal
import stat
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import unwrap
from pathlib import Path
from types import UnionType
from typing import Any

import pytest
import typer

from api.cli import DEFECT, app
from tests.conftest import Outcome, Studio

CODES = {0, 1, 2, 3, 10, 11}
USED_WRONGLY = 2
PATIENCE_SECONDS = 60
LONGEST_ANSWER = 20_000

GO_ON_FOR_EVER = {"serve", "demo", "log witness serve"}
"""Tried with nothing that they could accept."""
GIVEN = {
    "generate": {"--bits": "17"},  # refused late, so that nothing needs to be composed
    "check": {"use": "sync", "territory": "DE"},
    "token create": {"scope": "read"},
}
NO_TEXT = {
    "lone-surrogate": "J\udcff",
    "nul": "a\x00b",
    "escape": "\x1b[2J",
    "c1": "\x9b31m",
    "next-line": "\x85",
    "delete": "\x7f",
    "override": "abc\u202egpj",
    "isolate": "\u2066abc",
    "long": "x" * 10**6,
}
ODD_TEXT = (
    "",
    "   ",
    "nan",
    "-1",
    "🎻",
    "\u0301",
    "a\nb",
    "%00",
    "[red]",
    "../../x",
    "x" * 3000,
    "99999999999999999999",
)
NO_NUMBER = ("9" * 30, "-" + "9" * 30, "9" * 4000, "nan", "inf", "-inf", "1e400", "x", "", " ", "0x10")


@dataclass(frozen=True)
class Value:
    """An option or argument of a command."""

    name: str
    flag: str
    kind: type
    required: bool

    def given(self, text: str) -> list[str]:
        return [f"{self.flag}={text}"] if self.flag.startswith("--") else [self.flag, text] if self.flag else [text]


@dataclass(frozen=True)
class Command:
    """A command: its words, and what it takes besides switches."""

    words: tuple[str, ...]
    values: tuple[Value, ...]

    @property
    def name(self) -> str:
        return " ".join(self.words)

    def arguments(self, usual: Callable[[Value], str], odd: Value, text: str) -> list[str]:
        """All that the command needs, with one value of its own."""
        options: list[str] = []
        plain: list[str] = []
        fixed = GIVEN.get(self.name, {})
        for value in self.values:
            if value == odd:
                filled = value.given(text)
            elif value.name in fixed:
                filled = value.given(fixed[value.name])
            elif value.required:
                filled = value.given(usual(value))
            else:
                filled = []
            (options if value.flag else plain).extend(filled)
        options += [f"{flag}={text}" for flag, text in fixed.items() if flag.startswith("--") and flag != odd.flag]
        return [*self.words, *options, "--", *plain]


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[Command]:
    for name, each in group.commands.items():
        if hasattr(each, "commands"):
            yield from commands(each, (*words, name))
        else:
            yield Command((*words, name), tuple(values(each)))


def values(command: Any) -> Iterator[Value]:
    kinds = typing.get_type_hints(unwrap(command.callback))
    for value in command.params:
        kind = plain_type(kinds[value.name]) if value.name in kinds else bool
        if kind is not bool:
            long = [flag for flag in value.opts if flag.startswith("--")]
            flag = long[0] if value.param_type_name == "option" else ""
            yield Value(value.name, flag, kind, bool(value.required))


def plain_type(kind: Any) -> type:
    """`Path` of `Path | None` and of `list[Path]`."""
    while isinstance(kind, UnionType) or typing.get_origin(kind) in {list, tuple, typing.Union}:
        [kind] = {each for each in typing.get_args(kind) if each not in {type(None), ...}}
    assert isinstance(kind, type)
    return kind


TREE = typer.main.get_command(app)
ALL = tuple(commands(TREE))
TAKING = tuple(command for command in ALL if command.values)


@contextmanager
def patience(what: str) -> Iterator[None]:
    """Ends what waits for ever."""

    def fail(_signal: int, _frame: object) -> None:
        raise AssertionError(f"{what} waits for something")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def used(finished_studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio that all of this is tried on; its ledger is whole in the end."""
    from api.home import Home
    from api.integrity import fsck
    from api.settings import Settings

    root = tmp_path_factory.mktemp("used") / "studio"
    shutil.copytree(finished_studio.root, root, symlinks=True)
    made = Studio(root, finished_studio.recording_id)
    settings = Settings(home=made.home, device="cpu")
    home = Home(settings)
    with pytest.MonkeyPatch.context() as patch:
        # Each is made once, because there are thousands of commands.
        patch.setattr("api.home.Home", lambda _settings: home)
        patch.setattr("typer.main.get_command", lambda _app: TREE)
        yield made
    home.engine.dispose()
    home = Home(settings)
    assert fsck(home).problems == ()
    home.engine.dispose()


@pytest.fixture(scope="module")
def no_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What a path may lead to that is no file. Devices are links, lest something be put in their place."""
    folder = tmp_path_factory.mktemp("no-files")
    os.mkfifo(folder / "pipe")
    os.mknod(folder / "socket", stat.S_IFSOCK | 0o600)
    for name, target in (("zero", "/dev/zero"), ("full", "/dev/full"), ("null", "/dev/null"), ("a", "b"), ("b", "a")):
        (folder / name).symlink_to(target)
    names = ("pipe", "socket", "zero", "full", "null", "a")
    return {name: folder / name for name in names} | {"root": Path("/"), "name": folder / ("x" * 300)}


@pytest.fixture
def attempt(
    used: Studio, linernotes: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Command, Value, str], Outcome]:
    """Run a command with one odd value."""
    monkeypatch.chdir(tmp_path)

    def usual(value: Value) -> str:
        if value.kind is Path:
            return str(tmp_path / "made" if value.name in {"output", "folder"} else used.wav)
        return used.recording_id if value.name.startswith("recording") else "1"

    def run(command: Command, odd: Value, text: str) -> Outcome:
        arguments = command.arguments(usual, odd, text)
        with patience(f"{arguments[:8]}"):
            done = linernotes(*arguments, home=used.home)
        shown = [each[:80] for each in arguments]
        assert done.code != DEFECT, (shown, done.err)
        assert done.code in CODES, (shown, done.err)
        assert done.code != USED_WRONGLY or len(done.err.strip()) > 20, shown
        assert len(done.err) < LONGEST_ANSWER, shown
        done.err.encode()
        return done

    return run


Attempt = Callable[[Command, Value, str], Outcome]


def must_refuse(attempt: Attempt, command: Command, value: Value, text: str) -> None:
    done = attempt(command, value, text)
    assert done.code == USED_WRONGLY, (command.name, value.name, text[:80], done)


@pytest.mark.parametrize("command", TAKING, ids=lambda command: command.name)
def test_what_is_no_text(attempt: Attempt, command: Command) -> None:
    for value in command.values:
        for text in NO_TEXT.values():
            must_refuse(attempt, command, value, text)


@pytest.mark.parametrize("command", TAKING, ids=lambda command: command.name)
def test_what_is_no_file(attempt: Attempt, command: Command, no_files: dict[str, Path]) -> None:
    for value in command.values:
        if value.kind is Path or value.name.startswith("recording"):
            for path in no_files.values():
                must_refuse(attempt, command, value, str(path))
        if value.kind is Path:
            must_refuse(attempt, command, value, "two\nlines")


@pytest.mark.parametrize("command", TAKING, ids=lambda command: command.name)
def test_what_is_no_number(attempt: Attempt, command: Command) -> None:
    for value in command.values:
        if value.kind in {int, float}:
            for text in NO_NUMBER:
                must_refuse(attempt, command, value, text)


@pytest.mark.parametrize(
    "command", [each for each in TAKING if each.name not in GO_ON_FOR_EVER], ids=lambda command: command.name
)
def test_what_is_odd(attempt: Attempt, command: Command, no_files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for value in command.values:
        if value.kind is str:
            for name in ("pipe", "zero", "a"):
                attempt(command, value, str(no_files[name]))
        for text in (*ODD_TEXT, "folder") if value.kind in {str, Path} else ("-1", "0"):
            attempt(command, value, text)


def test_the_commands_are_found() -> None:
    names = {command.name for command in ALL}
    assert {"generate", "edit", "party add", "log proof", "audit membership", *GO_ON_FOR_EVER, *GIVEN} <= names
    found = {(command.name, value.name, value.kind) for command in ALL for value in command.values}
    assert {("edit", "file", Path), ("show", "before", int), ("token create", "scope", str)} <= found
    assert ("verify", "policy", Path) in found
