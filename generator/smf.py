"""The bytes of a Standard MIDI File, as events with absolute times.

Source: MIDI Manufacturers Association, *Standard MIDI Files 1.0* (RP-001). Only what a score needs
is kept: notes, programs, and the texts, tempos, metres and key signatures among the meta events.
Files come from outside, so every length is checked before it is believed.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from generator.errors import MidiError

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_EVENTS: Final = 1_000_000
MAX_TRACKS: Final = 1_000

NOTE_OFF: Final = 0x80
NOTE_ON: Final = 0x90
PROGRAM: Final = 0xC0
META: Final = 0xFF
EXCLUSIVE: Final = "system-exclusive data"

TEXT: Final = 0x01
TRACK_NAME: Final = 0x03
END_OF_TRACK: Final = 0x2F
SET_TEMPO: Final = 0x51
TIME_SIGNATURE: Final = 0x58
KEY_SIGNATURE: Final = 0x59

_HEADER: Final = b"MThd"
_TRACK: Final = b"MTrk"
_CHUNK_HEADER_BYTES: Final = 8
_HEADER_BYTES: Final = 6
_SMPTE_BIT: Final = 0x8000
_STATUS_BIT: Final = 0x80
_CHANNEL_STATUS_BITS: Final = 0xF0
_SYSTEM_EXCLUSIVE: Final = (0xF0, 0xF7)
_MAX_QUANTITY_BYTES: Final = 4
_DATA_BYTES: Final = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
_META_BYTES: Final = {SET_TEMPO: 3, TIME_SIGNATURE: 4, KEY_SIGNATURE: 2}
_KEPT_META: Final = frozenset({TEXT, TRACK_NAME, END_OF_TRACK, *_META_BYTES})
_LEFT_OUT_META: Final = {
    0x02: "copyright notices",
    0x04: "instrument names",
    0x05: "lyrics",
    0x06: "markers",
    0x07: "cue points",
    0x08: "program names",
    0x09: "device names",
    0x7F: "sequencer-specific data",
}
_OTHER_TEXTS: Final = range(0x0A, 0x10)
_KEPT_CHANNEL: Final = frozenset({NOTE_OFF, NOTE_ON, PROGRAM})


class Event(NamedTuple):
    """One event of a track.

    Attributes:
        tick: File ticks from the beginning of the track.
        kind: `NOTE_OFF`, `NOTE_ON` (never with velocity 0), `PROGRAM` or `META`.
        number: The channel, 0 to 15; for `META` its type, such as `SET_TEMPO`.
        data: The data bytes.
    """

    tick: int
    kind: int
    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class MidiFile:
    """A parsed file.

    Attributes:
        format: 0 (one track) or 1 (tracks that sound together).
        ticks_per_quarter: 1 to 32767.
        tracks: The kept events of each track, in file order; each ends with `END_OF_TRACK`.
        left_out: What else the file says in words, or in data that may hold words, such as ``lyrics``.
    """

    format: int
    ticks_per_quarter: int
    tracks: tuple[tuple[Event, ...], ...]
    left_out: frozenset[str] = frozenset()


def parse(data: bytes) -> MidiFile:
    """Read a whole file.

    Raises:
        MidiError: The bytes are not a Standard MIDI File of format 0 or 1 with metrical time, are
            cut short, or are more than `MAX_BYTES`, `MAX_EVENTS` or `MAX_TRACKS`.
    """
    form, track_count, division, position = _parse_header(data)
    tracks: list[tuple[Event, ...]] = []
    left_out: set[str] = set()
    budget = MAX_EVENTS
    while len(tracks) < track_count:
        name, start, end = _chunk(data, position, f"track {len(tracks) + 1} of {track_count}")
        if name == _TRACK:
            reader = _TrackReader(data[start:end], len(tracks) + 1, budget)
            tracks.append(reader.read())
            budget = reader.budget
            left_out |= reader.left_out
        position = end
    return MidiFile(form, division, tuple(tracks), frozenset(left_out))


def _parse_header(data: bytes) -> tuple[int, int, int, int]:
    if not data:
        raise MidiError("The file is empty: it holds no MIDI data. Export it again.")
    if len(data) > MAX_BYTES:
        raise MidiError(
            f"The MIDI file has {len(data)} bytes; at most {MAX_BYTES} are read. Export the notes "
            "without sample or system-exclusive data."
        )
    if not data.startswith(_HEADER):
        raise MidiError(
            f"The file is not a Standard MIDI File: it starts with {data[:8]!r} instead of "
            f"{_HEADER!r}. Export the music as MIDI (.mid) and pass that file."
        )
    name, start, end = _chunk(data, 0, "the header")
    if end - start < _HEADER_BYTES:
        raise MidiError(f"The {name!r} chunk of the MIDI file is cut short. Export it again.")
    form, track_count, division = (int.from_bytes(data[start + offset : start + offset + 2]) for offset in (0, 2, 4))
    if form > 1:
        raise MidiError(
            f"The MIDI file has format {form}; only formats 0 and 1 hold one piece of music. Export it as format 1."
        )
    if division & _SMPTE_BIT or not division:
        raise MidiError(
            f"The MIDI file counts time in film frames (division {division:#06x}), not in parts "
            "of a quarter note. Export it with ticks per quarter note."
        )
    if not 1 <= track_count <= MAX_TRACKS:
        raise MidiError(f"The MIDI file announces {track_count} tracks; 1 to {MAX_TRACKS} are accepted.")
    return form, track_count, division, end


def _chunk(data: bytes, position: int, what: str) -> tuple[bytes, int, int]:
    start = position + _CHUNK_HEADER_BYTES
    name = data[position : position + 4]
    end = start + int.from_bytes(data[position + 4 : start])
    if start > len(data) or end > len(data):
        raise MidiError(
            f"The MIDI file is cut short: {what} should reach byte {max(start, end)}, but the file "
            f"ends at byte {len(data)}. Copy or export it again."
        )
    return name, start, end


class _TrackReader:
    """Reads the events of one track chunk, once."""

    def __init__(self, data: bytes, number: int, budget: int) -> None:
        self.budget = budget
        self.left_out: set[str] = set()
        self._data = data
        self._number = number
        self._position = 0
        self._events: list[Event] = []

    def read(self) -> tuple[Event, ...]:
        tick = 0
        running_status = 0
        while self._position < len(self._data):
            self._spend()
            tick += self._quantity()
            status = self._peek()
            if status >= _STATUS_BIT:
                self._position += 1
            else:
                status = running_status
            if status == META:
                if self._meta(tick):
                    return tuple(self._events)
            elif status in _SYSTEM_EXCLUSIVE:
                self._take(self._quantity())
                self.left_out.add(EXCLUSIVE)
            elif (kind := status & _CHANNEL_STATUS_BITS) in _DATA_BYTES:
                running_status = status
                self._channel(tick, kind, status & 0x0F)
            else:
                raise self._error(f"has the unknown status byte {status:#04x}")
        self._events.append(Event(tick, META, END_OF_TRACK, b""))
        return tuple(self._events)

    def _meta(self, tick: int) -> bool:
        """Keep a meta event if it matters; say whether it ends the track."""
        kind = self._take(1)[0]
        payload = self._take(self._quantity())
        if kind in _META_BYTES and len(payload) < _META_BYTES[kind]:
            raise self._error(
                f"has a meta event of type {kind:#04x} with {len(payload)} instead of {_META_BYTES[kind]} bytes"
            )
        if kind in _KEPT_META:
            self._events.append(Event(tick, META, kind, payload))
        elif name := _LEFT_OUT_META.get(kind, "texts" if kind in _OTHER_TEXTS else ""):
            self.left_out.add(name)
        return kind == END_OF_TRACK

    def _channel(self, tick: int, kind: int, channel: int) -> None:
        payload = self._take(_DATA_BYTES[kind])
        if max(payload) >= _STATUS_BIT:
            raise self._error(f"has a data byte above 127 in an event of status {kind:#04x}")
        if kind == NOTE_ON and not payload[1]:
            kind = NOTE_OFF
        if kind in _KEPT_CHANNEL:
            self._events.append(Event(tick, kind, channel, payload))

    def _quantity(self) -> int:
        """A variable-length quantity: seven bits a byte, four bytes at most."""
        value = 0
        for _ in range(_MAX_QUANTITY_BYTES):
            byte = self._take(1)[0]
            value = value << 7 | byte & 0x7F
            if byte < _STATUS_BIT:
                return value
        raise self._error("has a length of more than four bytes")

    def _peek(self) -> int:
        if self._position >= len(self._data):
            raise self._error("ends inside an event")
        return self._data[self._position]

    def _take(self, count: int) -> bytes:
        end = self._position + count
        if end > len(self._data):
            raise self._error("ends inside an event")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def _spend(self) -> None:
        self.budget -= 1
        if self.budget < 0:
            raise MidiError(
                f"The MIDI file holds more than {MAX_EVENTS} events. Export the notes without controller data."
            )

    def _error(self, what: str) -> MidiError:
        return MidiError(
            f"The MIDI file is damaged: track {self._number} {what} (byte {self._position} of the "
            "track). Export it again."
        )
