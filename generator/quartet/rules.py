"""What the model may not write: hard rules, applied to every token before it is drawn.

Under the delay pattern the upper voices of a frame are fixed when a lower one is chosen, so the
rules hold exactly and not just mostly.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from generator.quartet.tokens import (
    FIRST_PITCH,
    HIGHEST,
    HOLD,
    LOWEST,
    RANGES,
    REST,
    TOKENS,
    VOICES,
    pitch_of,
)

BoolArray: TypeAlias = NDArray[np.bool_]

NO_PITCH: Final = -1
LARGEST_LEAP: Final = 19
"""Semitones from one pitch straight to the next."""
LARGEST_CROSSING: Final = (0, 5, 5, 0)
"""Semitones that each voice may lie above a higher one; the cello may not at all."""
MOST_STRIKES: Final = 16
"""How often in a row a voice may strike one pitch."""

_PITCHES: Final = np.arange(LOWEST, HIGHEST + 1)
_IN_RANGE: Final = [(low <= _PITCHES) & (high >= _PITCHES) for low, high in RANGES]
_PERFECT: Final = (0, 7)
_CELLO: Final = VOICES - 1


class Rules:
    """The rules of one piece, and as much of its past as they look at.

    - Every voice stays within its range, and makes no leap beyond `LARGEST_LEAP`.
    - No voice lies further above a higher one than `LARGEST_CROSSING` says.
    - Two voices that move in the same direction in one frame do not go from a fifth to a fifth
      or from an octave to an octave.
    - No voice strikes one pitch more than `MOST_STRIKES` times in a row.
    - The four are never silent together for longer than half a bar, and never without a new note
      for longer than a bar.
    - In the last bar all strike the tonic triad, the cello the tonic, and hold it to the end.
      There the rules on leaps, then on parallels, give way if nothing else is left.
    """

    def __init__(self, tonic: int, mode: str, frames: int, bar_frames: int) -> None:
        triad = (0, 4 if mode == "major" else 3, 7)
        self._triad = np.isin((_PITCHES - tonic) % 12, triad)
        self._tonic = (_PITCHES - tonic) % 12 == 0
        self._last_chord = frames - bar_frames
        self._longest_silence = max(1, bar_frames // 2)
        self._longest_stillness = bar_frames
        self._silence = 0
        self._stillness = 0
        self._moved = np.zeros(frames, np.bool_)
        self._history = np.full((frames + 1, VOICES), NO_PITCH, np.int64)
        self._struck = [NO_PITCH] * VOICES
        self._strikes = [0] * VOICES

    def allowed(self, frame: int, voice: int) -> BoolArray:
        """Which tokens a voice may write in a frame; at least one always is allowed.

        The voices above it must have written theirs for the same frame.
        """
        before = self._history[frame].tolist()
        now = self._history[frame + 1].tolist()
        ceiling = min(
            (pitch + LARGEST_CROSSING[voice] for pitch in now[:voice] if pitch != NO_PITCH),
            default=HIGHEST,
        )
        pitches = _IN_RANGE[voice] & (ceiling >= _PITCHES)
        free = pitches & ~_parallels(voice, before, now)
        if frame >= self._last_chord:
            return self._last_bar(frame, voice, before[voice], pitches, free)
        own = before[voice]
        if self._strikes[voice] >= MOST_STRIKES:
            free &= self._struck[voice] != _PITCHES
        allowed = np.empty(TOKENS, np.bool_)
        allowed[FIRST_PITCH:] = free & _near(own)
        must_strike = self._must_strike(frame, voice, now) and allowed[FIRST_PITCH:].any()
        allowed[HOLD] = own != NO_PITCH and own <= ceiling and not must_strike
        allowed[REST] = not must_strike
        return allowed

    def wrote(self, frame: int, voice: int, token: int) -> None:
        """Take note of what a voice wrote in a frame."""
        if token == HOLD:
            self._history[frame + 1, voice] = self._history[frame, voice]
        elif token != REST:
            pitch = pitch_of(token)
            again = pitch == self._struck[voice]
            self._strikes[voice] = self._strikes[voice] + 1 if again else 1
            self._struck[voice] = pitch
            self._history[frame + 1, voice] = pitch
            self._moved[frame] = True
        if voice == _CELLO:
            silent = bool((self._history[frame + 1] == NO_PITCH).all())
            self._silence = self._silence + 1 if silent else 0
            self._stillness = 0 if self._moved[frame] else self._stillness + 1

    def _must_strike(self, frame: int, voice: int, now: Sequence[int]) -> bool:
        """Whether it is left to the cello that something happens."""
        if voice != _CELLO or self._moved[frame]:
            return False
        silent = all(pitch == NO_PITCH for pitch in now[:voice])
        return self._stillness >= self._longest_stillness or (silent and self._silence >= self._longest_silence)

    def _last_bar(self, frame: int, voice: int, own: int, pitches: BoolArray, free: BoolArray) -> BoolArray:
        allowed = np.zeros(TOKENS, np.bool_)
        if frame > self._last_chord:
            allowed[HOLD] = True
            return allowed
        chord = self._tonic if voice == _CELLO else self._triad
        for choice in (free & _near(own) & chord, free & chord, pitches & chord):
            if choice.any():
                allowed[FIRST_PITCH:] = choice
                break
        return allowed


def _near(pitch: int) -> BoolArray:
    if pitch == NO_PITCH:
        return np.ones(len(_PITCHES), np.bool_)
    return np.abs(_PITCHES - pitch) <= LARGEST_LEAP


def _parallels(voice: int, before: Sequence[int], now: Sequence[int]) -> BoolArray:
    """Pitches that would move in parallel fifths or octaves with a higher voice."""
    banned = np.zeros(len(_PITCHES), np.bool_)
    own = before[voice]
    if own == NO_PITCH:
        return banned
    for from_pitch, to_pitch in zip(before[:voice], now[:voice], strict=True):
        if NO_PITCH in (from_pitch, to_pitch) or from_pitch == to_pitch:
            continue
        interval = (from_pitch - own) % 12
        if interval in _PERFECT:
            same_way = (_PITCHES - own) * (to_pitch - from_pitch) > 0
            banned |= same_way & ((to_pitch - _PITCHES) % 12 == interval)
    return banned
