"""What a person changed: two states of one score, compared note by note.

Notes are paired by the cheapest explanation first: a note that is the same in everything; the same
but for its velocity; but for its duration; another pitch at the same place; the same pitch moved in
time; the same note given to another voice. What is left was added or removed. Every note of both
scores is used exactly once, so the counts of a difference always add up to both scores.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from generator.score import TICKS_PER_QUARTER, Note, Score
from provenance.errors import DifferenceError
from provenance.recording_predicate import Changes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

Json: TypeAlias = "int | str | list[Json] | dict[str, Json]"
Aspect = Literal["pitch", "onset", "duration", "velocity", "voice"]
ASPECTS: tuple[Aspect, ...] = ("pitch", "onset", "duration", "velocity", "voice")
LEAST_COMMON_SHARE = Fraction(1, 4)
"""Below this share of unchanged notes, two scores are not taken for states of one piece."""

_FURTHEST_MOVE = TICKS_PER_QUARTER * 4
K = TypeVar("K", bound="Hashable")


@dataclass(frozen=True, slots=True, order=True)
class PlacedNote:
    """A note and the index of the voice it stands in."""

    voice: int
    note: Note


@dataclass(frozen=True, slots=True)
class Pair:
    """One note before and after.

    Attributes:
        before: The note as it was.
        after: The note as it is.
        changed: The aspects in which they differ; empty when nothing was done to the note.
    """

    before: PlacedNote
    after: PlacedNote
    changed: frozenset[Aspect]


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that happened between two scores.

    Attributes:
        pairs: Every note that exists in both, in the order of ``after``.
        added: Notes that only the later score has.
        removed: Notes that only the earlier score has.
        tempo_changes: Tempos that stand in one score and not in the other.
    """

    pairs: tuple[Pair, ...]
    added: tuple[PlacedNote, ...]
    removed: tuple[PlacedNote, ...]
    tempo_changes: int

    @property
    def is_empty(self) -> bool:
        """True when the two scores sound the same."""
        return not (self.added or self.removed or self.tempo_changes or any(pair.changed for pair in self.pairs))

    def changes(self) -> Changes:
        """Count the notes by what was done to them.

        A note changed in several aspects is counted under each, and once under none other.
        """
        counts = {aspect: sum(aspect in pair.changed for pair in self.pairs) for aspect in ASPECTS}
        return Changes(
            kept=sum(not pair.changed for pair in self.pairs),
            added=len(self.added),
            removed=len(self.removed),
            tempo=self.tempo_changes,
            **counts,
        )

    def to_document(self) -> dict[str, Json]:
        """Return the changes as integers and text, for the record: kept notes are left out."""
        return {
            "changed": [
                {"before": _row(pair.before), "after": _row(pair.after), "aspects": [*sorted(pair.changed)]}
                for pair in self.pairs
                if pair.changed
            ],
            "added": [_row(placed) for placed in self.added],
            "removed": [_row(placed) for placed in self.removed],
            "tempo_changes": self.tempo_changes,
        }


def compare(before: Score, after: Score) -> Difference:
    """Find what was done to ``before`` to arrive at ``after``.

    Voices are compared by their position; both scores must have the same number of them.

    Raises:
        DifferenceError: The scores have different voices, or share so little that ``after`` is
            another piece.
    """
    if len(before.voices) != len(after.voices):
        raise DifferenceError(
            f"The recording has {len(before.voices)} voices and the changed file has {len(after.voices)}. Keep one "
            "track for each voice, in the order of the original, and save again."
        )
    old, new = _placed(before), _placed(after)
    pairs: list[Pair] = []
    for rule in _RULES:
        found = rule(old, new)
        old = _without(old, (pair.before for pair in found))
        new = _without(new, (pair.after for pair in found))
        pairs.extend(found)
    difference = Difference(
        pairs=tuple(sorted(pairs, key=lambda pair: pair.after)),
        added=tuple(sorted(new)),
        removed=tuple(sorted(old)),
        tempo_changes=len(set(before.tempos) ^ set(after.tempos)),
    )
    _check_same_piece(difference, before, after)
    return difference


