"""What kind of audio a file holds, told by its first bytes and never by its name."""

import stat
from pathlib import Path
from typing import Final, Literal, get_args

from fingerprint import mpeg
from fingerprint.errors import AudioError

MediaType = Literal["audio/wav", "audio/flac", "audio/mpeg", "audio/ogg", "audio/mp4"]
MEDIA_TYPES: Final[tuple[MediaType, ...]] = get_args(MediaType)
LOSSLESS: Final = frozenset[MediaType]({"audio/wav", "audio/flac"})
"""The media types whose sound is its decoded PCM, bit for bit."""

M4A_FILE_TYPE: Final = b"\x00\x00\x00\x1cftypM4A \x00\x00\x02\x00M4A isomiso2"
"""The file type box (ISO 14496-12, 4.3) of the m4a files that are written here; no hash of C2PA covers it."""

MAX_FILE_BYTES: Final = 2 * 2**30
_SNIFF_BYTES: Final = 8192

_STRANGERS: Final = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"MThd", "a MIDI file, which holds notes and no sound"),
    (b"FORM", "an AIFF file"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM file"),
    (b"<?xml", "an XML document"),
    (b"\x7fELF", "a program"),
)


def sniff(path: Path) -> MediaType:
    """The media type of the audio in a file.

    An ID3v2 tag in front (where C2PA manifests of mp3 and flac live) is looked past.

    Raises:
        AudioError: There is no such file, it cannot be read, it is empty, larger than
            `MAX_FILE_BYTES`, or not one of `MEDIA_TYPES`.
    """
    head, after_tag = _first_bytes(path)
    if after_tag[:4] == b"fLaC":
        return "audio/flac"
    if head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[:4] == b"OggS":
        return "audio/ogg"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    if mpeg.starts_with_frame(after_tag):
        return "audio/mpeg"
    raise AudioError(
        f"{path} is not audio this program reads: it looks like {_describe(head)}. Give a wav, "
        "flac, mp3, ogg or m4a file; the name of a file does not change what is in it."
    )


def _first_bytes(path: Path) -> tuple[bytes, bytes]:
    """The first bytes of the file, and the first bytes behind its leading ID3v2 tags."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"{path} is not a regular file. Give the path of an audio file.")
        if status.st_size == 0:
            raise AudioError(f"{path} is empty (0 bytes). Give a file that holds audio.")
        if status.st_size > MAX_FILE_BYTES:
            raise AudioError(
                f"{path} has {status.st_size} bytes; files of up to {MAX_FILE_BYTES} bytes are "
                "read. Cut it into shorter files."
            )
        with path.open("rb") as file:
            head = after_tag = file.read(_SNIFF_BYTES)
            position = 0
            while (tag := mpeg.id3v2_length(after_tag)) and position < status.st_size:
                position += tag
                file.seek(position)
                after_tag = file.read(_SNIFF_BYTES)
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}. Check the path and its permissions.") from error
    return head, after_tag


def _describe(head: bytes) -> str:
    for signature, name in _STRANGERS:
        if head.startswith(signature):
            return name
    if not head.strip(b"\x00"):
        return "nothing but zero bytes"
    return f"an unknown format (it starts with the bytes {head[:8].hex(' ')})"
