from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from licensing.closure import Closure, Corpus, CorpusItem, Edge, Generation, Grant, Model, Recording
from licensing.corpus_ruling import MAX_NAMED
from licensing.policy import shipped_policy
from licensing.question import parse_question
from licensing.reason import Reason
from licensing.terms import shipped_table
from licensing.verdict import Verdict, decide
from licensing.vocabulary import Result, Subject, Use, worst

MADE = "2026-11-20T10:00:00Z"
HELD_IN_MEXICO = {"Amy Beach", "Béla Bartók", "Ernest John Moeran", "Ethel Smyth", "Richard Strauss"}


def only(verdict: Verdict, code: str) -> Reason:
    (reason,) = (reason for reason in verdict.reasons if reason.code == code)
    return reason


def test_germany_today_is_clear(ask: Callable[..., Verdict]) -> None:
    verdict = ask("commercial-release", "DE")
    assert verdict.result is Result.ALLOW
    reason = only(verdict, "composition-public-domain")
    assert "life + 70 years (UrhG §§ 64, 69)" in reason.text
    assert "ended by 2020-12-31" in reason.text
    assert reason.count == 60
    assert reason.items == ()


def test_mexico_is_held_and_names_the_five_with_year_and_rule(ask: Callable[..., Verdict]) -> None:
    verdict = ask("commercial-release", "MX")
    assert verdict.result is Result.HOLD
    reason = only(verdict, "composition-in-copyright")
    assert {item.composer for item in reason.items} == HELD_IN_MEXICO
    for name, died, until in (
        ("Amy Beach", 1944, 2044),
        ("Béla Bartók", 1945, 2045),
        ("Ernest John Moeran", 1950, 2050),
    ):
        assert f"{name} (died {died}, in copyright to {until}-12-31)" in reason.text
    assert "life + 100 years, not retroactive" in reason.text
    assert reason.path == ("track", "generation", "model", "corpus")
    assert reason.source
    free = only(verdict, "composition-public-domain")
    assert free.count + reason.count == 60


def test_in_mexico_they_fall_free_one_by_one(ask: Callable[..., Verdict]) -> None:
    assert len(only(ask("sync", "MX", "2044-12-31"), "composition-in-copyright").items) == 6
    reason = only(ask("sync", "MX", "2049-12-31"), "composition-in-copyright")
    assert {item.composer for item in reason.items} == {"Richard Strauss", "Ernest John Moeran"}
    (last,) = only(ask("sync", "MX", "2050-12-31"), "composition-in-copyright").items
    assert last.composer == "Ernest John Moeran"
    assert ask("sync", "MX", "2051-01-01").result is Result.ALLOW


def test_the_united_states_ask_for_the_year_of_first_publication(ask: Callable[..., Verdict]) -> None:
    verdict = ask("commercial-release", "US")
    assert verdict.result is Result.HOLD
    reason = only(verdict, "composition-undetermined")
    assert "the year of first publication" in reason.text
    assert reason.count == 60
    assert "Joseph Haydn (died 1809, to 2072-12-31 at the latest)" in reason.text
    assert ask("commercial-release", "US", first_published=1930).result is Result.ALLOW
    held = ask("commercial-release", "US", first_published=1931)
    assert only(held, "composition-in-copyright").result is Result.HOLD


def test_france_holds_those_whom_the_wars_may_have_lengthened(ask: Callable[..., Verdict]) -> None:
    verdict = ask("commercial-release", "FR")
    composers = {item.composer for reason in verdict.reasons for item in reason.items}
    assert composers == HELD_IN_MEXICO | {"Erwin Schulhoff"}


@pytest.mark.parametrize(("territory", "composers"), [("ES", {"Richard Strauss", "Ernest John Moeran"}), ("CH", set())])
def test_other_terms_hold_others(ask: Callable[..., Verdict], territory: str, composers: set[str]) -> None:
    verdict = ask("commercial-release", territory)
    assert {item.composer for reason in verdict.reasons for item in reason.items} == composers
    assert verdict.result is (Result.HOLD if composers else Result.ALLOW)


