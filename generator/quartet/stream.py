"""Excerpts as the network reads and writes them: voices delayed against each other.

At step s the network is told what voice v did in frame s - v - 1 and what is wanted in frame s;
it answers with what voice v does in frame s - v. When a lower voice is chosen, the upper ones
are therefore already fixed for the same frame.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from generator.quartet.conditions import FIELDS, POSITION, UNKNOWN
from generator.quartet.tokens import (
    BEFORE_START,
    DELAY_STEPS,
    STATE_BEFORE_START,
    VOICES,
    IntArray,
    sounding,
)

NO_TARGET: Final = -100
"""What a loss function skips: a step at which a voice has nothing to say."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One excerpt, or a batch of them, with the batch first.

    Attributes:
        heard: steps by voices, sounding ids of the frame before.
        states: steps by voices, how that came about.
        conditions: steps by fields.
        targets: steps by voices, the tokens to be written, `NO_TARGET` where there are none.
    """

    heard: IntArray
    states: IntArray
    conditions: IntArray
    targets: IntArray

    @classmethod
    def stack(cls, streams: "list[Stream]") -> "Stream":
        """Several excerpts of equal length as a batch."""
        return cls(
            np.stack([stream.heard for stream in streams]),
            np.stack([stream.states for stream in streams]),
            np.stack([stream.conditions for stream in streams]),
            np.stack([stream.targets for stream in streams]),
        )


def delay(tokens: IntArray, conditions: IntArray, frames: int | None = None) -> Stream:
    """The stream of an excerpt, padded to a number of frames.

    Args:
        tokens: frames by voices.
        conditions: frames by fields.
        frames: At least the number of frames there are, which is also the default.
    """
    length = len(tokens)
    steps = (length if frames is None else frames) + DELAY_STEPS
    heard_now, states_now = sounding(tokens)
    heard = np.full((steps + 1, VOICES), BEFORE_START, np.int64)
    states = np.full((steps + 1, VOICES), STATE_BEFORE_START, np.int64)
    targets = np.full((steps, VOICES), NO_TARGET, np.int64)
    for voice in range(VOICES):
        heard[voice + 1 : voice + 1 + length, voice] = heard_now[:, voice]
        states[voice + 1 : voice + 1 + length, voice] = states_now[:, voice]
        targets[voice : voice + length, voice] = tokens[:, voice]
    return Stream(heard[:steps], states[:steps], pad_conditions(conditions, steps), targets)


def pad_conditions(conditions: IntArray, steps: int) -> IntArray:
    """Conditions of every step: after the last frame the last ones, with no position."""
    padded = np.empty((steps, FIELDS), np.int64)
    padded[: len(conditions)] = conditions
    padded[len(conditions) :] = conditions[-1]
    padded[len(conditions) :, POSITION] = UNKNOWN[POSITION]
    return padded
