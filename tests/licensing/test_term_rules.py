from datetime import date

import pytest

from licensing import datafile
from licensing.errors import DataFileError
from licensing.term_rules import CopyrightTerms, read_terms, shipped_terms
from licensing.territory import gazetteer

TERMS = shipped_terms()

RULE = """
[[rule]]
territories = [{codes}]
kind = "{kind}"
summary = "life + 70 years"
clause = "section 1"
source = "https://law.example"
evidence = "statute"
read = 2026-11-20
{rest}
"""
LIFE = "[[rule.life]]\nyears = 70\n"


def read(rules: str, people: str = "") -> CopyrightTerms:
    return read_terms(datafile.parse(rules, "rules.toml"), datafile.parse(people, "people.toml"))


def rule(codes: str = '"DE"', kind: str = "life", rest: str = LIFE) -> str:
    return RULE.format(codes=codes, kind=kind, rest=rest)


def test_covers_the_territories_it_must() -> None:
    wanted = {
        *gazetteer().groups["EU"],
        "GB",
        "CH",
        "NO",
        "US",
        "CA",
        "MX",
        "JP",
        "AU",
        "KR",
        "CN",
        "IN",
        "BR",
        "AR",
        "ZA",
    }
    assert wanted <= set(TERMS.rules)


@pytest.mark.parametrize("code", sorted(TERMS.rules))
def test_every_rule_says_where_and_when_it_was_read(code: str) -> None:
    entry = TERMS.rules[code]
    assert code in entry.territories
    assert entry.source.startswith("http")
    assert entry.clause
    assert entry.summary
    assert date(2026, 1, 1) <= entry.read
    assert all(extension.fact and extension.clause for extension in entry.extensions)
    assert (entry.publication_right_years is None) == (entry.publication_right_clause == "")


def test_facts_are_of_one_person_and_one_death() -> None:
    assert TERMS.facts("Claude Debussy", 1918) == {"not-mort-pour-la-france"}
    assert TERMS.facts("Claude Debussy", 1919) == frozenset()
    assert TERMS.facts("Claude Debussy", None) == frozenset()


def test_every_fact_on_record_rules_some_exception_out() -> None:
    excluded = {extension.excluded_by for entry in TERMS.rules.values() for extension in entry.extensions} - {""}
    assert {fact for facts in TERMS.people.values() for fact in facts} == excluded


def test_one_rule_serves_several_territories() -> None:
    terms = read(rule('"DE", "AT"'))
    assert terms.rules["DE"] is terms.rules["AT"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (rule('"XX"'), "names XX, which is not in ISO 3166-1"),
        (rule() + rule(), "names DE, which has a rule already"),
        (rule('"DE", "DE"'), "names something twice"),
        (rule(rest=""), "must begin and end with a step that has no bound"),
        (rule(rest="[[rule.life]]\ndied-until = 1943\nyears = 50\n"), "must begin and end"),
        (
            rule(rest="[[rule.life]]\ndied-until = 1943\nyears = 50\n[[rule.life]]\ndied-from = 1945\nyears = 70\n"),
            "leaves a gap or an overlap after the year 1943",
        ),
        (
            rule(rest="[[rule.life]]\ndied-until = 1943\nyears = 50\n[[rule.life]]\ndied-from = 1943\nyears = 70\n"),
            "leaves a gap or an overlap after the year 1943",
        ),
        (rule(rest="[[rule.life]]\ndied-from = 1950\ndied-until = 1943\nyears = 50\n"), "is before died-from"),
        (
            rule(rest=LIFE + "[[rule.posthumous]]\nyears = 50\nends = 2039\n"),
            "exactly one of years, life-years and ends",
        ),
        (rule(rest=LIFE + "[[rule.published]]\nyears = 95\n"), "belongs to rules of the kind publication"),
        (rule(kind="publication"), "must begin and end"),
        (rule(kind="publication", rest=LIFE + "[[rule.published]]\nyears = 95\n"), "leaves no room for life"),
        (
            rule(kind="publication", rest="[[rule.published]]\nyears = 95\nlife-years = 70\n"),
            "exactly one of years and life-years",
        ),
        (rule(kind="perpetual"), "which is not one of life, publication"),
        (rule(rest="publication-right-years = 25\n" + LIFE), "lacks the key publication-right-clause"),
        (rule(rest=LIFE + 'clause = "x"\n'), "keys that mean nothing here: clause"),
        (rule().replace("read = 2026-11-20\n", ""), "lacks the key read"),
        (rule().replace('"https://law.example"', '""'), "must be a text that is not empty"),
    ],
)
def test_refuses_rules_with_holes(text: str, words: str) -> None:
    with pytest.raises(DataFileError) as caught:
        read(text)
    assert words in str(caught.value)
    assert "rules.toml" in str(caught.value)


def test_refuses_a_fact_without_a_source() -> None:
    person = '[[person]]\nname = "A"\ndied = 1900\nfacts = ["f"]\nbasis = "b"\nread = 2026-11-20\n'
    with pytest.raises(DataFileError, match="lacks the key source"):
        read(rule(), person)
