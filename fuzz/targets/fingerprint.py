"""What audio files are read by, before and while they are decoded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fingerprint import boxes, flac, mpeg, ogg, riff
from fingerprint.audio import decode
from fingerprint.chroma import Fingerprint
from fingerprint.digest import content_digest
from fingerprint.errors import AudioCodeError, AudioError, DamagedFingerprintError
from fingerprint.iscc import distance
from fingerprint.media import sniff
from fingerprint.track import read_track
from fuzz import recordings
from fuzz.target import MEBIBYTE, Target, faithful, file_of, require, stream_of, text_of
from tests.fingerprint import movies

if TYPE_CHECKING:
    from collections.abc import Sequence

_CODE = "ISCC:EIAWUJFCEZZOJYVD"
_MPEG_WORDS = (
    b"\xff\xfb\x90\0",
    b"ID3\x04\0\0\0\0\x0f\x7f",
    b"TAG",
    b"APETAGEX",
    b"LYRICS200",
    b"3DI",
    b"Xing",
    b"VBRI",
)
_OGG_WORDS = (b"OggS\0\2", b"\x01vorbis", b"OpusHead", b"\x03vorbis", b"OpusTags", b"\xff" * 255)
_RIFF_WORDS = (b"RIFF", b"RF64", b"WAVE", b"fmt ", b"data", b"ds64", b"LIST", b"\xff\xff\xff\xff")
_FLAC_WORDS = (b"fLaC", b"\x80\0\0\x22", b"\xff\xf8", b"\xff\xf9", b"ID3\x04\0\0\0\0\0\0")
_BOX_WORDS = tuple(
    b"ftyp moov mvhd trak tkhd edts elst mdia mdhd hdlr soun vide minf smhd dinf dref stbl stsd stts stsc stsz stco "
    b"co64 mp4a esds btrt udta meta ilst free moof".split()
)
_LARGEST = 256 * MEBIBYTE
"""Sound is decoded as long as it says it is, up to an hour; a small file may hold a long silence."""


def _ogg(data: bytes) -> None:
    packets = sum(len(packet) for packet in ogg.packets(stream_of(data)))
    require(packets <= len(data), "An ogg file holds more than it has bytes.")


def _stream(data: bytes) -> None:
    stream = mpeg.read_stream(mpeg.load(stream_of(data)))
    require(0 <= stream.start < stream.end <= len(data), "The sound of an mp3 lies outside of it.")


def _flac(data: bytes) -> None:
    if not data:
        return  # an empty file is refused before anybody looks into it
    with file_of(data).open("rb") as file:
        flac.require_plain(file)


def _track(data: bytes) -> None:
    track = read_track(stream_of(data))
    require(sum(size for _, size in track.ranges) <= len(data), "An m4a file holds more sound than it has bytes.")


def _tracks() -> list[bytes]:
    listed = movies.Track(
        sizes=movies.sized([5, 5]), edits=movies.edit_list((2000, 0)), header=movies.track_header(wide=True)
    )
    return [recordings.bare("m4a").read_bytes(), movies.movie(listed), movies.movie(movies.Track(), movies.Track())]


def _digest(data: bytes) -> None:
    path = file_of(data, "recording")
    require(content_digest(path) == content_digest(path), "A sound has two digests.")


def _decode(data: bytes) -> None:
    path = file_of(data, "recording")
    if sniff(path) != "audio/mp4":  # which another program decodes
        audio = decode(path)
        require(audio.samples.shape[0] == audio.frames, "A sound has another length than it says.")


def _distance(data: bytes) -> None:
    code = text_of(data)
    require(distance(code, code) == 0, "A sound is unlike itself.")


TARGETS: Sequence[Target] = (
    Target(
        "fingerprint.sniff",
        lambda data: sniff(file_of(data, "recording")),
        (AudioError,),
        recordings.sounds,
        (sniff,),
        (*_MPEG_WORDS, *_FLAC_WORDS, b"OggS", b"RIFF", b"WAVE", b"ftyp"),
    ),
    Target(
        "fingerprint.mpeg", _stream, (AudioError,), lambda: [_bare("mp3")], (mpeg.load, mpeg.read_stream), _MPEG_WORDS
    ),
    Target(
        "fingerprint.mpeg-header",
        mpeg.parse_header,
        (),
        lambda: [b"\xff\xfb\x90\0", b"\xff\xe3\x18\xc4"],
        (mpeg.parse_header,),
    ),
    Target("fingerprint.ogg", _ogg, (AudioError,), lambda: [_bare("ogg")], (), _OGG_WORDS),
    Target(
        "fingerprint.riff",
        lambda data: riff.require_whole(stream_of(data)),
        (AudioError,),
        lambda: [_bare("wav")],
        (),
        _RIFF_WORDS,
    ),
    Target("fingerprint.flac", _flac, (AudioError,), lambda: [_bare("flac")], (), _FLAC_WORDS),
    Target("fingerprint.m4a", _track, (AudioError,), _tracks, (read_track, boxes.read), _BOX_WORDS),
    Target(
        "fingerprint.content",
        _digest,
        (AudioError,),
        lambda: [*recordings.sounds(), *_tracks()],
        (),
        (*_MPEG_WORDS, *_OGG_WORDS, *_FLAC_WORDS, *_RIFF_WORDS, *_BOX_WORDS),
        max_memory=_LARGEST,
        costly=True,
    ),
    Target(
        "fingerprint.decode",
        _decode,
        (AudioError,),
        recordings.sounds,
        (decode,),
        (*_MPEG_WORDS, *_OGG_WORDS, *_FLAC_WORDS, *_RIFF_WORDS),
        max_memory=_LARGEST,
        costly=True,
    ),
    Target("fingerprint.iscc", _distance, (AudioCodeError,), lambda: [_CODE.encode()], (), (b"ISCC:", b"EIA", b"=")),
    Target(
        "fingerprint.stored",
        faithful(partial(Fingerprint.from_bytes, duration_ms=1000), Fingerprint.to_bytes),
        (DamagedFingerprintError,),
        lambda: [bytes(range(64))],
        (Fingerprint.from_bytes,),
    ),
)


def _bare(ending: str) -> bytes:
    return recordings.bare(ending).read_bytes()
