"""Telling containers apart, and finding the store in them."""

from __future__ import annotations

import contextlib
import io
import shutil
from typing import TYPE_CHECKING

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.media import M4A_FILE_TYPE
from provenance import container
from provenance.container import (
    FLAC,
    M4A,
    MP3,
    WAV,
    CarrierError,
    media_type_of,
    require_bare_mp4,
    store_excluded_from_hash,
    store_in_mp4,
)
from provenance.errors import UnsupportedMediaError
from provenance.jumbf import find_fault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provenance.conftest import Studio

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
FFMPEG = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg makes m4a")


def media_type(data: bytes) -> str:
    return media_type_of(io.BytesIO(data), "it")


@pytest.mark.parametrize(
    ("ending", "expected"), [("wav", WAV), ("flac", FLAC), ("mp3", MP3), pytest.param("m4a", M4A, marks=FFMPEG)]
)
def test_real_files_are_told_by_their_content(studio: Studio, ending: str, expected: str) -> None:
    for path in (studio.audio(ending), studio.signed(ending)):
        assert media_type(path.read_bytes()) == expected


def test_a_flac_behind_an_id3_tag_is_a_flac() -> None:
    tag = b"ID3\x04\0\0" + bytes([0, 0, 1, 2]) + bytes(130)
    assert media_type(tag + b"fLaC") == FLAC
    assert media_type(tag + b"\xff\xfb\x90\x44") == MP3


@pytest.mark.parametrize("container", ["OGG", "AIFF", "RF64"])
def test_other_containers_are_named(tmp_path: Path, container: str) -> None:
    soundfile.write(tmp_path / "a", [0.0] * 500, 8000, format=container)
    name = {"OGG": "an Ogg file", "AIFF": "an AIFF file", "RF64": "more than 4 GiB"}[container]
    with pytest.raises(UnsupportedMediaError, match=rf"it is .*{name}.*wav, flac, mp3 or m4a"):
        media_type((tmp_path / "a").read_bytes())


@pytest.mark.parametrize(
    "data", [b"", b"ID3", b"RIFF\0\0\0\0AVI ", b"\xff\xf1\x50\x80", b"\xff\xfb", b"\xff\xff\xff\xff"]
)
def test_what_is_no_audio_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaError):
        media_type(data)


@given(st.binary(max_size=40))
def test_any_bytes_have_a_format_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(UnsupportedMediaError):
        assert media_type(data) in {WAV, FLAC, MP3, M4A}


def riff(*chunks: bytes) -> io.BytesIO:
    return io.BytesIO(b"RIFF\0\0\0\0WAVE" + b"".join(chunks))


def c2pa_chunk(store: bytes, kind: bytes = b"C2PA") -> bytes:
    return kind + len(store).to_bytes(4, "little") + store + b"\0" * (len(store) % 2)


DATA = c2pa_chunk(b"sounds", kind=b"data")
AT = 12 + len(DATA)


@pytest.mark.parametrize(("store", "length"), [(b"store!", 14), (b"store", 13), (b"store", 14)])
def test_a_store_in_a_wav_is_its_chunks_content(store: bytes, length: int) -> None:
    assert store_excluded_from_hash(riff(DATA, c2pa_chunk(store)), WAV, AT, length) == store


@pytest.mark.parametrize(
    ("chunks", "start", "length"),
    [
        ((DATA,), AT, 14),
        ((DATA, c2pa_chunk(b"store!", kind=b"LIST")), AT, 14),
        ((DATA, c2pa_chunk(b"store!")), AT, 13),
        ((DATA, c2pa_chunk(b"store!")), AT, 15),
        ((DATA, c2pa_chunk(b"store!")), AT - 1, 14),
        ((DATA, c2pa_chunk(b"store!")), 0, 0),
        ((DATA, c2pa_chunk(b"store!"), c2pa_chunk(b"decoy!")), AT, 14),
        ((DATA, c2pa_chunk(b"store!"), c2pa_chunk(b"decoy!")), AT + 14, 14),
    ],
)
def test_any_other_range_or_a_second_store_is_refused(chunks: tuple[bytes, ...], start: int, length: int) -> None:
    with pytest.raises(CarrierError):
        store_excluded_from_hash(riff(*chunks), WAV, start, length)


def geob(store: bytes, mime: bytes = b"application/x-c2pa-manifest-store") -> bytes:
    content = b"\0" + mime + b"\0c2pa\0c2pa manifest store\0" + store
    return b"GEOB" + len(content).to_bytes(4) + b"\0\0" + content


def id3(*frames: bytes, version: int = 3, flags: int = 0) -> io.BytesIO:
    content = b"".join(frames) + bytes(20)
    size = bytes([0, 0, len(content) >> 7, len(content) & 127])
    return io.BytesIO(b"ID3" + bytes([version, 0, flags]) + size + content + b"sound")


@pytest.mark.parametrize("media_type", [FLAC, MP3])
@pytest.mark.parametrize("version", [3, 4])
def test_a_store_in_a_tag_is_its_object(media_type: str, version: int) -> None:
    file = id3(b"TIT2\0\0\0\2\0\0\0x", geob(b"store!"), version=version)
    at = file.getvalue().index(b"store!")
    assert store_excluded_from_hash(file, media_type, at, 6) == b"store!"
    with pytest.raises(CarrierError, match="leaves out"):
        store_excluded_from_hash(file, media_type, at, 7)


