"""``generate``, ``edit``, ``show`` and ``lineage``: making recordings and telling where they come from."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.input import INDEX, existing_file, index_of, require_named
from api.commands.output import (
    JsonOption,
    console,
    open_home,
    print_json,
    progress_bar,
    say,
    table,
    warn_unless_understood,
)
from api.commands.sign import KEY, PassphraseOption

if TYPE_CHECKING:
    from api.home import Home
    from api.recognition import Found
    from api.recording import Made
    from api.schemas.lineage import Lineage, LineageNode

RecordingArgument = Annotated[str, typer.Argument(metavar="RECORDING|FILE", help="Id of a recording, or audio file.")]
_SEED_BITS = 31


def generate(
    prompt: Annotated[str, typer.Argument(help="What to make, in words; rules you can read map them to controls.")],
    *,
    seconds: Annotated[int | None, typer.Option(help="Length, met to the bar: 5 to 300.")] = None,
    bars: Annotated[int | None, typer.Option(help="Length in bars.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same notes.")] = None,
    key: Annotated[str | None, typer.Option(help="Such as 'D minor' or 'B flat major'.")] = None,
    tempo: Annotated[int | None, typer.Option(help="Quarter notes a minute.")] = None,
    metre: Annotated[str | None, typer.Option(help="Such as 3/4.")] = None,
    density: Annotated[str | None, typer.Option(help="sparse, medium or busy.")] = None,
    register: Annotated[str | None, typer.Option(help="low, middle or high.")] = None,
    era: Annotated[str | None, typer.Option(help="classical, early-romantic or late-romantic.")] = None,
    bits: Annotated[int, typer.Option(help="Sample size of the audio: 16 or 24.")] = 16,
    model: Annotated[str, typer.Option(help="Id of a registered model.")] = "quartet",
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Audio file; the ending chooses wav, flac, mp3 or m4a.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compose a string quartet, record where it comes from, and write it as a signed file."""
    from api.recording import generate as make
    from generator.request import GenerationRequest

    request = GenerationRequest(
        prompt=prompt,
        seed=secrets.randbits(_SEED_BITS) if seed is None else seed,
        bars=bars,
        seconds=seconds,
        key=key,
        tempo=tempo,
        metre=metre,
        density=density,
        register=register,
        era=era,
        bits=bits,
        model=model,
    )
    home = open_home()
    if device is not None:
        home = home.with_device(device)
    with progress_bar() as tell:
        made = make(home, request, output or Path(f"quartet-{request.seed}.wav"), tell)
    _print_made(made, json=json)


def edit(
    recording: RecordingArgument,
    *,
    file: Annotated[Path, typer.Option(help="The changed MIDI file, saved from the one made with the recording.")],
    party: Annotated[
        str | None, typer.Option(help="Who changed it: a party id; the home's owner when left out.")
    ] = None,
    role: Annotated[str, typer.Option(help="DDEX ContributorRole, such as Composer or Arranger.")] = "Composer",
    licence: Annotated[str, typer.Option(help="Terms on which that person lets it be used (SPDX).")] = "",
    sign_with: Annotated[
        str | None, typer.Option(metavar="KEY", help=f"That person's own key, which signs beside the home's. {KEY}")
    ] = None,
    passphrase_file: PassphraseOption = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Audio file to write.")] = None,
    json: JsonOption = False,
) -> None:
    """Record what a person changed, note by note, and render the result as a new recording."""
    from api.errors import UsageError
    from api.recording import edit as change
    from api.signing import open_key

    require_named(party=party, sign_with=sign_with)
    if passphrase_file and sign_with is None:
        raise UsageError("A passphrase is for a key: name the key, too, with --sign-with KEY.")
    signer = open_key(sign_with, passphrase_file) if sign_with is not None else None
    home = open_home()
    found = _find(home, recording)
    recording_id = found.recording.recording_id
    with progress_bar() as tell:
        made = change(
            home,
            recording_id,
            file,
            party_id="" if party is None else party,
            role=role,
            licence=licence,
            signer=signer,
            output=output or Path(f"edit-of-{recording_id[:8]}.wav"),
            progress=tell,
        )
    warn_unless_understood(licence)
    _print_made(made, json=json)


