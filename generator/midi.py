"""Scores as Standard MIDI Files.

Writing: format 1, the metres, keys, tempos and the title in the first track, then one track per
voice. 480 ticks per quarter when that is exact, else the 20160 of the score. The same score gives
the same bytes.

Reading gives the written score back when its voices are named, no key has more than seven
accidentals, no two notes of one pitch in one voice are nested, and no bar is longer than its metre.
Files that an editor saved are read as follows.

- Positions at another resolution go to the nearest tick of the score, halves upwards.
- Notes of one pitch end in the order in which they began. A note that ends where it begins is left
  out: it makes no sound. A note that never ends is refused.
- Each track is a part; one track alone, or one without a name, is a part for each of its channels.
  `generator.parts` says which voice a part is.
- Without a tempo it is 120 quarter notes a minute; without a metre it is 4/4.
- Controllers, pitch bends, pressure and system-exclusive data are not read, nor any text but the names of
  tracks; `read` tells which kinds of words were there.
"""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from operator import itemgetter
from pathlib import Path
from typing import Final

from mido import Message, MetaMessage, MidiTrack
from mido import MidiFile as MidoFile

from generator import smf
from generator.errors import MidiError
from generator.parts import Part, voices
from generator.score import (
    BAR_FLAGS,
    DEFAULT_MICROSECONDS_PER_QUARTER,
    MAX_BARS,
    MAX_TEXT,
    MAX_TICK,
    TICKS_PER_QUARTER,
    Bar,
    Note,
    Score,
    Tempo,
    Voice,
)

MAX_SECONDS: Final = 3600
COMMON_TICKS_PER_QUARTER: Final = 480

_PERCUSSION_CHANNEL: Final = 9
_MAX_DELTA: Final = 0x0FFFFFFF
_FLAGS_PREFIX: Final = "bar flags:"
_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f]")
_MAJOR_KEYS: Final = (
    *("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F"),
    *("C", "G", "D", "A", "E", "B", "F#", "C#"),
)
_MAX_FIFTHS: Final = 7
_MAX_BEAT_TYPE_POWER: Final = 7


