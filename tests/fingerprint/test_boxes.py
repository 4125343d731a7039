"""ISO media boxes: files built by hand, and ffmpeg's own reading of real ones."""

import io
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprint import boxes
from fingerprint.errors import AudioError
from fingerprint.media import MediaType


def box(kind: bytes, *content: bytes, wide: bool = False) -> bytes:
    body = b"".join(content)
    if wide:
        return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, kind) + body


def table(kind: bytes, layout: str, numbers: list[int], count: int | None = None) -> bytes:
    count = len(numbers) if count is None else count
    return box(kind, struct.pack(f">II{len(numbers)}{layout}", 0, count, *numbers))


def track(sizes: bytes, chunks: bytes, runs: list[int], *, handler: bytes = b"soun", duration: int = 88_200) -> bytes:
    header = box(b"mdhd", struct.pack(">5I", 0, 0, 0, 44_100, duration))
    kind = box(b"hdlr", bytes(8) + handler + bytes(12))
    samples = box(b"stbl", sizes, chunks, table(b"stsc", "I", runs, len(runs) // 3))
    return box(b"trak", box(b"mdia", header, kind, box(b"minf", samples)))


def sized(sizes: list[int]) -> bytes:
    return box(b"stsz", struct.pack(f">III{len(sizes)}I", 0, 0, len(sizes), *sizes))


def uniform(size: int, count: int) -> bytes:
    return box(b"stsz", struct.pack(">III", 0, size, count))


def movie(*tracks: bytes) -> bytes:
    return box(b"ftyp", b"M4A ") + box(b"moov", *tracks)


def read(data: bytes) -> boxes.Track:
    return boxes.read_track(io.BytesIO(data))


@given(
    layout=st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=4), min_size=1, max_size=6),
    shuffle=st.randoms(),
    wide=st.booleans(),
)
def test_samples_come_in_playing_order_wherever_their_chunks_lie(
    layout: list[list[int]], shuffle: Random, *, wide: bool
) -> None:
    order = list(range(len(layout)))
    shuffle.shuffle(order)
    head = box(b"ftyp", b"M4A ") + struct.pack(">I4s", 1, b"mdat") + struct.pack(">Q", 16 + sum(map(sum, layout)))
    offsets, data, byte = {}, b"", 0
    content = {}
    for chunk in order:
        offsets[chunk] = len(head) + len(data)
        content[chunk] = bytes((byte + i) % 256 for i in range(sum(layout[chunk])))
        byte += len(content[chunk])
        data += content[chunk]
    runs = [n for i, chunk in enumerate(layout) for n in (i + 1, len(chunk), 1)]
    places = [offsets[i] for i in range(len(layout))]
    chunks = table(b"co64", "Q", places) if wide else table(b"stco", "I", places)
    audio = track(sized([s for chunk in layout for s in chunk]), chunks, runs)
    whole = head + data + box(b"uuid", bytes(40)) + box(b"moov", audio)
    found = read(whole)
    joined = b"".join(whole[position : position + size] for position, size in found.ranges)
    assert joined == b"".join(content[i] for i in range(len(layout)))
    assert found.duration == 2


def test_the_audio_track_is_chosen() -> None:
    picture = track(uniform(4, 1), table(b"stco", "I", [0]), [1, 1, 1], handler=b"vide")
    sound = track(uniform(5, 2), table(b"stco", "I", [1]), [1, 2, 1])
    assert read(movie(picture, sound)).ranges == ((1, 10),)


def test_the_same_samples_as_ffmpeg(ffmpeg: str, file_of: Callable[[MediaType], Path], tmp_path: Path) -> None:
    path = file_of("audio/mp4")
    moved = tmp_path / "moved.m4a"
    options = ("-c", "copy", "-movflags", "+faststart", "-metadata", "title=new")
    subprocess.run((ffmpeg, "-v", "error", "-i", path, *options, moved), check=True)
    for each in (path, moved):
        command = (ffmpeg, "-v", "error", "-i", each, "-map", "0:a", "-c", "copy", "-f", "data", "-")
        sound = subprocess.run(command, capture_output=True, check=True).stdout
        data = each.read_bytes()
        assert b"".join(data[p : p + n] for p, n in read(data).ranges) == sound


GOOD = {"sizes": uniform(5, 2), "chunks": table(b"stco", "I", [1]), "runs": [1, 2, 1]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sizes": b""}, "no sample sizes"),
        ({"sizes": uniform(5, 3)}, "3 samples of which only 2"),
        ({"sizes": uniform(5, 2**32 - 1)}, "uncompressed"),
        ({"sizes": uniform(2**31, 2)}, "cut off or damaged"),
        ({"sizes": sized([2**32 - 1])}, "cut off or damaged"),
        ({"sizes": box(b"stsz", struct.pack(">III", 0, 0, 1000))}, "a table of 12 bytes"),
        ({"sizes": uniform(0, 0), "runs": []}, "has no samples"),
        ({"chunks": b""}, "no chunk offsets"),
        ({"chunks": table(b"stco", "I", [2**31])}, "cut off"),
        ({"chunks": table(b"co64", "Q", [2**63])}, "cut off"),
        ({"chunks": table(b"stco", "I", [1], 50)}, "a table of"),
        ({"runs": []}, "only 0 have a place"),
        ({"runs": [0, 2, 1]}, "not in order"),
        ({"runs": [9, 2, 1]}, "not in order"),
        ({"runs": [2, 2, 1, 1, 2, 1]}, "not in order"),
        ({"handler": b"vide"}, "no audio track"),
    ],
)
def test_tables_that_contradict(change: dict[str, bytes], said: str) -> None:
    with pytest.raises(AudioError, match=said):
        read(movie(track(**{**GOOD, **change})))  # type: ignore[arg-type]  # a mixed table


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (box(b"ftyp", b"M4A ") + box(b"mdat", bytes(90)), "no index"),
        (box(b"ftyp", b"M4A ") + box(b"mdat", bytes(90))[:50], "cut off"),
        (box(b"ftyp", b"M4A ") + b"\x00\x00\x00\x05free", "a box b'free' of 5 bytes"),
        (box(b"ftyp", b"M4A ") + b"\x00\x00", "fewer than 8 bytes"),
        (struct.pack(">I4sQ", 1, b"moov", 2**63), "cut off"),
        (movie(box(b"trak")), "no box b'mdia'"),
        (movie(b"\x00\x00\x40\x00trak"), "larger than the box it lies in"),
        (box(b"free") * 10_001, "no index"),
    ],
)
def test_boxes_that_are_wrong(data: bytes, said: str) -> None:
    with pytest.raises(AudioError, match=said):
        read(data)


def test_an_index_of_unreasonable_size(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    with path.open("wb") as file:
        file.write(struct.pack(">I4s", 17 * 2**20, b"moov"))
        file.truncate(17 * 2**20)
    with path.open("rb") as file, pytest.raises(AudioError, match="has an index of"):
        boxes.read_track(file)


def test_a_box_to_the_end_of_the_file() -> None:
    audio = movie(track(**GOOD))  # type: ignore[arg-type]  # a mixed table
    moov = bytearray(audio)
    moov[12:16] = bytes(4)
    assert read(bytes(moov)) == read(audio)


@settings(max_examples=300)
@given(st.data())
def test_any_damage_is_a_track_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(movie(track(**GOOD)))  # type: ignore[arg-type]  # a mixed table
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=4)):
        damaged[position] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(damaged))
    except AudioError:
        return
    assert all(p + n <= len(damaged) for p, n in found.ranges)