def show(
    recording: Annotated[str, typer.Argument(metavar="[RECORDING|FILE]", help="Leave out to list all.")] = "",
    *,
    before: Annotated[
        int | None,
        typer.Option(parser=index_of("--before"), metavar=INDEX, help="List recordings before this log index."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = 50,
    json: JsonOption = False,
) -> None:
    """Show one recording, found by id or by any audio file of it; or list those of this home."""
    from api.history import renditions
    from api.recordings import page
    from api.schemas.recording import RecordingShown

    home = open_home()
    if not recording:
        listed = page(home, before=before, limit=limit)
        if json:
            print_json(listed)
            return
        rows = [(r.recording_id, r.kind, f"{r.seconds:.1f} s", r.time, r.log_index) for r in listed.recordings]
        table(("recording", "kind", "length", "made", "entry"), rows)
        return
    found = _find(home, recording)
    shown = RecordingShown.of(
        found.recording, found.by, found.others, tuple(renditions(home, found.recording.recording_id))
    ).model_copy(update=_doubts(found))
    if json:
        print_json(shown)
        return
    facts: list[tuple[str, str]] = [
        ("recording", shown.recording_id),
        ("found by", shown.found_by),
        ("kind", shown.kind),
        ("edited from", shown.parent_recording_id or "nothing: a model made it"),
        ("made", shown.time),
        ("length", f"{shown.seconds:.1f} s"),
        ("content digest", shown.content_digest),
        ("ISCC", shown.iscc),
        ("entry", f"{shown.log_index}, leaf {shown.leaf_hash}"),
        *(("same or similar sound", other) for other in shown.also),
        *((f"{r.part}, {r.media_type}", f"{r.asset_digest} (entry {r.log_index})") for r in shown.renditions),
    ]
    table(("", ""), facts)


def lineage(
    recording: RecordingArgument,
    *,
    notes: Annotated[bool, typer.Option("--notes", help="List the origin of every note.")] = False,
    json: JsonOption = False,
) -> None:
    """Tell who made what: models, people, and the origin of every note."""
    from api.history import history
    from api.lineage import lineage_of

    home = open_home()
    found = _find(home, recording)
    answer = lineage_of(history(home, found.recording), notes=notes).model_copy(update=_doubts(found))
    if json:
        print_json(answer)
    else:
        _draw(answer)


def _find(home: Home, name: str) -> Found:
    """Find a recording, and say on stderr what speaks against the file being nothing but that recording."""
    from api.recognition import find
    from api.schemas.rights import ForeignManifestShown

    found = find(home, name, existing_file(name))
    said = f"What is said here is of the recording {found.recording.recording_id}, and not of the file."
    if found.unlike:
        _warn(f"{name} sounds like a recording, and is not shown to be it and nothing else: {found.unlike}. {said}")
    if (foreign := ForeignManifestShown.of(found.foreign)) is not None:
        _warn(
            f"{name} was not handed out here: it carries {foreign.in_words()}. {said} To read what the file says: "
            "linernotes verify FILE"
        )
    return found


def _doubts(found: Found) -> dict[str, object]:
    """The members of an answer that say the same."""
    from api.schemas.rights import ForeignManifestShown

    return {"unlike": found.unlike, "foreign_manifest": ForeignManifestShown.of(found.foreign)}


def _warn(text: str) -> None:
    sys.stderr.write(f"linernotes: {text}\n")


def _print_made(made: Made, *, json: bool) -> None:
    from api.schemas.recording import RecordingMade

    answer = RecordingMade.of(made)
    if json:
        print_json(answer)
        return
    rows = [
        ("recording", answer.recording_id),
        ("length", f"{answer.seconds:.1f} s, {answer.notes} notes"),
        ("model", f"{answer.model.id}, weights {answer.model.weights_digest}"),
        ("entry", f"{answer.log_index}, leaf {answer.leaf_hash}"),
        ("content digest", answer.content_digest),
        ("ISCC", answer.iscc),
        *(("file", f"{file.path} ({file.media_type})") for file in answer.files),
    ]
    if answer.changes is not None:
        counts = answer.changes.model_dump(exclude={"kept"})
        changed = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        rows.append(("changed notes", f"{changed}; {answer.changes.kept} kept"))
    if answer.left_out:
        rows.append(("left out", f"{', '.join(answer.left_out)}: only the music of a file is kept"))
    if answer.unmatched_words:
        rows.append(("not understood", " ".join(answer.unmatched_words)))
    table(("", ""), rows)


def _draw(answer: Lineage) -> None:
    from rich.text import Text
    from rich.tree import Tree

    labels = {node.id: Text(f"{node.kind} {_short(node.id)}  {node.label}{_signed(node)}") for node in answer.nodes}
    sources: dict[str, list[tuple[str, str]]] = {}
    for edge in answer.edges:
        sources.setdefault(edge.target, []).append((edge.relation, edge.source))
    root = Tree(labels[answer.recording_id])

    def grow(branch: Tree, node: str) -> None:
        for relation, source in sources.get(node, []):
            grow(branch.add(Text(f"{relation}: ") + labels[source]), source)

    grow(root, answer.recording_id)
    console().print(root)
    say()
    rows = [(c.party or c.model, c.role, c.notes, c.share, c.ai_contribution) for c in answer.contributions]
    table(("contributor", "role", "notes", "share", "AI"), rows)
    say()
    say(f"ContainsAI (DDEX): {answer.contains_ai}. {answer.statement}")


def _signed(node: LineageNode) -> str:
    """Whether a person who made an edit signed it with a key of their own."""
    if node.kind != "edit":
        return ""
    own = [
        f"signed by the party with its own key {_short(each.keyid)}{'' if each.counts else ' (which was revoked)'}"
        for each in node.signed_by
        if each.role == "party"
    ]
    return f"  {'; '.join(own) or 'signed by the home alone'}"


def _short(name: str) -> str:
    """Enough of a digest to tell it from others; names stay whole."""
    return name[:19] + "…" if name.startswith("sha256:") else name
