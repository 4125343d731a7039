"""The room: where each voice sits, and what the walls add.

A voice reaches the two microphones directly, by one reflection from each of the six walls (image
sources of a shoebox: Allen and Berkley, JASA 65, 1979), and by a late tail of noise whose high
frequencies die away first. All three are one impulse response per seat and channel, and hearing a
voice in the room is one convolution.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from generator.ending import TAIL_SECONDS
from generator.strings import random_units, samples
from generator.take import SAMPLE_RATE

Stereo: TypeAlias = NDArray[np.float32]
"""An array of 2 by frames: left and right."""

_FFT_FRAMES: Final = 1 << 18
_METRES_PER_SECOND: Final = 343.0
_ROOM_METRES: Final = (11.0, 14.0, 6.5)
_LISTENER: Final = (5.3, 9.5, 1.6)
_STAGE_CENTRE: Final = (5.3, 4.0, 1.1)
_STAGE_RADIUS: Final = 1.9
_WIDEST_DEGREES: Final = 55.0
_WALL_REFLECTS: Final = 0.35
_WIDTH: Final = 1.2
"""How far a source at the edge of the stage is panned; more than pi/2 would be beyond one side."""
_TAIL_LEVEL: Final = 0.35
"""Effective value of the whole tail relative to the direct sound."""
_TAIL_BANDS: Final = ((0.0, 400.0, 1.5), (400.0, 2_500.0, 1.25), (2_500.0, 22_050.0, 0.7))
"""From and to in Hz, and seconds until the band is 60 dB weaker."""
_TAIL_STARTS: Final = 0.012
_TAIL_GROWS: Final = 0.05
_NEPERS_60_DB: Final = 6.907755


@dataclass(frozen=True, slots=True)
class Seat:
    """A place on the stage: -1 is the far left, 1 the far right."""

    position: float


def seats(count: int) -> tuple[Seat, ...]:
    """Places for so many voices, from left to right in a half circle."""
    if count == 1:
        return (Seat(0.0),)
    return tuple(Seat(2 * index / (count - 1) - 1) for index in range(count))


def hear(line: NDArray[np.float32], seat: Seat, frames: int) -> Stereo:
    """A voice as it sounds in the room.

    Args:
        line: Samples of the voice.
        seat: Where it sits.
        frames: Length of the result; what rings longer is cut off.
    """
    left, right = _spectra(seat)
    step = _FFT_FRAMES - samples(TAIL_SECONDS) + 1
    heard = np.zeros((2, frames), np.float32)
    for start in range(0, len(line), step):
        block = line[start : start + step]
        if not block.any():
            continue
        spectrum = np.fft.rfft(block, _FFT_FRAMES)
        reach = min(_FFT_FRAMES, frames - start)
        for channel, response in enumerate((left, right)):
            ringing = np.fft.irfft(spectrum * response, _FFT_FRAMES)
            heard[channel, start : start + reach] += ringing[:reach]
    return heard


@lru_cache(maxsize=16)
def _spectra(seat: Seat) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    left, right = impulse_response(seat).T
    return (
        np.fft.rfft(left, _FFT_FRAMES).astype(np.complex64),
        np.fft.rfft(right, _FFT_FRAMES).astype(np.complex64),
    )


def impulse_response(seat: Seat) -> NDArray[np.float64]:
    """What a click at the seat sounds like: frames × 2, the direct sound first."""
    frames = samples(TAIL_SECONDS)
    response = np.zeros((frames, 2))
    arrivals = list(_arrivals(seat))
    earliest = min(delay for delay, _, _ in arrivals)
    for delay, level, pan in arrivals:
        angle = (1 + pan) * np.pi / 4
        response[samples(delay - earliest)] += level * np.array([np.cos(angle), np.sin(angle)])
    return response + _TAIL_LEVEL * _tail(frames)


def _arrivals(seat: Seat) -> Iterator[tuple[float, float, float]]:
    """Delay in seconds, amplitude relative to the direct sound, and pan from -1 to 1."""
    turn = np.radians(_WIDEST_DEGREES * seat.position)
    source = np.array(_STAGE_CENTRE) + _STAGE_RADIUS * np.array([np.sin(turn), -np.cos(turn), 0.0])
    listener = np.array(_LISTENER)
    direct = float(np.linalg.norm(source - listener))
    yield direct / _METRES_PER_SECOND, 1.0, _pan(source - listener)
    for axis in range(3):
        for wall in (0.0, _ROOM_METRES[axis]):
            image = source.copy()
            image[axis] = 2 * wall - source[axis]
            distance = float(np.linalg.norm(image - listener))
            level = _WALL_REFLECTS * direct / distance
            yield distance / _METRES_PER_SECOND, level, _pan(image - listener)


def _pan(direction: NDArray[np.float64]) -> float:
    sideways = float(direction[0] / np.linalg.norm(direction[:2]))
    return max(-0.9, min(0.9, 2 * sideways))


@lru_cache(maxsize=1)
def _tail(frames: int) -> NDArray[np.float64]:
    """The late reverberation, frames × 2, with an effective value of 1 in all."""
    seconds = np.arange(frames) / SAMPLE_RATE
    hz = np.fft.rfftfreq(frames, 1 / SAMPLE_RATE)
    tail = np.zeros((frames, 2))
    for channel in range(2):
        spectrum = np.fft.rfft(random_units(31 + channel, frames))
        for low, high, decay in _TAIL_BANDS:
            band = np.fft.irfft(np.where((hz >= low) & (hz < high), spectrum, 0), frames)
            tail[:, channel] += band * np.exp(-_NEPERS_60_DB / decay * seconds)
    tail *= np.clip((seconds - _TAIL_STARTS) / _TAIL_GROWS, 0, 1)[:, None]
    tail *= np.clip((TAIL_SECONDS - seconds) / 0.3, 0, 1)[:, None]
    return np.asarray(tail / np.sqrt((tail**2).sum() / 2), np.float64)
