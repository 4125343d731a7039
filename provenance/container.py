"""The four audio containers that carry a manifest: telling them apart, and where the store lies in them.

Sources: C2PA 2.4 annex A (embedding in RIFF, ID3 and BMFF), ID3v2.4, ISO 14496-12. A format is told by
its content, never by the ending of a name.
"""

from __future__ import annotations

from itertools import count
from os import SEEK_END
from typing import BinaryIO, Final

from fingerprint.media import M4A_FILE_TYPE
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
_RIFF_HEADER_BYTES: Final = 12
_UUID_HEADER_BYTES: Final = 24
_MOST_GEOB_TEXT: Final = 4096
_MOST_PARTS: Final = 100_000
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
    """Return the manifest store of a file whose data hash leaves out a range.

    The store is looked for where the format keeps it, which is where engines read it; the range, which the
    signer of the manifest chose, only has to be the same.

    Args:
        file: A wav, flac or mp3 file.
        media_type: Which of them.
        start: Where the left-out range begins, in bytes.
        length: How long it is, in bytes.

    Raises:
        CarrierError: There is not exactly one store, or the range is not exactly the store and, in a wav
            file, the chunk around it.
    """
    at, size = _store_in_wav(file) if media_type == WAV else _store_in_id3(file)
    if size > MAX_STORE_BYTES:
        raise CarrierError(f"the store has {size} bytes")
    store = _read_at(file, at, size)
    if media_type != WAV:
        around = [(at, size)]
    else:  # a chunk of odd length is followed by a zero byte, which writers may leave out of the hash or not
        head = (at - _CHUNK_HEADER_BYTES, size + _CHUNK_HEADER_BYTES)
        padded = size % 2 == 1 and _read_at(file, at + size, 1) == b"\0"
        around = [head, (head[0], head[1] + 1)] if padded else [head]
    if (start, length) not in around:
        raise CarrierError("the bytes that the audio hash leaves out are not the file's one manifest store")
    return store


def _store_in_wav(file: BinaryIO) -> tuple[int, int]:
    """Return offset and size of the payload of the one ``C2PA`` chunk (RIFF)."""
    found: list[tuple[int, int]] = []
    at = _RIFF_HEADER_BYTES
    parts = count()
    while len(header := _read_at(file, at, _CHUNK_HEADER_BYTES)) == _CHUNK_HEADER_BYTES:
        _require_few(next(parts))
        size = int.from_bytes(header[4:8], "little")
        if header[:4] == b"C2PA":
            found.append((at + _CHUNK_HEADER_BYTES, size))
        at += _CHUNK_HEADER_BYTES + size + size % 2
    if len(found) != 1:
        raise CarrierError(f"the file has {len(found)} C2PA chunks")
    return found[0]


def _store_in_id3(file: BinaryIO) -> tuple[int, int]:
    """Return offset and size of the object in the one GEOB frame for a manifest store (ID3v2.3, ID3v2.4)."""
    header = _read_at(file, 0, _ID3_HEADER_BYTES)
    if len(header) < _ID3_HEADER_BYTES or header[:3] != b"ID3" or header[3] not in {3, 4} or header[5]:
        raise CarrierError("the file does not begin with a plain ID3v2.3 or ID3v2.4 tag")
    end = _ID3_HEADER_BYTES + _syncsafe(header[6:10])
    found: list[tuple[int, int]] = []
    at = _ID3_HEADER_BYTES
    parts = count()
    while at + _ID3_HEADER_BYTES <= end:
        _require_few(next(parts))
        frame = _read_at(file, at, _ID3_HEADER_BYTES)
        if len(frame) < _ID3_HEADER_BYTES:
            raise CarrierError("the file ends within its ID3 tag")
        if frame[:4] == bytes(4):
            break  # padding
        size = _syncsafe(frame[4:8]) if header[3] == 4 else int.from_bytes(frame[4:8])  # noqa: PLR2004 - the version
        if frame[8:10] != bytes(2) or at + _ID3_HEADER_BYTES + size > end:
            raise CarrierError("the file's ID3 tag has a frame that is encoded, or longer than the tag")
        if frame[:4] == b"GEOB":
            found += _object_in(file, at + _ID3_HEADER_BYTES, size)
        at += _ID3_HEADER_BYTES + size
    if len(found) != 1:
        raise CarrierError(f"the file's ID3 tag has {len(found)} objects that are manifest stores")
    return found[0]


