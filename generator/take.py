"""Sound as samples: a mix and the stems it is the sum of."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from generator.errors import RenderError
from generator.score import Score

SAMPLE_RATE: Final = 44_100
"""Frames a second."""

Samples: TypeAlias = NDArray[np.int16] | NDArray[np.int32]

_DTYPES: Final = {16: np.dtype(np.int16), 24: np.dtype(np.int32)}


@dataclass(frozen=True, slots=True, eq=False)
class Pcm:
    """Sound. The samples cannot be written to.

    Attributes:
        samples: frames × channels. 16 bits: int16; 24 bits: int32, left-justified, so that the
            lowest 8 bits are 0.
        bits: 16 or 24.
        sample_rate: Hz.

    Raises:
        RenderError: The samples do not have that shape or type.
    """

    samples: Samples
    bits: int = 16
    sample_rate: int = SAMPLE_RATE

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != _DTYPES.get(self.bits):  # noqa: PLR2004
            raise RenderError(
                f"Samples of {self.samples.dtype} with the shape {self.samples.shape} are not "
                f"{self.bits}-bit sound: frames by channels of int16, or int32 for 24 bits."
            )
        self.samples.flags.writeable = False

    @property
    def frames(self) -> int:
        """Length in frames (one sample per channel)."""
        return int(self.samples.shape[0])

    @property
    def channels(self) -> int:
        """1 is mono, 2 is stereo."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


@dataclass(frozen=True, slots=True, eq=False)
class Stem:
    """The sound of one voice, in its place in the room.

    Attributes:
        name: Of the voice.
        pcm: As long as the mix.
    """

    name: str
    pcm: Pcm


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """Notes and their sound.

    Attributes:
        score: What was played.
        stems: One for each voice, in the order of the score.
        mix: Sample by sample the sum of the stems.
    """

    score: Score
    stems: tuple[Stem, ...]
    mix: Pcm
