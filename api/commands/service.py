"""``serve``, ``demo`` and ``vocabulary``: the HTTP service, the whole story, and the words that steer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.output import open_home, say, table

_PATIENCE_SECONDS = 30


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8017,
) -> None:
    """Serve the HTTP interface; its description is at /openapi.json."""
    import uvicorn

    from api.app import create_app
    from api.jobs import require_alone
    from api.witness import listen

    home = open_home()
    require_alone(home)
    with listen(host, port) as listener:
        config = uvicorn.Config(
            create_app(home),
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_PATIENCE_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


def demo(
    *,
    folder: Annotated[Path, typer.Option(help="Where the demonstration leaves its files.")] = Path("demo"),
) -> None:
    """Tell the whole story once, with real audio: make, edit, check, export, verify."""
    from api.demo import run

    run(folder)


def vocabulary() -> None:
    """Print the words that a prompt is read by, and what they set."""
    from generator.vocabulary import RULES

    rows = [
        (", ".join(rule.words), effect.control, effect.value, "sets" if effect.firm else "hints at")
        for rule in RULES
        for effect in rule.effects
    ]
    table(("words", "control", "value", ""), rows)
    say("Every other word of a prompt is reported as not understood.")
