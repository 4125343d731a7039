"""What is kept of an edit: the music, and nothing that a file says in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mido import Message, MetaMessage, MidiFile

from api.history import history, recording
from api.home import Home
from api.recording import edit
from api.settings import Settings
from generator.midi import read_midi
from tests.api.editing import transposed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Run, Studio

NAME = "Kunigunde Zwetschkenbaum"
SAID = [MetaMessage(kind, text=NAME) for kind in ("text", "copyright", "lyrics", "marker", "cue_marker")] + [
    MetaMessage("instrument_name", name=NAME),
    MetaMessage("device_name", name=NAME),
    MetaMessage("sequencer_specific", data=tuple(NAME.encode())),
    Message("sysex", data=tuple(NAME.encode())),
]
KINDS = [
    "copyright notices",
    "cue points",
    "device names",
    "instrument names",
    "lyrics",
    "markers",
    "sequencer-specific data",
    "system-exclusive data",
    "texts",
    "names of tracks",
]


@pytest.fixture
def home(studio: Studio) -> Iterator[Home]:
    opened = Home(Settings(home=studio.home, device="cpu"))
    yield opened
    opened.close()


@pytest.fixture
def signed_file(studio: Studio, tmp_path: Path) -> Path:
    """An edited MIDI file with somebody's name wherever there is room for one."""
    file = MidiFile(transposed(studio.midi, tmp_path / "edited.mid"))
    for track in file.tracks:
        track[:] = [*SAID, MetaMessage("track_name", name=NAME), *(e for e in track if e.type != "track_name")]
    file.save(tmp_path / "edited.mid")
    return tmp_path / "edited.mid"


def holding(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and NAME.encode() in path.read_bytes()]


def test_a_name_in_an_edited_file_is_kept_nowhere(
    home: Home, studio: Studio, signed_file: Path, tmp_path: Path
) -> None:
    assert NAME.encode() in signed_file.read_bytes()
    made = edit(home, studio.recording_id, signed_file, output=tmp_path / "out.wav")
    assert holding(studio.home) == []
    assert sorted(path.name for path in tmp_path.glob("out.*")) == ["out.mid", "out.wav"]
    assert holding(tmp_path) == [str(signed_file)]
    assert list(made.left_out) == KINDS


def test_the_music_of_the_file_is_what_is_kept(home: Home, studio: Studio, signed_file: Path) -> None:
    made = edit(home, studio.recording_id, signed_file)
    assert sorted({file.role for file in made.content.files}) == ["difference", "midi", "score", "stem"]
    before, after = history(home, recording(home, made.recording_id)).steps
    given = read_midi(signed_file)
    assert [voice.notes for voice in after.score.voices] == [voice.notes for voice in given.voices]
    assert (after.score.tempos, after.score.bars) == (given.tempos, given.bars)
    assert after.score.title == before.score.title
    assert [voice.name for voice in after.score.voices] == [voice.name for voice in before.score.voices]
    [midi] = [file for file in made.content.files if file.role == "midi"]
    assert read_midi(home.objects.path(midi.asset_digest)) == after.score


def test_who_edits_is_told_what_was_left_out(
    linernotes: Run, studio: Studio, signed_file: Path, tmp_path: Path
) -> None:
    told = linernotes("edit", studio.recording_id, "--file", signed_file, "-o", tmp_path / "told.wav")
    assert "copyright notices" in told.out
    assert NAME not in told.out + told.err
    plain = linernotes(
        "edit",
        studio.recording_id,
        "--file",
        transposed(studio.midi, tmp_path / "plain.mid", 3),
        "-o",
        tmp_path / "x.wav",
    )
    assert plain.code == 0
    assert "left out" not in plain.out
