"""ISO media boxes: what is found, and what is refused because players find it in different places."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint import boxes
from fingerprint.errors import AudioError
from tests.fingerprint.movies import Track, box, movie

PLAIN = boxes.layout("test", "must", "may", many="many", tags=True)


def index_of(data: bytes) -> bytes:
    return boxes.movie(io.BytesIO(data))


@given(
    before=st.lists(st.binary(max_size=20), max_size=3),
    content=st.binary(max_size=50),
    behind=st.lists(st.binary(max_size=20), max_size=3),
    wide=st.booleans(),
)
def test_the_index_is_found_wherever_it_lies(
    before: list[bytes], content: bytes, behind: list[bytes], *, wide: bool
) -> None:
    around = [[box(b"mdat", each) for each in some] for some in (before, behind)]
    data = box(b"ftyp", b"M4A ") + b"".join(around[0]) + box(b"moov", content, wide=wide) + b"".join(around[1])
    assert index_of(data) == content


def test_a_box_to_the_end_of_the_file() -> None:
    data = bytearray(box(b"ftyp", b"M4A ") + box(b"moov", b"content"))
    data[12:16] = bytes(4)
    assert index_of(bytes(data)) == b"content"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (box(b"ftyp", b"M4A ") + box(b"mdat", bytes(90)), "no index"),
        (box(b"ftyp", b"M4A ") + box(b"mdat", bytes(90))[:50], "cut off"),
        (box(b"ftyp", b"M4A ") + b"\x00\x00\x00\x05free", "a box b'free' of 5 bytes"),
        (box(b"ftyp", b"M4A ") + b"\x00\x00", "fewer than 8 bytes"),
        (struct.pack(">I4sQ", 1, b"moov", 2**63), "cut off"),
        (box(b"moov", b"") + box(b"moov", b""), r"2 indexes"),
        (box(b"moov", b"") + box(b"moof", b""), r"a box b'moof' beside its index"),
        (box(b"moov", b"") + box(b"trak", b""), r"a box b'trak' beside its index"),
        (box(b"moov", b"") + box(b"hoov", box(b"mvhd")), r"a box b'hoov' beside its index"),
        (box(b"sidx", b"") + box(b"moov", b""), r"a box b'sidx' beside its index"),
        (box(b"moov", b"") + b"\x00\x00\x00\x00\x00", "fewer than 8 bytes"),
        (box(b"free") * 10_001, "more than 10000 boxes"),
    ],
)
def test_files_that_are_wrong(data: bytes, said: str) -> None:
    with pytest.raises(AudioError, match=said):
        index_of(data)


def test_an_index_of_unreasonable_size(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    with path.open("wb") as file:
        file.write(struct.pack(">I4s", 17 * 2**20, b"moov"))
        file.truncate(17 * 2**20)
    with path.open("rb") as file, pytest.raises(AudioError, match="has an index of"):
        boxes.movie(file)


def test_each_box_is_given_once_and_fillers_and_tags_are_not() -> None:
    content = b"".join(
        (
            box(b"free", b"x"),
            box(b"must", b"1"),
            box(b"many", b"2"),
            box(b"skip"),
            box(b"many", b"3"),
            box(b"may", b"")[:0],
            box(b"udta", box(b"name", b"title")),
        )
    )
    assert boxes.read(content, PLAIN) == {b"must": b"1"}
    assert list(boxes.children(content))[2] == (b"many", b"2")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no box b'must' in b'test'"),
        (box(b"must") * 2, "two boxes b'must' in b'test'"),
        (box(b"must") + box(b"else"), "a box b'else' in b'test'"),
        (box(b"must") + b"\x00\x00\x40\x00many", "larger than the box it lies in"),
        (box(b"must") + box(b"udta", box(b"trak")), "a box b'trak' among its tags"),
        (box(b"must") + box(b"meta", bytes(4), box(b"ilst", box(b"elst"))), "a box b'elst' among its tags"),
        (box(b"must") + box(b"meta", box(b"hdlr", bytes(25)), box(b"stsd")), "a box b'stsd' among its tags"),
        (box(b"must") + box(b"udta", box(b"meta", bytes(4), box(b"udta", box(b"moov")))), "a box b'moov' among"),
    ],
)
def test_boxes_that_do_not_belong(content: bytes, said: str) -> None:
    with pytest.raises(AudioError, match=said):
        boxes.read(content, PLAIN)


def test_tags_in_tags_have_an_end() -> None:
    deep = b""
    for _ in range(40):
        deep = box(b"udta", deep)
    with pytest.raises(AudioError, match="tags in tags"):
        boxes.read(box(b"must") + deep, PLAIN)


def test_a_composer_may_be_called_petrakis() -> None:
    """The letters of a box in the text of a tag are no box."""
    name = box(b"\xa9wrt", box(b"data", bytes(8), b"Petrakis: trak moof stsd"))
    tags = box(b"udta", box(b"meta", bytes(4), box(b"hdlr", bytes(25)), box(b"ilst", name)))
    assert boxes.read(box(b"must") + tags, PLAIN) == {b"must": b""}


@given(st.data())
def test_any_damage_is_an_index_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(movie(Track()))
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=4)):
        damaged[position] ^= data.draw(st.integers(1, 255))
    try:
        assert index_of(bytes(damaged)) in bytes(damaged)
    except AudioError:
        return
