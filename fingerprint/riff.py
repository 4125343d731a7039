"""The chunks of a wav file (RIFF and RF64): whether all of its sound is there."""

import struct
from typing import BinaryIO, Final

from fingerprint.errors import AudioError

_CHUNK: Final = struct.Struct("<4sI")
_UNKNOWN: Final = 0xFFFFFFFF
"""The size a program writes that cannot go back to correct it (and RF64, which says it twice)."""
_MAX_CHUNKS: Final = 1000


def require_whole(file: BinaryIO) -> None:
    """Checks that the `data` chunk is as long as it says.

    The decoder would silently play what is there. A data size that was never filled in
    (0xFFFFFFFF, from a pipe) says nothing and passes.

    Raises:
        AudioError: The file is cut off, or has no `data` chunk.
    """
    end = file.seek(0, 2)
    position = _CHUNK.size + 4
    size_in_ds64: int | None = None
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        head = file.read(_CHUNK.size)
        if len(head) < _CHUNK.size:
            break
        name, size = _CHUNK.unpack(head)
        position += _CHUNK.size
        if name == b"ds64":
            (size_in_ds64,) = struct.unpack("<Q", file.read(24)[8:16].ljust(8, b"\0"))
        if name == b"data":
            promised = size_in_ds64 if size == _UNKNOWN else size
            if promised is not None and position + promised > end:
                raise AudioError(
                    f"the wav file is cut off: its sound should have {promised} bytes, "
                    f"{end - position} are there. Get the whole file again."
                )
            return
        position += size + size % 2
    raise AudioError("the wav file has no sound in it (no `data` chunk). Get the whole file again.")
