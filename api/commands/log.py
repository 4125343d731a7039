"""``log`` and ``db``: the ledger itself, and the tables that follow from it."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands import stamp
from api.commands.monitor import monitor
from api.commands.output import JsonOption, open_home, print_json, progress_bar, say
from api.commands.witness import witness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from ledger.findings import FsckReport

log = typer.Typer(no_args_is_help=True, help="The transparency log.")
log.add_typer(witness, name="witness")
log.command()(monitor)
db = typer.Typer(no_args_is_help=True, help="The database.")
stamp.add_to(log, lambda: open_home().time)
_CHECK_FAILED = 1


@log.command()
def checkpoint() -> None:
    """Print the newest signed checkpoint (C2SP tlog-checkpoint): of a log with witnesses, the newest they cosigned."""
    from api.proofs import served_checkpoint

    sys.stdout.write(served_checkpoint(open_home()).decode())


@log.command()
def publish() -> None:
    """Sign a checkpoint for entries that no checkpoint covers yet, and print the newest."""
    sys.stdout.write(open_home().log.publish().decode())


@log.command()
def proof(
    entry: Annotated[str, typer.Argument(metavar="INDEX|LEAF", help="Index, or leaf hash.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The .tlog-proof file to write.")],
    json: JsonOption = False,
) -> None:
    """Write the proof that an entry is in the log (C2SP tlog-proof)."""
    from api.proofs import write_proof

    written = write_proof(open_home(), entry, output)
    if json:
        print_json(written)
    else:
        say(f"{output}: entry {written.log_index} of {written.tree_size}, leaf {written.leaf_hash}")


@log.command()
def entry(
    name: Annotated[str, typer.Argument(metavar="INDEX|LEAF", help="Index, or leaf hash.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
) -> None:
    """Write an entry as it is stored: the DSSE envelope whose leaf hash a proof is about."""
    from api.proofs import write_entry

    say(f"{output}: {write_entry(open_home(), name, output)}")


@log.command()
def evidence(
    file: Annotated[Path, typer.Argument(help="A file that was handed out by this home.")],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="FILE.evidence when left out.")] = None,
) -> None:
    """Write the evidence that travels beside a file: verify then checks a lossy file's sound too."""
    from api.proofs import write_evidence

    target = output or file.with_name(f"{file.name}.evidence")
    say(f"{target}: entry {write_evidence(open_home(), file, target)}")


@log.command()
def fsck(*, json: JsonOption = False) -> None:
    """Rehash everything that was ever recorded; exit 1 when something does not hold."""
    from api.schemas.log import Fsck, ProblemFound

    report = _checked()
    problems = [ProblemFound(what=p.what, where=p.where) for p in report.problems]
    warnings = [ProblemFound(what=p.what, where=p.where) for p in report.warnings]
    if json:
        print_json(Fsck(entries=report.entries, problems=problems, warnings=warnings))
    else:
        for kind, found in (("problem", problems), ("warning", warnings)):
            for each in found:
                say(f"{kind}: {each.where}: {each.what}")
        say(f"{report.entries} entries, {len(problems)} problems, {len(warnings)} warnings")
    if problems:
        raise typer.Exit(_CHECK_FAILED)


def _checked() -> FsckReport:
    """Check the home; that it cannot be opened is the first thing to report, unless that is not for want of its log."""
    from api.integrity import fsck as check
    from api.integrity import unopened
    from ledger.errors import (
        DatabaseBusyError,
        DatabaseUnavailableError,
        KeyAgentError,
        KeyFileError,
        LedgerError,
        LogDamagedError,
    )
    from provenance.errors import ProvenanceError

    try:
        home = open_home()
    except (DatabaseBusyError, KeyFileError, KeyAgentError):
        raise
    except (LedgerError, ProvenanceError) as fault:
        return unopened(fault)
    try:
        with progress_bar() as tell:
            return check(home, tell, processes=os.cpu_count() or 1)
    except (DatabaseUnavailableError, LogDamagedError) as fault:
        return unopened(fault)


@db.command()
def upgrade() -> None:
    """Bring the database to this release; opening a home does the same. On a server it makes no home and no keys."""
    from migrations.upgrade import current_revision
    from migrations.upgrade import upgrade as upgrade_

    with _database() as engine:
        upgrade_(engine)
        say(f"The database is at {current_revision(engine)}.")


@db.command()
def roles() -> None:
    """Print the statements that give the roles of PostgreSQL their rights, for psql."""
    from migrations.roles import script

    sys.stdout.write(script())


@db.command()
def rebuild() -> None:
    """Drop the projections and fold the log again."""
    from api.integrity import rebuild as fold

    folded, same = fold(open_home())
    say(
        f"{folded} entries folded; the rows are {'the same as before' if same else 'not the same: they were repaired'}."
    )


@db.command()
def scrub() -> None:
    """Rewrite the database's files, so that nothing is left in them of what was deleted; exit 1 if something is."""
    from api.erasure import PRIVATE_TABLES
    from ledger.scrub import scrub as scrub_

    with _database() as engine:
        scrubbed = scrub_(engine, PRIVATE_TABLES)
    if scrubbed.done:
        say("Nothing is left in the files of the database of what was erased.")
    for left in scrubbed.left_to_do:
        say(f"Left to do: {left}")
    if not scrubbed.done:
        raise typer.Exit(_CHECK_FAILED)


@contextmanager
def _database() -> Iterator[Engine]:
    """Give the database alone: a server's owner runs no home, and a home made for it would begin a log of its own."""
    from api.settings import load_settings
    from ledger.database import open_engine

    settings = load_settings()
    if not settings.database:
        yield open_home().engine
        return
    engine = open_engine(settings.database)
    try:
        yield engine
    finally:
        engine.dispose()
