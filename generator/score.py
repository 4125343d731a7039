"""Written music: bars, tempos and voices of notes, in whole ticks.

A `Score` holds integers and text only, so that its RFC 8785 bytes, and with them its digest, are
the same on every machine. Time is counted in ticks of 1/20160 of a quarter note, which every
common tuplet divides evenly.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NewType, TypeAlias

import rfc8785

from generator.errors import ScoreError

Digest = NewType("Digest", str)
"""`sha256:` followed by 64 lower-case hexadecimal digits."""

JSON: TypeAlias = "int | str | Sequence[JSON] | Mapping[str, JSON] | None"
"""What canonical documents are made of: no floats and no booleans."""

TICKS_PER_QUARTER: Final = 20160
QUARTET_VOICES: Final = ("Violin I", "Violin II", "Viola", "Violoncello")
QUARTET_PROGRAMS: Final = (40, 40, 41, 42)
"""General MIDI programs of `QUARTET_VOICES`."""
BAR_FLAGS: Final = frozenset({"pickup", "irregular", "double", "final", "repeat-start", "repeat-end"})
DEFAULT_MICROSECONDS_PER_QUARTER: Final = 500_000

MAX_TICK: Final = TICKS_PER_QUARTER * 1_000_000
MAX_NOTES: Final = 2_000_000
MAX_BARS: Final = 100_000
MAX_VOICES: Final = 256
MAX_TEXT: Final = 1_000
MAX_MICROSECONDS: Final = 0xFFFFFF


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One sounding note.

    Attributes:
        onset: Ticks from the beginning of the score.
        duration: Ticks, at least 1.
        pitch: MIDI note number, 0 to 127; 60 is middle C.
        velocity: MIDI velocity, 1 to 127.
    """

    onset: int
    duration: int
    pitch: int
    velocity: int = 80

    def __post_init__(self) -> None:
        if not (
            0 <= self.onset < MAX_TICK
            and 0 < self.duration <= MAX_TICK
            and 0 <= self.pitch <= 127  # noqa: PLR2004 - the range of MIDI
            and 1 <= self.velocity <= 127  # noqa: PLR2004 - the range of MIDI
        ):
            raise ScoreError(
                f"{self!r} is not a note: the onset must lie in 0 to {MAX_TICK} ticks, the duration "
                "must be at least 1 tick, the pitch 0 to 127 and the velocity 1 to 127."
            )

    @property
    def end(self) -> int:
        """The tick at which the note has stopped."""
        return self.onset + self.duration


