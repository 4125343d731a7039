"""ISO base media files (m4a, mp4): where the coded audio lies (ISO/IEC 14496-12)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from fingerprint.errors import AudioError

_MAX_MOVIE_BYTES: Final = 16 * 2**20
_MAX_SAMPLES: Final = _MAX_MOVIE_BYTES // 4
_MAX_BOXES: Final = 10_000
_CONTAINERS_TO_TABLES: Final = (b"mdia", b"minf", b"stbl")
_SIZE_IS_64_BITS: Final = 1
_SHORT_HEADER: Final = 8
_LONG_HEADER: Final = 16


@dataclass(frozen=True, slots=True)
class Track:
    """The first audio track of a file.

    Attributes:
        ranges: (position, bytes) of its samples in playing order; neighbours are joined.
        duration: Seconds.
    """

    ranges: tuple[tuple[int, int], ...]
    duration: float


def read_track(file: BinaryIO) -> Track:
    """Finds the samples of the first audio track, wherever in the file they lie.

    Raises:
        AudioError: There is no audio track, the file is cut off, fragmented, or its tables
            contradict one another or the file.
    """
    end = file.seek(0, 2)
    movie = _movie(file, end)
    track = _audio_track(movie)
    tables = dict(_children(_descend(track, _CONTAINERS_TO_TABLES)))
    sizes = _sample_sizes(tables, end)
    ranges = tuple(_joined(_sample_ranges(tables, sizes)))
    if not ranges:
        raise AudioError(
            "the audio track of the m4a file has no samples in its index (it is empty, or "
            "fragmented). Re-pack it: ffmpeg -i FILE -c copy NEW.m4a"
        )
    last = max(position + size for position, size in ranges)
    if last > end:
        raise AudioError(
            f"the m4a file is cut off: its audio ends at byte {last}, the file at byte {end}. Get the whole file again."
        )
    return Track(ranges, _duration(track))


def _movie(file: BinaryIO, end: int) -> bytes:
    """The `moov` box's content; the other boxes are stepped over."""
    position = 0
    for _ in range(_MAX_BOXES):
        if position == end:
            break
        file.seek(position)
        size, kind, header = _box_header(file.read(_LONG_HEADER), end - position)
        if position + size > end:
            raise AudioError(
                f"the m4a file is cut off: the box {kind!r} at byte {position} should have {size} "
                f"bytes, {end - position} are there. Get the whole file again."
            )
        if kind == b"moov":
            if size > _MAX_MOVIE_BYTES:
                raise AudioError(
                    f"the m4a file has an index of {size} bytes; up to {_MAX_MOVIE_BYTES} are read. Split the file."
                )
            file.seek(position + header)
            return file.read(size - header)
        position += size
    raise AudioError(
        "the m4a file has no index (no `moov` box): it was cut off or never finished. Get the whole file again."
    )


def _box_header(head: bytes, available: int) -> tuple[int, bytes, int]:
    """(size of the box, its four letters, size of its header)."""
    if len(head) < _SHORT_HEADER:
        raise _damaged("a box of fewer than 8 bytes")
    size, kind = struct.unpack_from(">I4s", head)
    header = _SHORT_HEADER
    if size == _SIZE_IS_64_BITS and len(head) >= _LONG_HEADER:
        (size,) = struct.unpack_from(">Q", head, _SHORT_HEADER)
        header = _LONG_HEADER
    elif size == 0:
        size = available
    if size < header:
        raise _damaged(f"a box {kind!r} of {size} bytes")
    return size, kind, header