def _object_in(file: BinaryIO, at: int, size: int) -> list[tuple[int, int]]:
    """Return where the object of a GEOB frame lies, when it is a manifest store."""
    fields = _read_at(file, at, min(size, _MOST_GEOB_TEXT))
    wide = fields[:1] in {b"\1", b"\2"}
    mime, _, _ = fields[1:].partition(b"\0")
    if b"c2pa" not in mime.lower():
        return []
    place = 1 + len(mime) + 1
    for _ in range(2):  # file name and description
        end = fields.find(b"\0\0" if wide else b"\0", place)
        if end < 0:
            raise CarrierError("the file's ID3 tag has an object without a name")
        place = end + (2 if wide else 1)
    return [(at + place, size - place)]


def _syncsafe(data: bytes) -> int:
    if any(byte & 0x80 for byte in data):
        raise CarrierError("the file's ID3 tag has a length that is none")
    return data[0] << 21 | data[1] << 14 | data[2] << 7 | data[3]


def store_in_mp4(file: BinaryIO) -> bytes:
    """Return the manifest store of an MP4 file, from its C2PA ``uuid`` box (C2PA 2.4, A.5.1).

    Raises:
        CarrierError: There is not exactly one such box, or its fields are not what they must be.
    """
    head = _UUID_HEADER_BYTES
    found = [(at + head, size - head) for at, size in _mp4_boxes(file) if size >= head and _is_c2pa_box(file, at)]
    stores = [(at, size) for at, size in found if _read_at(file, at, min(size, 13))[4:] == _STORE_PURPOSE]
    if len(stores) != 1:
        raise CarrierError(f"the file has {len(stores)} C2PA boxes with a manifest store")
    [(at, size)] = stores
    box = _read_at(file, at, min(size, MAX_STORE_BYTES))
    fields, auxiliary, store = box[:4], int.from_bytes(box[13:21]), box[21:]
    if fields != bytes(4) or (auxiliary and not _is_c2pa_box(file, auxiliary)):
        raise CarrierError("the C2PA box has unexpected fields before its store")
    return store


def require_bare_mp4(file: BinaryIO) -> None:
    """Require that an MP4 file that Liner Notes wrote has no byte that its hash leaves out but those it must have.

    C2PA leaves ``ftyp``, ``mfra`` and its own boxes out of the hash (2.4, A.5.2), wherever they stand: the first is
    fixed here, of the second there is none, and of the third one.

    Raises:
        CarrierError: There is another such box, another ``ftyp``, or something that is no box.
    """
    boxes = _mp4_boxes(file)
    kinds = [_read_at(file, at, 8)[4:] for at, _ in boxes]
    if kinds.count(b"ftyp") != 1 or _read_at(file, 0, len(M4A_FILE_TYPE)) != M4A_FILE_TYPE or b"mfra" in kinds:
        raise CarrierError("the file does not begin with the one file type box that it was signed with")
    if sum(_is_c2pa_box(file, at) for at, _ in boxes) != 1:
        raise CarrierError("the file has a further C2PA box, which nobody signed")
    end = boxes[-1][0] + boxes[-1][1]
    if end != file.seek(0, SEEK_END):
        raise CarrierError(f"the last box of the file ends at byte {end}, and the file does not")


def _mp4_boxes(file: BinaryIO) -> list[tuple[int, int]]:
    """List the top-level boxes, offset and size (ISO 14496-12, 4.2)."""
    boxes: list[tuple[int, int]] = []
    at = 0
    while header := _read_at(file, at, 16):
        _require_few(len(boxes))
        size = int.from_bytes(header[:4])
        if size == 1:
            size = int.from_bytes(header[8:])
        if size < _CHUNK_HEADER_BYTES:  # 0: up to the end of the file
            break
        boxes.append((at, size))
        at += size
    return boxes


def _require_few(parts: int) -> None:
    """Stop where a file is made of more boxes, chunks or frames than any real one: each costs more than its bytes."""
    if parts >= _MOST_PARTS:
        raise CarrierError(f"the file is made of more than {_MOST_PARTS} parts")


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
