"""MusicXML 4.0 scores in: compressed (.mxl) or plain, one `Score` for each movement.

All notes of every part are read, double stops and second voices included. Tied notes become one
note; grace and cue notes, lyrics and layout are left out; repeats are not played out. A measure
of the first part that states `<divisions>` begins a new movement, which is how collections of
several movements in one file are written.
"""

import io
import math
import struct
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final
from xml.parsers import expat

from generator.errors import ScoreError
from generator.score import (
    DEFAULT_MICROSECONDS_PER_QUARTER,
    MAX_MICROSECONDS,
    MAX_TEXT,
    TICKS_PER_QUARTER,
    Bar,
    Note,
    Score,
    Tempo,
    Voice,
)

MAX_FILE_BYTES: Final = 64 * 2**20
MAX_XML_BYTES: Final = 128 * 2**20
MAX_ARCHIVE_MEMBERS: Final = 1_000
MAX_TAGS: Final = 4_000_000
"""Opening and closing ones; a long quartet has 600,000."""
MAX_ATTRIBUTES: Final = 1_000_000

_ZIP_SIGNATURE: Final = b"PK\x03\x04"
_COMPRESSIONS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""What MusicXML asks for; others have dictionaries of gigabytes."""
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(OSError, RuntimeError, ValueError, OverflowError),
)
"""What the library raises about archives that are not whole."""
_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_VIOLIN: Final = 40
_BAR_STYLES: Final = {"light-heavy": "final", "light-light": "double"}
_REPEATS: Final = {"forward": "repeat-start", "backward": "repeat-end"}


def read_musicxml(source: Path | bytes) -> list[Score]:
    """The movements of a MusicXML file.

    Args:
        source: A path, or the bytes of the file. What it is follows from the content, not from
            the name.

    Raises:
        ScoreError: It is not a MusicXML score, or it is too large to be one.
    """
    name = "the given bytes" if isinstance(source, bytes) else str(source)
    xml = _score_xml(_load(source, name), name)
    root = _parse(xml, name)
    if root.tag != "score-partwise":
        raise ScoreError(
            f"{name} is an XML document with the root <{root.tag[:40]}>; only MusicXML scores "
            "written part by part (<score-partwise>) are read. Export the score again as MusicXML."
        )
    try:
        return [movement.score() for movement in _movements(root)]
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise ScoreError(
            f"{name} holds a value that MusicXML does not allow ({error}). "
            "Open it in a notation program and export it again."
        ) from error


# From the file to its XML.


def _load(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        data = source
    else:
        try:
            with source.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise ScoreError(f"{name} cannot be read: {error.strerror}. Check the path and its permissions.") from error
    if not data:
        raise ScoreError(f"{name} is empty; a MusicXML score was expected.")
    if len(data) > MAX_FILE_BYTES:
        raise ScoreError(f"{name} is larger than {MAX_FILE_BYTES} bytes, which no score needs; it was not read.")
    return data


def _score_xml(data: bytes, name: str) -> bytes:
    if not data.startswith(_ZIP_SIGNATURE):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if len(archive.infolist()) > MAX_ARCHIVE_MEMBERS:
                raise ScoreError(
                    f"{name} is an archive of {len(archive.infolist())} files; a compressed score holds a handful."
                )
            container = _parse(_member(archive, "META-INF/container.xml", name), name)
            return _member(archive, _rootfile(container, name), name)
    except _UNREADABLE as error:
        raise ScoreError(
            f"{name} is a damaged or unusual archive ({error}). Export the score again, or save it uncompressed."
        ) from error


def _member(archive: zipfile.ZipFile, path: str, name: str) -> bytes:
    try:
        info = archive.getinfo(path)
    except KeyError as error:
        raise ScoreError(
            f"{name} is an archive without {path[:80]!r}, so it is not a compressed MusicXML score."
        ) from error
    if info.compress_type not in _COMPRESSIONS:
        raise zipfile.BadZipFile("a file in it is compressed otherwise than by deflate")
    with archive.open(info) as member:
        data = member.read(MAX_XML_BYTES + 1)
    if len(data) > MAX_XML_BYTES:
        raise ScoreError(
            f"{path[:80]!r} in {name} unpacks to more than {MAX_XML_BYTES} bytes, "
            "which no score needs; it was not read."
        )
    return data


def _rootfile(container: ET.Element, name: str) -> str:
    for element in container.iter():
        if element.tag.rpartition("}")[2] == "rootfile" and (path := element.get("full-path")):
            return path
    raise ScoreError(f"The archive {name} does not say which of its files is the score.")


class _PrologueEnd(Exception):  # noqa: N818 - it ends a scan and is no error
    """The first element was reached."""


def _parse(xml: bytes, name: str) -> ET.Element:
    """The root of a document that declares no entities of its own."""
    _refuse_entities(xml, name)
    _require_few(xml, b"<", MAX_TAGS, "tags", name)
    _require_few(xml, b"=", MAX_ATTRIBUTES, "attributes", name)
    try:
        return ET.fromstring(xml)  # noqa: S314 - entity declarations were refused just before
    except (ET.ParseError, ValueError, LookupError) as error:
        raise _not_xml(name, error) from error


def _refuse_entities(xml: bytes, name: str) -> None:
    def refuse(entity: str, *_: object) -> None:
        raise ScoreError(
            f"{name} declares the XML entity {entity[:40]!r}; scores need none, and entities can "
            "make a small file huge, so it was not read."
        )

    def stop(*_: object) -> None:
        raise _PrologueEnd

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        parser.Parse(xml, True)  # noqa: FBT003 - expat takes it by position only
    except _PrologueEnd:
        return
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _not_xml(name, error) from error


def _require_few(xml: bytes, sign: bytes, most: int, what: str, name: str) -> None:
    """Count, before anything is built, what takes many times its bytes of memory."""
    if (count := xml.count(sign)) > most:
        raise ScoreError(f"{name} has {count} {what}; up to {most} are read, and no score needs as many.")


def _not_xml(name: str, error: Exception) -> ScoreError:
    return ScoreError(
        f"{name} is not a MusicXML score: it is neither a compressed score nor well-formed XML ({error})."
    )


# From the XML to measures, part by part.


@dataclass(slots=True)
class _RawNote:
    onset: int
    duration: int
    pitch: int
    tie_start: bool
    tie_stop: bool


@dataclass(slots=True)
class _Measure:
    length: int = 0
    notes: list[_RawNote] = field(default_factory=list)
    states_divisions: bool = False
    metre: tuple[int, int] | None = None
    fifths: int | None = None
    tempos: list[tuple[int, int]] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Cursor:
    """Where in a part the reading is: divisions last, the rest is for one measure."""

    divisions: str = "1"
    now: int = 0
    chord_onset: int = 0


def _part_measures(part: ET.Element) -> Iterator[_Measure]:
    cursor = _Cursor()
    for element in part.iterfind("measure"):
        measure = _Measure()
        if element.get("implicit") == "yes":
            measure.flags.add("pickup")
        cursor.now = cursor.chord_onset = 0
        for child in element:
            if read := _READERS.get(child.tag):
                read(child, measure, cursor)
        yield measure


def _read_note(element: ET.Element, measure: _Measure, cursor: _Cursor) -> None:
    if element.find("grace") is not None:
        return
    duration = _ticks(element, cursor.divisions)
    if element.find("chord") is None:
        cursor.chord_onset = cursor.now
        cursor.now += duration
    measure.length = max(measure.length, cursor.chord_onset + duration)
    if element.find("cue") is None and duration:
        measure.notes.extend(_pitched(element, cursor.chord_onset, duration))


def _read_backup(element: ET.Element, _: _Measure, cursor: _Cursor) -> None:
    cursor.now = max(0, cursor.now - _ticks(element, cursor.divisions))


def _read_forward(element: ET.Element, measure: _Measure, cursor: _Cursor) -> None:
    cursor.now += _ticks(element, cursor.divisions)
    measure.length = max(measure.length, cursor.now)


def _read_attributes(element: ET.Element, measure: _Measure, cursor: _Cursor) -> None:
    if text := element.findtext("divisions"):
        measure.states_divisions = True
        cursor.divisions = text
        if _number(text, "divisions") <= 0:
            raise ValueError(f"the divisions {text!r}")
    if fifths := element.findtext("key/fifths"):
        measure.fifths = int(fifths)
    beats, beat_type = element.findtext("time/beats"), element.findtext("time/beat-type")
    if beats and beat_type:
        measure.metre = (sum(int(term) for term in beats.split("+")), int(beat_type))


def _read_direction(element: ET.Element, measure: _Measure, cursor: _Cursor) -> None:
    if (sound := element.find("sound")) is not None:
        _read_sound(sound, measure, cursor)


def _read_sound(element: ET.Element, measure: _Measure, cursor: _Cursor) -> None:
    if tempo := element.get("tempo"):
        measure.tempos.append((cursor.now, _microseconds(tempo)))


def _read_barline(element: ET.Element, measure: _Measure, _: _Cursor) -> None:
    repeat = element.find("repeat")
    if repeat is not None and (flag := _REPEATS.get(repeat.get("direction", ""))):
        measure.flags.add(flag)
    if flag := _BAR_STYLES.get(element.findtext("bar-style", "")):
        measure.flags.add(flag)


_READERS: Final[dict[str, Callable[[ET.Element, _Measure, _Cursor], None]]] = {
    "note": _read_note,
    "backup": _read_backup,
    "forward": _read_forward,
    "attributes": _read_attributes,
    "direction": _read_direction,
    "sound": _read_sound,
    "barline": _read_barline,
}


def _ticks(element: ET.Element, divisions: str) -> int:
    text = element.findtext("duration")
    if text is None:
        raise ValueError(f"a <{element.tag}> without <duration>")
    return _scaled(text, divisions)


@lru_cache(maxsize=1024)
def _scaled(duration: str, divisions: str) -> int:
    per_quarter = _number(divisions, "divisions")
    ticks = round(_number(duration, "duration") * TICKS_PER_QUARTER / per_quarter)
    if ticks < 0:
        raise ValueError(f"the duration {duration!r}")
    return ticks


def _number(text: str, what: str) -> Fraction:
    """A decimal number of MusicXML; exponents are refused, for they may be astronomic."""
    if len(text) > 32 or "e" in text.lower():  # noqa: PLR2004 - far longer than any real one
        raise ValueError(f"the {what} {text[:40]!r}")
    return Fraction(text.strip())


def _pitched(element: ET.Element, onset: int, duration: int) -> Iterator[_RawNote]:
    pitch = element.find("pitch")
    if pitch is None:
        return
    step, octave = pitch.findtext("step", ""), pitch.findtext("octave", "")
    if step not in _STEPS:
        raise ValueError(f"the pitch step {step[:40]!r}")
    alter = math.trunc(_number(pitch.findtext("alter") or "0", "alteration"))
    ties = {tie.get("type") for tie in element.iterfind("tie")}
    midi = 12 * (int(octave) + 1) + _STEPS[step] + alter
    yield _RawNote(onset, duration, midi, "start" in ties, "stop" in ties)


def _microseconds(tempo: str) -> int:
    bpm = _number(tempo, "tempo")
    if bpm <= 0:
        raise ValueError(f"the tempo {tempo!r}")
    return min(MAX_MICROSECONDS, max(1, round(60_000_000 / bpm)))


# From measures to movements.


@dataclass(slots=True)
class _Movement:
    """One movement under construction: measures of all parts, one column per measure."""

    title: str
    parts: list[tuple[str, int]]
    columns: list[list[_Measure]] = field(default_factory=list)

    def score(self) -> Score:
        bars: list[Bar] = []
        tempos: dict[int, int] = {}
        notes: list[list[_RawNote]] = [[] for _ in self.parts]
        metre, fifths, start = (4, 4), 0, 0
        for column in self.columns:
            metre = next((measure.metre for measure in column if measure.metre), metre)
            fifths = next((m.fifths for m in column if m.fifths is not None), fifths)
            bar = _bar(column, start, metre, fifths)
            for measure, line in zip(column, notes, strict=True):
                for note in measure.notes:
                    note.onset += start
                    line.append(note)
                for offset, microseconds in measure.tempos:
                    tempos.setdefault(start + min(offset, bar.duration), microseconds)
            bars.append(bar)
            start = bar.end
        tempos.pop(start, None)
        first = tempos[min(tempos)] if tempos else DEFAULT_MICROSECONDS_PER_QUARTER
        tempos.setdefault(0, first)
        return Score(
            title=self.title,
            bars=tuple(bars),
            tempos=tuple(Tempo(onset, tempos[onset]) for onset in sorted(tempos)),
            voices=tuple(
                Voice(name, program, tuple(sorted(_join_ties(line))))
                for (name, program), line in zip(self.parts, notes, strict=True)
            ),
        )


def _movements(root: ET.Element) -> list[_Movement]:
    parts = root.findall("part")
    columns = list(zip(*(list(_part_measures(part)) for part in parts), strict=False))
    if not columns:
        raise ValueError("no part with a measure in it")
    title = _line(root.findtext("work/work-title") or root.findtext("movement-title") or "")
    names = _part_names(root, parts)
    movements: list[_Movement] = []
    for column in columns:
        if not movements or column[0].states_divisions:
            movements.append(_Movement(title, names))
        movements[-1].columns.append(list(column))
    return movements


def _part_names(root: ET.Element, parts: Iterable[ET.Element]) -> list[tuple[str, int]]:
    declared = {part.get("id"): part for part in root.iterfind("part-list/score-part")}
    names = []
    for number, part in enumerate(parts, start=1):
        score_part = declared.get(part.get("id"))
        name = program = None
        if score_part is not None:
            name = score_part.findtext("part-name")
            program = score_part.findtext("midi-instrument/midi-program")
        names.append((_line(name or "") or f"Part {number}", int(program) - 1 if program else _VIOLIN))
    return names


def _line(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:MAX_TEXT]


def _bar(column: list[_Measure], start: int, metre: tuple[int, int], fifths: int) -> Bar:
    nominal = metre[0] * 4 * TICKS_PER_QUARTER // metre[1]
    duration = max(measure.length for measure in column) or nominal
    flags = set[str]().union(*(measure.flags for measure in column))
    if duration != nominal:
        flags.add("irregular")
    return Bar(start, duration, metre[0], metre[1], fifths, frozenset(flags))


def _join_ties(line: Iterable[_RawNote]) -> Iterator[Note]:
    """Notes whose ties meet end to end at one pitch become one note."""
    joined: list[_RawNote] = []
    held: dict[int, _RawNote] = {}
    for note in sorted(line, key=lambda note: (note.onset, note.pitch, not note.tie_stop)):
        before = held.get(note.pitch)
        if note.tie_stop and before is not None and before.onset + before.duration == note.onset:
            before.duration += note.duration
            if not note.tie_start:
                del held[note.pitch]
            continue
        joined.append(note)
        if note.tie_start:
            held[note.pitch] = note
    for note in joined:
        yield Note(note.onset, note.duration, note.pitch)
