"""Ogg files: pages, and the packets of the one audio stream inside (RFC 3533)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal

from fingerprint.errors import AudioError

Codec = Literal["vorbis", "opus"]

_PAGE: Final = struct.Struct("<4sBBqIIIB")
_CHECKSUM: Final = slice(22, 26)
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL_ONES: Final = 0xFFFFFFFF
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_FULL_SEGMENT: Final = 255
_MAX_PACKET_BYTES: Final = 16 * 2**20
_IDENTIFICATIONS: Final[tuple[tuple[bytes, Codec], ...]] = (
    (b"\x01vorbis", "vorbis"),
    (b"OpusHead", "opus"),
)
_COMMENTS: Final[dict[Codec, bytes]] = {"vorbis": b"\x03vorbis", "opus": b"OpusTags"}


@dataclass(frozen=True, slots=True)
class _Page:
    flags: int
    serial: int
    number: int
    lacing: bytes
    body: bytes


@dataclass(slots=True)
class _Stream:
    """What has been read so far of the one audio stream."""

    serial: int
    codec: Codec
    next_page: int
    ended: bool = False
    pending: bytearray = field(default_factory=bytearray)


def packets(file: BinaryIO) -> Iterator[bytes]:
    """The packets of the audio stream in an Ogg file, in order, without its comments.

    The identification header and, for Vorbis, the code books come first: without them the
    other packets are not sound.

    Raises:
        AudioError: The file is cut off or damaged (every page has a checksum), or holds no or
            several streams, or another codec than Vorbis or Opus.
    """
    stream: _Stream | None = None
    strangers = False
    for page in _pages(file):
        codec = _codec(page) if page.flags & _FIRST else None
        if codec is not None:
            if stream is not None:
                raise AudioError(
                    "the ogg file holds several audio streams, one after or beside the other. "
                    "Export each into a file of its own."
                )
            stream = _Stream(page.serial, codec, page.number)
        elif page.flags & _FIRST or stream is None or page.serial != stream.serial:
            strangers = True
            continue
        for packet in _packets_of(page, stream):
            if not packet.startswith(_COMMENTS[stream.codec]):
                yield packet
    if stream is None:
        raise AudioError("the ogg file holds no Vorbis or Opus audio. Convert it to flac, wav, mp3 or m4a.")
    if strangers:
        raise AudioError(
            "the ogg file holds another stream beside its audio, which players do not all play alike. Make a file of "
            "the sound that is meant: ffmpeg -i FILE NEW.flac"
        )
    if not stream.ended:
        raise AudioError("the ogg file is cut off: the page that ends its audio is missing. Get the whole file again.")


def _packets_of(page: _Page, stream: _Stream) -> Iterator[bytes]:
    """The packets that end on this page of the stream."""
    if stream.ended:
        raise AudioError("the ogg file goes on behind the page that ends its audio. Get the file again.")
    if page.number != stream.next_page or bool(page.flags & _CONTINUED) != bool(stream.pending):
        raise AudioError("the ogg file is damaged: a page of its audio is missing or out of order. Get the file again.")
    stream.next_page += 1
    position = 0
    for size in page.lacing:
        stream.pending += page.body[position : position + size]
        position += size
        if len(stream.pending) > _MAX_PACKET_BYTES:
            raise AudioError(
                f"a packet of the ogg file has more than {_MAX_PACKET_BYTES} bytes; that is no "
                "audio. Get the file again."
            )
        if size < _FULL_SEGMENT:
            yield bytes(stream.pending)
            stream.pending.clear()
    stream.ended = bool(page.flags & _LAST)


def _codec(page: _Page) -> Codec | None:
    for signature, codec in _IDENTIFICATIONS:
        if page.body.startswith(signature):
            return codec
    return None


def _pages(file: BinaryIO) -> Iterator[_Page]:
    while head := file.read(_PAGE.size):
        position = file.tell() - len(head)
        if len(head) < _PAGE.size:
            raise _cut_off(position)
        signature, _version, flags, _granule, serial, number, checksum, count = _PAGE.unpack(head)
        if signature != b"OggS":
            raise AudioError(f"the ogg file is damaged: there should be a page at byte {position}. Get the file again.")
        lacing = file.read(count)
        body = file.read(sum(lacing))
        if len(lacing) < count or len(body) < sum(lacing):
            raise _cut_off(position)
        if page_checksum(head + lacing + body) != checksum:
            raise AudioError(
                f"the ogg file is damaged: the page at byte {position} does not have the checksum that it gives. "
                "Get the file again."
            )
        yield _Page(flags, serial, number, lacing, body)


def page_checksum(page: bytes) -> int:
    """The CRC-32 of a page, its own checksum field taken as zero (RFC 3533, section 6, field 7).

    Ogg's CRC has zlib's polynomial with the most significant bit first and without inversion, so
    it is zlib's over the bits in reverse, read in reverse.
    """
    blank = bytearray(page)
    blank[_CHECKSUM] = bytes(4)
    reverse = zlib.crc32(blank.translate(_REVERSED), _ALL_ONES) ^ _ALL_ONES
    return int.from_bytes(reverse.to_bytes(4, "little").translate(_REVERSED))


def _cut_off(position: int) -> AudioError:
    return AudioError(f"the ogg file is cut off in the page at byte {position}. Get the whole file again.")
