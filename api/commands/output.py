"""How commands speak: answers on stdout, everything else on stderr, JSON when asked."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel
    from rich.console import Console

    from api.home import Home
    from api.recording import Progress

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]

_WIDTH = 140
_opened: list[Home] = []


def open_home() -> Home:
    """Open the home that the settings name, making it at first use; it is closed when the command ends."""
    from api.home import Home
    from api.settings import load_settings

    home = Home(load_settings())
    _opened.append(home)
    return home


def close_homes() -> None:
    """Close every home that the command opened."""
    while _opened:
        _opened.pop().close()


def print_json(answer: BaseModel) -> None:
    """Print an answer as exactly one JSON object."""
    sys.stdout.write(answer.model_dump_json(indent=2) + "\n")


def say(text: str = "") -> None:
    """Print a line for people."""
    sys.stdout.write(text + "\n")


def warn_unless_understood(licence: str) -> None:
    """Say on stderr what becomes of a licence that is not understood, where one was given."""
    from licensing.licence import How, understand

    if licence.strip() and understand(licence).how is How.UNKNOWN:
        sys.stderr.write(
            f"linernotes: the licence {licence[:80]!r} is not understood. It is recorded as unknown: a check "
            "that depends on it is HOLD. Give an SPDX expression, such as CC-BY-4.0.\n"
        )


def console() -> Console:
    """Return a console on stdout, as wide as the terminal, or wide enough for a digest."""
    from rich.console import Console

    class Output(Console):
        """Leaves it to the program how it ends when nobody reads on."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Output(file=sys.stdout, width=None if known else _WIDTH)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Print a table for people, unless it is empty; what a cell holds is never read as markup."""
    if not rows:
        return
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, title_justify="left", box=None, pad_edge=False, show_header=any(columns))
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(str(cell)) for cell in row))
    console().print(made)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show the stages of long work on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _stage, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description:<22}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        transient=True,
    )
    tasks: dict[str, Any] = {}
    with bar:

        def tell(stage: str, done: int, total: int) -> None:
            for name, task in tasks.items():
                if name != stage:
                    bar.update(task, completed=1, total=1)
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield tell
