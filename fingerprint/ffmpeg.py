"""The ffmpeg program, for the one kind of file libsndfile does not know: AAC in m4a.

It is run on a named file with its demuxer fixed, no network protocols, and one thread.
"""

import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fingerprint.errors import AudioError, MissingProgramError
from fingerprint.media import M4A_FILE_TYPE

_QUIET: Final = ("-nostdin", "-v", "error", "-xerror", "-threads", "1")
_RAW_FORMATS: Final = {"i2": "s16le", "i4": "s32le", "f4": "f32le", "f8": "f64le"}
_WAV_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_SAID_AT_MOST: Final = 300


def decode_mp4(path: Path, max_seconds: int, max_bytes: int) -> tuple[NDArray[np.int16], int]:
    """The first audio track of an m4a file: (frames × channels, Hz).

    Of longer files no more than `max_seconds` + 1 s and `max_bytes` are decoded.

    Raises:
        AudioError: ffmpeg could not decode it.
        MissingProgramError: ffmpeg is not installed.
    """
    options = ("-protocol_whitelist", "file,pipe", "-f", "mov", "-i", f"file:{path}")
    limits = ("-t", str(max_seconds + 1), "-fs", str(max_bytes))
    # Tags would be written as a chunk of their own in front of the samples.
    wav = ("-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_s16le", "-bitexact", "-f", "wav", "pipe:1")
    output = _run((*_QUIET, *options, *limits, *wav), "decode the m4a file")
    if len(output) < _WAV_HEADER.size:
        raise AudioError("ffmpeg found no sound in the m4a file. Get the file again.")
    _, _, _, _, _, _, channels, rate, *_ = _WAV_HEADER.unpack_from(output)
    whole = (len(output) - _WAV_HEADER.size) // (2 * channels) * channels
    samples = np.frombuffer(output, "<i2", whole, _WAV_HEADER.size)
    return samples.reshape(-1, channels), rate


def encode_aac(samples: NDArray[np.generic], sample_rate: int, path: Path, *, kilobits: int) -> None:
    """Writes frames × channels as AAC in an m4a file without metadata.

    Raises:
        AudioError: ffmpeg could not write it.
        MissingProgramError: ffmpeg is not installed.
    """
    raw = np.ascontiguousarray(samples, samples.dtype.newbyteorder("<"))
    layout = _RAW_FORMATS[f"{raw.dtype.kind}{raw.dtype.itemsize}"]
    source = ("-f", layout, "-ar", str(sample_rate), "-ac", str(raw.shape[1]), "-i", "pipe:0")
    codec = ("-c:a", "aac", "-b:a", f"{kilobits}k", "-flags:a", "+bitexact")
    target = ("-map_metadata", "-1", "-fflags", "+bitexact", "-f", "ipod", "-y", f"file:{path}")
    options = ("-v", "error", "-xerror", "-threads", "1", *source, *codec, *target)
    _run(options, f"write {path}", raw.reshape(-1).view(np.uint8).data)
    _fix_file_type(path)


def _fix_file_type(path: Path) -> None:
    """Gives the file the one file type box, whose list of brands differs between versions of ffmpeg."""
    with path.open("r+b") as file:
        begin = file.read(len(M4A_FILE_TYPE))
        if begin[:8] != M4A_FILE_TYPE[:8]:
            raise AudioError(
                f"this version of ffmpeg begins {path} in a way that is not known here ({begin.hex()}). Use wav, flac "
                "or mp3, or another version."
            )
        file.seek(0)
        file.write(M4A_FILE_TYPE)


def _run(arguments: Sequence[str], task: str, given: memoryview | None = None) -> bytes:
    program = shutil.which("ffmpeg")
    if program is None:
        raise MissingProgramError(
            f"the ffmpeg program is needed to {task} and is not installed. Install it (apt install "
            "ffmpeg, dnf install ffmpeg-free, brew install ffmpeg), or use wav, flac or mp3."
        )
    done = subprocess.run(  # noqa: S603 - a fixed program; paths follow "file:", so none is an option
        (program, *arguments), input=given, capture_output=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-_SAID_AT_MOST:]
        raise AudioError(f"ffmpeg could not {task}; it said: {said}. Check the file and the disk.")
    return done.stdout
