"""``verify``, ``identify``, ``export`` and ``check``: evidence out, evidence in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.output import JsonOption, open_home, print_json, progress_bar, say, table

if TYPE_CHECKING:
    from api.schemas.rights import VerdictShown

CHECK_FAILED = 1
NO_MATCH = 3
VERDICT_EXIT = {"ALLOW": 0, "DENY": 10, "HOLD": 11}
_MARK = {"pass": "pass", "fail": "FAIL", "not-checked": "not checked"}


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE|PACKAGE", help="Audio file, package folder or zip file.")],
    *,
    policy: Annotated[Path | None, typer.Option(help="C2SP tlog-policy: the logs you accept.")] = None,
    trust_anchors: Annotated[Path | None, typer.Option(help="PEM: the C2PA roots you accept.")] = None,
    tsa_roots: Annotated[Path | None, typer.Option(help="PEM: the time-stamping roots you accept.")] = None,
    keys: Annotated[
        Path | None, typer.Option(help="What the log says about its keys, as `key evidence` writes it.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="What travels beside it, if not as FILE.evidence; see `log evidence`.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check a file with nothing but the file: no database, no account, no network."""
    from api.inspection import inspect
    from api.schemas.verification import CheckResult, VerificationReport
    from api.settings import load_settings
    from api.trust import trust_of

    found = inspect(file, trust_of(load_settings(), policy, trust_anchors, tsa_roots, keys), evidence)
    if json:
        checks = [CheckResult(id=c.id, result=c.result, detail=c.detail) for c in found.checks]
        print_json(
            VerificationReport(path=str(file), recording_id=found.recording_id, verified=found.verified, checks=checks)
        )
    else:
        rows = [(n, c.id, _MARK[c.result], c.detail) for n, c in enumerate(found.checks, 1)]
        title = f"{file}: recording {found.recording_id or 'unknown'}"
        table(("", "check", "result", "detail"), rows, title if found.part == "mix" else f"{title}, only {found.part}")
    if found.failed:
        raise typer.Exit(CHECK_FAILED)
    if not found.verified:
        if not json:
            say("The file carries no evidence of a log: nothing says where it comes from but its own manifest.")
        raise typer.Exit(NO_MATCH)


def identify(
    clip: Annotated[Path, typer.Argument(help="Four seconds or more of audio.")],
    *,
    json: JsonOption = False,
) -> None:
    """Find the recording that a clip is from."""
    from api.recordings import identify as look

    answer = look(open_home(), clip)
    if json:
        print_json(answer)
    elif answer.matches:
        rows = [
            (m.recording_id, f"{m.score:.1f}", f"{m.query_offset:.1f} s", f"{m.reference_offset:.1f} s", m.tier)
            for m in answer.matches
        ]
        table(("recording", "score", "in the clip", "in the recording", "tier"), rows)
    else:
        say(answer.note)
    if not answer.matches:
        raise typer.Exit(NO_MATCH)


def check(
    recording: Annotated[str, typer.Argument(metavar="RECORDING|FILE")],
    *,
    use: Annotated[str, typer.Option(help="What is to be done, such as commercial-release or sync.")],
    territory: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code, such as DE.")],
    date: Annotated[str | None, typer.Option(help="On which day, such as 2026-12-24; today when left out.")] = None,
    via: Annotated[str | None, typer.Option(help="Store or society through which.")] = None,
    json: JsonOption = False,
) -> None:
    """Decide whether a recording may be used so, there, then: ALLOW, DENY or HOLD, with the reasons."""
    from api.commands.recording import _find
    from api.rights import ask, check_found

    home = open_home()
    found = _find(home, recording)
    answer = check_found(home, found, ask(home, use, territory, date, via)).answer(found)
    if json:
        print_json(answer)
    else:
        _print_verdict(answer)
    raise typer.Exit(VERDICT_EXIT[answer.verdict])


def export(
    recordings: Annotated[list[str], typer.Argument(metavar="RECORDING...")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder or .zip to make; .mid for --as midi.")],
    as_: Annotated[str, typer.Option("--as", help="package, midi or stems.")] = "package",
    use: Annotated[str, typer.Option(help="The use whose verdict travels along.")] = "commercial-release",
    territory: Annotated[str, typer.Option(help="The territory of that verdict.")] = "DE",
    date: Annotated[str | None, typer.Option(help="The day of that verdict; today when left out.")] = None,
    json: JsonOption = False,
) -> None:
    """Write a signed package with the audio, the stems, the notes, the evidence and a verdict."""
    from api.commands.recording import _find
    from api.errors import UsageError
    from api.package import export as write
    from api.package import export_midi, export_stems
    from api.rights import ask
    from api.schemas.log import ExportMade

    if as_ not in {"package", "midi", "stems"}:
        raise UsageError(f"--as {as_[:40]!r} is not possible; it is one of package, midi and stems.")
    if len(recordings) != 1:
        raise UsageError("A package holds one recording in this version; export each of them by itself.")
    home = open_home()
    found = _find(home, recordings[0]).recording
    with progress_bar() as tell:
        if as_ == "midi":
            made = export_midi(home, found, output)
        elif as_ == "stems":
            made = export_stems(home, found, output, tell)
        else:
            made = write(home, found, output, ask(home, use, territory, date, None), tell)
    if json:
        print_json(
            ExportMade(
                path=str(made.path),
                recording_id=made.recording_id,
                package_digest=made.digest,
                leaf_hash=made.leaf_hash,
                log_index=made.log_index,
                verdict=made.verdict,
                files=list(made.files),
            )
        )
        return
    say(f"{made.path}: {len(made.files)} files" + (f", verdict {made.verdict}" if made.verdict else ""))
    for name in made.files:
        say(f"  {name}")


def _print_verdict(answer: VerdictShown) -> None:
    say(f"{answer.verdict}: {answer.use} in {answer.territory} on {answer.date}")
    if answer.found_by != "id":
        unproven = any(reason.code == "identity-not-shown" for reason in answer.reasons)
        verb = "sounds like" if unproven else "is"
        say(f"The file {verb} recording {answer.recording_id}, found by its {answer.found_by}.")
    for other in answer.also:
        say(f"It may also be {other}, or hold a part of it; this is the worst verdict of all that it may be.")
    if answer.foreign_manifest is not None:
        say(f"It was not handed out here: it carries {answer.foreign_manifest.in_words()}.")
    say()
    table(("result", "reason", "because"), [(r.result, r.code, r.text) for r in answer.reasons])
    for reason in answer.reasons:
        if reason.result != "ALLOW":
            say(f"\n{reason.code}: {' → '.join(reason.path)}")
    if answer.duties:
        say("\nDuties")
        for duty in answer.duties:
            say(f"  {duty.text}")
    say(f"\nPolicy {answer.policy_version}; recorded as entry {answer.log_index}. Evidence, not legal advice.")
