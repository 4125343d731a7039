"""Cutting scores into excerpts, with what can be told about them."""

from pathlib import Path

import numpy as np
import pytest

from generator.errors import TrainingError
from generator.quartet.conditions import (
    DENSITY,
    ELAPSED,
    ERA,
    KEY,
    METRE,
    POSITION,
    REGISTER,
    REMAINING,
    TEMPO,
    UNKNOWN,
)
from generator.quartet.corpus import (
    Excerpt,
    excerpts,
    held_out_files,
    movement,
    read_movements,
    score_files,
)
from generator.quartet.tokens import FIRST_PITCH, HOLD, RANGES, TICKS_PER_FRAME, pitch_of, token_of
from generator.score import TICKS_PER_QUARTER, Bar, Note, Score, Tempo, Voice

QUARTER = TICKS_PER_QUARTER


def music(*, pitch: int = 72, upbeat: int = 0, bars: int = 8, triplets: bool = False) -> Score:
    """A C major arpeggio in quarters over held notes."""
    laid: list[Bar] = []
    for number in range(bars):
        length = upbeat * QUARTER if number == 0 and upbeat else 4 * QUARTER
        flags = frozenset({"repeat-end"}) if number == 3 else frozenset()
        laid.append(Bar(laid[-1].end if laid else 0, length, 4, 4, 0, flags))
    end = laid[-1].end
    step = QUARTER // 3 if triplets else QUARTER
    lead = [Note(onset, step, pitch + (0, 4, 7)[onset // step % 3]) for onset in range(0, end, step)]
    voices = [Voice("", 40, tuple(lead))]
    voices += [Voice("", 40, (Note(0, end, held),)) for held in (67, 60, 48)]
    return Score("", tuple(laid), (Tempo(0, 500_000), Tempo(4 * QUARTER, 900_000)), tuple(voices))


def test_files_come_in_order_and_folders_are_held_out_whole(tmp_path: Path) -> None:
    names = ["b/x.mxl", "a/2.mxl", "a/1.musicxml", "c/y.mxl", "c/notes.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = score_files(tmp_path)
    assert [path.name for path in files] == ["1.musicxml", "2.mxl", "x.mxl", "y.mxl"]
    assert [path.name for path in held_out_files(files, every=3)] == ["x.mxl"]
    assert [path.name for path in held_out_files(files, every=1)] == [path.name for path in files]
    with pytest.raises(TrainingError, match="no MusicXML file"):
        score_files(tmp_path / "d")


def test_eras_come_from_the_table_of_composers(corpus: Path) -> None:
    files = score_files(corpus)
    read = read_movements(corpus, files)
    assert len(read) == 6
    assert {int(m.conditions[0, ERA]) for m in read if m.source in {"piece0", "piece2"}} == {0}
    assert {int(m.conditions[0, ERA]) for m in read if m.source in {"piece1", "piece3"}} == {2}
    inside = read_movements(corpus / "scores", files[:1])
    assert (inside[0].conditions[:, ERA] == UNKNOWN[ERA]).all()


def test_every_bar_is_described() -> None:
    bars = movement("m", music()).conditions[::16]
    assert bars[:, METRE].tolist() == [3] * 8
    assert bars[:, REMAINING].tolist() == [3, 2, 1, 0, 3, 2, 1, 0]
    assert bars[:, ELAPSED].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert bars[:, KEY].tolist() == [0] * 8
    assert bars[:, TEMPO].tolist() == [2] + [0] * 7
    assert bars[:, DENSITY].tolist() == [0] * 8
    assert (movement("m", music()).conditions[:, REGISTER] == UNKNOWN[REGISTER]).all()


def test_an_upbeat_counts_towards_the_end_of_its_bar() -> None:
    conditions = movement("m", music(upbeat=1)).conditions
    assert conditions[:6, POSITION].tolist() == [12, 13, 14, 15, 0, 1]


def test_an_excerpt_strikes_again_what_is_held_into_it() -> None:
    piece = movement("m", music())
    tokens, conditions = Excerpt(piece, 2, 4).cut()
    assert tokens.shape == (32, 4)
    assert len(conditions) == 32
    assert [pitch_of(int(token)) for token in tokens[0, 1:]] == [67, 60, 48]
    assert (tokens[1:, 1:] == HOLD).all()


def test_transposing_moves_notes_key_and_register_together() -> None:
    piece = movement("m", music(pitch=67))
    excerpt = Excerpt(piece, 0, 8)
    tokens, conditions = excerpt.cut()
    higher, told = excerpt.cut(6)
    struck = tokens >= FIRST_PITCH
    assert (higher[struck] == tokens[struck] + 6).all()
    assert (higher[~struck] == tokens[~struck]).all()
    assert (told[:, KEY] == (conditions[:, KEY] + 6) % 12).all()
    assert [int(conditions[0, REGISTER]), int(told[0, REGISTER])] == [0, 1]
    same = [field for field in range(len(UNKNOWN)) if field not in (KEY, REGISTER)]
    assert (conditions[:, same] == told[:, same]).all()


def test_transpositions_keep_every_voice_in_its_range() -> None:
    excerpt = Excerpt(movement("m", music(pitch=90)), 0, 8)
    allowed = excerpt.transpositions(12)
    assert (allowed.start, allowed.stop - 1) == (-12, 100 - 97)
    for semitones in (allowed.start, allowed.stop - 1):
        tokens, _ = excerpt.cut(semitones)
        for voice, (low, high) in enumerate(RANGES):
            struck = tokens[:, voice][tokens[:, voice] >= FIRST_PITCH]
            assert token_of(low) <= struck.min() <= struck.max() <= token_of(high)


def test_excerpts_are_whole_bars_one_after_the_other_or_one_for_each() -> None:
    piece = movement("m", music())
    apart = [(e.first_bar, e.end_bar) for e in excerpts(piece, 64, overlapping=False)]
    assert apart == [(0, 4), (4, 8)]
    overlapping = [(e.first_bar, e.end_bar) for e in excerpts(piece, 64, overlapping=True)]
    assert overlapping == [(0, 4), (1, 5), (2, 6), (3, 7), (4, 8), (5, 8)]


def test_what_the_grid_cannot_say_is_left_out() -> None:
    assert not list(excerpts(movement("m", music(triplets=True)), 64, overlapping=True))


def test_silence_has_no_register() -> None:
    silent = Score("", music().bars, music().tempos, (Voice("", 40, ()),) * 4)
    piece = movement("m", silent)
    assert np.isnan(piece.register).all()
    assert not list(excerpts(piece, 64, overlapping=True))
    assert len(piece.grid.tokens) == silent.length // TICKS_PER_FRAME
