"""What commands take: arguments that are text, files that are files, numbers that machines can count with.

Everything here holds for every command, those that are added later included: the arguments are looked at before
any command sees them, and every command is :func:`guarded <guard>`.
"""

from __future__ import annotations

import math
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.entry_index import entry_index
from api.errors import UsageError
from api.files import require_usable
from provenance.text import require_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import typer

MAX_ARGUMENT = 4096
"""Characters of one argument: no path is longer (PATH_MAX of Linux)."""
INDEX = "INDEX"
"""What the help calls the index of an entry."""
_LARGEST = 2**63 - 1
_LAST_PORT = 2**16 - 1
_SHOWN = 40


class EscapedError(Exception):
    """Carries an error past the command line parser, which would take it for the end of a dialogue."""


def require_arguments(arguments: Sequence[str]) -> None:
    """Look at the arguments of the program, whatever command they are for.

    Raises:
        TextError: One of them is not text.
        UsageError: One of them is too long.
    """
    for number, argument in enumerate(arguments, 1):
        if len(argument) > MAX_ARGUMENT:
            raise UsageError(
                f"Argument {number} has {len(argument)} characters, and none has more than {MAX_ARGUMENT}: a path may "
                "have that many, a prompt or a licence 2000, and a name 500. Shorten it."
            )
        require_plain(argument, f"Argument {number}")


def guard(app: typer.Typer) -> None:
    """Make every command of a program, and of the groups in it, look at its values before it begins."""
    for command in app.registered_commands:
        if command.callback is not None:
            command.callback = guarded(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            guard(group.typer_instance)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes files, folders and numbers only where they can be used."""

    @wraps(command)
    def run(**values: Any) -> None:
        usable = {name: _usable(name, value) for name, value in values.items()}
        try:
            command(**usable)
        except EOFError as error:
            raise EscapedError from error

    return run


def index_of(option: str) -> Callable[[str], int]:
    """Return what reads an option that names an entry of the log by its index."""

    def read(text: str) -> int:
        try:
            return entry_index(text)
        except UsageError as error:
            raise UsageError(f"{option}: {error}") from error

    return read


def require_named(**given: str | None) -> None:
    """Refuse what is given and names nothing: silently, it would stand for leaving it out.

    That is how a script goes wrong whose variable was never set: what somebody did is put on record as the owner's,
    or the home's own key is replaced.

    Args:
        given: Options and arguments by name, None for those that were left out.

    Raises:
        UsageError: One of them is empty.
    """
    for name, value in given.items():
        if value == "":
            raise UsageError(
                f"What is given as {name.replace('_', '-')} is empty. Name what is meant, or leave it out."
            )


def existing_file(name: str) -> Path | None:
    """Return what a user typed as the path of a file; None where there is no such file.

    Raises:
        UsageError: There is something, and it is neither a file nor a folder.
    """
    path = Path(name)
    return path if path.name and require_usable(path).is_file() else None


def _usable(name: str, value: Any) -> Any:
    match value:
        case list() | tuple():
            return [_usable(name, each) for each in value]
        case Path():
            return require_usable(value)
        case bool():
            return value
        case int() if not (0 <= value <= _LAST_PORT if name == "port" else -_LARGEST <= value <= _LARGEST):
            raise UsageError(
                f"--{name.replace('_', '-')} {str(value)[:_SHOWN]} is out of all bounds. Give another number."
            )
        case float() if not math.isfinite(value):
            raise UsageError(f"--{name.replace('_', '-')} {value} is not a number. Give one.")
    return value
