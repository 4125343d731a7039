"""Whether a sound is a recording and nothing else: what is left of it when the recording is taken away.

A fingerprint cannot tell: it hears melody and harmony up to 3.5 kHz, and two seconds of speech, or cymbals as loud as
the music, may change fewer of its bits than an honest encoder does (`python -m bench.identity`). So the stored
recording is laid under the sound, set to the same level and subtracted. What remains of an honest copy is the noise of
its encoder, which follows the music and stays far below it at every moment; what somebody has added does not.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fingerprint.audio import Audio

SHOWN_BELOW: Final = -24.0
"""Decibels. A sound is shown to be a recording where, at every moment, no more than this is left of it.

Chosen from `bench.identity`: encodings from about 160 kbit/s, other sample rates, levels and lengths stay below; a
second recording, a voice or noise 20 dB below the music does not, and neither does a voice of two seconds at that
level. Coarser encodings cannot be told from a quiet addition, and are not shown to be anything.
"""

Signal = NDArray[np.float64]
_Spectra = NDArray[np.complex128]

_WINDOW_SECONDS: Final = 0.08
_HOP_SECONDS: Final = 0.04
"""Whole numbers of samples at every usual rate, so that spectra at two rates have the same frequencies."""
_MOMENT_FRAMES: Final = 15
"""0.6 seconds."""
_QUIET: Final = 0.01
"""Where the recording is softer than this share of its mean power, what is left is compared with that."""
_BLOCK_FRAMES: Final = 256

_EXCERPT_SECONDS: Final = 6.0
_SEARCH_SECONDS: Final = 0.3
"""Fingerprints place a sound to about 0.15 s."""
_SEARCH_HERTZ: Final = 4000
_SEARCH_RATE: Final = 48_000
_LEAST: Final = 1e-12


@dataclass(frozen=True, slots=True)
class _Laid:
    """The power of a sound and of a recording in each frame, and what they have in common."""

    sound: Signal
    recording: Signal
    common: Signal


def remainder(sound: Audio, recording: Audio, offset: float) -> float:
    """How much is left of a sound at its worst moment when a recording is taken away from it.

    Args:
        sound: What somebody brings.
        recording: What it may be.
        offset: Seconds into the recording at which the sound begins, to about 0.15 s; negative where it begins before.

    Returns:
        Decibels relative to the recording's power in that moment of 0.6 s; infinity where they have nothing in
        common. Where the sound goes on before or behind the recording, all of it is left.
    """
    laid = _lay(sound, recording, _precise(sound, recording, offset))
    common = float(laid.common.sum())
    if not common:
        return math.inf
    gain = common / float(laid.recording.sum())
    left = _moments(laid.sound - 2 * gain * laid.common + gain**2 * laid.recording)
    beneath = _moments(gain**2 * laid.recording)
    worst = float((left / np.maximum(beneath, _QUIET * beneath.mean())).max())
    return 10 * math.log10(max(worst, _LEAST))


def _precise(sound: Audio, recording: Audio, offset: float) -> float:
    """The offset to a fraction of a sample: the peak of the correlation of the loudest seconds."""
    rate, known_rate = sound.sample_rate, recording.sample_rate
    count = min(sound.frames, round(_EXCERPT_SECONDS * rate))
    starts = range(0, sound.frames - count + 1, max(1, count // 2))
    first = max(starts, key=lambda at: float(np.square(_stretch(sound, None, at, count)).sum()))
    seconds = count / rate + 2 * _SEARCH_SECONDS
    at = round((first / rate + offset - _SEARCH_SECONDS) * known_rate)
    excerpt = np.zeros(round(seconds * rate))
    excerpt[:count] = _stretch(sound, None, first, count)
    beside = _stretch(recording, None, at, round(seconds * known_rate))
    highest = min(int(_SEARCH_HERTZ * seconds), len(excerpt) // 2, len(beside) // 2)
    cross = np.conj(np.fft.rfft(excerpt)[:highest]) * np.fft.rfft(beside)[:highest]
    cross /= np.sqrt(np.abs(cross)) + _LEAST
    size = 1 << math.ceil(math.log2(seconds * _SEARCH_RATE))
    correlation = np.fft.irfft(cross, size)
    step = seconds / size
    peak = int(np.argmax(correlation[1 : int(2 * _SEARCH_SECONDS / step)])) + 1
    before, top, behind = correlation[peak - 1 : peak + 2]
    curvature = before - 2 * top + behind
    between = 0.5 * (before - behind) / curvature if curvature else 0.0
    return float(at / known_rate + (peak + between) * step - first / rate)


def _lay(sound: Audio, recording: Audio, start: float) -> _Laid:
    """Compares every frame of the sound, channel by channel, with what the recording has there."""
    alike = sound.channels == recording.channels
    frames = max(1, math.floor((sound.duration - _WINDOW_SECONDS) / _HOP_SECONDS) + 1)
    sums = np.zeros((3, frames))
    for first in range(0, frames, _BLOCK_FRAMES):
        times = np.arange(first, min(first + _BLOCK_FRAMES, frames), dtype=np.float64) * _HOP_SECONDS
        part = sums[:, first : first + len(times)]
        for channel in range(sound.channels):
            mine = _spectra(sound, channel, times)
            theirs = _spectra(recording, channel if alike else None, times + start)
            bins = min(mine.shape[1], theirs.shape[1])
            part[0] += _power(mine)
            part[1] += _power(theirs)
            part[2] += np.einsum("ij,ij->i", np.conj(theirs[:, :bins]), mine[:, :bins]).real
    return _Laid(*sums)


def _spectra(audio: Audio, channel: int | None, times: Signal) -> _Spectra:
    """Frames × frequencies in steps of 12.5 Hz, of windows that begin at so many seconds."""
    rate = audio.sample_rate
    size = round(_WINDOW_SECONDS * rate)
    starts = np.rint(times * rate).astype(np.int64)
    whole = _stretch(audio, channel, int(starts[0]), int(starts[-1] - starts[0]) + size)
    frames = np.lib.stride_tricks.sliding_window_view(whole, size)[starts - starts[0]]
    spectra = np.fft.rfft(frames * np.hanning(size + 1)[:-1], axis=1) / size
    late = times - starts / rate
    turn: _Spectra = np.exp(2j * np.pi * np.outer(late, np.arange(spectra.shape[1]) * rate / size))
    return spectra * turn


def _stretch(audio: Audio, channel: int | None, first: int, count: int) -> Signal:
    """Samples from `first` on, full scale being 1, with silence where there are none; None mixes the channels."""
    stretch = np.zeros(count)
    begin, end = max(0, first), min(audio.frames, first + count)
    if begin < end:
        part = audio.samples[begin:end].astype(np.float64)
        scale = 1.0 if audio.samples.dtype.kind == "f" else 2.0 ** (8 * audio.samples.itemsize - 1)
        stretch[begin - first : end - first] = (part.mean(axis=1) if channel is None else part[:, channel]) / scale
    return stretch


def _power(spectra: _Spectra) -> Signal:
    power: Signal = np.square(spectra.real).sum(axis=1) + np.square(spectra.imag).sum(axis=1)
    return power


def _moments(frames: Signal) -> Signal:
    """The power in every moment."""
    return np.convolve(frames, np.ones(min(_MOMENT_FRAMES, len(frames))), "valid")
