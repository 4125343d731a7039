"""Draws the pictures of the documents from what the commands really print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from generator.midi import read_midi, write_midi

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
WIDTH = 118
TEMPLATE = """<svg viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
<rect width="{terminal_width}" height="{terminal_height}" rx="8" fill="#0c0c0c"/>
<g clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">{matrix}</g></g>
</svg>
"""
STORY = (
    ("", ["generate", "a lively march in G major", "--seconds", "20", "--seed", "7", "-o", "march.wav"]),
    ("verify", ["verify", "march.wav"]),
    ("", ["edit", "march.wav", "--file", "mine.mid", "--role", "Arranger", "-o", "mine.flac"]),
    ("lineage", ["lineage", "mine.flac"]),
)


def main() -> None:
    """Run the story in a folder of its own and draw what it prints."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LINERNOTES_HOME": str(Path(folder) / "home"), "COLUMNS": str(WIDTH)}
        for name, arguments in STORY:
            if arguments[0] == "edit":
                _change(Path(folder))
            done = subprocess.run(  # noqa: S603 - our own command
                [sys.executable, "-m", "api", *arguments],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            if name:
                draw(name, " ".join(f'"{a}"' if " " in a else a for a in arguments), done.stdout)


def _change(folder: Path) -> None:
    score = read_midi(folder / "march.mid")
    cello = score.voices[3]
    changed = tuple(replace(note, pitch=note.pitch + 12) for note in cello.notes[:3]) + cello.notes[3:]
    voices = (*score.voices[:3], replace(cello, notes=tuple(sorted(changed))))
    write_midi(replace(score, voices=voices), folder / "mine.mid")


def draw(name: str, command: str, output: str) -> None:
    """Write one picture."""
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
    console.print(Text(f"$ linernotes {command}", style="bold"))
    for line in output.splitlines():
        text = Text(line.rstrip())
        text.highlight_regex(r"(?<= )pass(?= )", "green")
        text.highlight_regex(r"(?<= )FAIL(?= )", "bold red")
        text.highlight_regex(r"(?<= )not checked(?= )", "yellow")
        console.print(text)
    svg = console.export_svg(code_format=TEMPLATE, theme=MONOKAI, unique_id=name)
    (PICTURES / f"{name}.svg").write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE), encoding="utf-8")


if __name__ == "__main__":
    main()
