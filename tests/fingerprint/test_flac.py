"""Flac frames: whole files pass, and files that another player plays differently do not."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint import flac
from fingerprint.audio import Audio, decode, encode
from fingerprint.digest import content_digest
from fingerprint.errors import AudioError
from fingerprint.media import MediaType

SYNC = re.compile(rb"\xff\xf8")
ID3V2 = b"ID3\x04\x00\x00\x00\x00\x02\x01" + bytes(257)
ID3V1 = b"TAG" + b"title".ljust(125, b"\x00")


@pytest.fixture(scope="session")
def song(file_of: Callable[[MediaType], Path]) -> bytes:
    return file_of("audio/flac").read_bytes()


@pytest.fixture
def check(tmp_path: Path) -> Callable[[bytes], None]:
    def require(data: bytes) -> None:
        path = tmp_path / "a.flac"
        path.write_bytes(data)
        with path.open("rb") as file:
            flac.require_plain(file)

    return require


def remainder(data: bytes, polynomial: int, bits: int) -> int:
    """Of the polynomial division, bit by bit."""
    value = int.from_bytes(data) << bits
    for place in range(value.bit_length() - 1, bits - 1, -1):
        if value >> place & 1:
            value ^= (1 << bits | polynomial) << place - bits
    return value


def first_frame(data: bytes) -> int:
    position, last = 4, False
    while not last:
        last = bool(data[position] & 0x80)
        position += 4 + int.from_bytes(data[position + 1 : position + 4])
    return position


def frames(data: bytes) -> list[bytes]:
    """The frames of a file of fewer than 128, told by their numbers and both of their checksums."""
    starts: list[int] = []
    for found in SYNC.finditer(data, first_frame(data)):
        at = found.start()
        header = data[at : at + (5 if data[at + 2] >> 4 not in {6, 7} else 3 + (data[at + 2] >> 4))]
        if header[4] == len(starts) and remainder(header, 0x07, 8) == data[at + len(header)]:
            starts.append(at)
    return [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def at_rate(frame: bytes, code: int) -> bytes:
    """The frame with another sample rate in its header, and the checksums that belong to it."""
    size = 5 if frame[2] >> 4 not in {6, 7} else 3 + (frame[2] >> 4)
    header = frame[:2] + bytes([frame[2] & 0xF0 | code]) + frame[3:size]
    body = header + bytes([remainder(header, 0x07, 8)]) + frame[size + 1 : -2]
    return body + remainder(body, 0x8005, 16).to_bytes(2)


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000, 37_800, 12_345])
@pytest.mark.parametrize(("channels", "dtype"), [(1, "int16"), (2, "int32")])
def test_whole_files_pass(
    rate: int, channels: int, dtype: str, check: Callable[[bytes], None], noise: Callable[..., Audio], tmp_path: Path
) -> None:
    audio = noise(1.5, rate, channels, dtype=dtype)
    if dtype == "int32":
        audio = Audio(audio.samples & ~0xFF, rate)
    encode(audio, tmp_path / "b.flac", media_type="audio/flac")
    data = (tmp_path / "b.flac").read_bytes()
    check(data)
    check(ID3V2 + data + ID3V1)


@pytest.mark.parametrize(
    "options", [("-compression_level", "0"), ("-compression_level", "12"), ("-ac", "1"), ("-ar", "48000")]
)
def test_whole_files_of_another_encoder_pass(
    options: tuple[str, ...], ffmpeg: str, check: Callable[[bytes], None], song: bytes, tmp_path: Path
) -> None:
    (tmp_path / "song.flac").write_bytes(song)
    command = (ffmpeg, "-v", "error", "-i", tmp_path / "song.flac", *options, tmp_path / "b.flac")
    subprocess.run(command, check=True)
    check((tmp_path / "b.flac").read_bytes())


def test_the_frames_of_the_tests_are_those_of_the_file(song: bytes) -> None:
    assert song[: first_frame(song)] + b"".join(frames(song)) == song
    assert all(remainder(frame[:-2], 0x8005, 16).to_bytes(2) == frame[-2:] for frame in frames(song)[:3])
    assert at_rate(frames(song)[1], 9) == frames(song)[1]


@pytest.mark.parametrize("between", [b"", b"junk", bytes(5000)])
def test_sound_behind_the_end(
    between: bytes, ffmpeg: str, check: Callable[[bytes], None], song: bytes, tmp_path: Path
) -> None:
    """The samples that the header counts are as before, so that a digest of them alone would be too."""
    tail = tmp_path / "tail.flac"
    encode(Audio(np.full((44_100 * 2, 2), 99, np.int16), 44_100), tail, media_type="audio/flac")
    for more in (b"".join(frames(tail.read_bytes())), tail.read_bytes()):
        with pytest.raises(AudioError, match="more sound behind the 132300 samples"):
            check(song + between + more)
    forged = tmp_path / "forged.flac"
    forged.write_bytes(song + between + b"".join(frames(tail.read_bytes())))
    command = (ffmpeg, "-v", "fatal", "-i", forged, "-f", "s16le", "-")
    played = subprocess.run(command, capture_output=True, check=True).stdout
    assert len(played) // 4 > 132_300 + 44_100
    for reader in (decode, content_digest):
        with pytest.raises(AudioError, match="more sound behind"):
            reader(forged)


def test_a_great_deal_of_anything_behind_the_end(check: Callable[[bytes], None], song: bytes) -> None:
    check(song + bytes(500_000))
    for behind in (bytes(2_000_000), b"\xff\xf8" * 1_000_000):
        with pytest.raises(AudioError, match="more sound behind"):
            check(song + behind)


@pytest.mark.parametrize("which", [slice(0, None), slice(0, 1), slice(1, None), slice(-1, None)])
def test_frames_that_state_another_rate(
    which: slice, ffmpeg: str, check: Callable[[bytes], None], song: bytes, tmp_path: Path
) -> None:
    every = frames(song)
    every[which] = [at_rate(frame, 6) for frame in every[which]]
    forged = song[: first_frame(song)] + b"".join(every)
    with pytest.raises(AudioError, match="samples in frames as its header describes them"):
        check(forged)
    played = []
    for name, data in (("song.flac", song), ("forged.flac", forged)):
        (tmp_path / name).write_bytes(data)
        command = (ffmpeg, "-v", "fatal", "-i", tmp_path / name, "-f", "s16le", "-ar", "44100", "-")
        played.append(subprocess.run(command, capture_output=True, check=True).stdout)
    assert played[0] != played[1]


@pytest.mark.parametrize("lost", [0, 3, -1])
def test_a_missing_frame(lost: int, check: Callable[[bytes], None], song: bytes) -> None:
    every = frames(song)
    del every[lost]
    with pytest.raises(AudioError, match="samples in frames as its header describes them"):
        check(song[: first_frame(song)] + b"".join(every))


def test_a_frame_without_its_checksum(check: Callable[[bytes], None], song: bytes) -> None:
    with pytest.raises(AudioError, match="last frame has no checksum"):
        check(song[:-40])


@pytest.mark.parametrize("size", [0, 3, 8, 30, 41, 80])
def test_a_header_that_is_cut_off(size: int, check: Callable[[bytes], None], song: bytes) -> None:
    with pytest.raises((AudioError, ValueError), match=r"cut off|empty|samples in frames"):
        check(song[:size])


def test_a_stream_of_unknown_length_is_left_to_the_decoder(check: Callable[[bytes], None], song: bytes) -> None:
    check(song[:21] + bytes([song[21] & 0xF0]) + bytes(4) + song[26:])


@given(st.data())
def test_any_damage_passes_or_is_refused(song: bytes, scratch: Callable[[str], Path], data: st.DataObject) -> None:
    damaged = bytearray(song[: data.draw(st.integers(1, len(song)))])
    for position in data.draw(st.lists(st.integers(0, min(400, len(damaged) - 1)), max_size=4)):
        damaged[position] ^= data.draw(st.integers(1, 255))
    path = scratch("flac")
    path.write_bytes(damaged)
    with path.open("rb") as file:
        try:
            flac.require_plain(file)
        except AudioError:
            return
