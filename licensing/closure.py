"""The lineage closure of a recording, as plain data: everything it came from, and who granted what.

A verdict is computed from nothing else. The items of a corpus are kept in groups of equal rights
facts, so that ruling on a corpus costs as much as it has distinct facts, not items.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import combinations
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from licensing.document import HIDDEN
from licensing.errors import ClosureError, shown
from licensing.moment import require_moment
from licensing.vocabulary import Subject
from provenance.identity import Digest, digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import date

    from licensing.terms import VendorTerms
    from licensing.vocabulary import Use

_YEARS: Final = range(1000, 2201)


@dataclass(frozen=True, slots=True)
class File:
    """A file that was brought, where it is in doubt what it is; where it is not, the recording itself is asked about.

    Attributes:
        id: Digest of its bytes.
        unlike: Why it is not shown to be the recording it sounds like, in words; empty where it is.
        other_log: Name of another log, whose intact manifest the file carries; empty where there is none.
    """

    id: str
    unlike: str
    other_log: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording.

    Attributes:
        made_at: When it was made (RFC 3339, UTC).
    """

    id: str
    made_at: str


@dataclass(frozen=True, slots=True)
class Generation:
    """A model's making of a recording.

    Attributes:
        generated_at: When (RFC 3339, UTC).
        vendor_terms: The vendor and plan, where the model was used as somebody's service: its terms are
            those in force at that moment.
    """

    id: str
    generated_at: str
    vendor_terms: VendorTerms | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """Weights.

    Attributes:
        name: What people call it.
        weights_licence: SPDX expression as understood, or None where none is on record.
        output_terms: SPDX expression of what its maker grants in the output, or None.
    """

    id: str
    name: str
    weights_licence: str | None
    output_terms: str | None


@dataclass(frozen=True, slots=True)
class CorpusItem:
    """One work that a model learned from.

    Attributes:
        born: Year of the composer's birth, or None.
        died: Year of the composer's death, or None.
        encoding_licence: SPDX expression of the file that was learned from, or None.
        first_published: Year of first publication, or the earliest in which the work is known to have
            been published or performed; None when neither is known.
    """

    id: str
    title: str
    composer: str
    born: int | None
    died: int | None
    encoding_licence: str | None
    first_published: int | None

    def __post_init__(self) -> None:
        for word, year in (("born", self.born), ("died", self.died), ("first_published", self.first_published)):
            if year is not None and year not in _YEARS:
                raise ClosureError(
                    f"Corpus item {shown(self.id)} has {word}={year}: give a year from {_YEARS[0]} to {_YEARS[-1]}, "
                    "or nothing where it is not known."
                )
        if self.born is not None and self.died is not None and self.died < self.born:
            raise ClosureError(
                f"Corpus item {shown(self.id)} has a composer born in {self.born} who died in {self.died}: "
                "correct the years."
            )


