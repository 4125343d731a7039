"""One sound, one digest; another sound, another digest."""

import hashlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprint.audio import Audio, decode, encode
from fingerprint.digest import content_digest, pcm_digest
from fingerprint.errors import AudioError
from fingerprint.media import MEDIA_TYPES, MediaType
from fingerprint.track import read_track

CODED: tuple[MediaType, ...] = ("audio/mpeg", "audio/ogg", "audio/mp4")


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def run(*command: object) -> bytes:
    return subprocess.run([str(word) for word in command], capture_output=True, check=True).stdout


@settings(max_examples=15)
@given(
    rate=st.sampled_from([8000, 22_050, 44_100, 48_000]),
    channels=st.integers(1, 2),
    bits=st.sampled_from([16, 24]),
    seed=st.integers(0, 99),
)
def test_wav_and_flac_agree(
    scratch: Callable[[str], Path], noise: Callable[..., Audio], rate: int, channels: int, bits: int, seed: int
) -> None:
    audio = noise(1, rate, channels, seed, "int16" if bits == 16 else "int32")
    if bits == 24:
        audio = Audio(audio.samples & ~0xFF, rate)
    wav, flac = scratch("wav"), scratch("flac")
    encode(audio, wav, media_type="audio/wav")
    encode(audio, flac, media_type="audio/flac")
    assert content_digest(wav) == content_digest(flac) == pcm_digest(audio)
    name = "s16" if bits == 16 else "s32"
    head = f"linernotes-pcm-v1\n{rate}\n{channels}\n{name}\n".encode()
    assert pcm_digest(audio) == sha256(head + audio.samples.astype(f"<i{2 if bits == 16 else 4}").tobytes())


@pytest.mark.parametrize(("bits", "layout", "name"), [(16, "s16le", "s16"), (24, "s32le", "s32")])
@pytest.mark.parametrize("media_type", ["audio/wav", "audio/flac"])
def test_the_same_pcm_as_ffmpeg_decodes(
    media_type: MediaType, bits: int, layout: str, name: str, ffmpeg: str, tmp_path: Path, compose: Callable[..., Audio]
) -> None:
    path, samples = tmp_path / "a", compose(5, 2).samples
    if bits == 24:
        samples = np.left_shift(samples, 16, dtype=np.int32) + 256
    encode(Audio(samples, 11_025), path, media_type=media_type)
    pcm = run(ffmpeg, "-v", "error", "-i", path, "-f", layout, "-")
    assert content_digest(path) == sha256(f"linernotes-pcm-v1\n11025\n1\n{name}\n".encode() + pcm)


@given(
    position=st.integers(0, 999),
    bit=st.integers(0, 15),
    dtype=st.sampled_from(["int16", "int32", "float32", "float64"]),
)
def test_every_bit_of_every_sample_counts(position: int, bit: int, dtype: str) -> None:
    samples = np.arange(1000, dtype=dtype).reshape(500, 2)
    changed = samples.copy()
    changed.view(f"u{samples.itemsize}").reshape(-1)[position] ^= 1 << bit
    assert pcm_digest(Audio(samples, 8000)) != pcm_digest(Audio(changed, 8000))


def test_rate_channels_and_format_count() -> None:
    samples = np.zeros((600, 1), np.int16)
    variants = [
        Audio(samples, 8000),
        Audio(samples, 8001),
        Audio(samples.reshape(300, 2), 8000),
        Audio(np.zeros((300, 1), np.int32), 8000),
        Audio(np.zeros((300, 1), np.float32), 8000),
        Audio(samples[:599], 8000),
    ]
    assert len({pcm_digest(each) for each in variants}) == len(variants)


def test_samples_are_hashed_as_they_are_read_not_as_they_lie() -> None:
    samples = np.arange(3000, dtype=np.int16).reshape(1000, 3)[:, :2]
    reversed_bytes = samples.astype(">i2")
    assert pcm_digest(Audio(samples, 8000)) == pcm_digest(Audio(samples.copy(), 8000))
    assert pcm_digest(Audio(samples, 8000)) == pcm_digest(Audio(reversed_bytes, 8000))


