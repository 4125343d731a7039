"""The one audio track of an m4a file: its coded sound, and all that decides how a player plays it.

A file is taken only where every player plays the same: one track that sounds, switched on, at full volume and normal
speed, in one piece, its bytes in this file (ISO/IEC 14496-12, 8.2 to 8.7). What is left may differ from file to file
without being heard, or is in `Track.description`.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Final

from fingerprint import samples
from fingerprint.boxes import Boxes, ambiguous, children, damaged, integers, layout, movie, read
from fingerprint.descriptor import decoder_of
from fingerprint.errors import AudioError

_MOVIE: Final = layout("moov", "mvhd", "iods", many="trak", tags=True)
_TRACK: Final = layout("trak", "tkhd mdia", "edts", tags=True)
_EDITS: Final = layout("edts", "elst")
_MEDIA: Final = layout("mdia", "mdhd hdlr minf", "elng")
_INFORMATION: Final = layout("minf", "smhd dinf stbl")
_DATA: Final = layout("dinf", "dref")
_TABLES: Final = layout("stbl", "stsd stts stsc stsz", "stco co64 sgpd sbgp")

_SOUND: Final = b"soun"
_PICTURES: Final = b"vide"
_ENABLED: Final = 1
_IN_THIS_FILE: Final = 1
_ONE: Final = 0x10000
_FULL_VOLUME: Final = 0x100
_MAX_TRIMMED: Final = Fraction(1, 2)
"""Seconds that an edit list may leave out at either end: what an encoder needs to begin and to end."""


@dataclass(frozen=True, slots=True)
class Track:
    """The sound of a file.

    Attributes:
        ranges: (position, bytes) of its samples in playing order; neighbours are joined.
        duration: Seconds, what an edit list leaves out at the ends included.
        description: What besides the samples decides how it sounds, in three lines: `decoder` and how the samples
            are coded, `pace` and the seconds from one to the next, `start` and the second with which playing begins.
    """

    ranges: tuple[samples.Range, ...]
    duration: float
    description: bytes


@dataclass(frozen=True, slots=True)
class _Clock:
    """How long something lasts, and the ticks of one second in which that is said."""

    timescale: int
    duration: int

    @property
    def seconds(self) -> Fraction:
        return Fraction(self.duration, self.timescale)


def read_track(file: BinaryIO) -> Track:
    """Finds the sound of a file, wherever in it the samples lie.

    Raises:
        AudioError: There is no audio track, there are several, or one that players play differently; or the file
            is cut off, fragmented, or its tables contradict one another or the file.
    """
    end = file.seek(0, 2)
    index = movie(file)
    whole = _movie_clock(read(index, _MOVIE)[b"mvhd"])
    track = _audio_track(index)
    media = read(track[b"mdia"], _MEDIA)
    information = read(media[b"minf"], _INFORMATION)
    _require_untouched(track[b"tkhd"], information[b"smhd"])
    _require_in_this_file(read(information[b"dinf"], _DATA)[b"dref"])
    tables = read(information[b"stbl"], _TABLES)
    ranges = samples.ranges(tables, end)
    pace, length = samples.timing(tables, _clock(media[b"mdhd"]).timescale)
    start, shown = _presented(track, whole.timescale, _clock(media[b"mdhd"]).timescale, length)
    _require_not_shorter(whole, _track_length(track[b"tkhd"], whole.timescale), shown)
    lines = (f"decoder {decoder_of(tables[b'stsd'])}", f"pace {_written(pace)}", f"start {_written(start)}")
    return Track(ranges, float(length), "".join(f"{line}\n" for line in lines).encode("ascii"))


def _audio_track(index: bytes) -> Boxes:
    """The one track that sounds; pictures beside it are silent."""
    sounding = []
    for kind, content in children(index):
        if kind != b"trak":
            continue
        if _is_silent(content):
            continue
        track = read(content, _TRACK)
        handler = read(track[b"mdia"], _MEDIA)[b"hdlr"][8:12]
        if handler != _SOUND:
            raise ambiguous(f"a track of the kind {handler!r}")
        sounding.append(track)
    if not sounding:
        raise AudioError("the m4a file has no audio track. Give a file that holds sound.")
    if len(sounding) > 1:
        raise ambiguous(f"{len(sounding)} audio tracks")
    return sounding[0]


def _is_silent(track: bytes) -> bool:
    """Whether a track says once that it is pictures; a second handler, anywhere in it, could say otherwise."""
    media = dict(children(track)).get(b"mdia", b"")
    handler = dict(children(media)).get(b"hdlr", b"")
    return handler[8:12] == _PICTURES and track.count(b"hdlr") == 1


def _require_untouched(header: bytes, sound: bytes) -> None:
    """The track is switched on, at full volume, and not moved to one side."""
    (version_and_flags,) = integers(header, 0, ">I", 1)
    if not version_and_flags & _ENABLED:
        raise ambiguous("an audio track that is switched off")
    (volume,) = integers(header, 48 if _is_wide(header) else 36, ">H", 1)
    (balance,) = integers(sound, 4, ">H", 1)
    if volume != _FULL_VOLUME or balance:
        raise ambiguous("an audio track that is to be played softer, or on one side")


def _require_in_this_file(references: bytes) -> None:
    (count,) = integers(references, 4, ">I", 1)
    entries = list(children(references[8:]))
    if count != len(entries) or len(entries) != 1 or entries[0] != (b"url ", _IN_THIS_FILE.to_bytes(4, "big")):
        raise ambiguous("sound that lies in another file")


def _presented(track: Boxes, movie_scale: int, media_scale: int, length: Fraction) -> tuple[Fraction, Fraction]:
    """(second of the media with which playing begins, seconds that are played), from the edit list."""
    if b"edts" not in track:
        return Fraction(0), length
    table = read(track[b"edts"], _EDITS)[b"elst"]
    (count,) = integers(table, 4, ">I", 1)
    if count != 1:
        raise ambiguous(f"an edit list with {count} entries")
    wide = _is_wide(table)
    duration, begin = integers(table, 8, ">Q" if wide else ">I", 2)
    (rate,) = integers(table, 24 if wide else 16, ">I", 1)
    start, shown = Fraction(begin, media_scale), Fraction(duration, movie_scale)
    if rate != _ONE or start > _MAX_TRIMMED or abs(length - start - shown) > _MAX_TRIMMED:
        raise ambiguous("an edit list that leaves out some of its sound, or plays it at another speed")
    return start, shown


def _require_not_shorter(whole: _Clock, track: Fraction, shown: Fraction) -> None:
    if min(whole.seconds, track) < shown - _MAX_TRIMMED:
        raise ambiguous("headers that say it is shorter than it is")


def _movie_clock(header: bytes) -> _Clock:
    rate, volume = (
        integers(header, 32 if _is_wide(header) else 20, ">I", 1),
        integers(header, _volume(header), ">H", 1),
    )
    if (*rate, *volume) != (_ONE, _FULL_VOLUME):
        raise ambiguous("a speed or a volume of its own")
    return _clock(header)


def _volume(header: bytes) -> int:
    return 36 if _is_wide(header) else 24


def _clock(header: bytes) -> _Clock:
    """Of a movie header or a media header."""
    timescale, duration = _scale_and_duration(header)
    if timescale == 0:
        raise damaged("a time scale of 0")
    return _Clock(timescale, duration)


def _scale_and_duration(header: bytes) -> tuple[int, int]:
    if _is_wide(header):
        return integers(header, 20, ">I", 1)[0], integers(header, 24, ">Q", 1)[0]
    return integers(header, 12, ">I", 1)[0], integers(header, 16, ">I", 1)[0]


def _track_length(header: bytes, timescale: int) -> Fraction:
    wide = _is_wide(header)
    (duration,) = integers(header, 28 if wide else 20, ">Q" if wide else ">I", 1)
    return Fraction(duration, timescale)


def _is_wide(header: bytes) -> bool:
    """Whether a box of version 1, with 64-bit times."""
    (version,) = integers(header, 0, ">B", 1)
    if version > 1:
        raise damaged(f"a header of version {version}")
    return version == 1


def _written(seconds: Fraction) -> str:
    return f"{seconds.numerator}/{seconds.denominator}"
