"""``log stamp`` and ``log stamps``: trusted time for the log's checkpoints (RFC 3161)."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.output import JsonOption, print_json, say, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.stamping import StampedLog

_CHECK_FAILED = 1
_MARK = {"pass": "pass", "fail": "FAIL", "not-checked": "not checked"}


def add_to(group: typer.Typer, open_log: Callable[[], StampedLog]) -> None:
    """Add the two commands to a group of commands.

    Args:
        group: ``log``.
        open_log: Opens the log that they are about.
    """

    @group.command()
    def stamp(*, json: JsonOption = False) -> None:
        """Have the newest checkpoint stamped by the time-stamping authority now (RFC 3161)."""
        from api.stamping import stamp_now

        answer = stamp_now(open_log())
        if json:
            print_json(answer)
        else:
            say(f"size {answer.tree_size}: {answer.gen_time} by {answer.authority}, number {answer.serial}")

    @group.command()
    def stamps(
        *,
        newest: Annotated[int, typer.Option(min=1, max=10_000, help="How many to show.")] = 20,
        output: Annotated[
            Path | None, typer.Option("--output", "-o", help="Folder for checkpoints and tokens, to check elsewhere.")
        ] = None,
        json: JsonOption = False,
    ) -> None:
        """List the newest time stamps and whether they hold; exit 1 when one does not."""
        from api.stamping import stamps as list_stamps

        answer = list_stamps(open_log(), newest, output)
        if json:
            print_json(answer)
        else:
            rows = [(s.tree_size, s.gen_time, s.authority, _MARK[s.result], s.detail) for s in answer.stamps]
            table(("size", "time", "authority", "result", "detail"), rows)
            say(f"{len(rows)} time stamps; {answer.checkpoints_since} checkpoints since the newest of them")
            for each in answer.stamps:
                if each.files:
                    checkpoint, token = map(shlex.quote, each.files)
                    say(f"openssl ts -verify -data {checkpoint} -in {token} -token_in -CAfile ROOTS")
        if any(each.result == "fail" for each in answer.stamps):
            raise typer.Exit(_CHECK_FAILED)
