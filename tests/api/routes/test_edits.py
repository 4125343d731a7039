"""Recording over HTTP what a person changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from generator.midi import read_midi, write_midi

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from api.home import Home
    from generator.score import Score

    Problem = Callable[[httpx.Response, int], dict[str, object]]


@pytest.fixture
def score(everything: httpx.Client, recording_id: str, tmp_path: Path) -> Score:
    midi = tmp_path / "notes.mid"
    midi.write_bytes(everything.get(f"/v1/recordings/{recording_id}/midi").content)
    return read_midi(midi)


def _transposed(score: Score, notes: int) -> Score:
    """The first notes of the lowest voice, a semitone up."""
    *upper, lowest = score.voices
    changed = tuple(replace(note, pitch=note.pitch + 1) for note in lowest.notes[:notes])
    return replace(score, voices=(*upper, replace(lowest, notes=tuple(sorted((*changed, *lowest.notes[notes:]))))))


def _send(client: httpx.Client, recording_id: str, file: bytes, data: dict[str, str] | None = None) -> httpx.Response:
    path = f"/v1/recordings/{recording_id}/edits"
    return client.post(path, files={"file": ("../my song.mid", file)}, data=data or {})


def test_one_note_is_one_note(
    home: Home,
    everything: httpx.Client,
    client: Callable[..., httpx.Client],
    recording_id: str,
    score: Score,
    tmp_path: Path,
) -> None:
    changed = tmp_path / "changed.mid"
    write_midi(_transposed(score, 1), changed)
    party = client("admin").post("/v1/parties", json={"name": "Clara Example"}).json()
    fields = {"party": party["party_id"], "role": "Arranger", "licence": "CC-BY-4.0"}
    response = _send(everything, recording_id, changed.read_bytes(), fields)
    made = response.json()
    assert response.status_code == 201, made
    assert response.headers["location"] == f"/v1/recordings/{made['recording_id']}"
    assert {name: count for name, count in made["changes"].items() if count} == {
        "kept": made["notes"] - 1,
        "pitch": 1,
    }
    shown = everything.get(response.headers["location"]).json()
    assert shown["parent_recording_id"] == recording_id
    lineage = everything.get(response.headers["location"] + "/lineage").json()
    [person] = [each for each in lineage["contributions"] if each["party"]]
    assert (person["party"], person["role"], person["notes"]) == (party["party_id"], "Arranger", 1)
    assert not list((home.objects.root / "staging").iterdir())
    flac = everything.get(response.headers["location"] + "/audio?format=flac")
    assert flac.status_code == 200, "an edit's other formats carry the edited file as their parent"


def test_a_file_that_is_no_midi(everything: httpx.Client, recording_id: str, problem: Problem) -> None:
    found = problem(_send(everything, recording_id, b"\x89PNG\r\n\x1a\n" + b"\0" * 100), 422)
    assert "MIDI" in str(found["detail"])


def test_an_empty_file(everything: httpx.Client, recording_id: str, problem: Problem) -> None:
    problem(_send(everything, recording_id, b""), 422)


def test_the_notes_of_another_piece(
    everything: httpx.Client, recording_id: str, score: Score, problem: Problem, tmp_path: Path
) -> None:
    other = tmp_path / "other.mid"
    voices = tuple(
        replace(voice, notes=tuple(replace(n, pitch=127 - n.pitch) for n in voice.notes)) for voice in score.voices
    )
    write_midi(replace(score, voices=voices), other)
    found = problem(_send(everything, recording_id, other.read_bytes()), 422)
    assert "another piece" in str(found["detail"])


def test_the_same_notes(everything: httpx.Client, recording_id: str, problem: Problem) -> None:
    same = everything.get(f"/v1/recordings/{recording_id}/midi").content
    assert "nothing was changed" in str(problem(_send(everything, recording_id, same), 422)["detail"])


def test_a_party_that_does_not_exist(
    everything: httpx.Client, recording_id: str, score: Score, problem: Problem, tmp_path: Path
) -> None:
    changed = tmp_path / "changed.mid"
    write_midi(_transposed(score, 2), changed)
    found = problem(_send(everything, recording_id, changed.read_bytes(), {"party": "nobody"}), 422)
    assert "nobody" in str(found["detail"])


def test_an_edit_of_nothing(everything: httpx.Client, recording_id: str, problem: Problem) -> None:
    same = everything.get(f"/v1/recordings/{recording_id}/midi").content
    problem(_send(everything, "019aa0b2-6c1f-7d2e-9b57-3c1f6de0a412", same), 404)
