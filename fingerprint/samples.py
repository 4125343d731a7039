"""The sample tables of one track: where its coded frames lie, and when each is played (ISO/IEC 14496-12, 8.6, 8.7)."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from fingerprint.boxes import Boxes, ambiguous, damaged, integers
from fingerprint.errors import AudioError

Range = tuple[int, int]
"""Position and number of bytes."""

_MAX_SAMPLES: Final = 4 * 2**20
_JITTER: Final = 20
"""A sample may be this part of a second off: clocks that count milliseconds are, and players pass over it."""


def ranges(tables: Boxes, file_bytes: int) -> tuple[Range, ...]:
    """The bytes of all samples in playing order; neighbours are joined.

    Raises:
        AudioError: The tables contradict one another or the file.
    """
    sizes = _sizes(tables[b"stsz"], file_bytes)
    found = tuple(_joined(_chunks(tables, sizes)))
    if not found:
        raise AudioError(
            "the audio track of the m4a file has no samples in its index (it is empty, or "
            "fragmented). Re-pack it: ffmpeg -i FILE -c copy NEW.m4a"
        )
    last = max(position + size for position, size in found)
    if last > file_bytes:
        raise AudioError(
            f"the m4a file is cut off: its audio ends at byte {last}, the file at byte {file_bytes}. Get the whole "
            "file again."
        )
    return found


def timing(tables: Boxes, timescale: int) -> tuple[Fraction, Fraction]:
    """(seconds from one sample to the next, seconds of all).

    The last sample may be shorter: what programs write there depends on how they round the length of the file.

    Raises:
        AudioError: The samples do not follow one another at one pace, or are not as many as there are sizes.
    """
    table = tables[b"stts"]
    (rows,) = integers(table, 4, ">I", 1)
    numbers = integers(table, 8, ">I", 2 * rows)
    runs = [(count, delta) for count, delta in zip(numbers[0::2], numbers[1::2], strict=True) if count]
    samples, length = sum(count for count, _ in runs), sum(count * delta for count, delta in runs)
    if samples != integers(tables[b"stsz"], 8, ">I", 1)[0]:
        raise damaged(f"times for {samples} samples, and sizes for another number")
    last = runs[-1][1] if runs else 0
    steps, distance = (samples - 1, length - last) if samples > 1 else (1, last)
    at = place = 0
    for count, delta in runs:
        at, place = at + count * delta, place + count
        if place < samples and abs(at * steps - distance * place) * _JITTER > timescale * steps:
            raise ambiguous("sound that stops and goes (its time table is not even)")
    if (last * steps - distance) * _JITTER > timescale * steps:
        raise ambiguous("a last sample that is played for longer than it lasts")
    return Fraction(distance, steps * timescale), Fraction(length, timescale)


def _sizes(content: bytes, file_bytes: int) -> list[int]:
    uniform, count = integers(content, 4, ">I", 2)
    if count > _MAX_SAMPLES:
        raise AudioError(
            f"the m4a file has {count} samples in its index; up to {_MAX_SAMPLES} are read "
            "(uncompressed sound has that many: give it as wav or flac)."
        )
    sizes = [uniform] * count if uniform else list(integers(content, 12, ">I", count))
    if sum(sizes) > file_bytes:
        raise AudioError(
            f"the m4a file is cut off or damaged: its sound should have {sum(sizes)} bytes, the "
            f"whole file has {file_bytes}. Get the whole file again."
        )
    return sizes


def _chunks(tables: Boxes, sizes: list[int]) -> Iterator[Range]:
    offsets = _chunk_offsets(tables)
    index = 0
    for offset, count in zip(offsets, _samples_per_chunk(tables[b"stsc"], len(offsets)), strict=False):
        yield offset, sum(sizes[index : index + count])
        index += count
    if index != len(sizes):
        raise damaged(f"{len(sizes)} samples, and places for {index}")


def _chunk_offsets(tables: Boxes) -> tuple[int, ...]:
    if b"stco" in tables and b"co64" in tables:
        raise ambiguous("two tables of chunk offsets (stco and co64)")
    if (content := tables.get(b"stco")) is not None:
        return integers(content, 8, ">I", *integers(content, 4, ">I", 1))
    if (content := tables.get(b"co64")) is not None:
        return integers(content, 8, ">Q", *integers(content, 4, ">I", 1))
    raise damaged("no chunk offsets (stco or co64)")


def _samples_per_chunk(content: bytes, chunks: int) -> Iterator[int]:
    """How many samples each chunk holds (stsc: runs of equal chunks)."""
    (count,) = integers(content, 4, ">I", 1)
    rows = integers(content, 8, ">I", 3 * count)
    if count and rows[0] != 1:
        raise damaged("a sample-to-chunk table (stsc) that is not in order")
    if set(rows[2::3]) - {1}:
        raise damaged("samples of a description (stsd) that is not there")
    firsts = [*rows[0::3], chunks + 1]
    for first, after, samples in zip(firsts, firsts[1:], rows[1::3], strict=False):
        if not 0 < first <= after <= chunks + 1:
            raise damaged("a sample-to-chunk table (stsc) that is not in order")
        yield from [samples] * (after - first)


def _joined(chunks: Iterator[Range]) -> Iterator[Range]:
    """The same bytes in the same order, in fewer ranges."""
    begin = length = 0
    for position, size in chunks:
        if position == begin + length:
            length += size
            continue
        if length:
            yield begin, length
        begin, length = position, size
    if length:
        yield begin, length
