"""Which voice a track of a MIDI file is.

Editors rename, reorder and merge tracks. Parts that can be those of a string quartet take its seats
by their names; parts without a name take the seat of their channel when that is possible, else the
free seats in the order of the file. All other parts keep their own names and their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from generator.score import QUARTET_PROGRAMS, QUARTET_VOICES, Note, Voice

NAMES: Final = {
    "violin i": (0,),
    "violin 1": (0,),
    "violin ii": (1,),
    "violin 2": (1,),
    "violin": (0, 1),
    "viola": (2,),
    "violoncello": (3,),
    "cello": (3,),
}
"""Track names, in lower case, and the seats of the quartet that each may mean."""


@dataclass(frozen=True, slots=True)
class Part:
    """The notes that belong together in a file, before they have a seat.

    Attributes:
        name: The name of the track; empty when it has none or is shared by several parts.
        channel: MIDI channel, 0 to 15.
        program: General MIDI program, or None when the file does not say.
        notes: Sorted, in ticks of the score.
    """

    name: str
    channel: int
    program: int | None
    notes: tuple[Note, ...]


def voices(parts: Sequence[Part]) -> tuple[Voice, ...]:
    """The voices that the parts of a file are, in score order where it is a quartet."""
    seats = _seats(parts)
    if seats:
        return tuple(_voice(seats[seat], QUARTET_VOICES[seat], QUARTET_PROGRAMS[seat]) for seat in sorted(seats))
    return tuple(
        _voice(part, part.name or f"Voice {number}", QUARTET_PROGRAMS[0]) for number, part in enumerate(parts, start=1)
    )


def _voice(part: Part, name: str, program: int) -> Voice:
    return Voice(name, program if part.program is None else part.program, part.notes)


def _seats(parts: Sequence[Part]) -> dict[int, Part] | None:
    """Who sits where, or None when the parts cannot be those of a quartet."""
    seats: dict[int, Part] = {}
    unnamed: list[Part] = []
    for part in parts:
        meant = NAMES.get(part.name.strip().casefold(), ())
        seat = next((seat for seat in meant if seat not in seats), None)
        if seat is not None:
            seats[seat] = part
        elif part.notes and part.name:
            return None
        elif part.notes:
            unnamed.append(part)
    free = [seat for seat in range(len(QUARTET_VOICES)) if seat not in seats]
    if len(unnamed) > len(free):
        return None
    channels = [part.channel for part in unnamed]
    distinct = len(set(channels)) == len(channels)
    chosen = channels if distinct and set(channels) <= set(free) else free[: len(unnamed)]
    return seats | dict(zip(chosen, unnamed, strict=True))
