"""M4a files built by hand, box by box (ISO/IEC 14496-12), so that a test can alter any of them."""

import struct
from dataclasses import dataclass, field

SOUND = bytes(range(1, 11))
RATE = 44_100
CONFIGURATION = b"\x12\x10"
"""AAC-LC, 44.1 kHz, stereo."""


def box(kind: bytes, *content: bytes, wide: bool = False) -> bytes:
    body = b"".join(content)
    if wide:
        return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, kind) + body


def table(kind: bytes, layout: str, numbers: list[int], count: int | None = None) -> bytes:
    count = len(numbers) if count is None else count
    return box(kind, struct.pack(f">II{len(numbers)}{layout}", 0, count, *numbers))


def sized(sizes: list[int]) -> bytes:
    return box(b"stsz", struct.pack(f">III{len(sizes)}I", 0, 0, len(sizes), *sizes))


def uniform(size: int, count: int) -> bytes:
    return box(b"stsz", struct.pack(">III", 0, size, count))


def times(*runs: tuple[int, int]) -> bytes:
    return table(b"stts", "I", [number for run in runs for number in run], len(runs))


def descriptor(tag: int, content: bytes, *, long: bool = True) -> bytes:
    size = len(content)
    length = bytes([size >> 21 | 0x80, size >> 14 & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size & 0x7F])
    return bytes([tag]) + (length if long else bytes([size])) + content


def stream_descriptor(
    configuration: bytes = CONFIGURATION, *, object_type: int = 0x40, name: int = 1, bits: int = 256_000, flags: int = 0
) -> bytes:
    specific = descriptor(5, configuration)
    decoder = descriptor(4, struct.pack(">BBHBII", object_type, 0x15, 0, 0, bits, bits) + specific)
    return box(b"esds", bytes(4), descriptor(3, struct.pack(">HB", name, flags) + decoder + descriptor(6, b"\x02")))


def entry(
    *inside: bytes, kind: bytes = b"mp4a", channels: int = 2, rate: int = RATE << 16, version: int = 0, place: int = 1
) -> bytes:
    head = struct.pack(">6xHHHIHHHHI", place, version, 0, 0, channels, 16, 0, 0, rate)
    return box(kind, head, *(inside or (stream_descriptor(),)))


def descriptions(*entries: bytes) -> bytes:
    return box(b"stsd", struct.pack(">II", 0, len(entries)), *entries)


def movie_header(duration: int = 2000, *, rate: int = 0x10000, volume: int = 0x100, wide: bool = False) -> bytes:
    layout = ">B3xQQIQIH70x" if wide else ">B3xIIIIIH70x"
    return box(b"mvhd", struct.pack(layout, wide, 0, 0, 1000, duration, rate, volume))


def track_header(duration: int = 2000, *, flags: int = 3, volume: int = 0x100, wide: bool = False) -> bytes:
    layout = ">IQQIIQ8xhhHxx36x8x" if wide else ">IIIIII8xhhHxx36x8x"
    return box(b"tkhd", struct.pack(layout, wide << 24 | flags, 0, 0, 1, 0, duration, 0, 0, volume))


def media_header(duration: int = 2 * RATE, timescale: int = RATE, *, wide: bool = False) -> bytes:
    return box(b"mdhd", struct.pack(">B3xQQIQI" if wide else ">B3xIIIII", wide, 0, 0, timescale, duration, 0))


def handler(kind: bytes = b"soun") -> bytes:
    return box(b"hdlr", bytes(8), kind, bytes(13))


def edit_list(*edits: tuple[int, int], rate: int = 0x10000, wide: bool = False) -> bytes:
    rows = (struct.pack(">QqI" if wide else ">IiI", duration, start, rate) for duration, start in edits)
    return box(b"edts", box(b"elst", struct.pack(">B3xI", wide, len(edits)), *rows))


def reference(kind: bytes = b"url ", flags: int = 1, count: int = 1) -> bytes:
    return box(b"dref", struct.pack(">II", 0, count), *[box(kind, struct.pack(">I", flags))] * count)


@dataclass
class Track:
    """The parts of a track of two samples of five bytes and one second each; every part can be another."""

    header: bytes = field(default_factory=track_header)
    edits: bytes = b""
    media: bytes = field(default_factory=media_header)
    kind: bytes = field(default_factory=handler)
    sound: bytes = field(default_factory=lambda: box(b"smhd", bytes(8)))
    data: bytes = field(default_factory=reference)
    coding: bytes = field(default_factory=lambda: descriptions(entry()))
    times: bytes = field(default_factory=lambda: times((2, RATE)))
    sizes: bytes = field(default_factory=lambda: uniform(5, 2))
    chunks: bytes = field(default_factory=lambda: table(b"stco", "I", [1]))
    runs: bytes = field(default_factory=lambda: table(b"stsc", "I", [1, 2, 1], 1))
    more_tables: bytes = b""
    more_information: bytes = b""
    more_media: bytes = b""
    more: bytes = b""

    def __bytes__(self) -> bytes:
        tables = box(b"stbl", self.coding, self.times, self.runs, self.sizes, self.chunks, self.more_tables)
        information = box(b"minf", self.sound, box(b"dinf", self.data), tables, self.more_information)
        media = box(b"mdia", self.media, self.kind, information, self.more_media)
        return box(b"trak", self.header, self.edits, media, self.more)


def movie(*tracks: Track | bytes, header: bytes | None = None, more: bytes = b"") -> bytes:
    return box(b"ftyp", b"M4A ") + box(b"moov", header or movie_header(), *(bytes(track) for track in tracks), more)