@dataclass(frozen=True, slots=True)
class ItemGroup:
    """Items of one corpus with equal rights facts.

    Attributes:
        items: In order of composer, title and id.
    """

    composer: str
    died: int | None
    encoding_licence: str | None
    first_published: int | None
    items: tuple[CorpusItem, ...]

    def without(self, ids: AbstractSet[str]) -> ItemGroup:
        """Return the group without some items."""
        return replace(self, items=tuple(item for item in self.items if item.id not in ids))


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a model learned from.

    Attributes:
        items: Every item.
        groups: The same items by equal facts, in order.
        item_ids: Their ids.
        items_digest: SHA-256 over the items sorted by id, which stands for them in the inputs' digest.

    Raises:
        ClosureError: Two items share an id, or one holds text that has no UTF-8 form.
    """

    id: str
    name: str
    items: tuple[CorpusItem, ...] = field(repr=False, metadata=HIDDEN)
    groups: tuple[ItemGroup, ...] = field(init=False, repr=False, compare=False, metadata=HIDDEN)
    item_ids: frozenset[str] = field(init=False, repr=False, compare=False, metadata=HIDDEN)
    items_digest: Digest = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "item_ids", frozenset(item.id for item in self.items))
        if len(self.item_ids) < len(self.items):
            name = Counter(item.id for item in self.items).most_common(1)[0][0]
            raise ClosureError(f"Items of the corpus {shown(self.id)} share the id {shown(name)}: name each item once.")
        object.__setattr__(self, "groups", _groups(self.items))
        object.__setattr__(self, "items_digest", _items_digest(self.id, self.items))


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a person did to a recording.

    Attributes:
        party: Pseudonym of the person, who holds the rights in it.
        role: DDEX ContributorRole claimed for it.
        rights: What it is protected as.
        licence: SPDX expression on which the person lets everybody use it, or None.
    """

    id: str
    party: str
    role: str
    rights: frozenset[Subject] = frozenset({Subject.COMPOSITION})
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission given for one node, beyond its licence.

    A grant only ever adds: to restrict, end it or do not give it.

    Attributes:
        node: Id of the node, or of a corpus item, whose rights it is given in.
        subject: In what.
        uses: For which uses.
        territories: Codes, or ``worldwide``.
        valid_from: First day.
        valid_until: Last day, or None.
        recorded_at: When it came on record (RFC 3339, UTC).
        grantee: Pseudonym of the only party that may rely on it, or None for everybody.
    """

    id: str
    node: str
    subject: Subject
    uses: frozenset[Use]
    territories: frozenset[str]
    valid_from: date
    valid_until: date | None
    recorded_at: str
    grantee: str | None = None


Node: TypeAlias = File | Recording | Generation | Model | Corpus | Contribution


class Edge(NamedTuple):
    """That one node was made from another."""

    made: str
    source: str


@dataclass(frozen=True, slots=True)
class Closure:
    """Everything a recording came from.

    Attributes:
        root: Id of the recording that is asked about, or of the file that may be it.
        nodes: In any order.
        edges: In any order; each leads from what was made to what it was made from.
        grants: In any order.
        ledger_size: Entries of the log that the closure was read from.
        ledger_root: Root of its tree at that size.
        by_id: The nodes by id, in order of id.
        paths: The way to each node from the root: the shortest, and of those the first by name.

    Raises:
        ClosureError: Two nodes share an id, an edge or grant names a node that is not there, the root is
            neither a recording nor a file of one, or a node cannot be reached from it.
    """

    root: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    grants: tuple[Grant, ...] = ()
    ledger_size: int = 0
    ledger_root: Digest | None = None
    by_id: Mapping[str, Node] = field(init=False, repr=False, compare=False, metadata=HIDDEN)
    paths: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False, metadata=HIDDEN)

    def __post_init__(self) -> None:
        nodes = tuple(sorted(self.nodes, key=lambda node: node.id))
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "edges", tuple(sorted(set(self.edges))))
        object.__setattr__(self, "grants", tuple(sorted(self.grants, key=lambda grant: grant.id)))
        object.__setattr__(self, "by_id", {node.id: node for node in nodes})
        self._check_names()
        object.__setattr__(self, "paths", self._walk())
        self._check_times()

    def recording(self) -> Recording:
        """Return the recording that is asked about."""
        return self._asked_about()[0]

    def sources(self, made: str) -> tuple[Node, ...]:
        """Return what a node was made from, in order of id."""
        return tuple(self.by_id[edge.source] for edge in self.edges if edge.made == made)

    def _check_names(self) -> None:
        families = [frozenset(self.by_id), *(node.item_ids for node in self.nodes if isinstance(node, Corpus))]
        if len(self.by_id) < len(self.nodes) or any(not one.isdisjoint(two) for one, two in combinations(families, 2)):
            raise ClosureError("Two nodes or items of the lineage share an id: give each its own.")
        for edge in self.edges:
            for end in edge:
                if end not in self.by_id:
                    raise ClosureError(
                        f"The lineage says that {shown(edge.made)} was made from {shown(edge.source)}, and has no node "
                        f"{shown(end)}: add it."
                    )
        for grant in self.grants:
            if not any(grant.node in family for family in families):
                raise ClosureError(
                    f"The grant {shown(grant.id)} is for {shown(grant.node)}, which is not in the lineage: leave it "
                    "out, or add the node."
                )
        files = [node.id for node in self.nodes if isinstance(node, File)]
        if len(self._asked_about()) != 1 or files not in ([], [self.root]):
            raise ClosureError(f"The lineage has no recording {shown(self.root)}: ask about one that it has.")

    def _asked_about(self) -> tuple[Recording, ...]:
        """The root where it is a recording; where it is a file, what it was made from."""
        root = self.by_id.get(self.root)
        asked = self.sources(self.root) if isinstance(root, File) else (root,)
        return tuple(node for node in asked if isinstance(node, Recording))

    def _check_times(self) -> None:
        for node in self.nodes:
            if isinstance(node, Recording):
                require_moment(node.made_at, f"The recording {shown(node.id)}", ClosureError)
            if isinstance(node, Generation):
                require_moment(node.generated_at, f"The generation {shown(node.id)}", ClosureError)
        for grant in self.grants:
            require_moment(grant.recorded_at, f"The grant {shown(grant.id)}", ClosureError)

    def _walk(self) -> dict[str, tuple[str, ...]]:
        sources: dict[str, list[str]] = {}
        for edge in self.edges:
            sources.setdefault(edge.made, []).append(edge.source)
        paths: dict[str, tuple[str, ...]] = {self.root: (self.root,)}
        queue = [self.root]
        for made in queue:
            for source in sources.get(made, ()):
                if source not in paths:
                    paths[source] = (*paths[made], source)
                    queue.append(source)
        if lost := [node.id for node in self.nodes if node.id not in paths]:
            raise ClosureError(
                f"{len(lost)} nodes of the lineage cannot be reached from {shown(self.root)}, the first being "
                f"{shown(lost[0])}: add the edges that lead to them, or leave them out."
            )
        return paths


def _groups(items: Iterable[CorpusItem]) -> tuple[ItemGroup, ...]:
    groups: dict[tuple[str, int | None, str | None, int | None], list[CorpusItem]] = {}
    for item in items:
        key = (item.composer, item.died, item.encoding_licence, item.first_published)
        groups.setdefault(key, []).append(item)
    ordered = sorted(groups.items(), key=lambda entry: json.dumps(entry[0]))
    return tuple(
        ItemGroup(*key, tuple(sorted(members, key=lambda item: (item.title, item.id)))) for key, members in ordered
    )


def _items_digest(corpus: str, items: Iterable[CorpusItem]) -> Digest:
    # Arrays of text, whole numbers and null: json.dumps and RFC 8785 give the same bytes for them.
    rows = [
        [item.id, item.title, item.composer, item.born, item.died, item.encoding_licence, item.first_published]
        for item in sorted(items, key=attrgetter("id"))
    ]
    canonical = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    try:
        return digest(canonical.encode())
    except UnicodeEncodeError as problem:
        raise ClosureError(
            f"An item of the corpus {shown(corpus)} holds text without a UTF-8 form ({problem.reason}): correct it."
        ) from problem