def test_a_territory_without_data_is_held(ask: Callable[..., Verdict]) -> None:
    verdict = ask("commercial-release", "TD")
    assert verdict.result is Result.HOLD
    assert "no copyright-term data for Chad (TD)" in only(verdict, "composition-no-data").text


def test_the_whole_world_is_as_bad_as_its_worst_country(ask: Callable[..., Verdict]) -> None:
    verdict = ask("commercial-release", "worldwide", first_published=1900)
    assert verdict.result is Result.HOLD
    told = " ".join(reason.text for reason in verdict.reasons if reason.code == "composition-in-copyright")
    for place in ("Mexico (MX)", "Spain (ES)", "Colombia (CO)"):
        assert place in told
    no_data = only(verdict, "composition-no-data")
    assert "205 territories (AD, AE," in no_data.text
    assert ask("commercial-release", "worldwide", policy="strict-1").result is Result.DENY


def test_policies_differ_over_compositions(ask: Callable[..., Verdict]) -> None:
    assert ask("sync", "MX", policy="strict-1").result is Result.DENY
    assert ask("sync", "MX", policy="permissive-1").result is Result.ALLOW
    assert only(ask("sync", "MX", policy="permissive-1"), "composition-not-weighed").count == 60


def test_the_first_publishers_right_is_told_of_or_waited_for(ask: Callable[..., Verdict]) -> None:
    told = only(ask("sync", "DE"), "publication-right-not-examined")
    assert told.result is Result.ALLOW
    assert "UrhG § 71" in told.text
    assert only(ask("sync", "DE", policy="strict-1"), "publication-right-not-examined").result is Result.HOLD
    maier = CorpusItem("maier", "Quartet in A", "Amanda Maier", 1853, 1894, "CC0-1.0", 2018)
    running = ask("sync", "DE", items=(maier,))
    assert running.result is Result.HOLD
    assert "first published in 2018" in only(running, "publication-right").text
    assert only(running, "publication-right").path[-1] == "maier"
    assert ask("sync", "DE", "2044-01-01", items=(maier,)).result is Result.ALLOW


@pytest.mark.parametrize(
    ("licence", "use", "result", "code", "duties"),
    [
        ("CC0-1.0", "commercial-release", Result.ALLOW, "training-input-permitted", set()),
        ("CC-BY-4.0", "commercial-release", Result.ALLOW, "training-input-permitted", {"attribution"}),
        (
            "CC-BY-SA-3.0",
            "commercial-release",
            Result.ALLOW,
            "training-input-permitted",
            {"attribution", "share-alike"},
        ),
        ("CC-BY-NC-4.0", "commercial-release", Result.HOLD, "training-input-prohibited", set()),
        ("CC-BY-NC-4.0", "non-commercial", Result.ALLOW, "training-input-permitted", {"attribution"}),
        ("CC-BY-NC-4.0", "education", Result.HOLD, "training-input-partly", {"attribution"}),
        ("CC-PDM-1.0", "commercial-release", Result.HOLD, "training-input-partly", set()),
        ("LicenseRef-unknown", "non-commercial", Result.HOLD, "training-input-unknown", set()),
        (None, "non-commercial", Result.HOLD, "training-input-unknown", set()),
    ],
)
def test_files_have_licences_of_their_own(
    ask: Callable[..., Verdict], licence: str | None, use: str, result: Result, code: str, duties: set[str]
) -> None:
    haydn = CorpusItem("sq1", "Quartet", "Joseph Haydn", 1732, 1809, licence, 1799)
    verdict = ask(use, "DE", items=(haydn,))
    assert verdict.result is result
    assert only(verdict, code).path == ("track", "generation", "model", "corpus", "sq1")
    assert {duty.code for duty in verdict.duties} - {"eu-ai-act-50-2"} == duties


