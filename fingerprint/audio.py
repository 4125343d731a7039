"""Audio files in and out: any supported file to PCM, and PCM to any supported file.

Sound is read by libsndfile (wav, flac, mp3, ogg) and by the ffmpeg program (m4a). Files are
opened read-only, and what they hold is told by their content.
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from fingerprint import ffmpeg, flac, mpeg, ogg, riff
from fingerprint.errors import AudioError
from fingerprint.media import LOSSLESS, MediaType, sniff
from fingerprint.track import read_track

Sample = np.int16 | np.int32 | np.float32 | np.float64
Samples = NDArray[Sample]

MIN_SECONDS: Final = 1
MAX_SECONDS: Final = 3600
MAX_CHANNELS: Final = 2
MIN_SAMPLE_RATE: Final = 4_000
MAX_SAMPLE_RATE: Final = 384_000
MAX_PCM_BYTES: Final = 2 * 2**30

MP3_KILOBITS: Final = 256
M4A_KILOBITS: Final = 256

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PROBE_BYTES: Final = 2**16

_BLOCK_FRAMES: Final = 2**20
_UNKNOWN_LENGTH: Final = 2**62
"""libsndfile gives more frames than this where the file does not say how many there are."""

_DTYPES: Final[dict[str, type[Sample]]] = {
    "PCM_U8": np.int16,
    "PCM_S8": np.int16,
    "PCM_16": np.int16,
    "ULAW": np.int16,
    "ALAW": np.int16,
    "PCM_24": np.int32,
    "PCM_32": np.int32,
    "FLOAT": np.float32,
    "DOUBLE": np.float64,
    "MPEG_LAYER_I": np.int16,
    "MPEG_LAYER_II": np.int16,
    "MPEG_LAYER_III": np.int16,
    "VORBIS": np.int16,
    "OPUS": np.int16,
}
_FORMATS: Final = {"audio/wav": "WAV", "audio/flac": "FLAC", "audio/mpeg": "MP3"}
_MPEG_RATES: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_RATES: Final = {
    "audio/mpeg": frozenset(_MPEG_RATES),
    "audio/mp4": frozenset((7350, *_MPEG_RATES, 64000, 88200, 96000)),
}
_MP3_LEVEL: Final = (320 - MP3_KILOBITS) / (320 - 32)
"""libsndfile places the bit rate on a scale: 0 is 320, 1 is 32 kbit/s (MPEG-1 rates)."""


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Decoded sound.

    Attributes:
        samples: frames × channels. int16 for sources of up to 16 bits and for lossy ones, int32
            left-justified for 17 to 32 bits, float32 or float64 for float files. May be read-only.
        sample_rate: Hz.
        media_type: Of the file the sound was read from, or will be written to.
    """

    samples: Samples
    sample_rate: int
    media_type: MediaType = "audio/wav"

    @property
    def frames(self) -> int:
        """Length in frames (one sample per channel)."""
        return int(self.samples.shape[0])

    @property
    def channels(self) -> int:
        """1 is mono, 2 is stereo."""
        return int(self.samples.shape[1])

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


def decode(path: Path) -> Audio:
    """Reads a whole audio file into memory.

    Raises:
        AudioError: The file is not readable audio, is cut off or damaged, or lies outside the
            limits named in this module.
        MissingProgramError: It is an m4a file and ffmpeg is not installed.
    """
    media_type = sniff(path)
    try:
        if media_type == "audio/mp4":
            return _decode_mp4(path)
        _require_whole(path, media_type)
        return _decode_with_libsndfile(path, media_type)
    except AudioError as error:
        raise AudioError(f"{path} cannot be used: {error}") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}. Check the path and its permissions.") from error


def encode(audio: Audio, path: Path, *, media_type: MediaType) -> None:
    """Writes sound to a file, without metadata, the same bytes each time.

    wav and flac keep every bit (16, 24, and for wav 32); mp3 and m4a have constant bit rates of
    `MP3_KILOBITS` and `M4A_KILOBITS`. A file that was there is replaced; when writing fails,
    nothing is left.

    Raises:
        AudioError: The format cannot carry this sound, or the file cannot be written.
        MissingProgramError: m4a was asked for and ffmpeg is not installed.
    """
    _require_limits(audio.sample_rate, audio.channels, audio.frames, audio.samples.itemsize)
    subtype = _subtype(audio, media_type)
    try:
        if media_type == "audio/mp4":
            ffmpeg.encode_aac(audio.samples, audio.sample_rate, path, kilobits=M4A_KILOBITS)
        else:
            _encode_with_libsndfile(audio, path, media_type, subtype)
    except (OSError, soundfile.LibsndfileError) as error:
        message = _why_unwritten(error, path)
        path.unlink(missing_ok=True)
        raise AudioError(f"{path} cannot be written: {message}") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _encode_with_libsndfile(audio: Audio, path: Path, media_type: MediaType, subtype: str) -> None:
    lossy = media_type == "audio/mpeg"
    with soundfile.SoundFile(
        str(path),
        "w",
        samplerate=audio.sample_rate,
        channels=audio.channels,
        format=_FORMATS[media_type],
        subtype=subtype,
        compression_level=_MP3_LEVEL if lossy else None,
        bitrate_mode="CONSTANT" if lossy else None,
    ) as sound:
        for start in range(0, audio.frames, _BLOCK_FRAMES):
            block = audio.samples[start : start + _BLOCK_FRAMES]
            if lossy and block.dtype == np.int16:
                # libsndfile 1.2.2 turns half of 16-bit stereo into noise (its pull request 1106).
                block = np.left_shift(block, 16, dtype=np.int32)
            sound.write(block)