@dataclass(frozen=True, slots=True)
class Voice:
    """One line of a score; it may be polyphonic when it was read from a file.

    Attributes:
        name: What the part is called, such as `Violin I`.
        program: General MIDI program, 0 to 127.
        notes: Sorted by onset, then duration, pitch and velocity.
    """

    name: str
    program: int
    notes: tuple[Note, ...]

    def __post_init__(self) -> None:
        _check_text(self.name, "the name of a voice")
        _check_range(self.program, 0, 127, f"the program of voice {self.name!r}")
        if any(after < before for before, after in pairwise(self.notes)):
            raise ScoreError(f"The notes of voice {self.name!r} are not in order: sort them before making the voice.")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        start: Ticks from the beginning of the score.
        duration: Ticks as written, which an upbeat or a split bar makes shorter than its metre.
        beats: Upper number of the metre.
        beat_type: Lower number of the metre, a power of two up to 128.
        fifths: Key signature, sharps positive and flats negative.
        flags: Some of `BAR_FLAGS`.
    """

    start: int
    duration: int
    beats: int
    beat_type: int
    fifths: int = 0
    flags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        where = f"the bar at tick {self.start}"
        _check_range(self.start, 0, MAX_TICK, "the start of a bar")
        _check_range(self.duration, 1, MAX_TICK, f"the duration of {where}")
        _check_range(self.beats, 1, 255, f"the number of beats of {where}")
        _check_range(self.beat_type, 1, 128, f"the beat type of {where}")
        _check_range(self.fifths, -14, 14, f"the key signature of {where}")
        if self.beat_type & (self.beat_type - 1):
            raise ScoreError(f"The beat type of {where} is {self.beat_type}, which is not a power of two.")
        if unknown := self.flags - BAR_FLAGS:
            raise ScoreError(f"{_sentence(where)} has unknown flags {sorted(unknown)}; known are {sorted(BAR_FLAGS)}.")

    @property
    def end(self) -> int:
        """The tick at which the next bar starts."""
        return self.start + self.duration

    @property
    def nominal_duration(self) -> int:
        """Ticks that a complete bar of this metre lasts."""
        return self.beats * 4 * TICKS_PER_QUARTER // self.beat_type


@dataclass(frozen=True, slots=True)
class Tempo:
    """A tempo that holds from a tick on.

    Attributes:
        onset: Ticks from the beginning of the score.
        microseconds_per_quarter: 1 to 16777215, as in a MIDI file.
    """

    onset: int
    microseconds_per_quarter: int

    def __post_init__(self) -> None:
        _check_range(self.onset, 0, MAX_TICK, "the onset of a tempo")
        _check_range(
            self.microseconds_per_quarter,
            1,
            MAX_MICROSECONDS,
            f"the microseconds per quarter of the tempo at tick {self.onset}",
        )

    @classmethod
    def from_bpm(cls, onset: int, quarters_per_minute: float) -> "Tempo":
        """The tempo of so many quarter notes a minute, rounded to a whole microsecond."""
        return cls(onset, round(60_000_000 / quarters_per_minute))


@dataclass(frozen=True, slots=True)
class Score:
    """A piece of music.

    Attributes:
        title: Empty when the piece has none. It is no part of the musical content.
        bars: Contiguous from tick 0, at least one.
        tempos: Ascending; the first one is at tick 0.
        voices: The parts; no note reaches beyond the last bar.

    Raises:
        ScoreError: One of these conditions does not hold.
    """

    title: str
    bars: tuple[Bar, ...]
    tempos: tuple[Tempo, ...]
    voices: tuple[Voice, ...]
    _elapsed: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_text(self.title, "the title")
        _check_bars(self.bars)
        _check_tempos(self.tempos)
        _check_voices(self.voices, self.length)
        elapsed = [0]
        for before, after in pairwise(self.tempos):
            elapsed.append(elapsed[-1] + (after.onset - before.onset) * before.microseconds_per_quarter)
        object.__setattr__(self, "_elapsed", tuple(elapsed))

    @property
    def length(self) -> int:
        """Ticks from the first bar line to the last."""
        return self.bars[-1].end

    @property
    def digest(self) -> Digest:
        """SHA-256 of the RFC 8785 bytes of the document without its title."""
        return _digest({key: part for key, part in self.to_document().items() if key != "title"})

    def seconds(self, tick: int) -> float:
        """The time, in seconds from the beginning, at which a tick is reached."""
        index = max(0, bisect_right(self.tempos, tick, key=lambda tempo: tempo.onset) - 1)
        tempo = self.tempos[index]
        scaled = self._elapsed[index] + (tick - tempo.onset) * tempo.microseconds_per_quarter
        return scaled / (TICKS_PER_QUARTER * 1_000_000)

    def to_document(self) -> dict[str, JSON]:
        """The score as a document of integers and text, for RFC 8785."""
        return {
            "ticks_per_quarter": TICKS_PER_QUARTER,
            "title": self.title,
            "bars": [
                {
                    "start": bar.start,
                    "duration": bar.duration,
                    "beats": bar.beats,
                    "beat_type": bar.beat_type,
                    "fifths": bar.fifths,
                    "flags": sorted(bar.flags),
                }
                for bar in self.bars
            ],
            "tempos": [
                {
                    "onset": tempo.onset,
                    "microseconds_per_quarter": tempo.microseconds_per_quarter,
                }
                for tempo in self.tempos
            ],
            "voices": [
                {
                    "name": voice.name,
                    "program": voice.program,
                    "notes": [[note.onset, note.duration, note.pitch, note.velocity] for note in voice.notes],
                }
                for voice in self.voices
            ],
        }

    @classmethod
    def from_document(cls, document: object) -> "Score":
        """The score that `to_document` wrote.

        Raises:
            ScoreError: A field is missing, unknown, of the wrong type or out of bounds.
        """
        top = _fields(document, "the score", ("ticks_per_quarter", "title", "bars", "tempos", "voices"))
        if _whole(top["ticks_per_quarter"], "ticks_per_quarter") != TICKS_PER_QUARTER:
            raise ScoreError(
                f"The score counts {top['ticks_per_quarter']} ticks per quarter; "
                f"only {TICKS_PER_QUARTER} are understood here."
            )
        return cls(
            title=_text(top["title"], "title"),
            bars=tuple(
                _read_bar(item, f"bars[{index}]") for index, item in enumerate(_items(top["bars"], "bars", MAX_BARS))
            ),
            tempos=tuple(
                _read_tempo(item, f"tempos[{index}]")
                for index, item in enumerate(_items(top["tempos"], "tempos", MAX_NOTES))
            ),
            voices=tuple(
                _read_voice(item, f"voices[{index}]")
                for index, item in enumerate(_items(top["voices"], "voices", MAX_VOICES))
            ),
        )


def content_digest(movements: Sequence[Score]) -> Digest:
    """Digest of the musical content of a whole file.

    Every note of every part and every bar with its metre and key signature count; titles, part
    names, instruments, dynamics, tempos and layout do not. A file that was re-zipped, or saved
    uncompressed, therefore keeps its content digest.

    Raises:
        ScoreError: There is no movement.
    """
    if not movements:
        raise ScoreError("There is no movement to take a digest of: the file holds no bars.")
    return _digest(
        {
            "type": "linernotes-score-content-v1",
            "ticks_per_quarter": TICKS_PER_QUARTER,
            "movements": [
                {
                    "bars": [[bar.start, bar.duration, bar.beats, bar.beat_type, bar.fifths] for bar in movement.bars],
                    "parts": [
                        sorted([note.onset, note.duration, note.pitch] for note in voice.notes)
                        for voice in movement.voices
                    ],
                }
                for movement in movements
            ],
        }
    )


def _digest(document: Mapping[str, JSON]) -> Digest:
    canonical = rfc8785.dumps(dict(document))
    return Digest("sha256:" + hashlib.sha256(canonical).hexdigest())


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _check_range(value: int, low: int, high: int, what: str) -> None:
    if not low <= value <= high:
        raise ScoreError(f"{_sentence(what)} is {value}; it must lie in {low} to {high}.")


_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def _check_text(text: str, what: str) -> None:
    if len(text) > MAX_TEXT or _CONTROL_CHARACTER.search(text):
        raise ScoreError(
            f"{_sentence(what)} is {text[:40]!r} ({len(text)} characters); it may have at most "
            f"{MAX_TEXT} and no control characters."
        )


def _check_bars(bars: tuple[Bar, ...]) -> None:
    if not bars:
        raise ScoreError("The score has no bars; it needs at least one.")
    if len(bars) > MAX_BARS:
        raise ScoreError(f"The score has {len(bars)} bars; at most {MAX_BARS} are accepted.")
    expected = 0
    for number, bar in enumerate(bars, start=1):
        if bar.start != expected:
            raise ScoreError(
                f"Bar {number} starts at tick {bar.start}, but the bar before ends at {expected}: "
                "bars must follow each other without gaps from tick 0."
            )
        expected = bar.end
    _check_range(expected, 1, MAX_TICK, "the length of the score")


def _check_tempos(tempos: tuple[Tempo, ...]) -> None:
    if not tempos or tempos[0].onset != 0:
        raise ScoreError("The score states no tempo at tick 0; add one there.")
    for before, after in pairwise(tempos):
        if after.onset <= before.onset:
            raise ScoreError(
                f"The tempo at tick {after.onset} does not come after the one at {before.onset}: tempos must ascend."
            )


def _check_voices(voices: tuple[Voice, ...], length: int) -> None:
    _check_range(len(voices), 0, MAX_VOICES, "the number of voices")
    count = sum(len(voice.notes) for voice in voices)
    _check_range(count, 0, MAX_NOTES, "the number of notes")
    for voice in voices:
        last = max((note.end for note in voice.notes), default=0)
        if last > length:
            raise ScoreError(
                f"A note of voice {voice.name!r} ends at tick {last}, after the last bar line "
                f"at {length}: add bars or shorten the note."
            )


def _read_bar(item: object, where: str) -> Bar:
    names = ("start", "duration", "beats", "beat_type", "fifths", "flags")
    bar = _fields(item, where, names)
    flags = [_text(flag, f"{where}.flags") for flag in _items(bar["flags"], f"{where}.flags", len(BAR_FLAGS))]
    if flags != sorted(set(flags)):
        raise ScoreError(f"{where}.flags is {flags}; flags are listed once and in order.")
    start, duration, beats, beat_type, fifths = (_whole(bar[name], f"{where}.{name}") for name in names[:5])
    return Bar(start, duration, beats, beat_type, fifths, frozenset(flags))


def _read_tempo(item: object, where: str) -> Tempo:
    names = ("onset", "microseconds_per_quarter")
    tempo = _fields(item, where, names)
    onset, microseconds = (_whole(tempo[name], f"{where}.{name}") for name in names)
    return Tempo(onset, microseconds)


def _read_voice(item: object, where: str) -> Voice:
    voice = _fields(item, where, ("name", "program", "notes"))
    notes = _items(voice["notes"], f"{where}.notes", MAX_NOTES)
    return Voice(
        name=_text(voice["name"], f"{where}.name"),
        program=_whole(voice["program"], f"{where}.program"),
        notes=tuple(_read_note(note, f"{where}.notes[{index}]") for index, note in enumerate(notes)),
    )


def _read_note(item: object, where: str) -> Note:
    numbers = _items(item, where, 4)
    if len(numbers) != 4:  # noqa: PLR2004 - onset, duration, pitch, velocity
        raise ScoreError(f"{where} has {len(numbers)} numbers; a note has 4.")
    onset, duration, pitch, velocity = (_whole(number, where) for number in numbers)
    return Note(onset, duration, pitch, velocity)


def _fields(item: object, where: str, names: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(item, Mapping) or set(item) != set(names):
        found = sorted(map(str, item)) if isinstance(item, Mapping) else type(item).__name__
        raise ScoreError(
            f"{_sentence(where)} must be an object with the fields {', '.join(names)}; found {str(found)[:200]}."
        )
    return item


def _items(item: object, where: str, limit: int) -> Sequence[object]:
    if not isinstance(item, (list, tuple)):
        raise ScoreError(f"{where} must be a list; found {type(item).__name__}.")
    if len(item) > limit:
        raise ScoreError(f"{where} has {len(item)} items; at most {limit} are accepted.")
    return item


def _whole(item: object, where: str) -> int:
    if not isinstance(item, int) or isinstance(item, bool):
        raise ScoreError(f"{where} must be a whole number; found {str(item)[:40]!r}.")
    return item


def _text(item: object, where: str) -> str:
    if not isinstance(item, str):
        raise ScoreError(f"{where} must be text; found {type(item).__name__}.")
    return item
