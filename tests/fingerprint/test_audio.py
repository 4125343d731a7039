"""Audio in and out: every format, every limit, and every way a file can be wrong."""

import resource
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprint.audio import MAX_PCM_BYTES, MAX_SECONDS, Audio, decode, encode
from fingerprint.errors import AudioError, MissingProgramError
from fingerprint.media import MEDIA_TYPES, MediaType

LOSSY: tuple[MediaType, ...] = ("audio/mpeg", "audio/ogg", "audio/mp4")


def wav_header(channels: int, rate: int, bits: int, data_bytes: int) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * block, block, bits)
    return b"RIFF" + struct.pack("<I", 36 + data_bytes) + b"WAVE" + form + struct.pack("<4sI", b"data", data_bytes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sound"


@settings(max_examples=12)
@given(
    rate=st.sampled_from([8000, 11025, 44100, 96000]),
    channels=st.integers(1, 2),
    bits=st.sampled_from([16, 24]),
    media_type=st.sampled_from(["audio/wav", "audio/flac"]),
    seed=st.integers(0, 99),
)
def test_lossless_files_give_back_every_bit(
    scratch: Callable[[str], Path], rate: int, channels: int, bits: int, media_type: MediaType, seed: int
) -> None:
    random = np.random.default_rng(seed)
    samples = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (rate + seed, channels))
    pcm = samples.astype(np.int16) if bits == 16 else np.left_shift(samples, 8).astype(np.int32)
    path = scratch("png")
    encode(Audio(pcm, rate), path, media_type=media_type)
    heard = decode(path)
    assert heard.samples.dtype == pcm.dtype
    assert np.array_equal(heard.samples, pcm)
    assert (heard.sample_rate, heard.media_type) == (rate, media_type)
    assert (heard.frames, heard.channels) == pcm.shape
    assert heard.duration == len(pcm) / rate


def test_wav_carries_32_bits_and_flac_does_not(path: Path, noise: Callable[..., Audio]) -> None:
    audio = noise(1, 44_100, 2, 0, "int32")
    encode(audio, path, media_type="audio/wav")
    assert np.array_equal(decode(path).samples, audio.samples)
    with pytest.raises(AudioError, match="up to 24 bits"):
        encode(audio, path, media_type="audio/flac")


@pytest.mark.parametrize(
    ("subtype", "dtype", "step"),
    [
        ("PCM_U8", "int16", 1 / 127),
        ("ULAW", "int16", 1 / 16),
        ("ALAW", "int16", 1 / 16),
        ("FLOAT", "float32", 1e-6),
        ("DOUBLE", "float64", 1e-12),
    ],
)
def test_other_wav_encodings_are_read(
    subtype: str, dtype: str, step: float, path: Path, compose: Callable[..., Audio]
) -> None:
    wave = compose(3, 1).samples / 32_768
    soundfile.write(str(path), wave, 11_025, subtype, format="WAV")
    heard = decode(path)
    assert heard.samples.dtype == dtype
    scale = 1 if dtype.startswith("float") else 32_768
    assert np.abs(heard.samples / scale - wave).max() < step