def _why_unwritten(error: OSError | soundfile.LibsndfileError, path: Path) -> str:
    """What stood in the way of writing, and what to do.

    libsndfile says no more than "System error" and keeps the number to itself. Writing a little more to
    the file that is about to be removed meets the same obstacle, and tells.
    """
    cause = error if isinstance(error, OSError) else _refusal(path)
    if cause is None:
        said = str(error).rstrip(".")
        return f"{said}. The disk may be full: free some room there and try again."
    if cause.errno in _NO_ROOM:
        return f"{cause.strerror}. The disk may be full: free some room there, or choose another place, and try again."
    return f"{cause.strerror or cause}. Check that its folder is there and writable."


def _refusal(path: Path) -> OSError | None:
    """What the system says to `_PROBE_BYTES` more; None when it takes them."""
    try:
        with path.open("ab") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as refusal:
        return refusal
    return None


def _decode_with_libsndfile(path: Path, media_type: MediaType) -> Audio:
    try:
        # A descriptor has no name, so libsndfile cannot go by the ending.
        with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            audio = _read(sound, media_type)
            if media_type == "audio/flac":
                flac.require_plain(file)
            return audio
    except soundfile.LibsndfileError as error:
        raise AudioError(f"the decoder gave up: {error}. The file is cut off or damaged: get it again.") from error


def _read(sound: soundfile.SoundFile, media_type: MediaType) -> Audio:
    dtype = _DTYPES.get(sound.subtype)
    if dtype is None:
        raise AudioError(
            f"it holds sound in the encoding {sound.subtype}, which is not read. Convert it to 16 or 24 bit PCM."
        )
    if sound.frames > _UNKNOWN_LENGTH:
        raise AudioError(
            "its header does not say how long it is, as when a program wrote it to a pipe. "
            "Write it again to a file: ffmpeg -i FILE NEW.flac"
        )
    _require_limits(sound.samplerate, sound.channels, sound.frames, np.dtype(dtype).itemsize)
    # Untouched pages of an empty array take no memory: what a header claims costs nothing.
    samples = np.empty((sound.frames, sound.channels), dtype)
    filled = 0
    while filled < len(samples):
        block = sound.read(out=samples[filled : filled + _BLOCK_FRAMES])
        if len(block) == 0:
            raise AudioError(
                f"its header says {sound.frames} frames and {filled} are there: it was cut off. "
                "Get the whole file again."
            )
        filled += len(block)
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise AudioError("it has samples that are no numbers (NaN or infinite). Export it again.")
    return Audio(samples, sound.samplerate, media_type)


def _decode_mp4(path: Path) -> Audio:
    with path.open("rb") as file:
        track = read_track(file)
    _require_seconds(track.duration)
    samples, sample_rate = ffmpeg.decode_mp4(path, MAX_SECONDS, MAX_PCM_BYTES)
    _require_limits(sample_rate, samples.shape[1], samples.shape[0], samples.itemsize)
    return Audio(samples, sample_rate, "audio/mp4")


def _require_whole(path: Path, media_type: MediaType) -> None:
    """Refuses files that are cut off, or that other players play differently; libsndfile plays to where they end."""
    with path.open("rb") as file:
        if media_type == "audio/wav":
            riff.require_whole(file)
        elif media_type == "audio/ogg":
            for _ in ogg.packets(file):
                pass
        elif media_type == "audio/mpeg":
            stream = mpeg.read_stream(mpeg.load(file))
            _require_seconds(stream.samples / stream.sample_rate)


def _require_limits(sample_rate: int, channels: int, frames: int, sample_bytes: int) -> None:
    if channels > MAX_CHANNELS:
        raise AudioError(f"it has {channels} channels; mono and stereo are taken. Mix it down to stereo first.")
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"its sample rate is {sample_rate} Hz; {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz are "
            "taken. Resample it, for example to 44100 Hz."
        )
    if frames < MIN_SECONDS * sample_rate:
        raise AudioError(
            f"it has {frames} frames at {sample_rate} Hz, which is less than {MIN_SECONDS} second. "
            "Give a longer recording."
        )
    _require_seconds(frames / sample_rate)
    if (size := frames * channels * sample_bytes) > MAX_PCM_BYTES:
        raise AudioError(
            f"its sound takes {size} bytes when decoded; up to {MAX_PCM_BYTES} are taken. Cut it "
            "into shorter files or lower its sample rate."
        )


def _require_seconds(seconds: float) -> None:
    if seconds > MAX_SECONDS:
        raise AudioError(
            f"it says that it lasts {seconds:,.0f} seconds; up to {MAX_SECONDS} are taken. Cut it into shorter files."
        )


def _subtype(audio: Audio, media_type: MediaType) -> str:
    """The encoding, as libsndfile calls it, that keeps this sound in this kind of file.

    Raises:
        AudioError: There is none.
    """
    if media_type == "audio/ogg":
        raise AudioError("ogg files are read but not written here. Choose wav, flac, mp3 or m4a.")
    if media_type in _RATES and audio.sample_rate not in _RATES[media_type]:
        raise AudioError(
            f"{media_type} has no sample rate of {audio.sample_rate} Hz. Resample the sound to "
            "44100 or 48000 Hz, or choose wav or flac."
        )
    if media_type not in LOSSLESS:
        return "MPEG_LAYER_III"
    if audio.samples.dtype.kind == "f":
        raise AudioError(
            "floating point samples are not written to wav or flac, which would round them. "
            "Convert them to 16 or 24 bit first."
        )
    if audio.samples.dtype == np.int16:
        return "PCM_16"
    if not np.bitwise_or.reduce(audio.samples, axis=None) & 0xFF:
        return "PCM_24"
    if media_type == "audio/flac":
        raise AudioError("flac files here carry up to 24 bits, the sound has 32. Choose wav.")
    return "PCM_32"
