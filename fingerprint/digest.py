"""Content digests: the identity of a sound, whatever file it travels in.

Lossless files are named by their PCM, so the wav and the flac of a take agree; lossy files by
their coded audio, since decoders differ. Tags, pictures and C2PA manifests are not part of the
sound: adding, changing or removing them changes nothing.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NewType

import numpy as np

from fingerprint import mpeg, ogg
from fingerprint.audio import Audio, decode
from fingerprint.errors import AudioError
from fingerprint.media import MediaType, sniff
from fingerprint.track import read_track

Digest = NewType("Digest", str)
"""`sha256:` and 64 lower-case hexadecimal digits."""

_SAMPLE_NAMES: Final = {"i2": "s16", "i4": "s32", "f4": "f32", "f8": "f64"}
_READ_BYTES: Final = 2**20


def content_digest(path: Path, audio: Audio | None = None) -> Digest:
    """The content digest of an audio file.

    wav and flac: `pcm_digest`. mp3, ogg and m4a: SHA-256 over `linernotes-frames-v2`, the media
    type (each with a line feed) and the coded audio in order: mp3 frames without the Xing or
    Info frame; ogg packets without the comments; the lines of `Track.description` and the samples
    of the one audio track of an m4a.

    Args:
        path: The file.
        audio: What `decode` gave for this very file, to spare decoding a lossless file again.

    Raises:
        AudioError: It is not audio, or is damaged; see `decode`.
    """
    media_type = sniff(path)
    coded_audio = _CODED_AUDIO.get(media_type)
    if coded_audio is None:
        return pcm_digest(decode(path) if audio is None else audio)
    digest = hashlib.sha256(f"linernotes-frames-v2\n{media_type}\n".encode("ascii"))
    try:
        with path.open("rb") as file:
            for piece in coded_audio(file):
                digest.update(piece)
    except AudioError as error:
        raise AudioError(f"{path} cannot be used: {error}") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}. Check the path and its permissions.") from error
    return Digest(f"sha256:{digest.hexdigest()}")


def pcm_digest(audio: Audio) -> Digest:
    """SHA-256 over `linernotes-pcm-v1`, rate, channels, sample format, and the samples.

    The four words end in line feeds; the format is s16, s32, f32 or f64; the samples are
    little-endian and interleaved. Memory is hashed where it lies.
    """
    dtype = audio.samples.dtype
    name = _SAMPLE_NAMES[f"{dtype.kind}{dtype.itemsize}"]
    head = f"linernotes-pcm-v1\n{audio.sample_rate}\n{audio.channels}\n{name}\n"
    digest = hashlib.sha256(head.encode("ascii"))
    digest.update(np.ascontiguousarray(audio.samples, dtype.newbyteorder("<")).data)
    return Digest(f"sha256:{digest.hexdigest()}")


def _mpeg_frames(file: BinaryIO) -> Iterator[memoryview]:
    data = mpeg.load(file)
    stream = mpeg.read_stream(data)
    yield memoryview(data)[stream.start : stream.end]


def _mp4_samples(file: BinaryIO) -> Iterator[bytes]:
    track = read_track(file)
    yield track.description
    for position, size in track.ranges:
        file.seek(position)
        left = size
        while left and (piece := file.read(min(left, _READ_BYTES))):
            left -= len(piece)
            yield piece


_CODED_AUDIO: Final[dict[MediaType, Callable[[BinaryIO], Iterator[bytes | memoryview]]]] = {
    "audio/mpeg": _mpeg_frames,
    "audio/mp4": _mp4_samples,
    "audio/ogg": ogg.packets,
}
