"""Rendering: stems that add up to the mix, a fixed gain, no clipping, the same samples every time."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator import render as rendering
from generator.ending import END_SECONDS
from generator.errors import RenderError
from generator.render import CEILING, render
from generator.score import QUARTET_VOICES, TICKS_PER_QUARTER, Bar, Note, Score, Tempo, Voice
from generator.take import SAMPLE_RATE, Pcm

QUARTER = TICKS_PER_QUARTER
BAR = 4 * QUARTER


def a_score(*lines: tuple[Note, ...], bars: int = 2, bpm: int = 120) -> Score:
    voices = zip(QUARTET_VOICES, (40, 40, 41, 42), lines, strict=False)
    return Score(
        "",
        tuple(Bar(index * BAR, BAR, 4, 4) for index in range(bars)),
        (Tempo.from_bpm(0, bpm),),
        tuple(Voice(name, program, tuple(sorted(notes))) for name, program, notes in voices),
    )


def walking(pitch: int, velocity: int = 80, bars: int = 2) -> tuple[Note, ...]:
    steps = (0, 2, 4, 5, 7, 5, 4, 2)
    return tuple(Note(index * QUARTER, QUARTER, pitch + steps[index % 8], velocity) for index in range(4 * bars))


QUARTET = a_score(walking(72), walking(67), walking(60), walking(48))


def full_scale(pcm: Pcm) -> np.ndarray:
    return pcm.samples.astype(np.float64) / (2**15 if pcm.bits == 16 else 2**31)


def total(parts: list[Pcm]) -> np.ndarray:
    return sum(part.samples.astype(np.int64) for part in parts)


@pytest.mark.parametrize("bits", [16, 24])
def test_the_mix_is_the_sum_of_the_stems(bits: int) -> None:
    stems, mix = render(QUARTET, bits)
    assert [stem.name for stem in stems] == list(QUARTET_VOICES)
    assert np.array_equal(total([stem.pcm for stem in stems]), mix.samples)
    assert {(stem.pcm.bits, stem.pcm.channels) for stem in stems} == {(bits, 2)}
    assert mix.bits == bits


def test_the_length_is_that_of_the_score_and_its_end() -> None:
    _, mix = render(QUARTET)
    assert mix.frames == round((4 + END_SECONDS) * SAMPLE_RATE)
    assert END_SECONDS <= 2


def test_both_sample_formats_are_the_same_sound() -> None:
    (first, *_), _ = render(QUARTET, 16)
    (fine, *_), _ = render(QUARTET, 24)
    assert not (fine.pcm.samples & 0xFF).any()
    assert np.abs(full_scale(first.pcm) - full_scale(fine.pcm)).max() <= 0.51 / 2**15


def test_every_run_gives_the_same_samples() -> None:
    """In another process as well, with other caches filled."""
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); import test_render as t;"
        "t.render(t.a_score(t.walking(50)));"
        "print(hashlib.sha256(t.render(t.QUARTET)[1].samples.tobytes()).hexdigest())"
    )
    folder = __file__.rpartition("/")[0]
    other = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == hashlib.sha256(render(QUARTET)[1].samples.tobytes()).hexdigest()


notes = st.builds(
    lambda onset, duration, pitch, velocity: Note(onset, min(duration, 2 * BAR - onset), pitch, velocity),
    st.integers(0, 2 * BAR - 1),
    st.integers(1, 2 * BAR),
    st.integers(0, 127),
    st.integers(1, 127),
)


@settings(max_examples=12)
@given(st.lists(st.lists(notes, max_size=20), min_size=1, max_size=4).filter(any))
def test_nothing_clips(lines: list[list[Note]]) -> None:
    stems, mix = render(a_score(*map(tuple, lines)))
    for pcm in (mix, *(stem.pcm for stem in stems)):
        assert np.abs(full_scale(pcm)).max() <= CEILING + 1e-3
    assert np.abs(full_scale(mix)).max() > 0


def test_a_score_that_is_too_loud_is_turned_down_by_whole_decibels() -> None:
    crowd = tuple(Note(0, BAR, pitch, 127) for pitch in range(40, 100))
    lines = (walking(72), crowd)
    stems, mix = render(a_score(*lines))
    assert CEILING / 1.3 < np.abs(full_scale(mix)).max() <= CEILING + 1e-3
    (usual, _), _ = render(a_score(walking(72), walking(60)))
    ratio = np.abs(full_scale(usual.pcm)).max() / np.abs(full_scale(stems[0].pcm)).max()
    decibels = 20 * np.log10(ratio)
    assert decibels > 3
    assert decibels == pytest.approx(round(decibels), abs=0.05)


def test_a_fortissimo_quartet_is_not_turned_down() -> None:
    stems, mix = render(a_score(*(walking(pitch, 127) for pitch in (72, 67, 60, 48))))
    assert np.abs(full_scale(mix)).max() <= CEILING
    (soft, *_), _ = render(a_score(walking(72, 127), walking(67, 1), walking(60, 1), walking(48, 1)))
    assert np.array_equal(soft.pcm.samples, stems[0].pcm.samples)


def test_quartets_are_about_equally_loud() -> None:
    for pitch, bpm in ((48, 60), (55, 120), (60, 180)):
        lines = [walking(pitch + offset) for offset in (24, 19, 12, 0)]
        _, mix = render(a_score(*lines, bpm=bpm))
        music = full_scale(mix)[: -round(END_SECONDS * SAMPLE_RATE)]
        assert -26 < 20 * np.log10(np.sqrt(np.mean(music**2))) < -18


def test_an_edit_of_one_voice_leaves_the_others_alone() -> None:
    first, second, third, fourth = QUARTET.voices
    changed = replace(third, notes=(*third.notes[:-1], replace(third.notes[-1], pitch=65)))
    before, _ = render(QUARTET)
    after, _ = render(replace(QUARTET, voices=(first, second, changed, fourth)))
    same = [np.array_equal(b.pcm.samples, a.pcm.samples) for b, a in zip(before, after, strict=True)]
    assert same == [True, True, False, True]
    until = round(3.4 * SAMPLE_RATE)
    apart = before[2].pcm.samples[:until].astype(int) - after[2].pcm.samples[:until]
    assert np.abs(apart).max() <= 1


def test_voices_sit_from_left_to_right() -> None:
    stems, _ = render(QUARTET)
    leaning = []
    for stem in stems:
        left, right = np.sqrt(np.mean(full_scale(stem.pcm) ** 2, axis=0))
        leaning.append(right / left)
    assert leaning == sorted(leaning)
    assert leaning[0] < 0.8
    assert leaning[-1] > 1.25


def test_a_silent_voice_has_a_silent_stem() -> None:
    stems, mix = render(a_score(walking(72), ()))
    assert not stems[1].pcm.samples.any()
    assert np.array_equal(stems[0].pcm.samples, mix.samples)


def test_the_end_dies_away() -> None:
    sound = np.abs(full_scale(render(QUARTET)[1]))
    assert sound[-round(0.05 * SAMPLE_RATE) :].max() < sound.max() / 1000


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    render(QUARTET, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_bits_that_do_not_exist_are_refused() -> None:
    with pytest.raises(RenderError, match="8 bits"):
        render(QUARTET, 8)


@pytest.mark.parametrize("score", [a_score(()), a_score(), a_score((), ())])
def test_nothing_to_play_is_refused(score: Score) -> None:
    with pytest.raises(RenderError, match="nothing to play"):
        render(score)


def test_a_score_that_is_too_long_is_refused() -> None:
    long = a_score(*[walking(60)] * 4, bars=301)
    with pytest.raises(RenderError, match="4 voices and lasts 602 seconds"):
        render(long)


def test_a_score_that_is_too_dense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = a_score(tuple(Note(0, 100 * BAR, pitch) for pitch in range(101)), bars=100)
    with pytest.raises(RenderError, match="101 notes of 20200 seconds"):
        render(dense)
    monkeypatch.setattr(rendering, "MAX_NOTES", 31)
    with pytest.raises(RenderError, match="32 notes"):
        render(QUARTET)
