"""Scores: what they must be, how they are written down, and what their digests cover."""

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import ScoreError
from generator.score import (
    BAR_FLAGS,
    TICKS_PER_QUARTER,
    Bar,
    Note,
    Score,
    Tempo,
    Voice,
    content_digest,
)

BAR = 4 * TICKS_PER_QUARTER
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=5)


def a_score(**changes: Any) -> Score:
    score = Score(
        title="Air",
        bars=(Bar(0, BAR, 4, 4, fifths=1), Bar(BAR, BAR, 4, 4, flags=frozenset({"final"}))),
        tempos=(Tempo(0, 500_000), Tempo(BAR, 1_000_000)),
        voices=(Voice("Violin I", 40, (Note(0, BAR, 67), Note(BAR, BAR, 71, 90))),),
    )
    return replace(score, **changes)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Small scores of any shape, drawn from few numbers."""
    bars: list[Bar] = []
    lengths = draw(st.lists(st.integers(1, 4 * BAR), min_size=1, max_size=3))
    metre = draw(st.sampled_from([(4, 4), (3, 8), (1, 1), (7, 16)]))
    flags = draw(st.frozensets(st.sampled_from(sorted(BAR_FLAGS))))
    for length in lengths:
        start = bars[-1].end if bars else 0
        bars.append(Bar(start, length, *metre, draw(st.integers(-7, 7)), flags))
    total = bars[-1].end
    onsets = draw(st.sets(st.integers(1, total), max_size=2))
    tempos = tuple(Tempo(onset, 1 + onset % 0xFFFFFF) for onset in sorted({0, *onsets}))
    numbers = st.tuples(st.integers(0, total - 1), st.integers(1, total), st.integers(0, 127), st.integers(1, 127))
    voices = []
    for drawn in draw(st.lists(st.lists(numbers, max_size=4), max_size=3)):
        notes = [Note(on, min(length, total - on), p, v) for on, length, p, v in drawn]
        voices.append(Voice(draw(NAMES), len(voices), tuple(sorted(notes))))
    return Score("", tuple(bars), tempos, tuple(voices))


@given(scores())
def test_document_and_back_is_the_same_score(score: Score) -> None:
    text = rfc8785.dumps(score.to_document())
    assert Score.from_document(json.loads(text)) == score


@given(scores(), st.data())
def test_any_other_note_is_another_digest(score: Score, data: st.DataObject) -> None:
    voices = [index for index, voice in enumerate(score.voices) if voice.notes]
    if not voices:
        return
    chosen = data.draw(st.sampled_from(voices))
    voice = score.voices[chosen]
    index = data.draw(st.integers(0, len(voice.notes) - 1))
    note = voice.notes[index]
    other = replace(note, pitch=(note.pitch + 1) % 128)
    notes = tuple(sorted((*voice.notes[:index], other, *voice.notes[index + 1 :])))
    changed = list(score.voices)
    changed[chosen] = replace(voice, notes=notes)
    altered = replace(score, voices=tuple(changed))
    assert altered.digest != score.digest
    assert content_digest([altered]) != content_digest([score])


def test_digest_is_sha256_text_and_leaves_out_the_title() -> None:
    score = a_score()
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", score.digest)
    assert replace(score, title="Something else").digest == score.digest
    assert replace(score, tempos=(Tempo(0, 400_000),)).digest != score.digest


def test_content_digest_covers_music_and_no_presentation() -> None:
    score = a_score()
    digest = content_digest([score])
    (voice,) = score.voices
    softer = tuple(replace(note, velocity=10) for note in voice.notes)
    same = replace(score, title="", tempos=(Tempo(0, 1),), voices=(Voice("Flute", 73, softer),))
    assert content_digest([same]) == digest
    for other in (
        [score, score],
        [replace(score, bars=(replace(score.bars[0], fifths=2), score.bars[1]))],
        [replace(score, bars=(replace(score.bars[0], beats=2, beat_type=2), score.bars[1]))],
        [replace(score, voices=(voice, Voice("", 0, ())))],
    ):
        assert content_digest(other) != digest


def test_content_digest_needs_a_movement() -> None:
    with pytest.raises(ScoreError, match="no movement"):
        content_digest([])


def test_content_digest_is_of_one_plain_text() -> None:
    score = Score("", (Bar(0, BAR, 4, 4),), (Tempo(0, 500_000),), (Voice("V", 40, (Note(0, BAR, 60),)),))
    text = (
        '{"movements":[{"bars":[[0,80640,4,4,0]],"parts":[[[0,80640,60]]]}],'
        '"ticks_per_quarter":20160,"type":"linernotes-score-content-v1"}'
    )
    assert content_digest([score]) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_seconds_follow_every_tempo() -> None:
    score = a_score()
    assert score.seconds(0) == 0
    assert score.seconds(TICKS_PER_QUARTER) == 0.5
    assert score.seconds(BAR) == 2.0
    assert score.seconds(score.length) == 6.0


@given(scores(), st.integers(0, 100), st.integers(0, 100))
def test_seconds_agree_with_adding_up_ticks(score: Score, first: int, second: int) -> None:
    early, late = sorted((score.length * first // 100, score.length * second // 100))
    edges = sorted({early, late, *(t.onset for t in score.tempos if early < t.onset < late)})
    total = 0
    for start, end in pairwise(edges):
        tempo = [tempo for tempo in score.tempos if tempo.onset <= start][-1]
        total += (end - start) * tempo.microseconds_per_quarter
    expected = total / TICKS_PER_QUARTER / 1e6
    assert score.seconds(late) - score.seconds(early) == pytest.approx(expected, abs=1e-6)


def test_tempo_from_bpm() -> None:
    assert Tempo.from_bpm(0, 120) == Tempo(0, 500_000)
    assert Tempo.from_bpm(7, 90).microseconds_per_quarter == 666_667


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Note(-1, 1, 60), "onset"),
        (lambda: Note(0, 0, 60), "duration"),
        (lambda: Note(0, 1, 128), "pitch"),
        (lambda: Note(0, 1, 60, 0), "velocity"),
        (lambda: Note(2**60, 1, 60), "onset"),
        (lambda: Voice("V", 128, ()), "program"),
        (lambda: Voice("a\nb", 0, ()), "control characters"),
        (lambda: Voice("x" * 1001, 0, ()), "1001 characters"),
        (lambda: Voice("V", 0, (Note(5, 1, 60), Note(0, 1, 60))), "not in order"),
        (lambda: Bar(0, 0, 4, 4), "duration"),
        (lambda: Bar(0, 1, 0, 4), "beats"),
        (lambda: Bar(0, 1, 3, 3), "power of two"),
        (lambda: Bar(0, 1, 4, 4, 15), "key signature"),
        (lambda: Bar(0, 1, 4, 4, 0, frozenset({"loud"})), "loud"),
        (lambda: Tempo(0, 0), "microseconds"),
        (lambda: a_score(bars=()), "no bars"),
        (lambda: a_score(bars=(Bar(1, BAR, 4, 4),)), "without gaps"),
        (lambda: a_score(tempos=()), "no tempo at tick 0"),
        (lambda: a_score(tempos=(Tempo(1, 9),)), "no tempo at tick 0"),
        (lambda: a_score(tempos=(Tempo(0, 9), Tempo(0, 9))), "ascend"),
        (lambda: a_score(voices=(Voice("V", 0, (Note(BAR, BAR + 1, 60),)),)), "last bar line"),
        (lambda: a_score(voices=(Voice("V", 0, ()),) * 257), "voices"),
    ],
)
def test_impossible_music_is_refused(make: Any, says: str) -> None:
    with pytest.raises(ScoreError, match=says):
        make()


def test_bar_knows_its_end_and_its_full_length() -> None:
    bar = Bar(10, 20, 6, 8)
    assert bar.end == 30
    assert bar.nominal_duration == 3 * TICKS_PER_QUARTER
    assert Note(3, 4, 60).end == 7


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ((), [], "The score must be an object"),
        (("title",), 3, "title must be text"),
        (("ticks_per_quarter",), 480, "480 ticks per quarter"),
        (("bars",), "many", "bars must be a list"),
        (("bars", 0, "start"), 0.0, "bars\\[0\\].start must be a whole number"),
        (("bars", 0, "start"), True, "must be a whole number"),
        (("bars", 0), {"start": 0}, "with the fields"),
        (("bars", 0, "flags"), ["final", "final"], "once and in order"),
        (("bars", 0, "flags"), ["x"] * 7, "at most"),
        (("tempos", 0, "onset"), None, "must be a whole number"),
        (("voices", 0, "notes", 0), [0, 1, 60], "has 3 numbers"),
        (("voices", 0, "notes", 0), [0, 1, 60, 80, 5], "at most 4"),
        (("voices", 0, "notes", 0), [0, 10**30, 60, 80], "is not a note"),
        (("voices", 0, "name"), None, "must be text"),
    ],
)
def test_wrong_documents_are_refused(path: tuple[Any, ...], value: object, says: str) -> None:
    document: Any = {"": json.loads(rfc8785.dumps(a_score().to_document()))}
    inside = document
    for step in ("", *path)[:-1]:
        inside = inside[step]
    inside[("", *path)[-1]] = value
    with pytest.raises(ScoreError, match=says):
        Score.from_document(document[""])


def test_unknown_field_is_refused() -> None:
    document = {**a_score().to_document(), "composer": "nobody"}
    with pytest.raises(ScoreError, match="composer"):
        Score.from_document(document)


def test_scores_are_read_without_numeric_libraries() -> None:
    code = (
        "import sys; import generator.score, generator.musicxml, generator.model; "
        "sys.exit(bool({'torch', 'numpy', 'safetensors', 'sqlalchemy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
