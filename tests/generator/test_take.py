"""Sound as samples."""

import numpy as np
import pytest

from generator.errors import RenderError
from generator.take import SAMPLE_RATE, Pcm


def test_length_and_channels() -> None:
    pcm = Pcm(np.zeros((SAMPLE_RATE * 2, 2), np.int16))
    assert (pcm.frames, pcm.channels, pcm.seconds, pcm.sample_rate) == (88_200, 2, 2.0, 44_100)


def test_samples_cannot_be_written_to() -> None:
    pcm = Pcm(np.zeros((4, 2), np.int32), bits=24)
    with pytest.raises(ValueError, match="read-only"):
        pcm.samples[0, 0] = 1


@pytest.mark.parametrize(
    ("samples", "bits"),
    [
        (np.zeros(4, np.int16), 16),
        (np.zeros((4, 2), np.int32), 16),
        (np.zeros((4, 2), np.int16), 24),
        (np.zeros((4, 2), np.float32), 16),
        (np.zeros((4, 2), np.int16), 8),
    ],
)
def test_other_samples_are_refused(samples: np.ndarray, bits: int) -> None:
    with pytest.raises(RenderError, match=f"are not {bits}-bit sound"):
        Pcm(samples, bits=bits)
