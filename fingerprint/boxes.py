"""The boxes of ISO base media files (m4a, mp4): finding them, and refusing what players read differently.

ISO/IEC 14496-12, 4.2. One player finds its boxes in their places, another wherever their names occur; one takes the
first of two, another the last. What is given here has one reading only.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from fingerprint.errors import AudioError

Boxes = dict[bytes, bytes]
"""The content of each box inside a box, by its four letters."""

_MAX_MOVIE_BYTES: Final = 16 * 2**20
_MAX_BOXES: Final = 10_000
_MAX_DEPTH: Final = 8
_SIZE_IS_64_BITS: Final = 1
_SHORT_HEADER: Final = 8
_LONG_HEADER: Final = 16

_FILLERS: Final = frozenset({b"free", b"skip", b"wide"})
_TAGS: Final = frozenset({b"udta", b"meta"})
_FULL_BOX: Final = 4
"""Version and flags, in front of the boxes inside `meta`."""
_INSIDE_TAGS: Final = frozenset({b"udta", b"meta", b"ilst"})
_STRUCTURE: Final = frozenset(
    b"moov hoov cmov dcom cmvd rmra rmda mvhd trak tkhd tref edts elst mdia mdhd minf smhd dinf dref stbl stsd stts "
    b"ctts stsc stsz stz2 stco co64 stss stps sdtp sgpd sbgp subs saiz saio senc wave esds sinf schi mvex mehd trex "
    b"moof mfhd traf tfhd tfdt trun sidx mfra mdat".split()
)
"""Boxes that say what is played; among the tags they would be found by some players and not by others."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a box may hold, besides fillers.

    Attributes:
        name: Its four letters.
        required: Boxes that are there exactly once.
        optional: Boxes that are there once at most.
        many: Boxes that are there any number of times, and are read elsewhere.
        tags: Whether tags (`udta`, `meta`) are passed over.
    """

    name: bytes
    required: frozenset[bytes]
    optional: frozenset[bytes]
    many: frozenset[bytes]
    tags: bool


def layout(name: str, required: str, optional: str = "", *, many: str = "", tags: bool = False) -> Layout:
    """A `Layout`, its names separated by spaces."""
    must, may, often = (frozenset(names.encode().split()) for names in (required, optional, many))
    return Layout(name.encode(), must, may, often, tags)


def movie(file: BinaryIO) -> bytes:
    """The content of the one `moov` box; the sound itself is stepped over.

    Raises:
        AudioError: The file has none or several, is cut off, or is fragmented.
    """
    end = file.seek(0, 2)
    found: list[tuple[int, int]] = []
    for kind, start, stop in _outermost(file, end):
        if kind == b"moov":
            found.append((start, stop))
        elif kind in _STRUCTURE - {b"mdat", b"mfra"}:
            raise ambiguous(f"a box {_shown(kind)} beside its index")
    if not found:
        raise AudioError(
            "the m4a file has no index (no `moov` box): it was cut off or never finished. Get the whole file again."
        )
    if len(found) > 1:
        raise ambiguous(f"{len(found)} indexes (`moov` boxes)")
    [(start, stop)] = found
    if stop - start > _MAX_MOVIE_BYTES:
        raise AudioError(
            f"the m4a file has an index of {stop - start} bytes; up to {_MAX_MOVIE_BYTES} are read. Split the file."
        )
    file.seek(start)
    return file.read(stop - start)


def read(content: bytes, shape: Layout) -> Boxes:
    """The boxes inside a box, each of them once.

    Raises:
        AudioError: One is missing, is there twice, or does not belong there.
    """
    found: Boxes = {}
    for kind, inside in children(content):
        if kind in found:
            raise ambiguous(f"two boxes {_shown(kind)} in {_shown(shape.name)}")
        if kind in shape.many:
            continue
        if kind in shape.required | shape.optional:
            found[kind] = inside
        elif shape.tags and kind in _TAGS:
            require_tags(kind, inside)
        elif kind not in _FILLERS:
            raise ambiguous(f"a box {_shown(kind)} in {_shown(shape.name)}")
    for kind in sorted(shape.required - found.keys()):
        raise damaged(f"no box {_shown(kind)} in {_shown(shape.name)}")
    return found


def children(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(four letters, content) of every box inside a box."""
    position = 0
    while position + _SHORT_HEADER <= len(content):
        size, kind, header = _header(content[position : position + _LONG_HEADER], len(content) - position)
        if position + size > len(content):
            raise damaged(f"a box {_shown(kind)} that is larger than the box it lies in")
        yield kind, content[position + header : position + size]
        position += size


def require_tags(kind: bytes, content: bytes, depth: int = 0) -> None:
    """Checks that a `udta` or `meta` box, however deep, holds nothing that could be played.

    Raises:
        AudioError: It does, or its boxes are damaged.
    """
    if depth == _MAX_DEPTH:
        raise damaged(f"tags in tags, more than {_MAX_DEPTH} deep")
    is_full = kind == b"meta" and content[4:8] != b"hdlr"  # QuickTime has neither version nor flags
    for inner, inside in children(content[_FULL_BOX:] if is_full else content):
        if inner in _STRUCTURE:
            raise ambiguous(f"a box {_shown(inner)} among its tags")
        if inner in _INSIDE_TAGS:
            require_tags(inner, inside, depth + 1)


def integers(content: bytes, offset: int, layout: str, count: int) -> tuple[int, ...]:
    """`count` big-endian integers of one kind.

    Raises:
        AudioError: There are fewer.
    """
    needed = offset + count * struct.calcsize(layout)
    if needed > len(content):
        raise damaged(f"a table of {len(content)} bytes that should have {needed}")
    return struct.unpack_from(f">{count}{layout[-1]}", content, offset)


def damaged(what: str) -> AudioError:
    """An error about a file that breaks its own form."""
    return AudioError(f"the m4a file is damaged: it has {what}. Get the file again.")


def ambiguous(what: str) -> AudioError:
    """An error about a file that does not sound the same everywhere."""
    return AudioError(
        f"the m4a file has {what}, which players do not all play alike. Make a file of the sound that is meant: "
        "ffmpeg -i FILE -map 0:a:0 NEW.flac"
    )


def _outermost(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(four letters, where its content begins, where it ends) of every box of the file."""
    position = 0
    for _ in range(_MAX_BOXES):
        if position == end:
            return
        file.seek(position)
        size, kind, header = _header(file.read(_LONG_HEADER), end - position)
        if position + size > end:
            raise AudioError(
                f"the m4a file is cut off: the box {_shown(kind)} at byte {position} should have {size} "
                f"bytes, {end - position} are there. Get the whole file again."
            )
        yield kind, position + header, position + size
        position += size
    if position != end:
        raise damaged(f"more than {_MAX_BOXES} boxes")


def _header(head: bytes, available: int) -> tuple[int, bytes, int]:
    """(size of the box, its four letters, size of its header)."""
    if len(head) < _SHORT_HEADER:
        raise damaged("a box of fewer than 8 bytes")
    size, kind = struct.unpack_from(">I4s", head)
    header = _SHORT_HEADER
    if size == _SIZE_IS_64_BITS and len(head) >= _LONG_HEADER:
        (size,) = struct.unpack_from(">Q", head, _SHORT_HEADER)
        header = _LONG_HEADER
    elif size == 0:
        size = available
    if size < header:
        raise damaged(f"a box {_shown(kind)} of {size} bytes")
    return size, kind, header


def _shown(kind: bytes) -> str:
    """Four letters, for a message."""
    return repr(kind)
