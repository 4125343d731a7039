import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.score import TICKS_PER_QUARTER, Bar, Note, Score, Tempo, Voice
from provenance.difference import compare
from provenance.errors import DifferenceError

SIXTEENTH = TICKS_PER_QUARTER // 4
BAR = TICKS_PER_QUARTER * 4


def score(lines: list[list[Note]], tempo: int = 500_000) -> Score:
    end = max((note.end for line in lines for note in line), default=1)
    bars = tuple(Bar(i * BAR, BAR, 4, 4) for i in range(-(-end // BAR) + 2))
    voices = tuple(Voice(f"v{i}", 40, tuple(sorted(line))) for i, line in enumerate(lines))
    return Score("", bars, (Tempo(0, tempo),), voices)


def melody(seed: int, length: int = 32) -> list[Note]:
    rng = random.Random(seed)
    return [Note(i * 2 * SIXTEENTH, 2 * SIXTEENTH, rng.randint(55, 80)) for i in range(length)]


def quartet(seed: int = 1) -> list[list[Note]]:
    return [melody(seed * 10 + voice) for voice in range(4)]


def test_three_repitched_notes_are_exactly_three() -> None:
    lines = quartet()
    for i in (3, 7, 20):
        lines[2][i] = replace(lines[2][i], pitch=lines[2][i].pitch + 2)
    changes = compare(score(quartet()), score(lines)).changes()
    assert (changes.pitch, changes.kept) == (3, 125)
    assert changes.added == changes.removed == changes.onset == changes.duration == changes.voice == 0


@pytest.mark.parametrize(
    ("edit", "aspect"),
    [
        (lambda n: replace(n, onset=n.onset + SIXTEENTH), "onset"),
        (lambda n: replace(n, duration=SIXTEENTH), "duration"),
        (lambda n: replace(n, velocity=33), "velocity"),
        (lambda n: replace(n, pitch=n.pitch - 12), "pitch"),
    ],
)
def test_one_changed_aspect_is_one_change(edit, aspect: str) -> None:
    lines = quartet()
    lines[0][5] = edit(lines[0][5])
    changes = compare(score(quartet()), score(lines)).changes()
    assert getattr(changes, aspect) == 1
    assert changes.kept == 127


def test_a_note_given_to_another_voice_keeps_its_origin() -> None:
    lines = quartet()
    moved = Note(BAR * 5, SIXTEENTH, 60)
    before, after = [list(line) for line in lines], [list(line) for line in lines]
    before[1].append(moved)
    after[2].append(moved)
    changes = compare(score(before), score(after)).changes()
    assert (changes.voice, changes.added, changes.removed) == (1, 0, 0)


def test_added_and_removed_notes() -> None:
    lines = quartet()
    del lines[3][4]
    lines[0].append(Note(BAR * 5, SIXTEENTH, 99))
    changes = compare(score(quartet()), score(lines)).changes()
    assert (changes.added, changes.removed, changes.kept) == (1, 1, 127)


def test_a_tempo_change_is_a_change() -> None:
    difference = compare(score(quartet()), score(quartet(), tempo=400_000))
    assert difference.tempo_changes == 2
    assert not difference.is_empty


def test_another_piece_is_refused() -> None:
    with pytest.raises(DifferenceError, match="another piece"):
        compare(score(quartet(1)), score(quartet(9)))


def test_another_number_of_voices_is_refused() -> None:
    with pytest.raises(DifferenceError, match="4 voices"):
        compare(score(quartet()), score(quartet()[:3]))


notes = st.builds(
    Note,
    st.integers(0, 40).map(lambda i: i * SIXTEENTH),
    st.integers(1, 8).map(lambda i: i * SIXTEENTH),
    st.integers(60, 66),
    st.sampled_from([60, 80]),
)
edits = st.lists(st.lists(notes, max_size=12, unique=True), min_size=4, max_size=4)


@given(edits, edits)
def test_every_note_is_used_once_and_counts_add_up(more: list[list[Note]], other: list[list[Note]]) -> None:
    ballast = [[Note(BAR * 9 + i * SIXTEENTH, SIXTEENTH, 40 + i) for i in range(40)] for _ in range(4)]
    before = score([a + b for a, b in zip(more, ballast, strict=True)])
    after = score([a + b for a, b in zip(other, ballast, strict=True)])
    difference = compare(before, after)
    old = sorted([p.before for p in difference.pairs] + list(difference.removed))
    new = sorted([p.after for p in difference.pairs] + list(difference.added))
    assert [(p.voice, p.note) for p in old] == sorted((i, n) for i, v in enumerate(before.voices) for n in v.notes)
    assert [(p.voice, p.note) for p in new] == sorted((i, n) for i, v in enumerate(after.voices) for n in v.notes)
    assert difference.is_empty == (before == after)


@given(edits)
def test_nothing_done_is_no_difference(lines: list[list[Note]]) -> None:
    assert compare(score(lines), score(lines)).is_empty
