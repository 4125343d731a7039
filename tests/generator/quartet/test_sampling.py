"""Composing with the shipped weights: what holds for every piece, and what makes it the same."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from generator.card import read_card
from generator.errors import RequestError
from generator.model import load_model
from generator.quartet.conditions import lay_out
from generator.quartet.network import Cache, QuartetNetwork
from generator.quartet.sampling import QuartetModel, Taste, draw
from generator.quartet.stream import delay
from generator.quartet.tokens import (
    HOLD,
    RANGES,
    REST,
    TICKS_PER_FRAME,
    TOKENS,
    VOICES,
    IntArray,
    begin_with_onsets,
)
from generator.request import Controls, GenerationRequest
from generator.score import QUARTET_VOICES, Score

CONTROLS = Controls(7, "major", (4, 4), 100, 4, "medium", "middle", "classical")
REQUEST = GenerationRequest("", seed=11)
PRINT_DIGEST = """
import sys
from generator.model import load_model
from generator.request import Controls, GenerationRequest
controls = Controls(7, "major", (4, 4), 100, 4, "medium", "middle", "classical")
sys.stdout.write(load_model().compose(GenerationRequest("", seed=11), controls).digest)
"""


@pytest.fixture(scope="module")
def piece(shipped: QuartetModel) -> Score:
    return shipped.compose(REQUEST, CONTROLS)


def test_the_same_seed_gives_the_same_notes_and_another_seed_others(shipped: QuartetModel, piece: Score) -> None:
    assert shipped.compose(REQUEST, CONTROLS) == piece
    assert shipped.compose(replace(REQUEST, seed=12), CONTROLS).digest != piece.digest


@pytest.mark.parametrize("threads", [1, 2])
def test_thread_settings_change_nothing_and_are_put_back(shipped: QuartetModel, piece: Score, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        inside: set[int] = set()
        made = shipped.compose(REQUEST, CONTROLS, lambda *_: inside.add(torch.get_num_threads()))
        assert made.digest == piece.digest
        assert inside == {1}
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_another_process_with_other_threads_gives_the_same_notes(piece: Score) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    result = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == piece.digest


def test_two_threads_of_one_process_do_not_disturb_each_other(shipped: QuartetModel, piece: Score) -> None:
    made: list[str] = []
    workers = [
        threading.Thread(target=lambda: made.append(shipped.compose(REQUEST, CONTROLS).digest)) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert made == [piece.digest] * 2


@pytest.mark.parametrize(
    "controls",
    [
        CONTROLS,
        replace(CONTROLS, mode="minor", metre=(3, 4), tempo_bpm=63, bars=5, density="sparse"),
        replace(CONTROLS, tonic=1, metre=(6, 8), bars=1, register="high", era="late-romantic"),
        replace(CONTROLS, tonic=10, metre=(3, 8), bars=2, density="busy", register="low"),
    ],
)
def test_a_piece_is_what_was_asked_for(shipped: QuartetModel, controls: Controls) -> None:
    score = shipped.compose(REQUEST, controls)
    assert score.title == ""
    assert tuple(voice.name for voice in score.voices) == QUARTET_VOICES
    assert [voice.program for voice in score.voices] == [40, 40, 41, 42]
    assert len(score.bars) == controls.bars
    assert {(bar.beats, bar.beat_type) for bar in score.bars} == {controls.metre}
    assert [tempo.microseconds_per_quarter for tempo in score.tempos] == [round(60e6 / controls.tempo_bpm)]
    assert score.seconds(score.length) == pytest.approx(controls.seconds, rel=1e-5)
    last = score.bars[-1]
    third = 4 if controls.mode == "major" else 3
    for voice, (low, high) in zip(score.voices, RANGES, strict=True):
        assert all(low <= note.pitch <= high for note in voice.notes)
        assert all(note.onset % TICKS_PER_FRAME == 0 for note in voice.notes)
        chord = [note for note in voice.notes if note.onset >= last.start]
        assert [(note.onset, note.end) for note in chord] == [(last.start, last.end)]
        assert (chord[0].pitch - controls.tonic) % 12 in {0, third, 7}
    assert score.voices[-1].notes[-1].pitch % 12 == controls.tonic


def test_controls_change_the_music(shipped: QuartetModel) -> None:
    def notes(density: str) -> int:
        controls = replace(CONTROLS, bars=12, density=density)
        score = shipped.compose(REQUEST, controls)
        return sum(len(voice.notes) for voice in score.voices)

    assert notes("sparse") < notes("busy")


def test_long_pieces_pass_through_several_windows(shipped: QuartetModel) -> None:
    told: list[tuple[int, int]] = []
    controls = replace(CONTROLS, metre=(2, 2), bars=40)
    score = shipped.compose(REQUEST, controls, lambda done, bars: told.append((done, bars)))
    assert told == [(bar, 40) for bar in range(1, 41)]
    onsets = sorted({note.onset for voice in score.voices for note in voice.notes})
    bar = score.bars[0].duration
    assert max(after - before for before, after in pairwise([0, *onsets])) <= bar + TICKS_PER_FRAME


@torch.inference_mode()
@pytest.mark.parametrize("bars", [3, 9])
def test_composing_shows_the_network_what_training_would(
    small_network: QuartetNetwork, bars: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scores of every new step are those of the window read at once, as in training."""
    seen: list[np.ndarray] = []
    advance = small_network.advance

    def listen(stream: torch.Tensor, cache: Cache | None = None) -> torch.Tensor:
        scores = advance(stream, cache)
        if stream.shape[1] == 1:
            seen.append(scores[0, 0].numpy())
        return scores

    monkeypatch.setattr(small_network, "advance", listen)
    layout = lay_out(replace(CONTROLS, bars=bars))
    model = QuartetModel(read_card(), small_network, torch.device("cpu"))
    tokens = model.compose_tokens(layout, 5, Taste(guidance=0))
    monkeypatch.undo()
    windows = [(0, 3, 0)] if bars == 3 else [(0, 4, 0), (2, 6, 4), (4, 8, 6), (6, 9, 8)]
    expected = []
    for first, end, done in windows:
        frames = slice(first * 16, end * 16)
        held = [_last_spoken(tokens[: first * 16 + 1, voice]) for voice in range(VOICES)]
        stream = delay(begin_with_onsets(tokens[frames], held), layout.conditions[frames])
        inputs = (stream.heard, stream.states, stream.conditions)
        scores = small_network(*(torch.from_numpy(part[None]) for part in inputs))
        expected.append(scores[0, (done - first) * 16 :].numpy())
    np.testing.assert_allclose(np.array(seen), np.concatenate(expected), atol=1e-5)


