"""What the documents show is what happens: their commands are run, their code is executed."""

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXIT_CODES = {"HOLD": 11, "DENY": 10}


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def steps(console: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in console.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return found


def appears(expected: str, output: str) -> bool:
    """A line of a document, with ``...`` for anything, in the output, whose line breaks do not matter."""
    parts = [re.escape(" ".join(part.split())) for part in expected.split("...")]
    return re.search(".*?".join(parts).replace(r"\ ", r"\s+"), " ".join(output.split()), re.DOTALL) is not None


def test_the_readme_is_true(linernotes, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for language, text in blocks("README.md"):
        if language == "python":
            exec(compile(text, "README.md", "exec"), {})  # noqa: S102 - our own document
            continue
        for command, expected in steps(text):
            program, *arguments = shlex.split(command)
            assert program == "linernotes"
            done = linernotes(*arguments, home=tmp_path / "home")
            words = next((word for line in expected for word in EXIT_CODES if line.startswith(word)), "")
            assert done.code == EXIT_CODES.get(words, 0), (command, done.out, done.err)
            for line in expected:
                assert appears(line, done.out), (command, line, done.out)


def test_the_readme_says_what_its_code_does(studio, tmp_path, monkeypatch) -> None:
    from generator.midi import read_midi

    monkeypatch.chdir(tmp_path)
    (tmp_path / "march.mid").write_bytes(studio.midi.read_bytes())
    [code] = [text for language, text in blocks("README.md") if language == "python"]
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own document
    before, after = (read_midi(tmp_path / name).voices for name in ("march.mid", "mine.mid"))
    assert [voice.notes for voice in after[:3]] == [voice.notes for voice in before[:3]]
    raised = {(note.onset, note.pitch) for note in after[3].notes} - {(n.onset, n.pitch) for n in before[3].notes}
    assert raised == {(note.onset, note.pitch + 12) for note in before[3].notes[:3]}
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "cello's first three notes are raised by an octave" in text
    assert "lower" not in code


def test_the_exit_codes_of_the_readme_are_those_of_the_command() -> None:
    from api import cli, problems
    from api.commands import evidence

    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    [codes] = re.findall(r"Exit codes: (.*?) `--json`", text)
    assert [int(code) for code in re.findall(r"\b\d+\b", codes.replace(f"{cli.DEBUG}=1", ""))] == [
        *(0, evidence.CHECK_FAILED, problems.USED_WRONGLY, problems.NOTHING_THERE),
        *(evidence.VERDICT_EXIT["DENY"], evidence.VERDICT_EXIT["HOLD"], cli.DEFECT),
    ]
    assert cli.DEBUG in codes


def test_the_outside_code_for_membership_proofs_works(linernotes, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for composer in ("Ethel Smyth", "Joseph Haydn"):
        answer = linernotes("audit", "membership", "--composer", composer, "--json", home=tmp_path / "home")
        (tmp_path / "answer.json").write_text(answer.out, encoding="utf-8")
        [(_, code)] = [block for block in blocks("docs/membership.md") if block[0] == "python"]
        with redirect_stdout(io.StringIO()) as output:
            exec(compile(code, "docs/membership.md", "exec"), {})  # noqa: S102 - our own document
        assert output.getvalue().strip() == "True"


def test_every_link_between_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("name", ["LINERNOTES_HOME", "LINERNOTES_C2PA_CHAIN", "LINERNOTES_C2PA_KEY"])
def test_the_settings_the_readme_names_exist(name: str) -> None:
    from api.settings import Settings

    assert name in (ROOT / "README.md").read_text(encoding="utf-8")
    assert name.removeprefix("LINERNOTES_").lower() in Settings.model_fields


def test_the_readme_names_every_command() -> None:
    from api.cli import app

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [command.callback.__name__ for command in app.registered_commands if command.callback]
    names += [group.name for group in app.registered_groups if group.name]
    for name in set(names) - {"demo", "db", "log", "audit"}:
        assert f"`{name}`" in text, name


def test_the_page_about_the_model_says_what_its_card_says() -> None:
    from generator.model import read_card

    card, text = read_card(), (ROOT / "docs" / "model.md").read_text(encoding="utf-8")
    shape = card.architecture
    for fact in (
        card.id,
        f"decoder of {shape.layers} layers, width {shape.width}, {shape.heads} heads: {card.parameters} parameters",
        f"{len(card.training.trained_on)} for training, {len(card.training.held_out)} held out",
        f"{card.training.steps} steps in {card.training.duration_seconds} seconds",
        card.training.command,
        f"**{card.evaluation.held_out_loss}**",
        *(baseline.loss for baseline in card.evaluation.baselines),
    ):
        assert fact in text, fact


def test_the_command_tells_its_version(linernotes) -> None:
    done = linernotes("--version")
    assert (done.code, done.out.split()[0]) == (0, "linernotes")