@pytest.mark.parametrize(
    "file",
    [
        id3(geob(b"store!"), geob(b"decoy!")),
        id3(geob(b"store!", mime=b"image/png")),
        id3(geob(b"store!"), flags=0x80),
        id3(geob(b"store!"), version=2),
        io.BytesIO(id3(geob(b"store!")).getvalue()[:14]),
        io.BytesIO(b"ID3"),
        io.BytesIO(b"fLaC store!"),
        io.BytesIO(b""),
    ],
)
def test_a_tag_without_exactly_one_store_is_refused(file: io.BytesIO) -> None:
    with pytest.raises(CarrierError):
        store_excluded_from_hash(file, MP3, max(0, file.getvalue().find(b"store!")), 6)


def box(kind: bytes, content: bytes, *, wide: bool = False) -> bytes:
    if wide:
        return (1).to_bytes(4) + kind + (len(content) + 16).to_bytes(8) + content
    return (len(content) + 8).to_bytes(4) + kind + content


def c2pa_box(content: bytes, purpose: bytes = b"manifest", *, flags: int = 0, auxiliary: int = 0) -> bytes:
    return box(b"uuid", C2PA + flags.to_bytes(4) + purpose + b"\0" + auxiliary.to_bytes(8) + content)


def mp4(*boxes: bytes) -> io.BytesIO:
    return io.BytesIO(box(b"ftyp", b"M4A ") + b"".join(boxes))


def test_the_store_in_an_mp4_is_found_among_other_boxes() -> None:
    other = box(b"uuid", bytes(16) + b"other")
    assert (
        store_in_mp4(mp4(other, box(b"mdat", b"audio", wide=True), c2pa_box(b"store"), box(b"moov", b""))) == b"store"
    )


def test_a_last_box_without_a_size_ends_the_search() -> None:
    assert store_in_mp4(mp4(c2pa_box(b"store"), (0).to_bytes(4) + b"mdat")) == b"store"


def test_an_auxiliary_box_has_to_be_where_it_is_said_to_be() -> None:
    first = c2pa_box(b"store", auxiliary=12 + len(c2pa_box(b"store")))
    assert store_in_mp4(mp4(first, c2pa_box(b"hashes", b"merkle"))) == b"store"
    with pytest.raises(CarrierError):
        store_in_mp4(mp4(first, box(b"free", b"")))


@pytest.mark.parametrize(
    "file",
    [
        mp4(),
        mp4(c2pa_box(b"a"), c2pa_box(b"b")),
        mp4(c2pa_box(b"a", b"manifesto")),
        mp4(c2pa_box(b"a", flags=1)),
        mp4(c2pa_box(b"a", auxiliary=2**63)),
        mp4(box(b"uuid", C2PA)),
    ],
)
def test_other_fields_around_the_store_are_refused(file: io.BytesIO) -> None:
    with pytest.raises(CarrierError):
        store_in_mp4(file)


@pytest.mark.parametrize("size", [8, 23])
def test_a_store_box_that_ends_within_its_own_header_is_none(size: int) -> None:
    with (
        io.BufferedReader(mp4(size.to_bytes(4) + b"uuid" + C2PA)) as file,
        pytest.raises(CarrierError, match="has 0 C2PA"),
    ):
        store_in_mp4(file)


def test_a_file_of_very_many_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "_MOST_PARTS", 10)
    wav = b"RIFF\0\0\0\0WAVE" + (b"LIST" + bytes(4)) * 11
    tag = b"ID3\4\0\0\0\0\1\0" + (b"TXXX" + bytes(6)) * 11
    for find in (
        lambda: store_in_mp4(mp4(*[box(b"free", b"")] * 11)),
        lambda: store_excluded_from_hash(io.BytesIO(wav), WAV, 0, 0),
        lambda: store_excluded_from_hash(io.BytesIO(tag), MP3, 0, 0),
    ):
        with pytest.raises(CarrierError, match="more than 10 parts"):
            find()


@given(st.binary(max_size=200))
def test_garbage_after_the_first_box_never_escapes_as_another_error(garbage: bytes) -> None:
    with pytest.raises(CarrierError):
        store_in_mp4(mp4(garbage))


def ours(*boxes: bytes) -> io.BytesIO:
    return io.BytesIO(M4A_FILE_TYPE + b"".join(boxes))


BARE = (c2pa_box(b"store"), box(b"free", b""), box(b"mdat", b"audio", wide=True), box(b"moov", b""))


def test_a_bare_mp4_has_nothing_that_hashes_leave_out() -> None:
    require_bare_mp4(ours(*BARE))


@pytest.mark.parametrize(
    "file",
    [
        mp4(*BARE),
        io.BytesIO(b"".join(BARE)),
        io.BytesIO(b"".join([BARE[0], M4A_FILE_TYPE, *BARE[1:]])),
        ours(*BARE, M4A_FILE_TYPE),
        ours(*BARE, box(b"ftyp", b"M4A Licensed to everybody")),
        ours(*BARE, box(b"mfra", b"Licensed to everybody")),
        ours(*BARE, c2pa_box(b"store", b"update")),
        ours(*BARE, box(b"uuid", C2PA)),
        ours(*BARE, b"\0\0\0\0ftypanything"),
        ours(*BARE, b"\0\0\0\0uuid" + C2PA + b"anything"),
        ours(*BARE, b"x"),
        ours(*BARE, (99).to_bytes(4) + b"free"),
        ours(*BARE[1:]),
    ],
)
def test_an_mp4_with_more_is_not_bare(file: io.BytesIO) -> None:
    with pytest.raises(CarrierError):
        require_bare_mp4(file)


@FFMPEG
def test_the_store_of_a_real_m4a_is_whole(studio: Studio) -> None:
    with studio.signed("m4a").open("rb") as file:
        assert find_fault(store_in_mp4(file), ours=True) is None