@pytest.mark.parametrize("media_type", ["audio/mpeg", "audio/mp4"])
def test_the_same_coded_audio_as_ffmpeg_copies(
    media_type: MediaType, ffmpeg: str, file_of: Callable[[MediaType], Path]
) -> None:
    """The coded audio is what ffmpeg copies; in front of it stands, for m4a, what else decides how it sounds."""
    path = file_of(media_type)
    coded = run(ffmpeg, "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "data", "-")
    described = b""
    if media_type == "audio/mp4":
        with path.open("rb") as file:
            described = read_track(file).description
        assert re.fullmatch(rb"decoder mp4a 2 2890137600 64 1210\w*\npace 256/11025\nstart 256/11025\n", described)
    assert content_digest(path) == sha256(f"linernotes-frames-v2\n{media_type}\n".encode() + described + coded)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_tags_are_not_part_of_the_sound(
    media_type: MediaType, ffmpeg: str, tmp_path: Path, file_of: Callable[[MediaType], Path]
) -> None:
    path, ending = file_of(media_type), {"mpeg": "mp3", "mp4": "m4a"}.get(media_type[6:], media_type[6:])
    tagged = tmp_path / f"tagged.{ending}"
    named = ("-metadata", "title=A title", "-metadata", "artist=Somebody")
    extra = {"mp3": ("-write_id3v1", "1"), "m4a": ("-movflags", "+faststart")}.get(ending, ())
    run(ffmpeg, "-v", "error", "-i", path, "-c", "copy", *named, *extra, tagged)
    assert tagged.read_bytes() != path.read_bytes()
    assert content_digest(tagged) == content_digest(path)


def test_a_manifest_in_a_uuid_box_or_a_tag_is_not_part_of_the_sound(
    tmp_path: Path, ffmpeg: str, file_of: Callable[[MediaType], Path]
) -> None:
    assert ffmpeg
    m4a = file_of("audio/mp4").read_bytes()
    path = tmp_path / "a"
    path.write_bytes(m4a + b"\x00\x00\x00\x20uuid" + bytes(24))
    assert content_digest(path) == content_digest(file_of("audio/mp4"))
    for media_type in ("audio/mpeg", "audio/flac"):
        tag = b"ID3\x04\x00\x00\x00\x00\x00\x1eGEOB\x00\x00\x00\x14\x00\x00" + bytes(20)
        path.write_bytes(tag + file_of(media_type).read_bytes())
        assert content_digest(path) == content_digest(file_of(media_type))


@pytest.mark.parametrize("media_type", CODED)
@settings(max_examples=30)
@given(data=st.data())
def test_a_flipped_bit_of_sound_changes_the_digest_or_is_refused(
    media_type: MediaType,
    data: st.DataObject,
    scratch: Callable[[str], Path],
    file_of: Callable[[MediaType], Path],
    request: pytest.FixtureRequest,
) -> None:
    if media_type == "audio/mp4":
        request.getfixturevalue("ffmpeg")
    sound = bytearray(file_of(media_type).read_bytes())
    # The coded audio lies in the middle of all three files.
    position = data.draw(st.integers(len(sound) // 4, len(sound) // 2))
    sound[position] ^= 1 << data.draw(st.integers(0, 7))
    path = scratch("bin")
    path.write_bytes(sound)
    try:
        digest = content_digest(path)
    except AudioError:
        return
    assert digest != content_digest(file_of(media_type))


def test_a_wav_that_says_two_things_has_no_digest(tmp_path: Path, file_of: Callable[[MediaType], Path]) -> None:
    """One player takes the first of two formats or two sounds, another the last."""
    wav = file_of("audio/wav").read_bytes()
    place = wav.index(b"data")
    head, form, sound = wav[:12], wav[12:place], wav[place:]
    slower = form[:12] + (22_050).to_bytes(4, "little") + form[16:]
    silence = b"data" + (400_000).to_bytes(4, "little") + bytes(400_000)
    for parts in ((form, slower, sound), (slower, form, sound), (form, sound, silence), (form, silence, sound)):
        path = tmp_path / "two.wav"
        body = b"".join(parts)
        path.write_bytes(head[:4] + (len(body) + 4).to_bytes(4, "little") + head[8:] + body)
        with pytest.raises(AudioError):
            content_digest(path)


def test_a_decoded_file_need_not_be_decoded_again(
    monkeypatch: pytest.MonkeyPatch, file_of: Callable[[MediaType], Path]
) -> None:
    path = file_of("audio/flac")
    digest, audio = content_digest(path), decode(path)
    monkeypatch.setattr("fingerprint.digest.decode", lambda _: pytest.fail("decoded again"))
    assert content_digest(path, audio) == digest


def test_errors_name_the_file(tmp_path: Path, file_of: Callable[[MediaType], Path]) -> None:
    path = tmp_path / "cut.mp3"
    path.write_bytes(file_of("audio/mpeg").read_bytes()[:9000])
    with pytest.raises(AudioError, match="cut off") as caught:
        content_digest(path)
    assert str(path) in str(caught.value)
