from collections.abc import Callable

import pytest

from licensing.closure import Closure, Contribution, Corpus, CorpusItem, Edge, Generation, Grant, Model, Recording
from licensing.policy import shipped_policy
from licensing.question import parse_question
from licensing.terms import shipped_table
from licensing.verdict import Verdict, decide

MADE = "2026-11-20T10:00:00Z"

# The composers of the shipped corpus: name, years of birth and death, works in the corpus.
SHIPPED = (
    ("Elfrida Andrée", 1841, 1929, 1),
    ("Juan Crisóstomo de Arriaga", 1806, 1826, 2),
    ("Béla Bartók", 1881, 1945, 2),
    ("Amy Beach", 1867, 1944, 1),
    ("Ludwig van Beethoven", 1770, 1827, 10),
    ("Alexander Borodin", 1833, 1887, 2),
    ("Frank Bridge", 1879, 1941, 1),
    ("Ferruccio Busoni", 1866, 1924, 1),
    ("Teresa Carreño", 1853, 1917, 1),
    ("Claude Debussy", 1862, 1918, 1),
    ("Antonín Dvořák", 1841, 1904, 2),
    ("Alexander Glazunov", 1865, 1936, 1),
    ("Joseph Haydn", 1732, 1809, 28),
    ("Ernest John Moeran", 1894, 1950, 1),
    ("Johanna Müller-Hermann", 1868, 1941, 1),
    ("Maurice Ravel", 1875, 1937, 1),
    ("Max Reger", 1873, 1916, 1),
    ("Erwin Schulhoff", 1894, 1942, 1),
    ("Ethel Smyth", 1858, 1944, 1),
    ("Richard Strauss", 1864, 1949, 1),
)


def _items(first_published: int | None) -> tuple[CorpusItem, ...]:
    return tuple(
        CorpusItem(f"{name}/{number}", f"Quartet {number}", name, born, died, "CC0-1.0", first_published)
        for name, born, died, works in SHIPPED
        for number in range(1, works + 1)
    )


@pytest.fixture
def lineage() -> Callable[..., Closure]:
    """Build the closure of one generation, with what a test changes about it."""

    def build(
        *,
        weights: str | None = "CC0-1.0",
        output: str | None = "CC0-1.0",
        first_published: int | None = None,
        items: tuple[CorpusItem, ...] | None = None,
        contributions: tuple[Contribution, ...] = (),
        grants: tuple[Grant, ...] = (),
    ) -> Closure:
        corpus = Corpus("corpus", "the corpus", _items(first_published) if items is None else items)
        nodes = (Recording("track", MADE), Generation("generation", MADE), Model("model", "the model", weights, output))
        edges = (Edge("track", "generation"), Edge("generation", "model"), Edge("model", "corpus"))
        by_hand = tuple(Edge("track", contribution.id) for contribution in contributions)
        return Closure("track", (*nodes, corpus, *contributions), edges + by_hand, grants, 7, None)

    return build


@pytest.fixture
def ask(lineage: Callable[..., Closure]) -> Callable[..., Verdict]:
    """Ask about that closure, today unless the test says otherwise."""

    def answer(
        use: str = "commercial-release",
        territory: str = "DE",
        day: str | None = None,
        *,
        policy: str = "cautious-1",
        asked_by: str | None = None,
        outlet: str | None = None,
        closure: Closure | None = None,
        **changes: object,
    ) -> Verdict:
        question = parse_question(use, territory, day, MADE, asked_by=asked_by, outlet=outlet)
        known = lineage(**changes) if closure is None else closure
        return decide(known, question, shipped_table(), shipped_policy(policy))

    return answer
