from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from licensing.case import Case
from licensing.closure import Closure, Grant
from licensing.policy import shipped_policy
from licensing.question import Question, parse_question
from licensing.terms import shipped_table
from licensing.vocabulary import Subject, Use

MADE = "2026-11-20T10:00:00Z"
QUESTION = parse_question("commercial-release", "DE", "2026-12-01", MADE, asked_by="label")
GRANT = Grant(
    "g1",
    "model",
    Subject.WEIGHTS,
    frozenset({Use.COMMERCIAL_RELEASE}),
    frozenset({"DE", "AT"}),
    date(2026, 12, 1),
    date(2026, 12, 1),
    MADE,
    "label",
)


def case(lineage: Callable[..., Closure], grant: Grant, question: Question = QUESTION) -> Case:
    return Case(lineage(grants=(grant,)), question, shipped_table(), shipped_policy())


def test_a_grant_that_covers_all_that_is_asked_covers(lineage: Callable[..., Closure]) -> None:
    found = case(lineage, GRANT)
    assert found.covering("model", Subject.WEIGHTS) == GRANT
    assert found.shortfalls("model", Subject.WEIGHTS) == ""
    assert found.covering("model", Subject.OUTPUT) is None
    assert found.covering("corpus", Subject.WEIGHTS) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"uses": frozenset({Use.SYNC, Use.BROADCAST})}, "is for broadcast, sync and not for commercial-release"),
        ({"territories": frozenset({"FR"})}, "is for FR and not for Germany (DE)"),
        ({"valid_from": date(2026, 12, 2), "valid_until": None}, "begins on 2026-12-02"),
        ({"valid_from": date(2026, 1, 1), "valid_until": date(2026, 11, 30)}, "ended on 2026-11-30"),
        ({"grantee": "another"}, "was given to another party"),
    ],
)
def test_a_grant_that_covers_only_part_is_told_of(
    lineage: Callable[..., Closure], change: dict[str, object], words: str
) -> None:
    found = case(lineage, replace(GRANT, **change))
    assert found.covering("model", Subject.WEIGHTS) is None
    assert found.shortfalls("model", Subject.WEIGHTS) == f" Grant g1 {words}."


def test_a_grant_for_everybody_and_everywhere_covers(lineage: Callable[..., Closure]) -> None:
    wide = replace(GRANT, grantee=None, territories=frozenset({"worldwide"}), valid_until=None)
    assert case(lineage, wide).covering("model", Subject.WEIGHTS) == wide


def test_the_whole_world_is_not_covered_by_some_of_it(lineage: Callable[..., Closure]) -> None:
    everywhere = parse_question("commercial-release", "worldwide", "2026-12-01", MADE, asked_by="label")
    assert case(lineage, GRANT, everywhere).covering("model", Subject.WEIGHTS) is None


def test_what_came_on_record_later_is_not_known(lineage: Callable[..., Closure]) -> None:
    later = replace(GRANT, recorded_at="2026-11-20T10:00:01Z")
    assert case(lineage, later).covering("model", Subject.WEIGHTS) is None
    assert case(lineage, later).shortfalls("model", Subject.WEIGHTS) == ""
