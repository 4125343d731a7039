"""``log monitor``: follow a log, one's own or somebody else's, and be told what is new in it."""

from __future__ import annotations

import io
import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.input import INDEX, index_of
from api.commands.output import JsonOption, print_json, say, table

if TYPE_CHECKING:
    from api.monitoring import Follower

_CHECK_FAILED = 1
_COLUMNS = ("entry", "kind", "about", "time")


def monitor(
    url: Annotated[str, typer.Argument(help="The log's prefix: what /checkpoint is put behind.")],
    *,
    policy: Annotated[Path, typer.Option(help="C2SP tlog-policy: the logs and witnesses you accept.")],
    memory: Annotated[Path | None, typer.Option(help="File that remembers how far you have come.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Kind of statement; may be repeated.")] = None,
    word: Annotated[list[str] | None, typer.Option(help="Text in the statement; may be repeated.")] = None,
    keyid: Annotated[list[str] | None, typer.Option(help="Key that signed it; may be repeated.")] = None,
    first: Annotated[
        int | None,
        typer.Option(
            "--from",
            parser=index_of("--from"),
            metavar=INDEX,
            help="Entry to begin with where nothing is remembered; none before it is shown.",
        ),
    ] = None,
    from_now: Annotated[
        bool, typer.Option("--from-now", help="Begin behind the newest entry where nothing is remembered.")
    ] = False,
    every: Annotated[float, typer.Option(min=0, help="Look again after so many seconds, for ever.")] = 0,
    json: JsonOption = False,
) -> None:
    """Verify what is new in a log and print what is asked for; exit 1 when the log shrank, forked or disagrees.

    An entry is printed before it is remembered as seen, so none is ever left out; a monitor that was killed in
    between prints it again. With --every, a server that cannot be reached or does not answer, and a checkpoint that too
    few witnesses have cosigned so far, are told of on stderr, and the log is asked again.
    """
    from api.errors import UsageError
    from api.monitoring import Follower, Interest, default_memory
    from api.settings import load_settings
    from ledger.errors import DisagreeingTilesError, ForkedLogError, QuorumError, RemoteError, ShrunkLogError

    if json and every:
        raise UsageError("--json prints one document, and --every goes on for ever; give one of them.")
    if from_now and first is not None:
        raise UsageError("--from and --from-now begin in two places; give one of them.")
    file = memory or default_memory(load_settings().home, url)
    interest = Interest(frozenset(kind or ()), tuple(word or ()), frozenset(keyid or ()))
    while True:
        follower = Follower(url, policy, file, interest, None if from_now else first or 0)
        try:
            if json:
                _print_document(follower)
            else:
                _print_lines(follower)
        except (DisagreeingTilesError, ForkedLogError, ShrunkLogError) as error:
            if json:
                sys.stderr.write(f"linernotes: {error}\n")
            else:
                say(str(error))
            raise typer.Exit(_CHECK_FAILED) from error
        except (RemoteError, QuorumError) as error:  # no proof of misbehaviour; what was acknowledged stays so
            if not every:
                raise
            sys.stderr.write(f"linernotes: {error} It is asked again in {every:g} seconds.\n")
        if not every:
            return
        time.sleep(every)


def _print_document(follower: Follower) -> None:
    """All or nothing: whoever is handed no document is handed the same entries by the next look."""
    print_json(follower.report([entry for bundle in follower.look() for entry in bundle]))
    _deliver()
    follower.acknowledge()


def _print_lines(follower: Follower) -> None:
    """Bundle by bundle: what stands behind an error is told once the log can be read again."""
    shown = 0
    for bundle in follower.look():
        rows = [(e.log_index, e.kind, ", ".join(e.about), e.time) for e in bundle]
        if rows:
            table(_COLUMNS if not shown else ("",) * len(_COLUMNS), rows)
            _deliver()
        follower.acknowledge()
        shown += len(rows)
    report = follower.report([])
    say(
        f"{report.origin}: {report.new_entries} new entries, {shown} of interest; {report.tree_size} in all, "
        f"root {report.root_hash}"
    )
    _deliver()


def _deliver() -> None:
    """Return when what was printed has left this process; in a file, when it is on the disk."""
    sys.stdout.flush()
    try:
        descriptor = sys.stdout.fileno()
    except io.UnsupportedOperation:
        return
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fsync(descriptor)