@pytest.mark.parametrize("media_type", ["audio/mpeg", "audio/mp4"])
@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_files_sound_alike_and_come_out_the_same_each_time(
    media_type: MediaType, bits: int, channels: int, tmp_path: Path, ffmpeg: str, compose: Callable[..., Audio]
) -> None:
    assert ffmpeg
    voices = [compose(seed, 2, 44_100).samples for seed in range(channels)]
    samples = np.hstack(voices)
    if bits == 24:
        samples = np.left_shift(samples, 16, dtype=np.int32)
    paths = [tmp_path / "1", tmp_path / "2"]
    for each in paths:
        encode(Audio(samples, 44_100), each, media_type=media_type)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    heard = decode(paths[0])
    assert heard.samples.dtype == np.int16
    assert heard.channels == channels
    assert 0 <= heard.frames - len(samples) < 2048
    sent = np.hstack(voices).astype(float)
    difference = heard.samples[: len(sent)] - sent
    assert 10 * np.log10((sent**2).mean() / (difference**2).mean()) > 25


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_no_file_is_changed_and_none_is_left_beside(
    media_type: MediaType, tmp_path: Path, ffmpeg: str, file_of: Callable[[MediaType], Path]
) -> None:
    assert ffmpeg
    path = tmp_path / "sound"
    path.write_bytes(file_of(media_type).read_bytes())
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    decode(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert list(tmp_path.iterdir()) == [path]
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("media_type", ["audio/wav", "audio/flac", "audio/mpeg", "audio/mp4"])
def test_files_carry_no_metadata(media_type: MediaType, ffmpeg: str, file_of: Callable[[MediaType], Path]) -> None:
    command = (ffmpeg, "-v", "error", "-i", file_of(media_type), "-fflags", "+bitexact", "-f", "ffmetadata", "-")
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    allowed = {";FFMETADATA1", "major_brand=M4A ", "minor_version=512", "compatible_brands=M4A isomiso2"}
    assert set(said.splitlines()) <= allowed


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_file_that_was_cut_off(
    media_type: MediaType, path: Path, ffmpeg: str, file_of: Callable[[MediaType], Path]
) -> None:
    assert ffmpeg
    whole = file_of(media_type).read_bytes()
    for share in (0.2, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(AudioError, match=r"cut off|no index") as caught:
            decode(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@settings(max_examples=15)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(
    media_type: MediaType,
    data: st.DataObject,
    scratch: Callable[[str], Path],
    file_of: Callable[[MediaType], Path],
    request: pytest.FixtureRequest,
) -> None:
    if media_type == "audio/mp4":
        request.getfixturevalue("ffmpeg")
    damaged = bytearray(file_of(media_type).read_bytes())
    for position in data.draw(st.lists(st.integers(0, 300), min_size=1, max_size=5)):
        damaged[position] ^= data.draw(st.integers(1, 255))
    path = scratch("bin")
    path.write_bytes(damaged)
    try:
        audio = decode(path)
    except AudioError:
        return
    assert audio.frames * audio.channels > 0


def test_a_renamed_picture(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    with pytest.raises(AudioError, match="looks like a PNG picture"):
        decode(path)


@pytest.mark.parametrize(
    ("frames", "channels", "rate", "said"),
    [
        (0, 1, 44_100, "0 frames"),
        (1, 1, 44_100, "1 frames at 44100 Hz"),
        (44_099, 1, 44_100, "less than 1 second"),
        (44_100, 7, 44_100, "7 channels"),
        (9000, 1, 3000, "sample rate is 3000 Hz"),
        (500_000, 1, 500_000, "sample rate is 500000 Hz"),
        (3 * 3600 * 4000, 1, 4000, "lasts 10,800 seconds"),
    ],
)
def test_sound_outside_the_limits(frames: int, channels: int, rate: int, said: str, path: Path) -> None:
    size = frames * channels
    with path.open("wb") as file:
        file.write(wav_header(channels, rate, 8, size))
        file.truncate(44 + size)
    with pytest.raises(AudioError, match=said):
        decode(path)


def test_the_longest_sound_is_taken_and_three_hours_are_not_even_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        pytest.fail("the sound was decoded")

    for seconds, limit in ((MAX_SECONDS, True), (MAX_SECONDS + 1, False), (10_800, False)):
        with path.open("wb") as file:
            file.write(wav_header(1, 4000, 8, seconds * 4000))
            file.truncate(44 + seconds * 4000)
        if limit:
            assert decode(path).duration == MAX_SECONDS
        else:
            monkeypatch.setattr(soundfile.SoundFile, "read", never)
            with pytest.raises(AudioError, match="up to 3600 are taken"):
                decode(path)


def test_a_header_that_promises_the_moon(path: Path, file_of: Callable[[MediaType], Path]) -> None:
    flac = bytearray(file_of("audio/flac").read_bytes())
    flac[21] |= 0x0F
    flac[22:26] = b"\xff" * 4  # 2^36 - 1 samples
    path.write_bytes(flac)
    with pytest.raises(AudioError, match="up to 3600 are taken"):
        decode(path)
    flac[21] &= 0xF0
    flac[22:26] = (3599 * 44_100).to_bytes(4)
    path.write_bytes(flac)
    with pytest.raises(AudioError, match="cut off"):
        decode(path)
    flac[21:26] = bytes([flac[21] & 0xF0, 0, 0, 0, 0])
    path.write_bytes(flac)
    with pytest.raises(AudioError, match="does not say how long it is"):
        decode(path)


def test_a_decoder_that_stops_early(
    monkeypatch: pytest.MonkeyPatch, path: Path, file_of: Callable[[MediaType], Path]
) -> None:
    path.write_bytes(file_of("audio/ogg").read_bytes())
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda _, out: out[: min(1000, len(out) // 2)])
    with pytest.raises(AudioError, match="its header says 132300 frames and"):
        decode(path)


def test_pcm_that_does_not_fit_into_memory(path: Path) -> None:
    frames = MAX_PCM_BYTES // (384_000 * 8) * 384_000 + 384_000
    with path.open("wb") as file:
        file.write(b"RF64\xff\xff\xff\xffWAVE" + struct.pack("<4sIQQQI", b"ds64", 28, 0, frames * 6, frames, 0))
        file.write(wav_header(2, 384_000, 24, 0)[12:36] + struct.pack("<4sI", b"data", 0xFFFFFFFF))
        file.truncate(80 + frames * 6)
    with pytest.raises(AudioError, match="when decoded"):
        decode(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers(value: float, path: Path) -> None:
    samples = np.zeros((44_100, 1), np.float32)
    samples[1000] = value
    soundfile.write(str(path), samples, 44_100, "FLOAT", format="WAV")
    with pytest.raises(AudioError, match="no numbers"):
        decode(path)


def test_an_encoding_that_is_not_read(path: Path, compose: Callable[..., Audio]) -> None:
    soundfile.write(str(path), compose(1, 2).samples, 11_025, "IMA_ADPCM", format="WAV")
    with pytest.raises(AudioError, match="IMA_ADPCM"):
        decode(path)


@pytest.mark.parametrize(
    ("media_type", "rate", "dtype", "said"),
    [
        ("audio/ogg", 44_100, "int16", "read but not written"),
        ("audio/mpeg", 96_000, "int16", "no sample rate of 96000 Hz"),
        ("audio/mp4", 192_000, "int16", "no sample rate of 192000 Hz"),
        ("audio/wav", 44_100, "float32", "floating point"),
        ("audio/flac", 44_100, "float64", "floating point"),
    ],
)
def test_what_a_format_cannot_carry_leaves_the_old_file(
    media_type: MediaType, rate: int, dtype: str, said: str, path: Path
) -> None:
    path.write_text("what was there")
    with pytest.raises(AudioError, match=said):
        encode(Audio(np.zeros((rate, 1), dtype), rate), path, media_type=media_type)
    assert path.read_text() == "what was there"


@pytest.mark.parametrize("media_type", ["audio/wav", "audio/flac", "audio/mpeg", "audio/mp4"])
def test_a_place_that_cannot_be_written(
    media_type: MediaType, tmp_path: Path, ffmpeg: str, compose: Callable[..., Audio]
) -> None:
    assert ffmpeg
    path = tmp_path / "no such folder" / "sound"
    with pytest.raises(AudioError, match=r"no such folder"):
        encode(compose(1, 2), path, media_type=media_type)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("media_type", ["audio/wav", "audio/flac", "audio/mpeg"])
def test_a_full_disk(media_type: MediaType, tmp_path: Path, compose: Callable[..., Audio]) -> None:
    path = tmp_path / "sound"
    path.symlink_to("/dev/full")
    with pytest.raises(
        AudioError, match=r"cannot be written: No space left on device\. The disk may be full: free some"
    ):
        encode(compose(1, 4), path, media_type=media_type)
    assert not path.is_symlink()


@pytest.mark.parametrize("media_type", ["audio/wav", "audio/flac", "audio/mpeg"])
def test_a_disk_that_fills_up_while_writing(
    media_type: MediaType, tmp_path: Path, compose: Callable[..., Audio]
) -> None:
    path, audio = tmp_path / "sound", compose(1, 4)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(AudioError) as caught:
            encode(audio, path, media_type=media_type)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value) == (
        f"{path} cannot be written: File too large. The disk may be full: free some room there, or choose another "
        "place, and try again."
    )
    assert not path.exists()


def test_a_failure_that_does_not_come_again(
    tmp_path: Path, compose: Callable[..., Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_sound: soundfile.SoundFile, _block: object) -> None:
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr(soundfile.SoundFile, "write", fail)
    with pytest.raises(AudioError, match=r"sound cannot be written: System error\. The disk may be full: free"):
        encode(compose(1, 4), tmp_path / "sound", media_type="audio/wav")
    assert not (tmp_path / "sound").exists()


def test_m4a_without_ffmpeg(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, compose: Callable[..., Audio]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgramError, match="apt install ffmpeg"):
        encode(compose(1, 2), path, media_type="audio/mp4")
    assert not path.exists()


def test_reading_in_blocks_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, file_of: Callable[[MediaType], Path]
) -> None:
    for media_type in ("audio/wav", "audio/flac", "audio/mpeg", "audio/ogg"):
        path = file_of(media_type)
        whole = decode(path).samples
        with monkeypatch.context() as patch:
            patch.setattr("fingerprint.audio._BLOCK_FRAMES", 5000)
            assert np.array_equal(decode(path).samples, whole)