def _children(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(four letters, content) of every box inside a box."""
    position = 0
    while position + _SHORT_HEADER <= len(content):
        size, kind, header = _box_header(content[position : position + _LONG_HEADER], len(content) - position)
        if position + size > len(content):
            raise _damaged(f"a box {kind!r} that is larger than the box it lies in")
        yield kind, content[position + header : position + size]
        position += size


def _audio_track(movie: bytes) -> bytes:
    for kind, content in _children(movie):
        if kind == b"trak":
            handler = dict(_children(_descend(content, (b"mdia",)))).get(b"hdlr", b"")
            if handler[8:12] == b"soun":
                return content
    raise AudioError("the m4a file has no audio track. Give a file that holds sound.")


def _descend(content: bytes, path: tuple[bytes, ...]) -> bytes:
    for name in path:
        boxes = dict(_children(content))
        if name not in boxes:
            raise _damaged(f"no box {name!r} in the track")
        content = boxes[name]
    return content


def _duration(track: bytes) -> float:
    """Seconds, from the media header."""
    header = dict(_children(_descend(track, (b"mdia",)))).get(b"mdhd", b"")
    layout, offset = (">IQ", 20) if header[:1] == b"\x01" else (">II", 12)
    if len(header) < offset + struct.calcsize(layout):
        raise _damaged("no duration")
    timescale, duration = struct.unpack_from(layout, header, offset)
    if timescale == 0:
        raise _damaged("a time scale of 0")
    return float(duration / timescale)


def _sample_sizes(tables: dict[bytes, bytes], file_bytes: int) -> list[int]:
    content = tables.get(b"stsz")
    if content is None:
        raise _damaged("no sample sizes (stsz)")
    uniform, count = _integers(content, 4, ">I", 2)
    if count > _MAX_SAMPLES:
        raise AudioError(
            f"the m4a file has {count} samples in its index; up to {_MAX_SAMPLES} are read "
            "(uncompressed sound has that many: give it as wav or flac)."
        )
    sizes = [uniform] * count if uniform else list(_integers(content, 12, ">I", count))
    if sum(sizes) > file_bytes:
        raise AudioError(
            f"the m4a file is cut off or damaged: its sound should have {sum(sizes)} bytes, the "
            f"whole file has {file_bytes}. Get the whole file again."
        )
    return sizes


def _chunk_offsets(tables: dict[bytes, bytes]) -> tuple[int, ...]:
    if (content := tables.get(b"stco")) is not None:
        return _integers(content, 8, ">I", *_integers(content, 4, ">I", 1))
    if (content := tables.get(b"co64")) is not None:
        return _integers(content, 8, ">Q", *_integers(content, 4, ">I", 1))
    raise _damaged("no chunk offsets (stco or co64)")


def _samples_per_chunk(tables: dict[bytes, bytes], chunks: int) -> Iterator[int]:
    """How many samples each chunk holds (stsc: runs of equal chunks)."""
    content = tables.get(b"stsc")
    if content is None:
        raise _damaged("no sample-to-chunk table (stsc)")
    (count,) = _integers(content, 4, ">I", 1)
    rows = _integers(content, 8, ">I", 3 * count)
    firsts = [*rows[0::3], chunks + 1]
    for first, after, samples in zip(firsts, firsts[1:], rows[1::3], strict=False):
        if not 0 < first <= after <= chunks + 1:
            raise _damaged("a sample-to-chunk table (stsc) that is not in order")
        yield from [samples] * (after - first)


def _sample_ranges(tables: dict[bytes, bytes], sizes: list[int]) -> Iterator[tuple[int, int]]:
    offsets = _chunk_offsets(tables)
    index = 0
    for offset, count in zip(offsets, _samples_per_chunk(tables, len(offsets)), strict=False):
        chunk = sizes[index : index + count]
        yield offset, sum(chunk)
        index += len(chunk)
    if index != len(sizes):
        raise _damaged(f"{len(sizes)} samples of which only {index} have a place")


def _joined(ranges: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same bytes in the same order, in fewer ranges."""
    begin = length = 0
    for position, size in ranges:
        if position == begin + length:
            length += size
            continue
        if length:
            yield begin, length
        begin, length = position, size
    if length:
        yield begin, length


def _integers(content: bytes, offset: int, layout: str, count: int) -> tuple[int, ...]:
    """`count` integers of one kind."""
    needed = offset + count * struct.calcsize(layout)
    if needed > len(content):
        raise _damaged(f"a table of {len(content)} bytes that should have {needed}")
    return struct.unpack_from(f">{count}{layout[-1]}", content, offset)


def _damaged(what: str) -> AudioError:
    return AudioError(f"the m4a file is damaged: it has {what}. Get the file again.")
