"""The room: seats, impulse responses, and a convolution that agrees with the definition."""

import numpy as np
import pytest

from generator import room
from generator.ending import TAIL_SECONDS
from generator.room import Seat, hear, impulse_response, seats
from generator.strings import samples


def test_voices_sit_from_left_to_right() -> None:
    assert [seat.position for seat in seats(4)] == pytest.approx([-1, -1 / 3, 1 / 3, 1])
    assert seats(1) == (Seat(0.0),)
    assert len(set(seats(8))) == 8


def test_the_direct_sound_comes_first_and_from_the_right_side() -> None:
    for seat in seats(4):
        response = impulse_response(seat)
        left, right = response[0]
        assert np.abs(response).max() == max(left, right)
        assert bool(left > right) is (seat.position < 0)
        assert left**2 + right**2 == pytest.approx(1)


def test_reflections_follow_and_the_tail_dies_away() -> None:
    response = impulse_response(Seat(0.5))
    assert response.shape == (samples(TAIL_SECONDS), 2)
    assert (np.abs(response[20 : samples(0.05)]) > 0.05).sum() >= 6
    assert np.abs(response[samples(0.6) : samples(0.7)]).max() > np.abs(response[samples(1.1) : samples(1.2)]).max()
    assert np.abs(response[-10:]).max() < 1e-5


def test_hearing_is_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also across the blocks in which it is computed, and for a room that rings to the last frame."""
    response = impulse_response(Seat(-0.3))
    response[-1] = 0.8, -0.6
    monkeypatch.setattr(room, "impulse_response", lambda _: response)
    monkeypatch.setattr(room, "_FFT_FRAMES", 1 << 16)
    room._spectra.cache_clear()
    line = np.zeros(30_000, np.float32)
    step = (1 << 16) - samples(TAIL_SECONDS) + 1
    for frame, value in ((0, 1.0), (step - 1, -0.5), (step, 0.25), (29_999, 0.7)):
        line[frame] = value
    frames = len(line) + samples(TAIL_SECONDS)
    heard = hear(line, Seat(-0.3), frames)
    room._spectra.cache_clear()
    expected = np.zeros((2, frames))
    for frame in np.flatnonzero(line):
        expected[:, frame : frame + len(response)] += line[frame] * response.T
    assert np.abs(heard - expected).max() < 1e-5


def test_silence_stays_silent() -> None:
    assert not hear(np.zeros(1000, np.float32), Seat(0.0), 2000).any()


def test_what_rings_beyond_the_end_is_cut_off() -> None:
    line = np.ones(100, np.float32)
    assert np.array_equal(hear(line, Seat(0.0), 150), hear(line, Seat(0.0), 5000)[:, :150])
