"""How notes are bowed: strokes, legato, tuning, vibrato, and no clicks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.bow import Stroke, play, strokes
from generator.ending import RELEASE_SECONDS
from generator.score import TICKS_PER_QUARTER, Bar, Note, Score, Tempo, Voice
from generator.strings import VIBRATO_CENTS, VIOLIN, samples
from generator.take import SAMPLE_RATE

QUARTER = TICKS_PER_QUARTER
BAR = 4 * QUARTER


def a_score(*notes: Note, program: int = 40) -> Score:
    """Music at 60 quarter notes a minute."""
    bars = max((note.end for note in notes), default=1) // BAR + 1
    return Score(
        "",
        tuple(Bar(index * BAR, BAR, 4, 4) for index in range(bars)),
        (Tempo(0, 1_000_000),),
        (Voice("Violin I", program, tuple(sorted(notes))),),
    )


def bowed(*notes: Note) -> list[Stroke]:
    score = a_score(*notes)
    return list(strokes(score, score.voices[0], 0, VIOLIN))


def line_of(*notes: Note, program: int = 40) -> np.ndarray:
    score = a_score(*notes, program=program)
    line = np.zeros(samples(score.seconds(score.length) + 1), np.float32)
    play(score, 0, line)
    return line


def note(start: float, length: float, pitch: int = 69, velocity: int = 80) -> Note:
    return Note(round(start * QUARTER), round(length * QUARTER), pitch, velocity)


def strength(part: np.ndarray) -> float:
    return float(np.sqrt(np.mean(part.astype(np.float64) ** 2)))


@given(st.lists(st.builds(note, st.floats(0, 20), st.floats(0.01, 12), st.integers(0, 127), st.integers(1, 127))))
def test_strokes_fit_their_notes(notes: list[Note]) -> None:
    score = a_score(*notes)
    for stroke, each in zip(strokes(score, score.voices[0], 0, VIOLIN), score.voices[0].notes, strict=True):
        begins, ends = score.seconds(each.onset), score.seconds(each.end)
        assert stroke.start >= 0
        assert abs(stroke.start / SAMPLE_RATE - begins) <= 0.0051
        assert stroke.start + stroke.hold + stroke.release <= samples(max(ends, begins + 0.02) + RELEASE_SECONDS + 0.01)
        assert 0 < stroke.attack <= stroke.hold
        assert 0 < stroke.step < 2**31
        assert 0 <= stroke.vibrato <= 1


def test_a_note_is_bowed_alike_whatever_happens_elsewhere() -> None:
    one = note(2, 1, 72)
    assert bowed(one)[0] == bowed(one, note(5, 1), note(0, 0.5))[1]
    assert bowed(one)[0] != replace(bowed(note(2, 1, 73))[0], pitch=72)


def test_voices_are_not_bowed_alike() -> None:
    score = a_score(note(0, 1))
    first, second = (next(iter(strokes(score, score.voices[0], index, VIOLIN))) for index in (0, 1))
    assert first.places != second.places


def test_tied_phrases_are_legato_and_repeated_notes_are_separated() -> None:
    alone, _ = bowed(note(0, 1), note(2, 1))
    slurred, _ = bowed(note(0, 1), note(1, 1, 71))
    repeated, _ = bowed(note(0, 1), note(1, 1))
    assert alone.release > slurred.release > repeated.release
    assert alone.hold == slurred.hold > repeated.hold
    _, after = bowed(note(0, 1, 71), note(1, 1))
    [fresh] = bowed(note(1, 1))
    assert after.bite < fresh.bite
    assert after.attack < fresh.attack


def test_the_lowest_string_and_short_notes_have_no_vibrato() -> None:
    open_string, long, short = bowed(note(0, 2, 55), note(2, 2, 57), note(4, 0.1, 57))
    assert (open_string.vibrato, short.vibrato) == (0, 0)
    assert long.vibrato > 0.4


def test_silence_is_silent() -> None:
    assert not line_of().any()


@pytest.mark.parametrize(("program", "pitch"), [(40, 69), (41, 60), (42, 43), (40, 93)])
def test_notes_are_in_tune(program: int, pitch: int) -> None:
    tone = line_of(note(0, 4, pitch), program=program)[samples(0.5) : samples(3.5)]
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 1 << 20))
    hz = np.fft.rfftfreq(1 << 20, 1 / SAMPLE_RATE)
    expected = 440 * 2 ** ((pitch - 69) / 12)
    near = (hz > expected * 0.95) & (hz < expected * 1.05)
    heard = float((spectrum[near] ** 2 * hz[near]).sum() / (spectrum[near] ** 2).sum())
    assert abs(1200 * np.log2(heard / expected)) < 8


def test_the_vibrato_is_as_wide_as_its_stroke_says() -> None:
    [stroke] = bowed(note(0, 4))
    tone = line_of(note(0, 4))[: samples(3.5)]
    spectrum = np.fft.fft(tone)
    hz = np.fft.fftfreq(len(tone), 1 / SAMPLE_RATE)
    fundamental = np.fft.ifft(np.where((hz > 400) & (hz < 480), spectrum, 0))[samples(1) : samples(3)]
    cents = 1200 * np.log2(np.diff(np.unwrap(np.angle(fundamental))) * SAMPLE_RATE / (2 * np.pi) / 440)
    low, high = np.percentile(cents, [1, 99])
    assert (high - low) / 2 == pytest.approx(VIBRATO_CENTS * stroke.vibrato, abs=4)
    assert abs((high + low) / 2) < 8


def test_louder_notes_are_louder() -> None:
    soft, usual, loud = (strength(line_of(note(0, 2, 69, velocity))) for velocity in (30, 80, 120))
    assert soft < usual / 1.5
    assert usual < loud / 1.5


def test_a_note_grows_and_dies_away() -> None:
    line = line_of(note(1, 2))
    assert not line[: samples(0.99)].any()
    middle = strength(line[samples(1.5) : samples(2.5)])
    assert strength(line[samples(1) : samples(1.02)]) < middle / 3
    assert strength(line[samples(3.16) : samples(3.2)]) < middle / 10
    assert not line[samples(3.01 + RELEASE_SECONDS) :].any()


def test_notes_in_a_phrase_do_not_click() -> None:
    """Where one note gives way to the next, nothing above the tone's own partials stands out."""
    phrase = [note(index / 4, 0.25, 60 + index * 5 % 12) for index in range(40)]
    repeated = [note(10 + index / 4, 0.25, 67) for index in range(12)]
    line = line_of(*phrase, *repeated).astype(np.float64)
    sharp = np.abs(np.diff(line, 4))
    sharp = sharp[: len(sharp) // 64 * 64].reshape(-1, 64).max(axis=1)
    usual = np.median(sharp[: samples(13) // 64])
    assert sharp.max() < 5 * usual
    click = line.copy()
    click[samples(5)] += 0.3 * np.abs(line).max()
    assert np.abs(np.diff(click, 4)).max() > 5 * usual


def test_a_long_note_outlasts_the_tables_it_is_made_from() -> None:
    line = line_of(note(0, 40))
    assert strength(line[samples(30) : samples(39)]) == pytest.approx(strength(line[samples(5) : samples(14)]), rel=0.3)


@settings(max_examples=20)
@given(st.integers(0, 127), st.sampled_from([40, 41, 42]), st.integers(1, 127))
def test_every_pitch_can_be_played(pitch: int, program: int, velocity: int) -> None:
    line = line_of(note(0, 0.3, pitch, velocity), program=program)
    assert np.isfinite(line).all()
    assert 0.003 < np.abs(line).max() < 20
