"""What the predicates of all statements share: an identity, a time, and how each of their facts is known.

Each class of a predicate is the whole wire form of one predicate type: the names of its fields are the JSON members.
Fields that would publish something private hold a :data:`~provenance.disclosure.Commitment`.
``KNOWN`` says, member by member, how a fact is known; it is written into the statement so that a
reader never takes a declaration for a measurement. The kinds there are stand in :mod:`provenance.kind`.
"""

from functools import cache
from typing import ClassVar, Literal

from provenance.document import Document, Identifier
from provenance.identity import Moment

TYPE_PREFIX = "https://linernotes.org/"
Known = Literal["declared", "measured", "proven", "estimated"]
Role = Literal["log", "service", "party", "c2pa", "witness", "owner"]
"""What signatures by a key may mean; `docs/keys.md` says which statements each of them may sign."""


class Predicate(Document):
    """What all predicates share.

    Attributes:
        statement_id: A random identifier, so that no two statements have equal bytes.
        time: When the statement was made, by the clock of the machine that made it.
        known: How each of the predicate's members is known.
    """

    KIND: ClassVar[str]
    KNOWN: ClassVar[dict[str, Known]]
    SIGNED_BY: ClassVar[frozenset[Role]] = frozenset({"service"})
    """Roles of the keys that may sign such a statement; a party's key only for the party itself (``party_id``)."""

    statement_id: Identifier
    time: Moment
    known: dict[str, Known]

    def model_post_init(self, _context: object) -> None:
        """Refuse a ``known`` map that is not the one this kind of statement has, and put it in order."""
        if self.known != self.KNOWN:
            raise ValueError(f"a {self.KIND} statement has known={self.KNOWN}, not {self.known}")
        self.__dict__["known"] = _in_order(type(self))

    def to_bytes(self) -> bytes:
        """Return the RFC 8785 form of this predicate.

        Raises:
            PydanticSerializationError: A text holds half a character.
        """
        if self.known is _in_order(type(self)):
            return super().to_bytes()
        return self.model_copy(update={"known": _in_order(type(self))}).to_bytes()


@cache
def _in_order(kind: type[Predicate]) -> dict[str, Known]:
    return dict(sorted(kind.KNOWN.items()))
