"""The frames of a flac file: whether they are what its header describes, all of it and nothing else (RFC 9639).

The decoder here goes by the header: it stops at the length and plays at the rate that stand there. Other players go by
the frames, each of which states its rate, and play on to the end of the file.
"""

import mmap
import re
from dataclasses import dataclass
from typing import BinaryIO, Final

from fingerprint.errors import AudioError
from fingerprint.mpeg import id3v2_length

_MARK: Final = b"fLaC"
_BLOCK_HEADER: Final = 4
_LAST_BLOCK: Final = 0x80
_STREAM_BYTES: Final = 34
_SYNC: Final = re.compile(rb"\xff[\xf8\xf9]")
_TAG_HEADER: Final = 10
_MAX_HEADER: Final = 16
_MAX_FRAME_BYTES: Final = 2**20
"""Two channels of 65,535 samples of 32 bits take half of it."""
_MAX_TRAILER_BYTES: Final = 2**20
"""Tags that some programs write behind the sound."""
_MAX_TRIED: Final = 2_000_000
"""Frames, and what looks like the beginning of one: an hour has fewer than a tenth."""
_CHECKSUM_BYTES: Final = 2

_RATES: Final = (0, 88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)
_RATE_UNITS: Final = {12: (1, 1000), 13: (2, 1), 14: (2, 10)}
"""For codes that are followed by a rate: its bytes, and its unit in Hz."""
_NO_RATE: Final = 15
_BITS: Final = {0: 0, 1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
_MAX_CHANNELS: Final = 8
_STEREO_CODES: Final = range(8, 11)
"""Left and side, side and right, mid and side."""
_NUMBER_BYTES: Final = ((0x80, 0), (0xE0, 0xC0), (0xF0, 0xE0), (0xF8, 0xF0), (0xFC, 0xF8), (0xFE, 0xFC), (0xFF, 0xFE))
"""Mask and value of the first byte of a coded number of one byte, two, and so on."""


@dataclass(frozen=True, slots=True)
class _Stream:
    """What the header says (RFC 9639, 8.2)."""

    sample_rate: int
    channels: int
    bits: int
    samples: int


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the header of one frame says (RFC 9639, 9.1).

    Attributes:
        number: Of the frame, or of its first sample where the sizes vary.
        sample_rate: Hz; 0 where the frame leaves it to the stream, as with `bits`.
    """

    varies: bool
    number: int
    samples: int
    sample_rate: int
    channels: int
    bits: int

    def belongs(self, stream: _Stream) -> bool:
        """Whether it is coded as the stream says."""
        same_rate = self.sample_rate in {0, stream.sample_rate}
        return same_rate and self.channels == stream.channels and self.bits in {0, stream.bits}


def require_plain(file: BinaryIO) -> None:
    """Checks that a flac file sounds the same to every player.

    Raises:
        AudioError: A frame is missing, is one too many, or is coded otherwise than the header says.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        stream, begin = _header(data)
        if not stream.samples:
            return  # the decoder refuses a file that does not say how long it is
        last = _last_frame(data, stream, begin)
        if _goes_on(data, _first_end(data, last)):
            raise _ambiguous(f"more sound behind the {stream.samples} samples that it says it has")


def _last_frame(data: mmap.mmap, stream: _Stream, begin: int) -> int:
    """Where the frame begins with which the stream is complete."""
    samples = frames = 0
    position = begin
    for tried, found in enumerate(_SYNC.finditer(data, begin)):
        if tried == _MAX_TRIED:
            raise AudioError(f"the flac file has more than {_MAX_TRIED} frames. Cut it into shorter files.")
        if not frames and found.start() != begin:
            break
        frame = _frame(data[found.start() : found.start() + _MAX_HEADER])
        if frame is None or not frame.belongs(stream) or frame.number != (samples if frame.varies else frames):
            continue  # what looks like a header may be part of the frame before
        position = found.start()
        frames, samples = frames + 1, samples + frame.samples
        if samples >= stream.samples:
            break
    if samples != stream.samples:
        raise _ambiguous(f"{samples} samples in frames as its header describes them, where {stream.samples} should be")
    return position


def _first_end(data: mmap.mmap, begin: int) -> int:
    """Where the frame ends: with the checksum of its bytes."""
    checksum = 0
    for position in range(begin, min(len(data), begin + _MAX_FRAME_BYTES)):
        checksum = (checksum << 8 & 0xFFFF) ^ _CRC16[checksum >> 8 ^ data[position]]
        if not checksum and position > begin + _CHECKSUM_BYTES:
            return position + 1
    raise AudioError("the flac file is cut off or damaged: its last frame has no checksum. Get the whole file again.")


def _goes_on(data: mmap.mmap, end: int) -> bool:
    """Whether a frame begins there or later, or there is room for any number."""
    if len(data) - end > _MAX_TRAILER_BYTES:
        return True
    return any(_frame(data[found.start() : found.start() + _MAX_HEADER]) for found in _SYNC.finditer(data, end))


def _header(data: mmap.mmap) -> tuple[_Stream, int]:
    """The description of the stream, and where its frames begin."""
    position = 0
    while length := id3v2_length(data[position : position + _TAG_HEADER]):
        position += length
    if data[position : position + len(_MARK)] != _MARK:
        raise _cut_off()
    position += len(_MARK)
    stream: _Stream | None = None
    is_last = False
    while not is_last:
        head = data[position : position + _BLOCK_HEADER]
        if len(head) < _BLOCK_HEADER:
            raise _cut_off()
        position += _BLOCK_HEADER
        if stream is None:
            stream = _stream(data[position : position + _STREAM_BYTES])
        position += int.from_bytes(head[1:])
        is_last = bool(head[0] & _LAST_BLOCK)
    assert stream is not None  # noqa: S101 - the first block was read
    return stream, position


def _stream(block: bytes) -> _Stream:
    if len(block) < _STREAM_BYTES:
        raise _cut_off()
    packed = int.from_bytes(block[10:18])
    return _Stream(packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1, packed & (1 << 36) - 1)


def _frame(head: bytes) -> _Frame | None:
    """The header that the bytes begin with; None where they are none."""
    if len(head) < _MAX_HEADER // 2:
        return None
    size_code, rate_code, channel_code = head[2] >> 4, head[2] & 15, head[3] >> 4
    bits = _BITS.get(head[3] >> 1 & 7)
    channels = 2 if channel_code in _STEREO_CODES else channel_code + 1
    number = _number(head[4:])
    if bits is None or number is None or channels > _MAX_CHANNELS or head[3] & 1:
        return None
    if size_code == 0 or rate_code == _NO_RATE:
        return None
    value, position = number[0], 4 + number[1]
    samples, position = _block_size(head, size_code, position)
    rate, position = _rate(head, rate_code, position)
    if _crc8(head[:position]) != head[position : position + 1]:
        return None
    return _Frame(bool(head[1] & 1), value, samples, rate, channels, bits)


def _number(coded: bytes) -> tuple[int, int] | None:
    """(value, bytes) of a number coded as in UTF-8, of up to 36 bits."""
    for extra, (mask, lead) in enumerate(_NUMBER_BYTES):
        if coded[0] & mask == lead:
            value = coded[0] & ~mask
            for byte in coded[1 : extra + 1]:
                value = value << 6 | byte & 0x3F
            return value, extra + 1
    return None


def _block_size(head: bytes, code: int, position: int) -> tuple[int, int]:
    """(samples, position behind them)."""
    match code:
        case 1:
            return 192, position
        case 2 | 3 | 4 | 5:
            return 576 << code - 2, position
        case 6:
            return int.from_bytes(head[position : position + 1]) + 1, position + 1
        case 7:
            return int.from_bytes(head[position : position + 2]) + 1, position + 2
        case _:
            return 1 << code, position


def _rate(head: bytes, code: int, position: int) -> tuple[int, int]:
    """(Hz, or 0 where it is the stream's; position behind it)."""
    if code in _RATE_UNITS:
        size, unit = _RATE_UNITS[code]
        return int.from_bytes(head[position : position + size]) * unit, position + size
    return _RATES[code], position


def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    """What each byte does to a checksum of so many bits."""
    top, whole = 1 << bits - 1, (1 << bits) - 1
    rows = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & whole
        rows.append(value)
    return tuple(rows)


_CRC8: Final = _table(0x07, 8)
_CRC16: Final = _table(0x8005, 16)


def _crc8(content: bytes) -> bytes:
    checksum = 0
    for byte in content:
        checksum = _CRC8[checksum ^ byte]
    return bytes([checksum])


def _cut_off() -> AudioError:
    return AudioError("the flac file is cut off in its header. Get the whole file again.")


def _ambiguous(what: str) -> AudioError:
    return AudioError(
        f"the flac file has {what}, which players do not all play alike. Make a file of the sound that is meant: "
        "ffmpeg -i FILE NEW.flac"
    )