def write_midi(score: Score, target: Path | None = None) -> bytes:
    """The score as a MIDI file.

    Args:
        score: Any score of at most `MAX_SECONDS`.
        target: Where to write the bytes as well.

    Raises:
        MidiError: The score is too long for a MIDI file, or a rest in it is.
        OSError: The file cannot be written.
    """
    _check_seconds(score)
    resolution = _exact_resolution(score)
    scale = TICKS_PER_QUARTER // resolution
    tracks = [_conductor_events(score)]
    tracks += [_voice_events(voice, index) for index, voice in enumerate(score.voices)]
    buffer = BytesIO()
    MidoFile(
        type=1,
        ticks_per_beat=resolution,
        tracks=[_track(events, scale, score.length) for events in tracks],
    ).save(file=buffer)
    data = buffer.getvalue()
    if target is not None:
        target.write_bytes(data)
    return data


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from a MIDI file.

    Attributes:
        score: Its music.
        left_out: What else it says in words, or in data that may hold words, such as `lyrics`; in alphabetical order.
    """

    score: Score
    left_out: tuple[str, ...]


def read_midi(source: Path | bytes) -> Score:
    """The music of a MIDI file: see `read`."""
    return read(source).score


def read(source: Path | bytes) -> Reading:
    """The music of a MIDI file of format 0 or 1, and what of it is no music.

    Args:
        source: A path, or the bytes of the file.

    Raises:
        MidiError: It is not a MIDI file, is damaged, has more than `smf.MAX_BYTES` bytes,
            `smf.MAX_EVENTS` events or `MAX_SECONDS` of music, or a note in it never ends.
        OSError: The file cannot be read.
    """
    file = smf.parse(source if isinstance(source, bytes) else _read_bounded(source))
    last_event = _last_event(file)
    parts = _parts(file)
    tempos, signatures, keys, texts = _conductor(file)
    last_note = max((note.end for part in parts for note in part.notes), default=0)
    bars = _bars(signatures, keys, texts, max(last_note, last_event))
    score = Score(_title(file), bars, tempos, voices(parts))
    _check_seconds(score)
    other = any(not _text(data).startswith(_FLAGS_PREFIX) for _, data in _metas(file, smf.TEXT))
    return Reading(score, tuple(sorted(file.left_out | ({"texts"} if other else set()))))


def _read_bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(smf.MAX_BYTES + 1)


def _last_event(file: smf.MidiFile) -> int:
    last = max(_scaled(track[-1].tick, file) for track in file.tracks)
    if last >= MAX_TICK:
        raise MidiError(
            f"The MIDI file reaches {last // TICKS_PER_QUARTER} quarter notes; fewer than "
            f"{MAX_TICK // TICKS_PER_QUARTER} are accepted. Move its end marker to the end of the "
            "music."
        )
    return last


def _check_seconds(score: Score) -> None:
    if (seconds := score.seconds(score.length)) > MAX_SECONDS:
        raise MidiError(
            f"The music lasts {seconds:.0f} s; at most {MAX_SECONDS} s are accepted. Cut it into "
            "pieces, or move the end marker of the project to the end of the music."
        )


# Writing ------------------------------------------------------------------------------------------

_Timed = tuple[int, Message | MetaMessage]


def _exact_resolution(score: Score) -> int:
    step = TICKS_PER_QUARTER // COMMON_TICKS_PER_QUARTER
    positions = [bar.end for bar in score.bars] + [tempo.onset for tempo in score.tempos]
    for voice in score.voices:
        positions += [tick for note in voice.notes for tick in (note.onset, note.end)]
    exact = all(position % step == 0 for position in positions)
    return COMMON_TICKS_PER_QUARTER if exact else TICKS_PER_QUARTER


def _conductor_events(score: Score) -> list[_Timed]:
    events: list[_Timed] = []
    if score.title:
        events.append((0, MetaMessage("track_name", name=_as_latin1(score.title))))
    metre: tuple[int, int] | None = None
    fifths: int | None = None
    for bar in score.bars:
        if metre != (bar.beats, bar.beat_type):
            events.append((bar.start, _time_signature(bar)))
        if fifths != bar.fifths:
            events.append((bar.start, MetaMessage("key_signature", key=_key_name(bar.fifths))))
        if bar.flags:
            flags = f"{_FLAGS_PREFIX} {' '.join(sorted(bar.flags))}"
            events.append((bar.start, MetaMessage("text", text=flags)))
        # A bar of another length than its metre is told by stating the metre again at its end.
        complete = bar.duration == bar.nominal_duration
        metre = (bar.beats, bar.beat_type) if complete else None
        fifths = bar.fifths
    if metre is None:
        events.append((score.length, _time_signature(score.bars[-1])))
    for tempo in score.tempos:
        if tempo.onset <= score.length:
            message = MetaMessage("set_tempo", tempo=tempo.microseconds_per_quarter)
            events.append((tempo.onset, message))
    return sorted(events, key=lambda event: event[0])


def _time_signature(bar: Bar) -> MetaMessage:
    return MetaMessage("time_signature", numerator=bar.beats, denominator=bar.beat_type)


def _key_name(fifths: int) -> str:
    while fifths > _MAX_FIFTHS:
        fifths -= 12
    while fifths < -_MAX_FIFTHS:
        fifths += 12
    return _MAJOR_KEYS[fifths + _MAX_FIFTHS]


def _voice_events(voice: Voice, index: int) -> list[_Timed]:
    channel = index % 15
    channel += channel >= _PERCUSSION_CHANNEL
    events: list[_Timed] = []
    for note in voice.notes:
        on = Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity)
        off = Message("note_off", channel=channel, note=note.pitch, velocity=0)
        events += [(note.onset, on), (note.end, off)]
    # A note must end before the next one of its pitch begins at the same tick.
    events.sort(key=lambda event: (event[0], event[1].type == "note_on"))
    head: list[_Timed] = [(0, Message("program_change", channel=channel, program=voice.program))]
    if voice.name:
        head.insert(0, (0, MetaMessage("track_name", name=_as_latin1(voice.name))))
    return head + events


def _track(events: Iterable[_Timed], scale: int, length: int) -> MidiTrack:
    track = MidiTrack()
    now = 0
    for tick, message in [*events, (length, MetaMessage("end_of_track"))]:
        message.time = (tick - now) // scale
        if message.time > _MAX_DELTA:
            raise MidiError(
                f"Nothing happens for {message.time} ticks before tick {tick} of the score; a MIDI "
                f"file can say at most {_MAX_DELTA}. Shorten the rest."
            )
        track.append(message)
        now = tick
    return track


def _as_latin1(text: str) -> str:
    """Text whose Latin-1 bytes, which mido writes, are the UTF-8 bytes of what was meant."""
    return text.encode().decode("latin-1")


# Reading ------------------------------------------------------------------------------------------


def _scaled(tick: int, file: smf.MidiFile) -> int:
    return (2 * tick * TICKS_PER_QUARTER + file.ticks_per_quarter) // (2 * file.ticks_per_quarter)


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return _CONTROL_CHARACTERS.sub("", text)[:MAX_TEXT]


def _metas(file: smf.MidiFile, kind: int) -> list[tuple[int, bytes]]:
    """Meta events of one type from every track, by score tick; later tracks come later."""
    found = [
        (_scaled(event.tick, file), event.data)
        for track in file.tracks
        for event in track
        if event.kind == smf.META and event.number == kind
    ]
    return sorted(found, key=lambda meta: meta[0])


def _track_name(track: Sequence[smf.Event]) -> str:
    names = (_text(event.data) for event in track if event.kind == smf.META and event.number == smf.TRACK_NAME)
    return next(names, "")


def _title(file: smf.MidiFile) -> str:
    first = file.tracks[0]
    has_notes = any(event.kind == smf.NOTE_ON for event in first)
    return "" if has_notes and file.format else _track_name(first)


def _parts(file: smf.MidiFile) -> list[Part]:
    with_notes = sum(any(event.kind == smf.NOTE_ON for event in track) for track in file.tracks)
    parts: list[Part] = []
    for number, track in enumerate(file.tracks, start=1):
        name = _track_name(track) if file.format else ""
        events = [event for event in track if event.kind != smf.META]
        channels = sorted({event.number for event in events})
        if len(channels) > 1 and (not name or with_notes == 1):
            parts += [_part("", [e for e in events if e.number == channel], number, file) for channel in channels]
        elif channels:
            parts.append(_part(name, events, number, file))
    return [part for part in parts if part.notes or part.name]


def _part(name: str, events: Sequence[smf.Event], number: int, file: smf.MidiFile) -> Part:
    programs = [event.data[0] for event in events if event.kind == smf.PROGRAM]
    notes = tuple(sorted(_notes(events, number, file)))
    return Part(name, events[0].number, programs[0] if programs else None, notes)


def _notes(events: Sequence[smf.Event], number: int, file: smf.MidiFile) -> Iterator[Note]:
    """Pair beginnings with ends; at one tick the notes that sound end before others begin."""
    sounding: dict[tuple[int, int], deque[tuple[int, int]]] = {}
    unused_ends: dict[tuple[int, int], deque[int]] = {}
    in_time = sorted(
        (event for event in events if event.kind != smf.PROGRAM),
        key=lambda event: (event.tick, event.kind == smf.NOTE_ON),
    )
    for event in in_time:
        key = (event.number, event.data[0])
        open_notes = sounding.setdefault(key, deque())
        ends = unused_ends.setdefault(key, deque())
        if event.kind == smf.NOTE_OFF:
            if open_notes:
                tick, velocity = open_notes.popleft()
                onset, end = _scaled(tick, file), _scaled(event.tick, file)
                yield Note(onset, max(1, end - onset), event.data[0], velocity)
            else:
                ends.append(event.tick)
        elif ends and ends[-1] == event.tick:
            ends.pop()
        else:
            open_notes.append((event.tick, event.data[1]))
    for (_, pitch), open_notes in sounding.items():
        if open_notes:
            raise MidiError(
                f"The note of pitch {pitch} that begins at tick {open_notes[0][0]} of track "
                f"{number} never ends. Give it a length in your editor, or export the file again."
            )


_Conductor = tuple[
    tuple[Tempo, ...],
    list[tuple[int, tuple[int, int]]],
    list[tuple[int, int]],
    dict[int, frozenset[str]],
]


def _conductor(file: smf.MidiFile) -> _Conductor:
    """Tempos, metres, key signatures and bar flags by score tick; the last one at a tick wins."""
    tempos = {0: DEFAULT_MICROSECONDS_PER_QUARTER}
    for tick, data in _metas(file, smf.SET_TEMPO):
        tempos[tick] = int.from_bytes(data[:3])
    signatures = {0: (4, 4)}
    for tick, data in _metas(file, smf.TIME_SIGNATURE):
        signatures[tick] = _metre(data, tick)
    keys = {0: 0}
    for tick, data in _metas(file, smf.KEY_SIGNATURE):
        keys[tick] = _fifths(data, tick)
    flags = {
        tick: BAR_FLAGS.intersection(text.removeprefix(_FLAGS_PREFIX).split())
        for tick, data in _metas(file, smf.TEXT)
        if (text := _text(data)).startswith(_FLAGS_PREFIX)
    }
    if 0 in tempos.values():
        raise MidiError("The MIDI file sets a tempo of 0 microseconds per quarter. Correct it.")
    in_time = tuple(Tempo(tick, tempos[tick]) for tick in sorted(tempos))
    return in_time, sorted(signatures.items()), sorted(keys.items()), flags


def _fifths(data: bytes, tick: int) -> int:
    fifths = int.from_bytes(data[:1], signed=True)
    if abs(fifths) > _MAX_FIFTHS:
        raise MidiError(
            f"The MIDI file has a key signature of {abs(fifths)} accidentals at tick {tick}; at "
            f"most {_MAX_FIFTHS} exist. Correct the key signature."
        )
    return fifths


def _metre(data: bytes, tick: int) -> tuple[int, int]:
    beats, power = data[0], data[1]
    if not beats or power > _MAX_BEAT_TYPE_POWER:
        raise MidiError(
            f"The MIDI file has the metre {beats}/2^{power} at tick {tick}, which cannot be "
            "played. Correct the time signature."
        )
    return beats, 1 << power


def _bars(
    signatures: Sequence[tuple[int, tuple[int, int]]],
    keys: Sequence[tuple[int, int]],
    flags: dict[int, frozenset[str]],
    end: int,
) -> tuple[Bar, ...]:
    """Bars up to `end`: a new metre inside a bar cuts it short, the last bar is completed."""
    bars: list[Bar] = []
    starts = [tick for tick, _ in signatures if tick <= end]
    for index, (start, (beats, beat_type)) in enumerate(signatures[: len(starts)]):
        limit = starts[index + 1] if index + 1 < len(starts) else None
        full = beats * 4 * TICKS_PER_QUARTER // beat_type
        position = start
        while position < (end if limit is None else limit) or (not bars and limit is None):
            if len(bars) == MAX_BARS:
                raise MidiError(f"The MIDI file has more than {MAX_BARS} bars. Shorten it.")
            duration = full if limit is None else min(full, limit - position)
            fifths = keys[bisect_right(keys, position, key=itemgetter(0)) - 1][1]
            marks = flags.get(position, frozenset())
            bars.append(Bar(position, duration, beats, beat_type, fifths, marks))
            position += duration
    return tuple(bars)
