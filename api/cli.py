"""The ``linernotes`` command: which commands there are, and how a failure ends.

Exit codes: 0 done, 1 a check failed, 2 used wrongly or unusable input, 3 nothing there, 10 DENY, 11 HOLD; and 70
(EX_SOFTWARE of sysexits.h) for a defect of this program, of which ``LINERNOTES_DEBUG`` shows the traceback.
"""

from __future__ import annotations

import errno
import importlib.util
import io
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from api.commands import erase, evidence, log, output, recording, registry, service, sign
from api.commands.input import EscapedError, guard, require_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = ("api", "licensing", "provenance", "ledger", "fingerprint", "generator", "migrations")
USED_WRONGLY = 2
DEFECT = 70
DEBUG = "LINERNOTES_DEBUG"
_ROOT = Path(__file__).resolve().parent.parent
_OUTPUT_CLOSED = 128 + signal.SIGPIPE
_LONGEST = 1_500
"""Characters of a message; the middle of a longer one, such as a path of thousands, is left out."""

app = typer.Typer(
    name="linernotes",
    help="Provenance, licensing and rights of AI music: signed, append-only, publicly verifiable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: tuple[Callable[..., None], ...] = (
    recording.generate,
    recording.edit,
    recording.show,
    recording.lineage,
    evidence.check,
    evidence.export,
    evidence.verify,
    evidence.identify,
    sign.draft,
    sign.sign,
    sign.submit,
    erase.erase,
    service.vocabulary,
    service.serve,
    service.demo,
)
for command in COMMANDS:
    app.command()(command)
for name, group in (
    ("audit", registry.audit),
    ("party", registry.party),
    ("model", registry.model),
    ("corpus", registry.corpus),
    ("key", registry.key),
    ("token", registry.token),
    ("log", log.log),
    ("db", log.db),
):
    app.add_typer(group, name=name)
guard(app)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the form that typer calls
    if wanted:
        from importlib.metadata import version as installed  # noqa: PLC0415 - no other command needs it

        sys.stdout.write(f"linernotes {installed('linernotes')}\n")
        raise typer.Exit


@app.callback()
def options(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Provenance, licensing and rights of AI music: signed, append-only, publicly verifiable."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("linernotes").info("process %d", os.getpid())


def main() -> None:
    """Run the command and end with one of the published exit codes."""
    _require_own_packages()
    _write_in_any_encoding()
    stdout = sys.stdout
    try:
        try:
            require_arguments(sys.argv[1:])
            app()
        finally:
            output.close_homes()
            _deliver(stdout)
    except EscapedError as escaped:
        _end(escaped.__cause__ or escaped)
    except Exception as error:  # noqa: BLE001 - every error becomes a sentence and an exit code
        _end(error)


def _deliver(stdout: TextIO) -> None:
    """Write out what was printed; to where nobody reads it, or has room for it, nothing more is written."""
    try:
        stdout.flush()
    except OSError as error:
        closed = error.errno == errno.EPIPE
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        if not closed:
            _stop(f"The output cannot be written: {error.strerror}. What was recorded before is safe.", USED_WRONGLY)
    else:
        closed = sys.stdout is not stdout  # which typer has replaced because nobody read it
    if closed:
        sys.exit(_OUTPUT_CLOSED)


def _end(error: BaseException) -> None:
    from api.problems import KNOWN, exit_code_of  # noqa: PLC0415 - a command that succeeds needs no errors

    if isinstance(error, KNOWN):
        _stop(str(error), exit_code_of(error))
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        _stop(f"The system refused: {error.strerror or error}{where}. Nothing half-made was handed out.", USED_WRONGLY)
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    _stop(
        f"This is a defect of this program, and not your fault: {type(error).__name__} in {_place(error)}. What was "
        "recorded before is safe; nothing half-made was handed out. Please report it, with the command you gave and "
        f"what it prints when {DEBUG}=1 is set, after taking out what is private.",
        DEFECT,
    )


def _place(error: BaseException) -> str:
    """Where in this program an error came up; its own words may hold what is private, and are left out."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _package(frame.filename) in PACKAGES] or frames
    return f"{ours[-1].filename.removeprefix(f'{_ROOT}/')}, line {ours[-1].lineno}"


def _package(name: str) -> str:
    return Path(name).relative_to(_ROOT).parts[0] if Path(name).is_relative_to(_ROOT) else ""


def _stop(message: str, code: int) -> None:
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"
    sys.stderr.write(f"linernotes: {message}\n")
    sys.exit(code)


def _write_in_any_encoding() -> None:
    """A name that the terminal has no letters for is shown by their numbers, and ends nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _require_own_packages() -> None:
    """These package names are generic: make sure that none was taken over by another distribution."""
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parent.parent != _ROOT:
            found = spec.origin if spec else "nowhere"
            _stop(
                f"The package {package!r} was found at {found}, not beside {_ROOT}. Liner Notes is an application: "
                "install it in an environment of its own.",
                USED_WRONGLY,
            )
