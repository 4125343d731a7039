"""The whole story once, with real audio, told by running the commands that a reader can type too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.errors import UsageError
from fingerprint.audio import Audio, decode, encode
from generator.midi import read_midi, write_midi
from generator.score import Note, Score, Voice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARK = ".linernotes-demo"
PROMPT = "a calm waltz in D minor"
VIOLA = 2
REPITCHED = 3
CLIP_SECONDS = 10

NEXT = (
    'linernotes generate "a lively march in G major" --seconds 60 -o march.flac',
    "linernotes lineage march.flac",
    "linernotes check march.flac --use sync --territory US",
    "linernotes audit membership --composer Haydn",
    "linernotes export march.flac -o march.zip && linernotes verify march.zip",
)


@dataclass(slots=True)
class Story:
    """A folder, and the commands that are run in it.

    Attributes:
        folder: Where everything lies.
        home: The home that makes things.
    """

    folder: Path
    home: Path

    def tell(self, text: str) -> None:
        """Say what happens next."""
        sys.stdout.write(f"\n\033[1m{text}\033[0m\n" if sys.stdout.isatty() else f"\n{text}\n")
        sys.stdout.flush()

    def run(self, *arguments: str, home: Path | None = None, expected: int = 0) -> str:
        """Run a command as a reader would, show it and its output, and insist on its exit code."""
        shown = " ".join(f'"{a}"' if " " in a else a for a in arguments)
        elsewhere = f"LINERNOTES_HOME={home.name} " if home else ""
        sys.stdout.write(f"  $ {elsewhere}linernotes {shown}\n")
        sys.stdout.flush()
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "api", *arguments],
            cwd=self.folder,
            env={**os.environ, "LINERNOTES_HOME": str(home or self.home)},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        output = done.stdout.rstrip()
        if not output.startswith("{"):
            sys.stdout.write("".join(f"    {line.rstrip()}\n" for line in output.splitlines()))
        if done.returncode != expected:
            raise UsageError(f"The demonstration stopped: the command ended with {done.returncode}, not {expected}.")
        return output


def run(folder: Path) -> None:
    """Make, edit, check, export and verify; everything stays in ``folder`` to be looked at.

    Raises:
        UsageError: The folder holds something else, or a step of the story failed.
    """
    began = time.monotonic()
    story = _begin(folder)
    _compose(story)
    _edit(story)
    _decide(story)
    _audit(story)
    _recognise(story)
    _hand_over(story)
    _forge(story)
    _end(story, time.monotonic() - began)


def _begin(folder: Path) -> Story:
    folder = folder.absolute()
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise UsageError(f"{folder} holds other things. Name an empty folder: linernotes demo --folder NAME")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).write_text("Made by linernotes demo; it is removed by the next one.\n", encoding="utf-8")
    return Story(folder, folder / "home")


def _compose(story: Story) -> None:
    story.tell("1. A string quartet is composed by a model trained on 110 named CC0 scores, sealed and recorded.")
    story.run("generate", PROMPT, "--seconds", "30", "--seed", "7", "-o", "waltz.wav")


def _edit(story: Story) -> None:
    story.tell("2. A person changes three notes of the viola in their own tools; the ledger finds exactly those.")
    score = read_midi(story.folder / "waltz.mid")
    write_midi(_repitched(score), story.folder / "changed.mid")
    story.run("edit", "waltz.wav", "--file", "changed.mid", "--role", "Composer", "-o", "edited.wav")
    story.run("lineage", "edited.wav")


def _decide(story: Story) -> None:
    story.tell("3. May it be sold? The answer depends on the country, because the training works' terms do.")
    story.run("check", "edited.wav", "--use", "commercial-release", "--territory", "DE")
    story.run("check", "edited.wav", "--use", "commercial-release", "--territory", "MX", expected=11)


def _audit(story: Story) -> None:
    story.tell("4. A rights holder asks what the model learned from, and gets a proof either way.")
    story.run("audit", "membership", "--composer", "Ethel Smyth")
    story.run("audit", "membership", "--composer", "Igor Stravinsky")


def _recognise(story: Story) -> None:
    story.tell("5. Ten seconds, cut out and made an mp3: the manifest is gone, the recording is still found.")
    audio = decode(story.folder / "edited.wav")
    clip = audio.samples[8 * audio.sample_rate : (8 + CLIP_SECONDS) * audio.sample_rate]
    encode(Audio(clip, audio.sample_rate), story.folder / "clip.mp3", media_type="audio/mpeg")
    story.run("identify", "clip.mp3")


def _hand_over(story: Story) -> None:
    story.tell("6. A signed package goes to a distributor, who checks it with an empty home: no database, no network.")
    story.run("export", "edited.wav", "-o", "package.zip")
    keys = json.loads(story.run("key", "list", "--json"))["keys"]
    vkey = next(key["vkey"] for key in keys if key["role"] == "log")
    (story.folder / "policy").write_text(f"log {vkey}\nquorum none\n", encoding="utf-8")
    story.run("verify", "package.zip", "--policy", "policy", home=story.folder / "empty-home")


def _forge(story: Story) -> None:
    story.tell("7. One bit of the sound is changed: the same check fails.")
    data = bytearray((story.folder / "edited.wav").read_bytes())
    data[len(data) // 2] ^= 1
    (story.folder / "forged.wav").write_bytes(data)
    story.run("verify", "forged.wav", "--policy", "policy", home=story.folder / "empty-home", expected=1)
    story.tell("8. The ledger is rehashed from its first entry to its last.")
    story.run("log", "fsck")


def _end(story: Story, seconds: float) -> None:
    story.tell(f"Done in {seconds:.0f} seconds. What was made lies in {story.folder}:")
    for path in sorted(story.folder.iterdir()):
        if path.name != MARK:
            sys.stdout.write(f"  {path.name:<14} {_what(path.name)}\n")
    story.tell("Five commands to try next, after: . .venv/bin/activate")
    for command in NEXT:
        sys.stdout.write(f"  {command}\n")


def _repitched(score: Score) -> Score:
    voices = list(score.voices)
    viola = voices[VIOLA]
    changed = [Note(n.onset, n.duration, n.pitch + 2, n.velocity) for n in viola.notes[:REPITCHED]]
    notes: Sequence[Note] = (*changed, *viola.notes[REPITCHED:])
    voices[VIOLA] = Voice(viola.name, viola.program, tuple(sorted(notes)))
    return Score(score.title, score.bars, score.tempos, tuple(voices))


def _what(name: str) -> str:
    return {
        "waltz.wav": "the model's recording, with its manifest",
        "waltz.mid": "its notes",
        "changed.mid": "what the person saved",
        "edited.wav": "the edited recording",
        "edited.mid": "its notes",
        "clip.mp3": "ten seconds without credentials",
        "package.zip": "the signed package",
        "policy": "the log a verifier accepts",
        "forged.wav": "one bit changed",
        "home": "the ledger, the keys and the stored files",
    }.get(name, "")
