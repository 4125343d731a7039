"""Laying out a piece: what the network is told in every frame."""

from dataclasses import replace

import numpy as np
import pytest

from generator.errors import RequestError
from generator.quartet.conditions import (
    ELAPSED,
    FIELD_SIZES,
    FIELDS,
    KEY,
    METRE,
    METRES,
    POSITION,
    REMAINING,
    TEMPO,
    UNKNOWN,
    lay_out,
)
from generator.quartet.tokens import TICKS_PER_FRAME
from generator.request import Controls
from generator.vocabulary import DENSITIES, ERAS
from generator.vocabulary import METRES as KNOWN_METRES

CONTROLS = Controls(2, "minor", (3, 4), 90, 12, "medium", "middle", "classical")


def test_every_frame_of_every_bar_is_laid_out() -> None:
    layout = lay_out(CONTROLS)
    assert layout.conditions.shape == (12 * 12, FIELDS)
    assert (layout.conditions < np.array(FIELD_SIZES)).all()
    assert layout.conditions[:14, POSITION].tolist() == [*range(12), 0, 1]
    assert [bar.start for bar in layout.bars] == [i * 12 * TICKS_PER_FRAME for i in range(12)]
    assert {(bar.beats, bar.beat_type, bar.fifths) for bar in layout.bars} == {(3, 4, -1)}


def test_sections_count_down_and_visit_other_keys() -> None:
    rows = lay_out(replace(CONTROLS, bars=56)).conditions[::12]
    assert rows[:17, ELAPSED].tolist() == [0, 1, 2, 3, *[4] * 12, 0]
    assert rows[8:17, REMAINING].tolist() == [7, 6, 5, 4, 3, 2, 1, 0, 8]
    assert rows[-1, REMAINING] == 0
    assert [int(key) for key in rows[[0, 16, 32, 55], KEY]] == [14, 5, 19, 14]
    major = lay_out(replace(CONTROLS, mode="major", bars=72)).conditions[::12]
    assert [int(key) for key in major[[0, 16, 32, 48], KEY]] == [2, 9, 7, 2]


@pytest.mark.parametrize("bars", [1, 2, 15, 16, 23, 24, 25, 400])
def test_any_number_of_bars_ends_a_section(bars: int) -> None:
    rows = lay_out(replace(CONTROLS, bars=bars)).conditions[::12]
    assert len(rows) == bars
    assert rows[-1, REMAINING] == 0
    assert rows[0, ELAPSED] == 0
    sections = int((rows[:, REMAINING] == 0).sum())
    assert sections == (rows[:, ELAPSED] == 0).sum()


@pytest.mark.parametrize("name", KNOWN_METRES)
def test_metres_that_may_be_asked_for_are_known(name: str) -> None:
    upper, lower = map(int, name.split("/"))
    layout = lay_out(replace(CONTROLS, metre=(upper, lower)))
    assert (layout.conditions[:, METRE] == METRES[upper, lower]).all()
    assert layout.bars[0].duration == layout.bars[0].nominal_duration


def test_other_metres_fit_the_grid_or_are_refused() -> None:
    assert lay_out(replace(CONTROLS, metre=(5, 4))).bar_frames == 20
    for metre in ((1, 32), (9, 4), (3, 64)):
        with pytest.raises(RequestError, match="cannot be laid on a grid"):
            lay_out(replace(CONTROLS, metre=metre))


def test_all_words_have_a_number() -> None:
    for density in DENSITIES:
        for era in ERAS:
            conditions = lay_out(replace(CONTROLS, density=density, era=era)).conditions
            assert (conditions[:, METRE:] != UNKNOWN[METRE:]).all()
    tempos = [lay_out(replace(CONTROLS, tempo_bpm=t)).conditions[0, TEMPO] for t in (40, 80, 200)]
    assert tempos == [0, 1, 2]