def _last_spoken(column: IntArray) -> int:
    return next((int(token) for token in column[::-1] if token != HOLD), REST)


def test_guidance_exaggerates_conditions(shipped: QuartetModel) -> None:
    layout = lay_out(CONTROLS)
    plain = shipped.compose_tokens(layout, 3, Taste(guidance=0))
    guided = shipped.compose_tokens(layout, 3, Taste(guidance=1.0))
    assert plain.shape == guided.shape
    assert not np.array_equal(plain, guided)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"temperature": 0.79}, "temperature is 0.79"),
        ({"temperature": 1.6}, "temperature is 1.6"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"nucleus": 0.0}, "nucleus is 0.0"),
        ({"nucleus": 1.1}, "nucleus is 1.1"),
        ({"guidance": -1.0}, "guidance is -1.0"),
    ],
)
def test_tastes_that_spoil_the_music_are_refused(values: dict[str, float], says: str) -> None:
    with pytest.raises(RequestError, match=says):
        Taste(**values)


@given(
    st.lists(st.floats(-20, 20), min_size=TOKENS, max_size=TOKENS),
    st.sets(st.integers(0, TOKENS - 1), min_size=1),
    st.floats(0, 1, exclude_max=True),
)
def test_only_what_is_allowed_is_drawn(scores: list[float], allowed: set[int], uniform: float) -> None:
    mask = np.isin(np.arange(TOKENS), list(allowed))
    assert draw(np.array(scores), mask, uniform, Taste()) in allowed


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    scores = np.log(np.array([0.5, 0.3, 0.15, 0.05]))
    everything = np.ones(4, bool)
    taste = Taste(temperature=1.0, nucleus=1.0)
    drawn = [draw(scores, everything, (i + 0.5) / 1000, taste) for i in range(1000)]
    assert [drawn.count(token) for token in range(4)] == [500, 300, 150, 50]
    nucleus = [draw(scores, everything, i / 1000, Taste(1.0, 0.9)) for i in range(1000)]
    assert set(nucleus) == {0, 1, 2}
    hot = [draw(scores, everything, i / 1000, Taste(1.5, 1.0)) for i in range(1000)]
    assert hot.count(3) > 50


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card with CUDA here")
def test_a_graphics_card_composes_too(shipped: QuartetModel) -> None:
    model = load_model(device="cuda")
    first, second = (model.compose(REQUEST, CONTROLS) for _ in range(2))
    assert first == second
    assert len(first.bars) == len(shipped.compose(REQUEST, CONTROLS).bars)
