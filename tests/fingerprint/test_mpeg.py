"""MPEG audio frames, against ffmpeg's own reading of the same files."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fingerprint import mpeg
from fingerprint.audio import Audio, encode
from fingerprint.errors import AudioError
from fingerprint.media import MediaType

ID3V1 = b"TAG" + b"title".ljust(125, b"\x00")
ID3V2 = b"ID3\x04\x00\x00\x00\x00\x02\x01" + bytes(257)
ID3V2_WITH_FOOTER = b"ID3\x04\x00\x10\x00\x00\x00\x05" + bytes(5) + b"3DI\x04\x00\x10\x00\x00\x00\x05"
ITEM = b"\x03\x00\x00\x00\x00\x00\x00\x00Title\x00abc"
APE_BODY = (2000).to_bytes(4, "little") + (len(ITEM) + 32).to_bytes(4, "little") + (1).to_bytes(4, "little")
APE_HEADER = b"APETAGEX" + APE_BODY + b"\x00\x00\x00\xa0" + bytes(8)
APE_FOOTER = b"APETAGEX" + APE_BODY + b"\x00\x00\x00\x80" + bytes(8)
APE = APE_HEADER + ITEM + APE_FOOTER
LYRICS = b"LYRICSBEGININD0000200" + b"000021LYRICS200"
TRAILERS = (ID3V1, APE, LYRICS, APE + ID3V1, LYRICS + ID3V1, ID3V2_WITH_FOOTER)


@pytest.fixture(scope="session")
def mp3(file_of: Callable[[MediaType], Path]) -> bytes:
    return file_of("audio/mpeg").read_bytes()


def copied(ffmpeg: str, path: Path) -> bytes:
    command = (ffmpeg, "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "data", "-")
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_same_frames_as_ffmpeg(
    rate: int, channels: int, ffmpeg: str, noise: Callable[..., Audio], tmp_path: Path
) -> None:
    path = tmp_path / "a.mp3"
    audio = noise(1.5, rate, channels)
    encode(audio, path, media_type="audio/mpeg")
    data = path.read_bytes()
    stream = mpeg.read_stream(data)
    assert data[stream.start : stream.end] == copied(ffmpeg, path)
    assert (stream.sample_rate, stream.channels) == (rate, channels)
    assert audio.frames <= stream.samples < audio.frames + 4 * 1152


@pytest.mark.parametrize("codec", ["mp2", "libmp3lame"])
@pytest.mark.parametrize("options", [["-b:a", "64k"], ["-b:a", "160k", "-write_xing", "0"], ["-q:a", "2"]])
def test_the_same_frames_as_ffmpeg_wrote(
    codec: str, options: list[str], ffmpeg: str, file_of: Callable[[MediaType], Path], tmp_path: Path
) -> None:
    path = tmp_path / f"a.{'mp2' if codec == 'mp2' else 'mp3'}"
    if codec == "mp2":
        options = ["-b:a", "160k"]
    command = (ffmpeg, "-v", "error", "-i", file_of("audio/wav"), "-c:a", codec, *options, path)
    subprocess.run(command, check=True)
    data = path.read_bytes()
    stream = mpeg.read_stream(data)
    assert data[stream.start : stream.end] == copied(ffmpeg, path)


@pytest.mark.parametrize("trailer", TRAILERS)
@pytest.mark.parametrize("leader", [b"", ID3V2, ID3V2_WITH_FOOTER, ID3V2 + ID3V2])
def test_tags_are_not_sound(leader: bytes, trailer: bytes, mp3: bytes) -> None:
    plain = mpeg.read_stream(mp3)
    tagged = mpeg.read_stream(leader + mp3 + trailer)
    assert (tagged.start, tagged.end) == (plain.start + len(leader), plain.end + len(leader))
    assert tagged.samples == plain.samples


def test_foreign_bytes_among_the_frames_are_inside(mp3: bytes) -> None:
    plain = mpeg.read_stream(mp3)
    header = mpeg.parse_header(mp3[plain.start : plain.start + 4])
    assert header is not None
    behind_first = plain.start + header.length
    mixed = mpeg.read_stream(mp3[:behind_first] + b"some other bytes" + mp3[behind_first:] + b"more")
    assert (mixed.start, mixed.end) == (plain.start, plain.end + 20)
    assert mixed.samples == plain.samples


def test_more_frames_than_the_description_says(mp3: bytes) -> None:
    """One player stops where the description says, another plays on."""
    stream = mpeg.read_stream(mp3)
    with pytest.raises(AudioError, match=r"\d+ frames, where it says that it has \d+"):
        mpeg.read_stream(mp3 + mp3[stream.start : stream.end])
    with pytest.raises(AudioError, match=r"\d+ frames, where it says that it has \d+"):
        mpeg.read_stream(mp3 + mp3)


def sounding(path: Path, audio: Audio) -> bytes:
    encode(audio, path, media_type="audio/mpeg")
    data = path.read_bytes()
    return data[mpeg.read_stream(data).start :]


@pytest.mark.parametrize("rate", [48_000, 22_050])
def test_frames_of_another_kind(rate: int, mp3: bytes, noise: Callable[..., Audio], tmp_path: Path) -> None:
    other = sounding(tmp_path / "other.mp3", noise(2, rate, 2))
    header = mpeg.parse_header(other[:4])
    assert header is not None
    stream = mpeg.read_stream(mp3)
    own = mpeg.parse_header(mp3[stream.start : stream.start + 4])
    assert own is not None
    behind_first = stream.start + own.length
    for place in (behind_first, len(mp3)):
        for foreign in (other, other[: header.length]):
            with pytest.raises(AudioError, match="a frame of another kind"):
                mpeg.read_stream(mp3[:place] + foreign + mp3[place:])
    with pytest.raises(AudioError, match="a frame of another kind"):
        mpeg.read_stream(other[: header.length] + mp3)


@given(st.data())
def test_a_cut_anywhere_is_noticed(mp3: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(mp3) - 1))
    with pytest.raises(AudioError, match=r"cut off|no MPEG audio frames|no sound"):
        mpeg.read_stream(mp3[:cut])


def test_a_tag_that_is_longer_than_the_file() -> None:
    with pytest.raises(AudioError, match="cut off"):
        mpeg.read_stream(ID3V2[:100])


@given(st.binary(max_size=600))
@example(b"APETAGEX")
@example(b"3DI")
@example(b"TAG")
@example(b"123456LYRICS200")
def test_any_bytes_are_a_stream_or_refused(content: bytes) -> None:
    try:
        stream = mpeg.read_stream(content)
    except AudioError:
        return
    assert 0 <= stream.start < stream.end <= len(content)


@given(st.binary(min_size=3, max_size=3))
def test_headers_give_the_length_of_the_standard(tail: bytes) -> None:
    header = mpeg.parse_header(b"\xff" + tail)
    if header is None:
        return
    version, layer, rate = header.kind
    slots = 4 if layer == 1 else 1
    assert header.length % slots == 0
    assert header.samples == {1: 384, 2: 1152, 3: 1152 if version == 1 else 576}[layer]
    padding = tail[1] >> 1 & 1
    kilobits_per_slot = slots * 8 * rate / header.samples / 1000
    kilobits = (header.length // slots - padding) * kilobits_per_slot
    assert 8 - kilobits_per_slot < kilobits <= 448  # a frame is cut down to whole slots
    assert rate in {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}


def test_files_of_unreasonable_size_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    with path.open("wb") as file:
        file.truncate(mpeg.MAX_BYTES + 1)
    with path.open("rb") as file, pytest.raises(AudioError, match="more than an hour"):
        mpeg.load(file)
