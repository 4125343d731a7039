"""``log monitor``: follow a log, one's own or somebody else's, and be told what is new in it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from api.commands.output import JsonOption, print_json, say, table

_CHECK_FAILED = 1


def monitor(
    url: Annotated[str, typer.Argument(help="The log's prefix: what /checkpoint is put behind.")],
    *,
    policy: Annotated[Path, typer.Option(help="C2SP tlog-policy: the logs and witnesses you accept.")],
    memory: Annotated[Path | None, typer.Option(help="File that remembers how far you have come.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Kind of statement; may be repeated.")] = None,
    word: Annotated[list[str] | None, typer.Option(help="Text in the statement; may be repeated.")] = None,
    keyid: Annotated[list[str] | None, typer.Option(help="Key that signed it; may be repeated.")] = None,
    every: Annotated[float, typer.Option(min=0, help="Look again after so many seconds, for ever.")] = 0,
    json: JsonOption = False,
) -> None:
    """Verify what is new in a log and print what is asked for; exit 1 when the log shrank or forked."""
    from api.errors import UsageError
    from api.monitoring import Interest, default_memory, follow
    from api.settings import load_settings
    from ledger.errors import ForkedLogError, ShrunkLogError

    if json and every:
        raise UsageError("--json prints one document, and --every goes on for ever; give one of them.")
    file = memory or default_memory(load_settings().home, url)
    interest = Interest(frozenset(kind or ()), tuple(word or ()), frozenset(keyid or ()))
    while True:
        try:
            report = follow(url, policy, file, interest)
        except (ForkedLogError, ShrunkLogError) as error:
            say(str(error))
            raise typer.Exit(_CHECK_FAILED) from error
        if json:
            print_json(report)
        else:
            rows = [(e.log_index, e.kind, ", ".join(e.about), e.time) for e in report.entries]
            if rows:
                table(("entry", "kind", "about", "time"), rows)
            say(
                f"{report.origin}: {report.new_entries} new entries, {len(rows)} of interest; {report.tree_size} in "
                f"all, root {report.root_hash}"
            )
        if not every:
            return
        time.sleep(every)