def test_one_restricted_file_among_many_is_named(ask: Callable[..., Verdict]) -> None:
    items = tuple(
        CorpusItem(f"sq{n}", f"Quartet {n}", "Joseph Haydn", 1732, 1809, "CC-BY-NC-4.0" if n == 7 else "CC0-1.0", 1799)
        for n in range(20)
    )
    verdict = ask("commercial-release", "DE", items=items)
    assert verdict.result is Result.HOLD
    assert [item.id for item in only(verdict, "training-input-prohibited").items] == ["sq7"]
    assert only(verdict, "training-input-permitted").count == 19


def test_a_composer_without_a_year_of_death_is_held(ask: Callable[..., Verdict]) -> None:
    living = CorpusItem("new", "Quartet", "Somebody Living", 1990, None, "CC0-1.0", 2020)
    reason = only(ask("sync", "DE", items=(living,)), "composition-undetermined")
    assert "the year of the composer's death" in reason.text
    assert (
        "Somebody Living (year of death not on record, published 2020, no end can be given) for Quartet" in reason.text
    )


def test_the_text_is_bounded_and_the_items_are_all_there(ask: Callable[..., Verdict]) -> None:
    items = tuple(
        CorpusItem(f"i{n:03}", "Quartet", f"Composer {n:03}", 1900, 1990, "CC0-1.0", 1950)
        for n in range(MAX_NAMED + 40)
    )
    reason = only(ask("sync", "DE", items=items), "composition-in-copyright")
    assert "Composer 059" in reason.text
    assert "Composer 060" not in reason.text
    assert "and 40 more, all of them among the items" in reason.text
    assert [item.id for item in reason.items] == [f"i{n:03}" for n in range(MAX_NAMED + 40)]


def grant(node: str, subject: Subject) -> Grant:
    return Grant("g1", node, subject, frozenset(Use), frozenset({"worldwide"}), date(2026, 1, 1), None, MADE)


def test_a_publishers_grant_clears_what_it_is_for(ask: Callable[..., Verdict]) -> None:
    one = ask("sync", "MX", grants=(grant("Richard Strauss/1", Subject.COMPOSITION),))
    assert one.result is Result.HOLD
    assert {item.composer for item in only(one, "composition-in-copyright").items} == HELD_IN_MEXICO - {
        "Richard Strauss"
    }
    assert only(one, "composition-granted").path[-1] == "Richard Strauss/1"
    assert ask("sync", "MX", grants=(grant("corpus", Subject.COMPOSITION),)).result is Result.ALLOW
    assert ask("sync", "MX", grants=(grant("corpus", Subject.TRAINING_INPUT),)).result is Result.HOLD


ITEMS = st.lists(
    st.builds(
        CorpusItem,
        st.uuids().map(str),
        st.just("Quartet"),
        st.sampled_from(["Claude Debussy", "Béla Bartók", "Somebody"]),
        st.none(),
        st.none() | st.integers(1800, 2020),
        st.sampled_from(["CC0-1.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "LicenseRef-unknown"]),
        st.none() | st.integers(1800, 2026),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda item: item.id,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    ITEMS,
    st.sampled_from(["DE", "MX", "US", "FR", "GB", "JP", "IN", "TD"]),
    st.sampled_from(Use),
    st.sampled_from(["cautious-1", "strict-1", "permissive-1"]),
)
def test_ruling_on_groups_is_ruling_on_each_item(items: list[CorpusItem], code: str, use: Use, policy: str) -> None:
    question = parse_question(use, code, None, MADE)

    def rule(*some: CorpusItem) -> Verdict:
        nodes = (Recording("r", MADE), Generation("g", MADE), Model("m", "m", "CC0-1.0", "CC0-1.0"))
        edges = (Edge("r", "g"), Edge("g", "m"), Edge("m", "c"))
        closure = Closure("r", (*nodes, Corpus("c", "c", some)), edges)
        return decide(closure, question, shipped_table(), shipped_policy(policy))

    whole, parts = rule(*items), [rule(item) for item in items]
    assert whole.result is worst(part.result for part in parts)
    assert {reason.code for reason in whole.reasons} == {reason.code for part in parts for reason in part.reasons}
    held = {(reason.code, item.id) for reason in whole.reasons for item in reason.items}
    assert held == {(reason.code, item.id) for part in parts for reason in part.reasons for item in reason.items}