def _check_same_piece(difference: Difference, before: Score, after: Score) -> None:
    size = max(_size(before), _size(after))
    kept = sum(not pair.changed - {"velocity"} for pair in difference.pairs)
    if size and Fraction(kept, size) < LEAST_COMMON_SHARE:
        raise DifferenceError(
            f"The changed file shares {kept} of {size} notes with the recording, which makes it another piece rather "
            "than an edit of this one. Start from the MIDI file that was made with the recording, and check that the "
            "tempo map was not applied to the notes when saving."
        )


def _same(old: list[PlacedNote], new: list[PlacedNote]) -> list[Pair]:
    return _by_key(old, new, lambda p: (p.voice, p.note))


def _velocity(old: list[PlacedNote], new: list[PlacedNote]) -> list[Pair]:
    return _by_key(old, new, lambda p: (p.voice, p.note.onset, p.note.duration, p.note.pitch))


def _duration(old: list[PlacedNote], new: list[PlacedNote]) -> list[Pair]:
    return _by_key(old, new, lambda p: (p.voice, p.note.onset, p.note.pitch))


def _pitch(old: list[PlacedNote], new: list[PlacedNote]) -> list[Pair]:
    """Pair notes of equal place and length, then of equal place; chords lowest with lowest."""
    strict = _by_key(old, new, lambda p: (p.voice, p.note.onset, p.note.duration))
    old = _without(old, (pair.before for pair in strict))
    new = _without(new, (pair.after for pair in strict))
    return strict + _by_key(old, new, lambda p: (p.voice, p.note.onset))


def _onset(old: list[PlacedNote], new: list[PlacedNote]) -> list[Pair]:
    """Pair notes of one pitch moved by at most a whole note, the shortest moves first."""
    waiting: dict[tuple[int, int], list[PlacedNote]] = defaultdict(list)
    for placed in new:
        waiting[placed.voice, placed.note.pitch].append(placed)
    moves = sorted(
        (abs(there.note.onset - here.note.onset), abs(there.note.duration - here.note.duration), here, there)
        for here in old
        for there in waiting[here.voice, here.note.pitch]
        if abs(there.note.onset - here.note.onset) <= _FURTHEST_MOVE
    )
    used_old: set[PlacedNote] = set()
    used_new: set[PlacedNote] = set()
    pairs: list[Pair] = []
    for _, _, here, there in moves:
        if here not in used_old and there not in used_new:
            used_old.add(here)
            used_new.add(there)
            pairs.append(_pair(here, there))
    return pairs


def _voice(old: list[PlacedNote], new: list[PlacedNote]) -> list[Pair]:
    return _by_key(old, new, lambda p: (p.note.onset, p.note.duration, p.note.pitch))


_RULES = (_same, _velocity, _duration, _pitch, _onset, _voice)


def _by_key(old: list[PlacedNote], new: list[PlacedNote], key: Callable[[PlacedNote], K]) -> list[Pair]:
    waiting: dict[K, list[PlacedNote]] = defaultdict(list)
    for placed in sorted(new, reverse=True):
        waiting[key(placed)].append(placed)
    return [_pair(here, waiting[key(here)].pop()) for here in sorted(old) if waiting.get(key(here))]


def _pair(before: PlacedNote, after: PlacedNote) -> Pair:
    changed: set[Aspect] = {"voice"} if before.voice != after.voice else set()
    for aspect in ("pitch", "onset", "duration", "velocity"):
        if getattr(before.note, aspect) != getattr(after.note, aspect):
            changed.add(aspect)
    return Pair(before, after, frozenset(changed))


def _placed(score: Score) -> list[PlacedNote]:
    # Two equal notes at once in one voice are one sound, and count once.
    return sorted({PlacedNote(index, note) for index, voice in enumerate(score.voices) for note in voice.notes})


def _without(notes: list[PlacedNote], used: Iterable[PlacedNote]) -> list[PlacedNote]:
    taken: dict[PlacedNote, int] = defaultdict(int)
    for placed in used:
        taken[placed] += 1
    left: list[PlacedNote] = []
    for placed in notes:
        if taken[placed]:
            taken[placed] -= 1
        else:
            left.append(placed)
    return left


def _size(score: Score) -> int:
    return len(_placed(score))


def _row(placed: PlacedNote) -> dict[str, Json]:
    note = placed.note
    return {
        "voice": placed.voice,
        "onset": note.onset,
        "duration": note.duration,
        "pitch": note.pitch,
        "velocity": note.velocity,
    }
