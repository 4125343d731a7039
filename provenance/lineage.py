"""Who made what: the graph behind a recording, and the origin of every note in it.

The unit is not the file. Each note of a scored recording was made by a model, by a person, or by a
model and then changed by a person; pitch, onset, duration and voice are followed separately, because
a person who only lengthened a note did not choose its pitch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from provenance.difference import Difference, PlacedNote, compare
from provenance.errors import LineageError
from provenance.recording_predicate import GenerationPredicate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from generator.score import Score
    from provenance.recording_predicate import EditPredicate

OriginKind = Literal["model", "person", "person-changed-from-model"]
ContainsAI = Literal["All", "Partly", "None"]
"""DDEX ``avs:ContainsAI``."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Whoever made an aspect of a note.

    Attributes:
        kind: A model or a person (or organisation).
        id: Model id or pseudonymous party id.
        statement: Leaf hash of the generation or edit in which it was made.
        role: DDEX ContributorRole claimed; ``GenerativeAI`` for a model.
    """

    kind: Literal["model", "person"]
    id: str
    statement: str
    role: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one note comes from, aspect by aspect."""

    pitch: Maker
    onset: Maker
    duration: Maker
    voice: Maker

    @property
    def kind(self) -> OriginKind:
        """The short answer: model, person, or person-changed-from-model."""
        kinds = {maker.kind for maker in self.makers}
        if kinds == {"model"}:
            return "model"
        return "person" if kinds == {"person"} else "person-changed-from-model"

    @property
    def makers(self) -> tuple[Maker, Maker, Maker, Maker]:
        """The four makers: of pitch, onset, duration and voice."""
        return (self.pitch, self.onset, self.duration, self.voice)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one maker has in a recording.

    Attributes:
        maker: Who; for several edits by one person in one role, the first of them.
        notes: Notes for which this maker is accountable: a model for the notes nobody touched, a person
            for those they made or changed.
        share: ``notes`` of all notes, as a decimal with four places.
    """

    maker: Maker
    notes: int
    share: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a recording's history and the score it left behind."""

    statement: str
    predicate: GenerationPredicate | EditPredicate
    score: Score


@dataclass(frozen=True, slots=True)
class Authorship:
    """The origin of every note of a recording.

    Attributes:
        origins: For each note of the final score, where it comes from.
        contributions: By maker, the largest first.
        contains_ai: DDEX ContainsAI of the recording, derived from the origins.
        differences: For each edit, what it changed, in order.
    """

    origins: Mapping[PlacedNote, Origin]
    contributions: tuple[Contribution, ...]
    contains_ai: ContainsAI
    differences: tuple[Difference, ...]


def authorship(steps: Sequence[Step]) -> Authorship:
    """Follow every note through a recording's history.

    Raises:
        LineageError: The steps do not begin with a generation followed only by edits.
    """
    if not steps or not _is_generation(steps[0]) or any(map(_is_generation, steps[1:])):
        kinds = ", ".join(step.predicate.KIND for step in steps) or "nothing"
        raise LineageError(f"A recording's history is one generation and then edits; this one is: {kinds}.")
    origins = _generated(steps[0])
    differences: list[Difference] = []
    for before, after in pairwise(steps):
        difference = compare(before.score, after.score)
        origins = _edited(origins, difference, maker_of(after))
        differences.append(difference)
    contributions = _contributions(origins)
    return Authorship(origins, contributions, contains_ai(contributions), tuple(differences))


def maker_of(step: Step) -> Maker:
    """Return who is accountable for a step."""
    predicate = step.predicate
    if isinstance(predicate, GenerationPredicate):
        return Maker("model", predicate.model_id, step.statement, "GenerativeAI")
    return Maker("person", predicate.party_id, step.statement, predicate.role)


def _is_generation(step: Step) -> bool:
    return isinstance(step.predicate, GenerationPredicate)


def contains_ai(contributions: Sequence[Contribution]) -> ContainsAI:
    """Derive DDEX ``ContainsAI``: ``All`` only when nobody but models made anything."""
    kinds = {contribution.maker.kind for contribution in contributions if contribution.notes}
    if kinds == {"model"}:
        return "All"
    return "Partly" if "model" in kinds else "None"


def _generated(step: Step) -> dict[PlacedNote, Origin]:
    maker = maker_of(step)
    origin = Origin(maker, maker, maker, maker)
    return {PlacedNote(index, note): origin for index, voice in enumerate(step.score.voices) for note in voice.notes}


def _edited(origins: Mapping[PlacedNote, Origin], difference: Difference, person: Maker) -> dict[PlacedNote, Origin]:
    after: dict[PlacedNote, Origin] = {}
    for pair in difference.pairs:
        authored = pair.changed & {"pitch", "onset", "duration", "voice"}
        after[pair.after] = replace(origins[pair.before], **dict.fromkeys(authored, person))
    after.update(dict.fromkeys(difference.added, Origin(person, person, person, person)))
    return after


def _contributions(origins: Mapping[PlacedNote, Origin]) -> tuple[Contribution, ...]:
    notes: dict[tuple[str, str, str], int] = {}
    makers: dict[tuple[str, str, str], Maker] = {}
    for origin in origins.values():
        accountable = [maker for maker in origin.makers if maker.kind == "person"] or list(origin.makers)
        # Where several people touched one note, the one who chose its pitch answers for it, then its place.
        maker = accountable[0]
        key = (maker.kind, maker.id, maker.role)
        makers.setdefault(key, maker)
        notes[key] = notes.get(key, 0) + 1
    total = len(origins)
    found = [Contribution(makers[key], count, _share(count, total)) for key, count in notes.items()]
    return tuple(sorted(found, key=lambda c: (-c.notes, c.maker.kind, c.maker.id, c.maker.role)))


def _share(part: int, whole: int) -> Decimal:
    return (Decimal(part) / Decimal(whole)).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
