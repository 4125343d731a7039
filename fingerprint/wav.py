"""A wav file that is never written: the samples in memory, read as if they lay in a file."""

import io
import struct
from typing import Final

import numpy as np

from fingerprint.audio import Audio
from fingerprint.errors import AudioError

_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_PCM: Final = 1
_MOST_BYTES: Final = 2**32 - 1 - _HEADER.size


class WavStream(io.RawIOBase):
    """Sound as the bytes of a wav file (RIFF/WAVE, integer PCM), for readers that take a stream.

    16-bit samples are read where they lie; left-justified 32-bit samples are written as 24 bits.

    Args:
        audio: int16, or int32 with the lowest 8 bits 0.

    Raises:
        AudioError: The samples are of another type, or too many for a wav file.
    """

    def __init__(self, audio: Audio) -> None:
        super().__init__()
        if audio.samples.dtype == np.int16:
            width, samples = 2, np.ascontiguousarray(audio.samples, "<i2").reshape(-1).view(np.uint8)
        elif audio.samples.dtype == np.int32:
            packed = np.ascontiguousarray(audio.samples, "<i4").view(np.uint8).reshape(-1, 4)[:, 1:]
            width, samples = 3, np.ascontiguousarray(packed).reshape(-1)
        else:
            raise AudioError(f"Samples of {audio.samples.dtype} are not integer PCM; encode them instead.")
        if samples.nbytes > _MOST_BYTES:
            raise AudioError(f"{samples.nbytes} bytes of sound are more than a wav file can hold; use flac.")
        frame = width * audio.channels
        padding = samples.nbytes % 2
        self._head = _HEADER.pack(
            b"RIFF",
            _HEADER.size - 8 + samples.nbytes + padding,
            b"WAVE",
            b"fmt ",
            16,
            _PCM,
            audio.channels,
            audio.sample_rate,
            audio.sample_rate * frame,
            frame,
            width * 8,
            b"data",
            samples.nbytes,
        )
        self._pieces = (memoryview(self._head), samples.data, memoryview(bytes(padding)))
        self._size = sum(len(piece) for piece in self._pieces)
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The place from which is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place, as in any file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # any buffer is a memoryview here
        """Fill a buffer as far as there are bytes left."""
        target = memoryview(buffer).cast("B")
        filled, start = 0, 0
        for piece in self._pieces:
            first = max(0, self._at - start)
            part = piece[first : first + len(target) - filled]
            target[filled : filled + len(part)] = part
            filled += len(part)
            self._at += len(part)
            start += len(piece)
        return filled
