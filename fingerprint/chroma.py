"""Chromaprint sub-fingerprints of the whole of a recording.

One 32-bit item describes `SECONDS_IN_ITEM` of sound; a new one starts every `SECONDS_PER_ITEM`. The
integers themselves are kept: a fingerprint string from outside is never given to the library.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from fingerprint.audio import Audio
from fingerprint.errors import DamagedFingerprintError, MissingProgramError, SilentAudioError

Items = NDArray[np.uint32]
Algorithm = Literal["chromaprint-test2"]

ALGORITHM: Final = "chromaprint-test2"
SECONDS_PER_ITEM: Final = 1365 / 11025
"""Chromaprint works at 11,025 Hz in frames of 4,096 with two thirds of overlap."""
SECONDS_IN_ITEM: Final = (4096 + 19 * 1365) / 11025
"""Sound that one item is computed from: 16 frames after a filter over 5."""
SILENCE_PEAK: Final = 3
"""Sound that stays within ± this many of the 32,768 steps of 16 bits is silence with dither."""

_BLOCK_FRAMES: Final = 2**18
_LIBRARY_ALGORITHM: Final = 1
_ITEM_BYTES: Final = 4
_FULL_SCALE: Final = 32_768


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What a recording sounds like, as bits.

    Attributes:
        items: One 32-bit integer for each `SECONDS_PER_ITEM`. Sound under about 2.7 s has none.
        duration_ms: Length of the sound, not of the items.
        algorithm: How the items were computed.
    """

    items: Items
    duration_ms: int
    algorithm: Algorithm = ALGORITHM

    def to_bytes(self) -> bytes:
        """The items as little-endian unsigned 32-bit integers."""
        return self.items.astype("<u4", copy=False).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, duration_ms: int) -> Self:
        """The fingerprint whose items `to_bytes` gave.

        Raises:
            DamagedFingerprintError: The bytes are no whole number of items.
        """
        if len(data) % _ITEM_BYTES:
            raise DamagedFingerprintError(
                f"a fingerprint of {len(data)} bytes is no whole number of 4-byte items. Compute it "
                "again from the audio."
            )
        return cls(np.frombuffer(data, "<u4").astype(np.uint32, copy=False), duration_ms)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fingerprint):
            return NotImplemented
        mine = (self.duration_ms, self.algorithm, self.to_bytes())
        return mine == (other.duration_ms, other.algorithm, other.to_bytes())

    def __hash__(self) -> int:
        return hash((self.duration_ms, self.algorithm, self.to_bytes()))


def fingerprint(audio: Audio) -> Fingerprint:
    """Fingerprints the whole length of a recording.

    Raises:
        SilentAudioError: The sound never leaves ± `SILENCE_PEAK`.
        MissingProgramError: libchromaprint is not installed.
    """
    library = _library()
    printer = library.Fingerprinter(_LIBRARY_ALGORITHM)
    printer.start(audio.sample_rate, audio.channels)
    peak = 0
    for block in _sixteen_bit_blocks(audio):
        peak = max(peak, int(block.max()), -int(block.min()))
        printer.feed(block.tobytes())
    if peak <= SILENCE_PEAK:
        raise SilentAudioError(
            f"the sound is silent: over {audio.duration:.1f} seconds it stays within ±{peak} of "
            f"{_FULL_SCALE} steps, and silence has no fingerprint. Give a recording one can hear."
        )
    items, _algorithm = library.decode_fingerprint(printer.finish())
    return Fingerprint(np.array(items, np.uint32), round(audio.duration * 1000))


def _sixteen_bit_blocks(audio: Audio) -> Iterator[NDArray[np.int16]]:
    """The sound in blocks of little-endian 16-bit samples, which is what the library hears."""
    for start in range(0, audio.frames, _BLOCK_FRAMES):
        block = audio.samples[start : start + _BLOCK_FRAMES]
        if block.dtype == np.int32:
            block = np.right_shift(block, 16)
        elif block.dtype.kind == "f":
            block = np.clip(np.rint(block * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
        yield np.ascontiguousarray(block, "<i2")


def _library() -> ModuleType:
    try:
        # Loading libchromaprint takes a while, and only fingerprinting needs it.
        import chromaprint  # noqa: PLC0415
    except ImportError as error:
        raise MissingProgramError(
            "the library libchromaprint, which fingerprints sound, is not installed. Install it: "
            "apt install libchromaprint1, dnf install libchromaprint, brew install chromaprint."
        ) from error
    return chromaprint
