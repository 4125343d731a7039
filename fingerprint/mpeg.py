"""MPEG audio (mp3) as a sequence of frames: where they are, and which carry sound.

Headers as in ISO/IEC 11172-3 and 13818-3, with the common 2.5 extension for low rates.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from fingerprint.errors import AudioError

MAX_BYTES: Final = 512 * 2**20

_HEADER_BYTES: Final = 4
_TAG_V2_HEADER: Final = 10
_TAG_V1_BYTES: Final = 128
_APE_BYTES: Final = 32
_LYRICS_FOOTER: Final = 15
_CHAIN: Final = 2
"""Headers that must follow one another before bytes are believed to be frames."""

_VERSIONS: Final = {0: 2.5, 2: 2, 3: 1}
_LAYERS: Final = {1: 3, 2: 2, 3: 1}
_RATES: Final = (44_100, 48_000, 32_000)
_RATE_DIVISOR: Final = {1: 1, 2: 2, 2.5: 4}
_KILOBITS: Final = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SYNC: Final = 0xFFE0
_MONO: Final = 3
_LAYER_III: Final = 3


@dataclass(frozen=True, slots=True)
class Header:
    """What the four bytes at the start of a frame say.

    Attributes:
        length: Bytes of the whole frame.
        samples: Audio frames (one sample per channel) it decodes to.
        kind: What all frames of one stream have in common: version, layer and sample rate.
        side_information: Bytes between the header and the first scale factors (layer III).
    """

    length: int
    samples: int
    sample_rate: int
    channels: int
    kind: tuple[float, int, int]
    side_information: int


@dataclass(frozen=True, slots=True)
class Stream:
    """The sound of an mp3 file.

    Attributes:
        start: Byte position of the first coded frame, behind the tags and behind the frame that
            only describes the stream (Xing, Info or VBRI).
        end: Byte position behind the last coded frame, before trailing tags. Bytes that are no
            frames but lie between or behind them are inside: some decoder may hear them.
        samples: Audio frames in it, encoder delay and padding included.
    """

    start: int
    end: int
    samples: int
    sample_rate: int
    channels: int


def load(file: BinaryIO) -> bytes:
    """The bytes of an mp3 file.

    Raises:
        AudioError: It has more than `MAX_BYTES`.
    """
    size = file.seek(0, 2)
    if size > MAX_BYTES:
        raise AudioError(
            f"the mp3 has {size} bytes; up to {MAX_BYTES} are read, which is more than an hour of sound and its "
            "tags. Cut it into shorter files."
        )
    file.seek(0)
    return file.read(size)


def read_stream(data: bytes) -> Stream:
    """Finds the sound in the bytes of an MPEG audio file.

    Raises:
        AudioError: There are no frames, the last one is cut off, there are fewer or more than the
            stream's own description says, or frames of another kind among them: some players would
            play on, or play those.
    """
    begin, end = _without_tags(data)
    headers = list(_walk(data, begin, end))
    if not headers:
        raise AudioError(
            f"no MPEG audio frames were found in the {end - begin} bytes behind the tags. The file "
            "is damaged or is not an mp3: get it again."
        )
    first_position, first = headers[0]
    promised = _described_frames(data[first_position : first_position + first.length], first)
    if promised is not None:
        headers = headers[1:]
        if len(headers) < promised:
            raise AudioError(
                f"the mp3 says that it has {promised} frames, but {len(headers)} are there: it was "
                "cut off. Get the whole file again."
            )
        if len(headers) > promised > 0:
            raise _ambiguous(f"{len(headers)} frames, where it says that it has {promised}")
    if not headers:
        raise AudioError("the mp3 holds a description of a stream and no sound. Get it again.")
    return Stream(
        start=headers[0][0],
        end=end,
        samples=sum(header.samples for _, header in headers),
        sample_rate=first.sample_rate,
        channels=first.channels,
    )


def starts_with_frame(data: bytes) -> bool:
    """Whether the bytes begin with MPEG audio: a header, and another one where it says."""
    position = 0
    header = parse_header(data[:_HEADER_BYTES])
    for _ in range(_CHAIN):
        if header is None:
            return False
        position += header.length
        if position + _HEADER_BYTES > len(data):
            return True
        following = parse_header(data[position : position + _HEADER_BYTES])
        header = following if following and following.kind == header.kind else None
    return header is not None


def id3v2_length(data: bytes) -> int:
    """Bytes of the ID3v2 tag that `data` begins with; 0 where there is none."""
    if data[:3] != b"ID3" or len(data) < _TAG_V2_HEADER or any(b & 0x80 for b in data[6:10]):
        return 0
    size = functools.reduce(lambda total, byte: total << 7 | byte, data[6:10], 0)
    footer = _TAG_V2_HEADER if data[5] & 0x10 else 0
    return _TAG_V2_HEADER + size + footer


@functools.lru_cache(maxsize=1024)
def parse_header(word: bytes) -> Header | None:
    """The header in four bytes, or None where they are none (free format counts as none)."""
    if len(word) < _HEADER_BYTES or int.from_bytes(word[:2]) & _SYNC != _SYNC:
        return None
    version = _VERSIONS.get(word[1] >> 3 & 3)
    layer = _LAYERS.get(word[1] >> 1 & 3)
    bitrate_index, rate_index = word[2] >> 4, word[2] >> 2 & 3
    if version is None or layer is None or bitrate_index in {0, 15} or rate_index == len(_RATES):
        return None
    table = _KILOBITS[1 if version == 1 else 2, layer if version == 1 else min(layer, 2)]
    bits = table[bitrate_index - 1] * 1000
    rate = _RATES[rate_index] // _RATE_DIVISOR[version]
    padding = word[2] >> 1 & 1
    mono = word[3] >> 6 == _MONO
    if layer == 1:
        samples, length = 384, (12 * bits // rate + padding) * 4
    else:
        samples = 576 if layer == _LAYER_III and version != 1 else 1152
        length = samples // 8 * bits // rate + padding
    wide = version == 1
    side = (17 if mono else 32) if wide else (9 if mono else 17)
    return Header(length, samples, rate, 1 if mono else 2, (version, layer, rate), side)


def _walk(data: bytes, begin: int, end: int) -> Iterator[tuple[int, Header]]:
    """Every frame from `begin` on, with its position."""
    position = begin
    kind: tuple[float, int, int] | None = None
    while position + _HEADER_BYTES <= end:
        header = parse_header(data[position : position + _HEADER_BYTES])
        if header is None or (kind is not None and header.kind != kind):
            found = _next_chain(data, position + 1, end, kind)
            _require_no_frame(data, position, end if found is None else found)
            if found is None:
                return
            position = found
            continue
        if position + header.length > end:
            raise AudioError(
                f"the mp3 is cut off: the frame at byte {position} should have {header.length} "
                f"bytes and {end - position} are there. Get the whole file again."
            )
        kind = header.kind
        yield position, header
        position += header.length


def _next_chain(data: bytes, begin: int, end: int, kind: tuple[float, int, int] | None) -> int | None:
    """The next position where a header is followed by another of its kind, or by the end."""
    position = data.find(b"\xff", begin, end)
    while position != -1:
        header = parse_header(data[position : position + _HEADER_BYTES])
        if header is not None and kind in {None, header.kind}:
            after = position + header.length
            following = parse_header(data[after : after + _HEADER_BYTES])
            if after == end or (following is not None and following.kind == header.kind):
                return position
        position = data.find(b"\xff", position + 1, end)
    return None


def _require_no_frame(data: bytes, begin: int, end: int) -> None:
    """Checks that what lies between two frames of a stream is no sound to anybody."""
    position = data.find(b"\xff", begin, end)
    while position != -1:
        header = parse_header(data[position : position + _HEADER_BYTES])
        if header is not None and position + header.length <= end:
            raise _ambiguous(f"a frame of another kind among its own, at byte {position}")
        position = data.find(b"\xff", position + 1, end)


def _ambiguous(what: str) -> AudioError:
    return AudioError(
        f"the mp3 has {what}, which players do not all play alike. Make a file of the sound that is meant: "
        "ffmpeg -i FILE NEW.flac"
    )


def _described_frames(frame: bytes, header: Header) -> int | None:
    """The frame count in a Xing, Info or VBRI frame (0: it gives none); None for any other."""
    for checksum in (0, 2):
        at = _HEADER_BYTES + checksum + header.side_information
        if frame[at : at + 4] in {b"Xing", b"Info"}:
            has_count = int.from_bytes(frame[at + 4 : at + 8]) & 1
            return int.from_bytes(frame[at + 8 : at + 12]) if has_count else 0
    if frame[36:40] == b"VBRI":
        return int.from_bytes(frame[50:54])
    return None


def _without_tags(data: bytes) -> tuple[int, int]:
    """Where the audio begins and ends between ID3v1, ID3v2, APE and Lyrics3 tags."""
    begin, end = 0, len(data)
    while length := id3v2_length(data[begin : begin + _TAG_V2_HEADER]):
        begin += length
    if begin > end:
        raise AudioError(
            f"the tag at the start says that it has {begin} bytes, the file has {end}: it was cut "
            "off. Get the whole file again."
        )
    while (length := _trailing_tag(data, end)) and begin + length <= end:
        end -= length
    return begin, end


def _trailing_tag(data: bytes, end: int) -> int:
    """Bytes of the tag that ends at `end`; 0 where there is none."""
    if data[end - _TAG_V1_BYTES : end - _TAG_V1_BYTES + 3] == b"TAG" and end >= _TAG_V1_BYTES:
        return _TAG_V1_BYTES
    footer = data[max(0, end - _APE_BYTES) : end]
    if len(footer) == _APE_BYTES and footer[:8] == b"APETAGEX":
        has_header = footer[23] & 0x80
        return int.from_bytes(footer[12:16], "little") + (_APE_BYTES if has_header else 0)
    appended = data[max(0, end - _TAG_V2_HEADER) : end]
    if appended[:3] == b"3DI":
        return id3v2_length(b"ID3" + appended[3:])
    lyrics = data[max(0, end - _LYRICS_FOOTER) : end]
    if lyrics[6:] == b"LYRICS200" and lyrics[:6].isdigit():
        return int(lyrics[:6]) + _LYRICS_FOOTER
    return 0
