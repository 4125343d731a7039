"""How commands end: with a published exit code and a sentence, and never with a traceback."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer

from api.cli import DEBUG, DEFECT, app, main
from api.commands import input as values
from api.errors import UsageError
from provenance.errors import TextError
from tests.conftest import Outcome, Studio

COMMAND = [sys.executable, "-m", "api"]
LIST = ["party", "list"]
OUTPUT_CLOSED = 141
Broken = Callable[[Exception], None]


@pytest.fixture
def broken(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Broken:
    """Makes ``party list`` fail in a way nobody thought of."""

    def breaks(error: Exception) -> None:
        def fail(_home: object) -> NoReturn:
            raise error

        monkeypatch.setattr("api.registry.parties", fail)

    return breaks


@pytest.mark.parametrize(
    "error",
    [
        *(
            RuntimeError("secret"),
            KeyError("secret"),
            AssertionError("secret"),
            MemoryError(),
            RecursionError("secret"),
        ),
        *(EOFError("secret"), UnicodeEncodeError("utf-8", "secret", 0, 1, "secret"), typer.BadParameter),
    ],
    ids=lambda error: getattr(error, "__name__", type(error).__name__),
)
def test_a_defect_is_one_paragraph(broken: Broken, linernotes: Callable[..., Outcome], error: Any) -> None:
    if error is typer.BadParameter:
        error = NotImplementedError("secret")
    broken(error)
    done = linernotes(*LIST)
    assert (done.code, done.out) == (DEFECT, "")
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("linernotes: This is a defect of this program")
    assert f"{type(error).__name__} in api/commands/registry.py, line " in done.err
    assert "report it" in done.err
    assert DEBUG in done.err
    assert "secret" not in done.err


def test_who_looks_for_the_defect_sees_the_traceback(
    broken: Broken, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(RuntimeError("what went wrong"))
    monkeypatch.setenv(DEBUG, "1")
    monkeypatch.setattr(sys, "argv", ["linernotes", *LIST])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == DEFECT
    told = capsys.readouterr().err
    assert told.startswith("Traceback")
    assert "RuntimeError: what went wrong" in told
    assert "linernotes: This is a defect" in told


@pytest.mark.parametrize("error", [OSError(5, "Input/output error", "/x/y"), OSError("just words")])
def test_what_the_system_refuses_is_no_defect(
    broken: Broken, linernotes: Callable[..., Outcome], error: OSError
) -> None:
    broken(error)
    done = linernotes(*LIST)
    assert done.code == 2
    assert done.err.startswith("linernotes: The system refused: ")


def test_a_message_is_never_a_book(broken: Broken, linernotes: Callable[..., Outcome]) -> None:
    broken(UsageError("Begin " + "x" * 100_000 + " end."))
    done = linernotes(*LIST)
    assert done.code == 2
    assert done.err.startswith("linernotes: Begin xxx")
    assert done.err.endswith("xxx end.\n")
    assert len(done.err) < 2_000


def environment(home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "LINERNOTES_HOME": str(home), **more}


@pytest.mark.parametrize("arguments", [LIST, ["vocabulary"], ["party", "list", "--json"], ["--version"]])
def test_output_that_nobody_reads_is_no_failed_check(studio: Studio, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, *arguments], stdout=writing, stderr=subprocess.PIPE, env=environment(studio.home), check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (OUTPUT_CLOSED, b"")


def test_output_that_finds_no_room(studio: Studio) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, *LIST], stdout=full, stderr=subprocess.PIPE, env=environment(studio.home), check=False
        )
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [done.stderr.decode().strip()]
    assert b"No space left on device" in done.stderr


def test_a_terminal_without_the_letters(studio: Studio) -> None:
    done = subprocess.run(
        [*COMMAND, "audit", "membership", "--composer", "Dvořák"],
        capture_output=True,
        env=environment(studio.home, PYTHONIOENCODING="ascii"),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"Dvo\\u0159\\xe1k" in done.stdout


def every(group: typer.Typer) -> Iterator[Callable[..., None]]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield command.callback
    for each in group.registered_groups:
        assert each.typer_instance is not None
        yield from every(each.typer_instance)


def test_every_command_is_guarded() -> None:
    found = list(every(app))
    assert len(found) > 20
    wrapper = values.guarded(print).__code__
    strangers = [
        command
        for command in found
        if (command.__code__.co_qualname, command.__code__.co_filename) != (wrapper.co_qualname, wrapper.co_filename)
    ]
    assert strangers == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("before", 2**63, "--before 9223372036854775808 is out"),
        ("before", -(2**63), "is out of all bounds"),
        ("port", 2**16, "--port 65536"),
        ("port", -1, "--port -1"),
        ("deadline", float("nan"), "--deadline nan is not a number"),
        ("publish_interval", float("inf"), "--publish-interval inf"),
        ("folder", Path("/dev/null"), "a device"),
        ("envelopes", [Path("x"), Path("/dev/null")], "a device"),
    ],
)
def test_values_that_no_command_can_use(name: str, value: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        values.guarded(lambda **_values: None)(**{name: value})


def test_values_that_commands_can_use() -> None:
    seen: dict[str, object] = {}
    given = {"port": 0, "before": 2**63 - 1, "seed": -1, "json": True, "deadline": 0.5, "name": "x\n", "scope": ["a"]}
    values.guarded(seen.update)(**given, file=Path("x"))
    assert seen == {**given, "file": Path("x")}


def test_arguments_that_no_command_can_use() -> None:
    values.require_arguments(["generate", "a march\nin two lines", "x" * values.MAX_ARGUMENT])
    with pytest.raises(UsageError, match="Argument 2 has 4097 characters"):
        values.require_arguments(["show", "x" * (values.MAX_ARGUMENT + 1)])
    with pytest.raises(TextError, match=r"Argument 3 has U\+DCFF as character 2"):
        values.require_arguments(["party", "add", "J\udcff"])
