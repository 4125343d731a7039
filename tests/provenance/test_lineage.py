import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.score import TICKS_PER_QUARTER, Bar, Note, Score, Tempo, Voice
from provenance.errors import LineageError
from provenance.identity import digest, new_id
from provenance.lineage import Step, authorship
from provenance.recording_predicate import (
    Changes,
    Content,
    Controls,
    EditPredicate,
    Fingerprint,
    GenerationPredicate,
    Software,
)
from provenance.statement import header

SIXTEENTH = TICKS_PER_QUARTER // 4
SOME = digest(b"x")
SECRET = "hmac-sha256:" + "0" * 64
CONTENT = Content(
    content_digest=SOME,
    score_digest=SOME,
    fingerprint=Fingerprint(iscc="ISCC:X", algorithm="a", digest=SOME, duration_ms=1),
    files=(),
    notes=0,
)
SOFTWARE = Software(name="n", version="1")


def score(lines: list[list[Note]]) -> Score:
    bars = tuple(Bar(i * TICKS_PER_QUARTER * 4, TICKS_PER_QUARTER * 4, 4, 4) for i in range(20))
    voices = tuple(Voice(f"v{i}", 40, tuple(sorted(line))) for i, line in enumerate(lines))
    return Score("", bars, (Tempo(0, 500_000),), voices)


def start() -> list[list[Note]]:
    return [[Note(i * SIXTEENTH, SIXTEENTH, 40 + 10 * v + i % 5) for i in range(64)] for v in range(4)]


def generation(lines: list[list[Note]]) -> Step:
    predicate = GenerationPredicate.model_validate(
        header(GenerationPredicate)
        | {
            "recording_id": new_id(),
            "model": SOME,
            "model_id": "quartet-1",
            "weights_digest": SOME,
            "controls": Controls(
                tonic=0,
                mode="major",
                beats=4,
                beat_type=4,
                tempo_bpm=90,
                bars=8,
                density="medium",
                register="middle",
                era="classical",
                seed="1",
            ),
            "prompt": SECRET,
            "unmatched_words": SECRET,
            "content": CONTENT,
            "software": SOFTWARE,
        }
    )
    return Step(digest(b"g"), predicate, score(lines))


def edit(lines: list[list[Note]], person: str = "ada", number: int = 0, role: str = "Composer") -> Step:
    predicate = EditPredicate.model_validate(
        header(EditPredicate)
        | {
            "recording_id": new_id(),
            "parent": SOME,
            "parent_recording_id": "r",
            "party": SOME,
            "party_id": person,
            "role": role,
            "licence": "",
            "changes": Changes(**dict.fromkeys(Changes.model_fields, 0)),
            "content": CONTENT,
            "software": SOFTWARE,
        }
    )
    return Step(digest(b"e%d" % number), predicate, score(lines))


def test_an_untouched_generation_is_all_the_models() -> None:
    found = authorship([generation(start())])
    [model] = found.contributions
    assert (model.maker.id, model.maker.role, model.notes, model.share) == (
        "quartet-1",
        "GenerativeAI",
        256,
        Decimal("1.0000"),
    )
    assert found.contains_ai == "All"


def test_a_person_is_credited_for_exactly_what_they_changed() -> None:
    lines = start()
    for i in (1, 2, 3):
        lines[2][i] = replace(lines[2][i], pitch=99)
    found = authorship([generation(start()), edit(lines)])
    assert [(c.maker.id, c.notes) for c in found.contributions] == [("quartet-1", 253), ("ada", 3)]
    changed = [origin for origin in found.origins.values() if origin.kind != "model"]
    assert {origin.kind for origin in changed} == {"person-changed-from-model"}
    assert all(o.pitch.id == "ada" and o.onset.id == o.duration.id == "quartet-1" for o in changed)
    assert found.contains_ai == "Partly"


def test_a_change_and_its_undoing_by_another_person_is_still_theirs() -> None:
    lines = start()
    lines[0][0] = replace(lines[0][0], pitch=99)
    found = authorship([generation(start()), edit(lines, "ada", 1), edit(start(), "bea", 2)])
    assert [(c.maker.id, c.notes) for c in found.contributions] == [("quartet-1", 255), ("bea", 1)]


def test_louder_is_not_authorship_of_the_notes() -> None:
    lines = [[replace(note, velocity=20) for note in line] for line in start()]
    assert authorship([generation(start()), edit(lines)]).contains_ai == "All"


def test_added_notes_are_the_persons_own() -> None:
    lines = start()
    lines[1].append(Note(70 * SIXTEENTH, SIXTEENTH, 70))
    found = authorship([generation(start()), edit(lines)])
    assert sum(origin.kind == "person" for origin in found.origins.values()) == 1


@pytest.mark.parametrize("steps", [[], [edit(start())], [generation(start()), generation(start())]])
def test_a_history_is_one_generation_and_then_edits(steps: list[Step]) -> None:
    with pytest.raises(LineageError, match="one generation and then edits"):
        authorship(steps)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_after_any_chain_of_edits_every_note_has_one_origin(seed: int, length: int) -> None:
    rng = random.Random(seed)
    lines, steps = start(), [generation(start())]
    touched: dict[tuple[int, int], str] = {}  # the tests' own book-keeping, by voice and onset
    for number in range(length):
        person = rng.choice(["ada", "bea"])
        for _ in range(rng.randint(1, 10)):
            voice, i = rng.randrange(4), rng.randrange(64)
            lines[voice][i] = replace(lines[voice][i], pitch=30 + (lines[voice][i].pitch + 7) % 60)
            touched[voice, lines[voice][i].onset] = person
        steps.append(edit([list(line) for line in lines], person, number))
        lines = [list(line) for line in lines]
    found = authorship(steps)
    assert len(found.origins) == 256
    assert sum(c.notes for c in found.contributions) == 256
    for placed, origin in found.origins.items():
        assert origin.onset.kind == "model"
        if (placed.voice, placed.note.onset) not in touched:
            assert origin.kind == "model"
