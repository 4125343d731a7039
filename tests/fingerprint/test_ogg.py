"""Ogg pages and packets, against ffmpeg's own reading of the same files."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint import ogg
from fingerprint.errors import AudioError
from fingerprint.media import MediaType


@pytest.fixture(scope="session")
def vorbis(file_of: Callable[[MediaType], Path]) -> bytes:
    return file_of("audio/ogg").read_bytes()


def packets(data: bytes) -> list[bytes]:
    return list(ogg.packets(io.BytesIO(data)))


def sealed(page: bytes) -> bytes:
    """The page with the checksum that belongs to it."""
    return page[:22] + ogg.page_checksum(page).to_bytes(4, "little") + page[26:]


def test_the_same_packets_as_ffmpeg(ffmpeg: str, file_of: Callable[[MediaType], Path]) -> None:
    path = file_of("audio/ogg")
    command = (ffmpeg, "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "data", "-")
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    identification, codebooks, *audio = packets(path.read_bytes())
    assert b"".join(audio) == sound
    assert identification.startswith(b"\x01vorbis")
    assert codebooks.startswith(b"\x05vorbis")


@pytest.mark.parametrize("codec", ["libvorbis", "libopus"])
def test_other_comments_and_other_pages_are_the_same_packets(
    codec: str, ffmpeg: str, file_of: Callable[[MediaType], Path], tmp_path: Path
) -> None:
    one, other = tmp_path / "1.ogg", tmp_path / "2.ogg"
    source = file_of("audio/wav")
    subprocess.run((ffmpeg, "-v", "error", "-i", source, "-c:a", codec, one), check=True)
    rewritten = ("-c", "copy", "-metadata", f"title={'long ' * 500}", "-page_duration", "50000", other)
    subprocess.run((ffmpeg, "-v", "error", "-i", one, *rewritten), check=True)
    assert one.read_bytes() != other.read_bytes()
    assert packets(one.read_bytes()) == packets(other.read_bytes())


@given(st.data())
def test_a_cut_anywhere_is_noticed(vorbis: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(vorbis) - 1))
    with pytest.raises(AudioError, match=r"cut off|holds no"):
        packets(vorbis[:cut])


def test_a_cut_between_two_pages_is_noticed(vorbis: bytes) -> None:
    with pytest.raises(AudioError, match="page that ends its audio is missing"):
        packets(vorbis[: vorbis.rindex(b"OggS")])


def test_a_missing_page_is_noticed(vorbis: bytes) -> None:
    pages = vorbis.split(b"OggS")
    with pytest.raises(AudioError, match="missing or out of order"):
        packets(b"OggS".join(pages[:4] + pages[5:]))


def test_two_streams_in_a_chain_are_refused(vorbis: bytes) -> None:
    with pytest.raises(AudioError, match="several audio streams"):
        packets(vorbis + vorbis)


def of_stream(data: bytes, serial: bytes, *, first: int = 0) -> bytes:
    """The pages as those of another stream; the flags of the first are changed by `first`."""
    pages = [b"OggS" + page for page in data.split(b"OggS")[1:]]
    pages[0] = pages[0][:5] + bytes([pages[0][5] ^ first]) + pages[0][6:]
    return b"".join(sealed(page[:14] + serial + page[18:]) for page in pages)


def test_another_stream_beside_the_audio_is_refused(
    ffmpeg: str, vorbis: bytes, file_of: Callable[[MediaType], Path]
) -> None:
    """It may be what another player takes first."""
    command = (ffmpeg, "-v", "error", "-i", file_of("audio/wav"), "-c:a", "flac", "-f", "ogg", "-")
    other = subprocess.run(command, capture_output=True, check=True).stdout
    first_page = vorbis.index(b"OggS", 4)
    for mixed in (
        other + vorbis,
        vorbis + other,
        vorbis[:first_page] + other + vorbis[first_page:],
        vorbis[:first_page] + of_stream(vorbis[first_page:], b"else") + vorbis[first_page:],
    ):
        with pytest.raises(AudioError, match="another stream beside its audio"):
            packets(mixed)


def test_pages_behind_the_end_are_refused(vorbis: bytes) -> None:
    last = vorbis[vorbis.rindex(b"OggS") :]
    number = int.from_bytes(last[18:22], "little") + 1
    more = sealed(last[:5] + bytes([last[5] & ~4]) + last[6:18] + number.to_bytes(4, "little") + last[22:])
    with pytest.raises(AudioError, match="goes on behind the page that ends its audio"):
        packets(vorbis + more)


def test_other_codecs_are_refused(ffmpeg: str, file_of: Callable[[MediaType], Path]) -> None:
    command = (ffmpeg, "-v", "error", "-i", file_of("audio/wav"), "-c:a", "flac", "-f", "ogg", "-")
    data = subprocess.run(command, capture_output=True, check=True).stdout
    with pytest.raises(AudioError, match="holds no Vorbis or Opus"):
        packets(data)


def test_packets_without_end_are_refused(vorbis: bytes) -> None:
    first_page = vorbis[: vorbis.index(b"OggS", 4)]
    body = b"\xff" * 256 + bytes(255 * 255)
    endless = (
        sealed(
            b"OggS\x00"
            + bytes([number > 1])
            + bytes(8)
            + first_page[14:18]
            + number.to_bytes(2, "little")
            + bytes(6)
            + body
        )
        for number in range(1, 300)
    )
    with pytest.raises(AudioError, match="that is no audio"):
        packets(first_page + b"".join(endless))


@given(st.data())
def test_any_damage_is_audio_or_refused(vorbis: bytes, data: st.DataObject) -> None:
    damaged = bytearray(vorbis[:9000])
    for position in data.draw(st.lists(st.integers(0, 400), max_size=8)):
        damaged[position] ^= data.draw(st.integers(1, 255))
    first_page = sealed(bytes(damaged[: vorbis.index(b"OggS", 4)]))
    with pytest.raises(AudioError):
        packets(first_page + damaged[len(first_page) :])


@given(st.data())
def test_any_flipped_bit_is_refused(vorbis: bytes, data: st.DataObject) -> None:
    flipped = bytearray(vorbis)
    flipped[data.draw(st.integers(0, len(vorbis) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(AudioError):
        packets(bytes(flipped))
