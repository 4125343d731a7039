"""Why a verdict is what it is, and what it asks for in return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from licensing.document import Json, as_document

if TYPE_CHECKING:
    from licensing.closure import CorpusItem
    from licensing.vocabulary import Result, Use


@dataclass(frozen=True, slots=True)
class Reason:
    """One ground, with what it alone would come to.

    Attributes:
        code: Kind of ground, such as ``weights-prohibited``.
        path: Node ids from the recording to where the ground lies; it ends in an item's id when the
            ground is one item's, and at the corpus when it is that of several.
        text: For people; bounded, however many items there are.
        clause: The clause or statute that decides, or empty where none is known.
        source: Where that can be read, or empty.
        count: Number of corpus items it is about, 0 when it is about none.
        items: Those items, all of them; empty when the ground is ALLOW.
    """

    code: str
    result: Result
    path: tuple[str, ...]
    text: str
    clause: str = ""
    source: str = ""
    count: int = 0
    items: tuple[CorpusItem, ...] = ()

    def to_document(self) -> dict[str, Json]:
        """Return the reason as JSON without floats."""
        return {
            "code": self.code,
            "result": self.result.value,
            "path": list(self.path),
            "text": self.text,
            "clause": self.clause,
            "source": self.source,
            "count": self.count,
            "items": [as_document(item) for item in self.items],
        }


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that must be done for the verdict to hold.

    Attributes:
        code: Kind of duty, such as ``attribution``.
        text: For people.
        path: Node ids from the recording to what brings the duty.
        clause: The clause or statute that asks for it.
        source: Where that can be read.
        offers: For share-alike, the licences of which one must be offered to everybody; else empty.
    """

    code: str
    text: str
    path: tuple[str, ...]
    clause: str
    source: str
    offers: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Json]:
        """Return the duty as JSON."""
        return {
            "code": self.code,
            "text": self.text,
            "path": list(self.path),
            "clause": self.clause,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Limit:
    """A use that something in the release may not be put to, by its own licence.

    Attributes:
        text: What is prohibited, by what; for people.
        path: Node ids from the recording to that part.
        clause: The clause that prohibits it.
        source: Where that can be read.
    """

    use: Use
    text: str
    path: tuple[str, ...]
    clause: str
    source: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """The reasons, duties and limits that some part of a lineage brings."""

    reasons: tuple[Reason, ...] = ()
    duties: tuple[Duty, ...] = ()
    limits: tuple[Limit, ...] = ()

    def __add__(self, other: Grounds) -> Grounds:
        return Grounds(self.reasons + other.reasons, self.duties + other.duties, self.limits + other.limits)
