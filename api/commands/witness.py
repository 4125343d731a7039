"""``log witness``: be a witness of other logs, and have one's own log witnessed (C2SP tlog-witness)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.commands.output import JsonOption, open_home, print_json, say, table

witness = typer.Typer(no_args_is_help=True, help="Witnesses: who else has seen this log.")
_CHECK_FAILED = 1

FolderOption = Annotated[
    Path | None, typer.Option(help="Folder of the witness: its key, and what it remembers; HOME/witness when left out.")
]
NameOption = Annotated[
    str, typer.Option(help="Key name, such as witness.example.org/w1; chosen once, made up when left out.")
]


@witness.command()
def serve(
    *,
    log: Annotated[list[str], typer.Option(metavar="VKEY", help="Verifier key of a log to watch; may be repeated.")],
    folder: FolderOption = None,
    name: NameOption = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 for any that is free.")] = 8018,
) -> None:
    """Serve a witness: it cosigns checkpoints that extend what it has seen, and no others."""
    from api.witness import create_server, listen, open_witness
    from ledger.note import NoteVerifier

    opened = open_witness(_folder(folder), [NoteVerifier.parse(each) for each in log], name)
    with listen(host, port) as listener:
        say(opened.verifier.vkey)
        say(f"listening on {host}, port {listener.getsockname()[1]}, for {', '.join(opened.origins)}")
        sys.stdout.flush()
        create_server(opened).run(sockets=[listener])


@witness.command()
def vkey(*, folder: FolderOption = None, name: NameOption = "") -> None:
    """Print the verifier key of the witness, for the policies of others; the key is made at first use."""
    from api.witness import open_cosigner

    say(open_cosigner(_folder(folder), name).vkey)


@witness.command()
def submit(
    *,
    policy: Annotated[Path, typer.Option(help="A C2SP tlog-policy whose witnesses have URLs.")],
    deadline: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds to wait for all of them.")] = 10,
    json: JsonOption = False,
) -> None:
    """Ask the witnesses of a policy to cosign the newest checkpoint; exit 1 when the quorum is not reached."""
    from api.witnessing import read_policy, submit_newest

    answer = submit_newest(open_home(), read_policy(policy), deadline)
    if json:
        print_json(answer)
    else:
        rows = [(w.witness, w.result, w.cosigned_at or "", w.detail) for w in answer.witnesses]
        table(("witness", "result", "cosigned at", ""), rows)
        say(f"{answer.origin} at size {answer.tree_size}: {answer.detail or 'the quorum is reached.'}")
    if not answer.quorum_reached:
        raise typer.Exit(_CHECK_FAILED)


def _folder(given: Path | None) -> Path:
    from api.settings import load_settings

    return given or load_settings().home / "witness"
