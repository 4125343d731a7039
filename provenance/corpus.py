"""What a model learned from: named items, and proofs that one is, or is not, among them.

The items stand in three Merkle trees (RFC 6962 hashes) over the same leaves, sorted by identifier, by
file digest and by content digest. A sorted tree proves absence too: two neighbours with nothing
between them, where the key would have to be.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

import rfc8785
from pydantic import FailFast, Field, ValidationError

from ledger import merkle
from provenance.document import Document, Identifier, Text
from provenance.errors import CorpusError, TextError
from provenance.identity import Digest, DigestText, digest
from provenance.name import Likeness, compare_people, compare_titles, require_words, tells_people_apart, words
from provenance.source_predicate import Roots

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Key = Literal["identifier", "file", "content"]
KEYS: tuple[Key, ...] = ("identifier", "file", "content")
Year = Annotated[int, Field(ge=1000, le=2200)]
Doubt = Literal["similar", "script", "initials", "title", "common-title", "other-title", "other-composer"]
"""Why a name that was not found may yet be an item's: see :meth:`CorpusManifest.search`."""
_TELLING = 3
"""Letters of a word that can make a title one of a kind."""


class CorpusItem(Document):
    """One work in a corpus.

    Attributes:
        identifier: Unique in the corpus.
        composer: Name as the source gives it.
        born: Year, or None where the source has none.
        died: Year, or None.
        first_published: Year of first publication, or None where it is not known.
        licence: Licence of this item's file, as SPDX.
        file_digest: SHA-256 of the file.
        content_digest: Digest of its music, which survives zipping and saving anew.
    """

    identifier: Identifier
    title: Text
    composer: Text
    born: Year | None
    died: Year | None
    first_published: Year | None
    source: Text
    licence: Identifier
    file_digest: DigestText
    content_digest: DigestText

    def key(self, key: Key) -> str:
        """Return the value by which one of the three trees is sorted."""
        return {"identifier": self.identifier, "file": self.file_digest, "content": self.content_digest}[key]

    def to_bytes(self) -> bytes:
        """Return the RFC 8785 bytes that are the item's leaf in all three trees."""
        return rfc8785.dumps(self.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class ItemProof:
    """One item and its path to a root."""

    index: int
    item: CorpusItem
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MembershipProof:
    """That a key is, or is not, in a corpus, checkable against one root.

    Attributes:
        key: Which of the three sorted trees.
        value: The key that was looked for.
        present: What is proven.
        root: Root of that tree.
        size: Number of items.
        neighbours: The item itself; or, for absence, the items on either side of where it would stand
            (one of them at either end of the tree).
    """

    key: Key
    value: str
    present: bool
    root: bytes
    size: int
    neighbours: tuple[ItemProof, ...]

    def check(self) -> None:
        """Verify the proof against its root.

        Raises:
            CorpusError: A path does not lead to the root, or the neighbours do not prove the claim.
        """
        for proof in self.neighbours:
            leaf = merkle.leaf_hash(proof.item.to_bytes())
            if merkle.root_from_inclusion(leaf, proof.index, self.size, proof.path) != self.root:
                raise CorpusError(f"The path of item {proof.item.identifier!r} does not lead to the corpus root.")
        values = [proof.item.key(self.key) for proof in self.neighbours]
        if self.present:
            if values != [self.value]:
                raise CorpusError(f"The proof of {self.value!r} shows {values} instead.")
        elif not self._shows_absence(values):
            raise CorpusError(f"The items shown do not leave out {self.value!r}: they are not its two neighbours.")

    def _shows_absence(self, values: list[str]) -> bool:
        indices = [proof.index for proof in self.neighbours]
        below = [value < self.value for value in values]
        match indices, below:
            case [], []:
                return self.size == 0
            case [index], [True]:
                return index == self.size - 1
            case [index], [False]:
                return index == 0 and values[0] != self.value
            case [left, right], [True, False]:
                return right == left + 1 and values[1] != self.value
        return False

    def to_document(self) -> dict[str, object]:
        """Return the proof as JSON: digests as text, one object for each neighbour."""
        return {
            "key": self.key,
            "value": self.value,
            "present": self.present,
            "root": "sha256:" + self.root.hex(),
            "size": self.size,
            "neighbours": [
                {
                    "index": proof.index,
                    "item": proof.item.model_dump(mode="json"),
                    "path": ["sha256:" + node.hex() for node in proof.path],
                }
                for proof in self.neighbours
            ],
        }


class CorpusManifest(Document):
    """A corpus: its items in order of identifier, and the three roots that commit to them."""

    id: Identifier
    title: Text
    source: Text
    licence: Identifier
    items: Annotated[tuple[CorpusItem, ...], FailFast()]
    roots: Roots

    @classmethod
    def of(cls, *, id: str, title: str, source: str, licence: str, items: Iterable[CorpusItem]) -> CorpusManifest:  # noqa: A002
        """Make a manifest and compute its roots.

        Raises:
            CorpusError: Two items have one identifier.
        """
        ordered = tuple(sorted(items, key=lambda item: item.identifier))
        _check_unique(ordered)
        roots = Roots(**{key: "sha256:" + _Tree(ordered, key).root.hex() for key in KEYS})
        return cls(id=id, title=title, source=source, licence=licence, items=ordered, roots=roots)

    @classmethod
    def parse(cls, data: bytes) -> CorpusManifest:
        """Read a manifest and recompute its roots.

        Raises:
            CorpusError: The document is malformed, or its roots are not those of its items.
        """
        try:
            manifest = cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise CorpusError(f"The corpus manifest is malformed at {where}: {first['msg']}.") from error
        again = cls.of(**manifest.model_dump(include={"id", "title", "source", "licence"}), items=manifest.items)
        if again != manifest:
            raise CorpusError(
                f"The roots of corpus {manifest.id!r} do not follow from its items: the manifest was altered. "
                "Fetch it again from where it was published."
            )
        return manifest

    def to_bytes(self) -> bytes:
        """Return the RFC 8785 bytes of the manifest."""
        return rfc8785.dumps(self.model_dump(mode="json"))

    def to_file(self, path: Path) -> None:
        """Write the manifest indented, one member a line, for people and for version control."""
        document = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
        path.write_text(document + "\n", encoding="utf-8")

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical bytes."""
        return digest(self.to_bytes())

    def prove(self, key: Key, value: str) -> MembershipProof:
        """Prove that an item with this key is, or is not, in the corpus."""
        return self._trees[key].prove(value)

    def search(self, *, title: str = "", composer: str = "") -> Search:
        """Look for items by name, ignoring case, accents and punctuation.

        What is the same name and what is a similar one, :mod:`provenance.name` says. Works go by several titles, so
        that a title alone never proves absence; nor is a title that many works have enough to find one of them.

        Raises:
            TextError: Nothing was asked for, or a name that has neither letters nor digits.
        """
        asked = [require_words(name, what) for name, what in ((title, "The title"), (composer, "The composer")) if name]
        if not asked:
            raise TextError("Neither a title nor a composer was asked for. Give one of them, or both.")
        if not composer:
            return self._search_by_title(title)
        by_composer = self._search_by_composer(composer)
        return self._search_by_both(title, by_composer) if title else by_composer

    def _search_by_composer(self, composer: str) -> Search:
        people = {name: compare_people(composer, name) for name in {item.composer for item in self.items}}
        same = tuple(item for item in self.items if people[item.composer] == Likeness.SAME)
        if same:
            return Search(same, (), None)
        similar = tuple(item for item in self.items if people[item.composer] == Likeness.SIMILAR)
        if not tells_people_apart(composer):
            return Search((), similar, "initials")
        if similar:
            return Search((), similar, "similar")
        return Search((), (), "script" if Likeness.INCOMPARABLE in people.values() else None)

    def _search_by_title(self, title: str) -> Search:
        same = _entitled(title, self.items, Likeness.SAME)
        if same and self._is_distinctive(title):
            return Search(same, (), None)
        similar = same or _entitled(title, self.items, Likeness.SIMILAR)
        if similar:
            return Search((), similar, "common-title" if same else "similar")
        strange = _entitled(title, self.items, Likeness.INCOMPARABLE)
        return Search((), (), "script" if strange else "title")

    def _search_by_both(self, title: str, by_composer: Search) -> Search:
        found = _entitled(title, by_composer.found, Likeness.SAME)
        if found:
            return Search(found, (), None)
        theirs = by_composer.found or by_composer.similar
        if theirs:
            similar = _entitled(title, theirs, Likeness.SAME) + _entitled(title, theirs, Likeness.SIMILAR)
            doubt = by_composer.doubt or ("similar" if similar else "other-title")
            return Search((), similar or theirs, doubt)
        if by_composer.doubt is None and self._is_distinctive(title):
            others = _entitled(title, self.items, Likeness.SAME)
            return Search((), others, "other-composer" if others else None)
        return by_composer

    def _is_distinctive(self, title: str) -> bool:
        """Whether a word of the title occurs in the titles of one composer only, where there are several."""
        composers: dict[str, set[str]] = {}
        for item in self.items:
            for word in words(item.title):
                composers.setdefault(word, set()).add(item.composer)
        several = len({item.composer for item in self.items}) > 1
        telling = [word for word in words(title) if word.isalpha() and len(word) >= _TELLING]
        return several and any(len(composers.get(word, ())) == 1 for word in telling)

    @cached_property
    def _trees(self) -> dict[Key, _Tree]:
        return {key: _Tree(self.items, key) for key in KEYS}


@dataclass(frozen=True, slots=True)
class Search:
    """What a search by name found.

    Attributes:
        found: Items that have the name.
        similar: Only when none has: items whose names are close.
        doubt: Only when none has: why that does not prove that none is meant; None when it does.
    """

    found: tuple[CorpusItem, ...]
    similar: tuple[CorpusItem, ...]
    doubt: Doubt | None


class _Tree:
    """The items in the order of one key."""

    def __init__(self, items: Sequence[CorpusItem], key: Key) -> None:
        self.key: Key = key
        self.items = sorted(items, key=lambda item: (item.key(key), item.identifier))
        self.values = [item.key(key) for item in self.items]
        self.leaves = [merkle.leaf_hash(item.to_bytes()) for item in self.items]
        self.root = merkle.root(self.leaves)

    def prove(self, value: str) -> MembershipProof:
        index = bisect_left(self.values, value)
        present = index < len(self.values) and self.values[index] == value
        shown = [index] if present else [i for i in (index - 1, index) if 0 <= i < len(self.items)]
        neighbours = tuple(ItemProof(i, self.items[i], merkle.inclusion_path(self.leaves, i)) for i in shown)
        return MembershipProof(self.key, value, present, self.root, len(self.items), neighbours)


def _check_unique(items: Sequence[CorpusItem]) -> None:
    seen: set[str] = set()
    for item in items:
        if item.identifier in seen:
            raise CorpusError(f"Two items have the identifier {item.identifier!r}; identifiers are unique in a corpus.")
        seen.add(item.identifier)


def _entitled(title: str, items: Iterable[CorpusItem], likeness: Likeness) -> tuple[CorpusItem, ...]:
    return tuple(item for item in items if compare_titles(title, item.title) == likeness)
