"""The ``linernotes`` command: which commands there are, and how a failure ends.

Exit codes: 0 done, 1 a check failed, 2 used wrongly or unusable input, 3 nothing there, 10 DENY, 11 HOLD.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands import evidence, log, recording, registry, service

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = ("api", "licensing", "provenance", "ledger", "fingerprint", "generator", "migrations")
USED_WRONGLY = 2

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
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:  # noqa: BLE001 - every error becomes a sentence and an exit code
        _explain(error)


def _explain(error: Exception) -> None:
    from api.problems import KNOWN, exit_code_of  # noqa: PLC0415 - a command that succeeds needs no errors

    if isinstance(error, KNOWN):
        _stop(str(error), exit_code_of(error))
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        _stop(f"The system refused: {error.strerror or error}{where}. Nothing was handed out.", USED_WRONGLY)
    raise error


def _stop(message: str, code: int) -> None:
    sys.stderr.write(f"linernotes: {message}\n")
    sys.exit(code)


def _require_own_packages() -> None:
    """These package names are generic: make sure that none was taken over by another distribution."""
    root = Path(__file__).resolve().parent.parent
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parent.parent != root:
            found = spec.origin if spec else "nowhere"
            _stop(
                f"The package {package!r} was found at {found}, not beside {root}. Liner Notes is an application: "
                "install it in an environment of its own.",
                USED_WRONGLY,
            )
