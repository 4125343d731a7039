"""The four audio containers that carry a manifest: telling them apart, and where the store lies in them.

Sources: C2PA 2.4 annex A (embedding in RIFF, ID3 and BMFF), ID3v2.4, ISO 14496-12. A format is told by
its content, never by the ending of a name.
"""

from __future__ import annotations

from typing import BinaryIO, Final

from provenance.errors import UnsupportedMediaError

WAV: Final = "audio/wav"
FLAC: Final = "audio/flac"
MP3: Final = "audio/mpeg"
M4A: Final = "audio/mp4"

MAX_STORE_BYTES: Final = 16 * 2**20
"""The largest manifest store that is read: more than a thousand generations of edits."""

_MAX_OFFSET: Final = 2**40
_ID3_HEADER_BYTES: Final = 10
_CHUNK_HEADER_BYTES: Final = 8
_C2PA_BOX: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_STORE_PURPOSE: Final = b"manifest\0"
_STRANGERS: Final = {b"OggS": "an Ogg file", b"FORM": "an AIFF file", b"RF64": "a wav file of more than 4 GiB"}


class CarrierError(Exception):
    """The bytes around a manifest store are not those of its container."""


def media_type_of(file: BinaryIO, name: str) -> str:
    """Tell the media type of an audio file by its first bytes.

    Args:
        file: The file, open at any position.
        name: What to call it in an error.

    Returns:
        ``audio/wav``, ``audio/flac``, ``audio/mpeg`` or ``audio/mp4``.

    Raises:
        UnsupportedMediaError: It is none of the four formats that carry a manifest.
    """
    start = _read_at(file, 0, 12)
    if start[:3] == b"ID3" and len(start) == 12:  # noqa: PLR2004 - as many as were asked for
        after_tag = _read_at(file, _ID3_HEADER_BYTES + _id3_size(start), 4)
        return FLAC if after_tag == b"fLaC" else MP3
    if start[:4] == b"RIFF" and start[8:] == b"WAVE":
        return WAV
    if start[:4] == b"fLaC":
        return FLAC
    if start[4:8] == b"ftyp":
        return M4A
    if _is_mpeg_frame(start):
        return MP3
    found = _STRANGERS.get(start[:4], "empty" if not start else f"a file that begins with {start!r}")
    raise UnsupportedMediaError(
        f"{name} is {found}, which cannot carry an embedded manifest here. Give it as wav, flac, mp3 or m4a."
    )


def store_excluded_from_hash(file: BinaryIO, media_type: str, start: int, length: int) -> bytes:
    """Return the manifest store in the range that a data hash leaves out.

    Args:
        file: A wav, flac or mp3 file.
        media_type: Which of them.
        start: Where the left-out range begins, in bytes.
        length: How long it is, in bytes.

    Raises:
        CarrierError: The range is not exactly a store and, in a wav file, the chunk around it.
    """
    excluded = _read_at(file, start, min(length, MAX_STORE_BYTES))
    if media_type != WAV:
        return excluded
    kind, size, store = excluded[:4], int.from_bytes(excluded[4:8], "little"), excluded[_CHUNK_HEADER_BYTES:]
    # A chunk of odd length is followed by a zero byte, which writers may leave out of the hash or not.
    if kind != b"C2PA" or not size <= len(store) <= size + size % 2 or store[size:].strip(b"\0"):
        raise CarrierError("the bytes that the audio hash leaves out are not one C2PA chunk")
    return store[:size]


def store_in_mp4(file: BinaryIO) -> bytes:
    """Return the manifest store of an MP4 file, from its C2PA ``uuid`` box (C2PA 2.4, A.5.1).

    Raises:
        CarrierError: There is not exactly one such box, or its fields are not what they must be.
    """
    found = [(at, size) for at, size in _mp4_boxes(file) if _is_c2pa_box(file, at)]
    boxes = [_read_at(file, at + 24, min(size, MAX_STORE_BYTES) - 24) for at, size in found]
    stores = [box for box in boxes if box[4:13] == _STORE_PURPOSE]
    if len(stores) != 1:
        raise CarrierError(f"the file has {len(stores)} C2PA boxes with a manifest store")
    fields, auxiliary, store = stores[0][:4], int.from_bytes(stores[0][13:21]), stores[0][21:]
    if fields != bytes(4) or (auxiliary and not _is_c2pa_box(file, auxiliary)):
        raise CarrierError("the C2PA box has unexpected fields before its store")
    return store


def _mp4_boxes(file: BinaryIO) -> list[tuple[int, int]]:
    """List the top-level boxes, offset and size (ISO 14496-12, 4.2)."""
    boxes: list[tuple[int, int]] = []
    at = 0
    while header := _read_at(file, at, 16):
        size = int.from_bytes(header[:4])
        if size == 1:
            size = int.from_bytes(header[8:])
        if size < _CHUNK_HEADER_BYTES:  # 0: up to the end of the file
            break
        boxes.append((at, size))
        at += size
    return boxes


def _is_c2pa_box(file: BinaryIO, at: int) -> bool:
    return _read_at(file, at, 24)[4:] == b"uuid" + _C2PA_BOX


def _is_mpeg_frame(start: bytes) -> bool:
    """Tell whether bytes begin an MPEG audio layer III frame (ISO 11172-3, 2.4.2.3)."""
    if len(start) < 4:  # noqa: PLR2004 - a frame header
        return False
    header = int.from_bytes(start[:4])
    sync, version, layer = header >> 21, header >> 19 & 3, header >> 17 & 3
    bit_rate, sample_rate = header >> 12 & 15, header >> 10 & 3
    return (sync, layer) == (0x7FF, 1) and version != 1 and bit_rate not in {0, 15} and sample_rate != 3  # noqa: PLR2004


def _id3_size(header: bytes) -> int:
    """Return the size of an ID3v2 tag after its header: 28 bits, seven in each byte (ID3v2.4, 3.1)."""
    size = 0
    for byte in header[6:10]:
        size = size << 7 | byte & 127
    return size


def _read_at(file: BinaryIO, at: int, size: int) -> bytes:
    """Read up to ``size`` bytes; none at an offset that no file can have."""
    if at > _MAX_OFFSET:
        return b""
    file.seek(at)
    return file.read(size)
