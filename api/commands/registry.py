"""``party``, ``model``, ``corpus``, ``key``, ``token`` and ``audit``: what is on record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.output import JsonOption, open_home, print_json, say, table, warn_unless_understood

if TYPE_CHECKING:
    from api.schemas.registry import KeyShown

party = typer.Typer(no_args_is_help=True, help="People and organisations; their names stay private.")
model = typer.Typer(no_args_is_help=True, help="Models on record.")
corpus = typer.Typer(no_args_is_help=True, help="Training corpora on record.")
key = typer.Typer(no_args_is_help=True, help="Signing keys of this home.")
token = typer.Typer(no_args_is_help=True, help="Bearer tokens of the HTTP interface.")
audit = typer.Typer(no_args_is_help=True, help="Questions about what a model learned from.")


@party.command("add")
def add_party(
    *,
    name: Annotated[str, typer.Option(help="The name; kept private, the log holds a commitment.")],
    kind: Annotated[str, typer.Option(help="person or organisation.")] = "person",
    isni: Annotated[str, typer.Option(help="16 digits; checked.")] = "",
    ipi: Annotated[str, typer.Option(help="IPI name number; checked.")] = "",
    json: JsonOption = False,
) -> None:
    """Register a party."""
    from api.registry import add_party as add

    made = add(open_home(), name, kind=kind, isni=isni, ipi=ipi)
    if json:
        print_json(made)
    else:
        say(f"{made.party_id}  {made.name}  (entry {made.log_index})")


@party.command("list")
def list_parties(*, json: JsonOption = False) -> None:
    """List the parties of this home."""
    from api.registry import parties

    answer = parties(open_home())
    if json:
        print_json(answer)
    else:
        rows = [(p.party_id, p.name or "(no name given)", p.kind, p.relation) for p in answer.parties]
        table(("party", "name", "kind", "relation"), rows)


@model.command("register")
def register(
    folder: Annotated[Path, typer.Argument(help="Holds model-card.json and the weights it names.")],
    *,
    licence: Annotated[str, typer.Option(help="SPDX expression of the weights; the card's binds as well.")] = "",
    output_licence: Annotated[str, typer.Option(help="What its maker grants in the output (SPDX).")] = "",
    json: JsonOption = False,
) -> None:
    """Put a folder of weights on record, with the terms they come under."""
    from api.registry import models
    from api.weights import register_model
    from generator.model import read_card

    home = open_home()
    statement, _ = register_model(home, folder, licence, output_licence)
    for each in dict.fromkeys((licence, output_licence, read_card(folder).licence)):
        warn_unless_understood(each)
    made = next(each for each in models(home).models if each.model_id == statement.model_id)
    if json:
        print_json(made)
    else:
        say(f"{made.model_id}: weights {made.weights_licence}, output {made.output_licence} (entry {made.log_index})")


@model.command("list")
def list_models(*, json: JsonOption = False) -> None:
    """List the models on record."""
    from api.registry import models

    answer = models(open_home())
    if json:
        print_json(answer)
    else:
        rows = [(m.model_id, m.weights_licence, m.output_licence, m.weights_digest) for m in answer.models]
        table(("model", "weights", "output", "digest"), rows)


@corpus.command("list")
def list_corpora(*, json: JsonOption = False) -> None:
    """List the corpora on record."""
    from api.registry import corpora

    answer = corpora(open_home())
    if json:
        print_json(answer)
    else:
        table(
            ("corpus", "items", "licence", "title"),
            [(c.corpus_id, c.items, c.licence, c.title) for c in answer.corpora],
        )


@key.command("list")
def list_keys(*, json: JsonOption = False) -> None:
    """List every key that the log knows, and the witnesses' of the settings, public halves only."""
    from api.known_keys import known_keys

    answer = known_keys(open_home())
    if json:
        print_json(answer)
    else:
        rows = [(f"{k.role} {k.party}".strip(), _state(k), _entries(k), k.vkey or k.keyid) for k in answer.keys]
        table(("role", "state", "counts in", "key"), rows)


def _state(shown: KeyShown) -> str:
    if shown.state != "revoked" or shown.ending is None:
        return shown.state
    return f"{shown.state}, {shown.ending.reason}"


def _entries(shown: KeyShown) -> str:
    if shown.log_index is None:
        return "no entry"
    if shown.stop is None:
        return f"{shown.log_index} on"
    return f"{shown.log_index} to {shown.stop - 1}" if shown.stop > shown.log_index else "no entry"


@token.command("create")
def create_token(
    *,
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[
        list[str], typer.Option(help="read, generate, edit, check, export, audit, submit, admin; repeat it.")
    ],
    json: JsonOption = False,
) -> None:
    """Make a bearer token; it is shown this once and kept as a digest only."""
    from api.schemas.registry import TokenMade
    from api.tokens import create

    made, secret = create(open_home(), name, scope)
    answer = TokenMade(token_id=made.token_id, token=secret, scopes=list(made.scopes))
    if json:
        print_json(answer)
    else:
        say(answer.token)


@token.command("list")
def list_tokens(*, json: JsonOption = False) -> None:
    """List the bearer tokens, without their secrets."""
    from api.schemas.registry import TokenList, TokenShown
    from api.store import tokens

    with open_home().reading() as connection:
        found = tokens(connection)
    answer = TokenList(
        tokens=[
            TokenShown(token_id=t.token_id, name=t.name, scopes=list(t.scopes), created=t.created, revoked=t.revoked)
            for t in found
        ]
    )
    if json:
        print_json(answer)
    else:
        rows = [(t.token_id, t.name, " ".join(t.scopes), t.created, t.revoked or "no") for t in answer.tokens]
        table(("token", "name", "scopes", "created", "revoked"), rows)


@token.command("revoke")
def revoke_token(token_id: Annotated[str, typer.Argument(help="As token list shows it.")]) -> None:
    """End a bearer token at once."""
    from api.tokens import revoke

    revoke(open_home(), token_id)
    say(f"{token_id} is revoked.")


@audit.callback()
def audits() -> None:
    """Ask what a model learned from; every answer comes with its evidence."""


@audit.command("membership")
def membership(
    *,
    file: Annotated[Path | None, typer.Option(help="A score: mxl, musicxml or xml.")] = None,
    title: Annotated[str, typer.Option(help="Title of a work.")] = "",
    composer: Annotated[str, typer.Option(help="Name of a composer.")] = "",
    model: Annotated[str, typer.Option(help="Id of a model.")] = "quartet",
    json: JsonOption = False,
) -> None:
    """Was this work in the training corpus? With a Merkle proof of presence or absence."""
    from api.audit import membership as ask
    from api.registry import membership_answer

    answer = membership_answer(ask(open_home(), file=file, title=title, composer=composer, model=model))
    if json:
        print_json(answer)
        return
    say(f"{answer.verdict}: {answer.asked}, corpus {answer.corpus_id} of {answer.model}")
    say(answer.note)
    table(
        ("item", "composer", "title", "licence"),
        [(i["identifier"], i["composer"], i["title"], i["licence"]) for i in answer.items],
    )
    for name in answer.candidates:
        say(f"similar: {name}")
    say(f"corpus root {answer.corpus_root}, entry {answer.log_index}; the proof itself: --json")
