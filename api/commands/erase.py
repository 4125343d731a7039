"""``erase``: private values are deleted for good."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.output import JsonOption, open_home, print_json, say, table


def erase(
    name: Annotated[str, typer.Argument(metavar="RECORDING|PARTY|LEAF", help="Whose private values.")],
    *,
    field: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    json: JsonOption = False,
) -> None:
    """Delete private values and their salts for good; the log says that it was done, and every proof stays valid.

    A MIDI file that an earlier release kept as it was handed in (its role is source) is named, for you to delete.
    """
    from api.erasure import erase as erase_

    erased = erase_(open_home(), name, field or ())
    if json:
        print_json(erased)
        return
    table(("statement", "erased", "entry"), [(each.leaf_hash, each.field, each.log_index) for each in erased.erased])
    for each in erased.withdrawn:
        say(f"Withdrawn, with its files: the edit {each}, which waited for a signature.")
    say("What has left this home in packages or disclosures cannot be recalled.")
    for each in erased.left_to_do:
        say(f"Left to do: {each}")
