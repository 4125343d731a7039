"""Sample descriptions: what is heard of them has a name, what is not has none, and nothing else is let through."""

import struct

import pytest

from fingerprint.boxes import children
from fingerprint.descriptor import decoder_of
from fingerprint.errors import AudioError
from tests.fingerprint.movies import box, descriptions, descriptor, entry, stream_descriptor

PLAIN = "mp4a 2 2890137600 64 1210"


def decoder(*entries: bytes) -> str:
    [(_, content)] = children(descriptions(*entries))
    return decoder_of(content)


def test_what_is_not_heard_has_no_part_in_it() -> None:
    assert decoder(entry()) == PLAIN
    assert decoder(entry(stream_descriptor(name=77, bits=0))) == PLAIN
    assert decoder(entry(stream_descriptor(), box(b"btrt", bytes(12)))) == PLAIN
    specific = descriptor(5, b"\x12\x10", long=False)
    short = descriptor(3, bytes(3) + descriptor(4, b"\x40" + bytes(12) + specific, long=False) + descriptor(6, b"\x02"))
    assert decoder(entry(box(b"esds", bytes(4), short))) == PLAIN


@pytest.mark.parametrize(
    "changed",
    [
        entry(channels=1),
        entry(rate=22_050 << 16),
        entry(stream_descriptor(b"\x13\x90")),
        entry(stream_descriptor(b"\x12\x10\x56\xe5\x00")),
        entry(stream_descriptor(object_type=0x66)),
    ],
)
def test_what_is_heard_has_a_part_in_it(changed: bytes) -> None:
    assert decoder(changed) != PLAIN


def test_other_codecs_are_named_by_all_there_is() -> None:
    lossless = entry(box(b"alac", bytes(28)), kind=b"alac")
    assert decoder(lossless) == f"616c6163 {lossless[8:].hex()}"
    assert decoder(entry(box(b"alac", bytes(27) + b"\x01"), kind=b"alac")) != decoder(lossless)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ((), "0 descriptions"),
        ((entry(), entry()), "2 descriptions"),
        ((entry(version=1),), "not known here"),
        ((entry(place=2),), "not known here"),
        ((entry(kind=b"enca"),), "not known here"),
        ((entry(kind=b"\xa9abc"),), "not known here"),
        ((entry(stream_descriptor(), stream_descriptor()),), "two boxes b'esds'"),
        ((entry(stream_descriptor(), box(b"wave")),), "a box b'wave'"),
        ((entry(stream_descriptor(), box(b"sinf")),), "a box b'sinf'"),
        ((entry(box(b"btrt")),), "no box b'esds'"),
        ((entry(stream_descriptor(flags=0x80)),), "depends on another"),
        ((entry(box(b"esds", bytes(4), descriptor(3, bytes(3)))),), "descriptor of a kind"),
        ((entry(box(b"esds", bytes(4), descriptor(4, bytes(13)))),), "descriptor of a kind"),
        ((entry(box(b"esds", bytes(4), descriptor(3, bytes(90))[:20])),), "descriptor that is cut off"),
        ((entry(box(b"esds", bytes(4), b"\x03\xff")),), "a table of"),
        ((box(b"mp4a", bytes(10)),), "not known here"),
        ((box(b"mp4a", bytes(3)),), "a table of"),
    ],
)
def test_anything_else_is_refused(entries: tuple[bytes, ...], said: str) -> None:
    with pytest.raises(AudioError, match=said):
        decoder(*entries)


def test_a_count_that_is_not_true() -> None:
    one = struct.pack(">II", 0, 2) + entry()
    with pytest.raises(AudioError, match="2 descriptions"):
        decoder_of(one)
