from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.closure import Closure, Corpus, CorpusItem, Edge, File, Generation, Grant, Model, Recording
from licensing.errors import ClosureError
from licensing.vocabulary import Subject, Use

MADE = "2026-11-20T10:00:00Z"
ITEM = CorpusItem("sq1", "Quartet", "Joseph Haydn", 1732, 1809, "CC0-1.0", None)
GRANT = Grant("g1", "sq1", Subject.COMPOSITION, frozenset(Use), frozenset({"worldwide"}), date(2026, 1, 1), None, MADE)


def test_finds_the_shortest_way_and_of_those_the_first_by_name() -> None:
    nodes = (
        Recording("d", MADE),
        Recording("c", MADE),
        Recording("b", MADE),
        Generation("e", MADE),
        Model("m", "m", None, None),
    )
    edges = (Edge("d", "c"), Edge("d", "b"), Edge("c", "e"), Edge("b", "e"), Edge("e", "m"), Edge("b", "c"))
    closure = Closure("d", nodes, edges)
    assert closure.paths["m"] == ("d", "b", "e", "m")
    assert closure.paths["d"] == ("d",)
    assert [node.id for node in closure.sources("b")] == ["c", "e"]
    assert closure.recording() == Recording("d", MADE)


def test_a_file_stands_before_the_recording_it_may_be() -> None:
    file, track = File("f", "unlike", ""), Recording("a", MADE)
    closure = Closure("f", (file, track), (Edge("f", "a"),))
    assert closure.recording() == track
    assert closure.paths == {"f": ("f",), "a": ("f", "a")}


@pytest.mark.parametrize(
    ("root", "edges"),
    [
        ("f", ()),
        ("f", (Edge("f", "a"), Edge("f", "b"))),
        ("f", (Edge("f", "g"), Edge("g", "a"))),
        ("a", (Edge("a", "f"), Edge("f", "b"))),
        ("f", (Edge("f", "a"), Edge("a", "g"), Edge("g", "b"))),
    ],
)
def test_a_file_may_be_one_recording_and_stands_nowhere_else(root: str, edges: tuple[Edge, ...]) -> None:
    nodes = (File("f", "", ""), File("g", "", ""), Recording("a", MADE), Recording("b", MADE))
    with pytest.raises(ClosureError):
        Closure(root, nodes, edges)


def test_a_circle_does_not_hang() -> None:
    closure = Closure("a", (Recording("a", MADE), Recording("b", MADE)), (Edge("a", "b"), Edge("b", "a")))
    assert closure.paths == {"a": ("a",), "b": ("a", "b")}


def test_the_order_of_what_is_given_does_not_matter(lineage: Callable[..., Closure]) -> None:
    closure = lineage(grants=(replace(GRANT, node="corpus"), replace(GRANT, id="g0", node="model")))
    shuffled = Closure(
        closure.root,
        closure.nodes[::-1],
        closure.edges[::-1],
        closure.grants[::-1],
        closure.ledger_size,
        closure.ledger_root,
    )
    assert shuffled == closure


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"root": "nowhere"}, "no recording 'nowhere'"),
        ({"root": "generation"}, "no recording 'generation'"),
        ({"edges": (Edge("track", "ghost"),)}, "has no node 'ghost'"),
        ({"edges": (Edge("track", "generation"),)}, "cannot be reached from 'track'"),
        ({"grants": (replace(GRANT, node="ghost"),)}, "is for 'ghost', which is not in the lineage"),
        ({"grants": (replace(GRANT, node="corpus", recorded_at="then"),)}, "The grant 'g1' has the time 'then'"),
    ],
)
def test_refuses_a_lineage_that_contradicts_itself(
    lineage: Callable[..., Closure], change: dict[str, object], words: str
) -> None:
    with pytest.raises(ClosureError) as caught:
        replace(lineage(), **change)
    assert words in str(caught.value)


def test_refuses_a_name_used_twice(lineage: Callable[..., Closure]) -> None:
    closure = lineage()
    for stranger in (Recording("model", MADE), Recording("Max Reger/1", MADE)):
        with pytest.raises(ClosureError, match="share an id"):
            replace(closure, nodes=(*closure.nodes, stranger), edges=(*closure.edges, Edge("track", stranger.id)))
    with pytest.raises(ClosureError, match="Items of the corpus 'c' share the id 'sq1'"):
        Corpus("c", "c", (ITEM, replace(ITEM, title="Another")))


def test_refuses_times_that_are_not_times() -> None:
    with pytest.raises(ClosureError, match="The recording 'a' has the time 'today'"):
        Closure("a", (Recording("a", "today"),), ())
    with pytest.raises(ClosureError, match="The generation 'g' has the time ''"):
        Closure("a", (Recording("a", MADE), Generation("g", "")), (Edge("a", "g"),))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"born": 999}, "has born=999"),
        ({"died": 20_000}, "has died=20000"),
        ({"first_published": 0}, "has first_published=0"),
        ({"died": 1700}, "born in 1732 who died in 1700"),
    ],
)
def test_refuses_years_that_cannot_be(change: dict[str, int], words: str) -> None:
    with pytest.raises(ClosureError) as caught:
        replace(ITEM, **change)
    assert words in str(caught.value)


def test_refuses_text_without_a_utf_8_form() -> None:
    with pytest.raises(ClosureError, match="without a UTF-8 form"):
        Corpus("c", "c", (replace(ITEM, title="\ud800"),))


ITEMS = st.lists(
    st.builds(
        CorpusItem,
        st.uuids().map(str),
        st.text(st.characters(codec="utf-8"), max_size=3),
        st.sampled_from(["Joseph Haydn", "Béla Bartók"]),
        st.none(),
        st.none() | st.integers(1809, 1811),
        st.none() | st.sampled_from(["CC0-1.0", "MIT"]),
        st.none() | st.just(1800),
    ),
    unique_by=lambda item: item.id,
)


@given(ITEMS, st.randoms())
def test_groups_hold_each_item_once_with_equal_facts_in_an_order_of_their_own(
    items: list[CorpusItem], random: object
) -> None:
    corpus = Corpus("c", "c", tuple(items))
    random.shuffle(items)
    again = Corpus("c", "c", tuple(items))
    assert again.groups == corpus.groups
    assert again.items_digest == corpus.items_digest
    grouped = [item for group in corpus.groups for item in group.items]
    assert sorted(item.id for item in grouped) == sorted(item.id for item in items)
    facts = [(group.composer, group.died, group.encoding_licence, group.first_published) for group in corpus.groups]
    assert len(set(facts)) == len(facts)
    for group, fact in zip(corpus.groups, facts, strict=True):
        assert {(i.composer, i.died, i.encoding_licence, i.first_published) for i in group.items} == {fact}


@pytest.mark.parametrize(
    "change", [{"title": "x"}, {"died": 1810}, {"encoding_licence": None}, {"first_published": 1800}]
)
def test_every_fact_of_an_item_is_in_the_digest(change: dict[str, object]) -> None:
    changed = Corpus("c", "c", (replace(ITEM, **change),))
    assert changed.items_digest != Corpus("c", "c", (ITEM,)).items_digest


def test_a_group_can_do_without_some_items() -> None:
    (group,) = Corpus("c", "c", (ITEM, replace(ITEM, id="sq2"))).groups
    assert [item.id for item in group.without({"sq1"}).items] == ["sq2"]
