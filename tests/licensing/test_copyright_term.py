from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from licensing.copyright_term import (
    Kind,
    LifeStep,
    Status,
    Years,
    protection,
    publication_right,
    year_end,
)
from licensing.term_rules import shipped_terms

TERMS = shipped_terms()
RULES = TERMS.rules
TODAY = date(2026, 11, 20)
FREE, OPEN, HELD = Status.FREE, Status.UNDETERMINED, Status.IN_COPYRIGHT
NOT_FALLEN = frozenset({"not-mort-pour-la-france"})


@pytest.mark.parametrize(
    ("code", "died", "published", "day", "expected"),
    [
        # Germany, life + 70: whoever died in 1950 was protected to the end of 2020.
        ("DE", 1950, None, date(2020, 12, 31), HELD),
        ("DE", 1950, None, date(2021, 1, 1), FREE),
        ("DE", 1956, None, TODAY, HELD),
        ("DE", None, None, TODAY, OPEN),
        ("DE", None, 1820, TODAY, OPEN),
        # Mexico, life + 100, not retroactive.
        ("MX", 1943, None, TODAY, FREE),
        ("MX", 1944, None, TODAY, HELD),
        ("MX", 1944, None, date(2044, 12, 31), HELD),
        ("MX", 1944, None, date(2045, 1, 1), FREE),
        # Spain, life + 80 for the older deaths.
        ("ES", 1945, None, TODAY, FREE),
        ("ES", 1946, None, TODAY, HELD),
        ("ES", 1987, None, date(2067, 12, 31), HELD),
        ("ES", 1988, None, date(2059, 1, 1), FREE),
        # Italy without its wartime years, Colombia, China, Brazil, Argentina.
        ("IT", 1950, None, TODAY, FREE),
        ("CO", 1945, None, TODAY, FREE),
        ("CO", 1946, None, TODAY, HELD),
        ("CN", 1975, None, TODAY, FREE),
        ("CN", 1976, None, TODAY, HELD),
        ("BR", 1955, None, TODAY, FREE),
        ("AR", 1956, None, TODAY, HELD),
        # Extensions that were not retroactive.
        ("CH", 1942, None, date(1993, 1, 1), FREE),
        ("CH", 1943, None, date(2013, 12, 31), HELD),
        ("KR", 1962, None, TODAY, FREE),
        ("KR", 1963, None, TODAY, HELD),
        ("JP", 1955, None, TODAY, FREE),
        ("JP", 1968, None, TODAY, HELD),
        ("CA", 1971, 1970, TODAY, FREE),
        ("CA", 1972, 1970, TODAY, HELD),
        ("AU", 1954, 1950, TODAY, FREE),
        ("AU", 1956, 1950, TODAY, HELD),
        # Japan's wartime addition can matter for deaths from 1956 on, and not where the work is younger.
        ("JP", 1958, 1940, TODAY, OPEN),
        ("JP", 1958, 1955, TODAY, FREE),
        # France: Ravel's quartet (published 1910) and Boléro (1929) fell free in 2022 and 2016.
        ("FR", 1937, 1910, date(2022, 9, 29), OPEN),
        ("FR", 1937, 1910, date(2022, 9, 30), FREE),
        ("FR", 1937, 1929, date(2016, 4, 29), OPEN),
        ("FR", 1937, 1929, date(2016, 5, 1), FREE),
        ("FR", 1937, 1948, date(2008, 1, 1), FREE),
        ("FR", 1950, 1930, TODAY, OPEN),
        # United Kingdom: unpublished and unperformed in 1989 is in copyright to the end of 2039.
        ("GB", 1827, 1826, TODAY, FREE),
        ("GB", 1827, 1830, TODAY, FREE),
        ("GB", 1827, None, TODAY, OPEN),
        ("GB", 1827, None, date(2040, 1, 1), FREE),
        ("GB", 1894, 1985, TODAY, HELD),
        ("GB", 1894, 1995, TODAY, HELD),
        ("GB", 1970, 1960, TODAY, HELD),
        # United States: 95 years from publication before 1978.
        ("US", 1950, 1930, TODAY, FREE),
        ("US", 1950, 1930, date(2025, 12, 31), HELD),
        ("US", 1950, 1931, TODAY, HELD),
        ("US", None, 1930, TODAY, FREE),
        ("US", 1809, None, TODAY, OPEN),
        ("US", 1809, 1799, TODAY, FREE),
        ("US", 1809, 1990, TODAY, HELD),
        ("US", 1809, 1990, date(2048, 1, 1), FREE),
        ("US", 1950, 2010, TODAY, FREE),
        ("US", 1960, 2010, TODAY, HELD),
        ("US", None, 2010, TODAY, OPEN),
        ("US", 1809, None, date(2073, 1, 1), FREE),
        # Posthumous publication in India, South Africa, Australia and Canada.
        ("IN", 1950, 1949, TODAY, FREE),
        ("IN", 1894, 1990, TODAY, HELD),
        ("IN", 1894, None, date(2200, 12, 31), OPEN),
        ("ZA", 1950, 1940, TODAY, FREE),
        ("ZA", 1894, 1980, TODAY, HELD),
        ("AU", 1894, 1954, TODAY, FREE),
        ("AU", 1894, 1990, TODAY, HELD),
        ("AU", 1894, 2019, TODAY, FREE),
        ("CA", 1894, 1960, TODAY, FREE),
        ("CA", 1894, 1990, TODAY, HELD),
        ("CA", 1945, None, date(2069, 1, 1), FREE),
        # Russia: only what was published within 70 years of the death.
        ("RU", 1809, None, TODAY, FREE),
        ("RU", 1857, 1900, TODAY, FREE),
        ("RU", 1907, 1970, TODAY, HELD),
        ("RU", 1936, 1930, TODAY, OPEN),
    ],
)
def test_known_cases(code: str, died: int | None, published: int | None, day: date, expected: Status) -> None:
    assert protection(RULES[code], died, published, NOT_FALLEN).status(day) is expected


def test_a_missing_fact_is_named() -> None:
    assert protection(RULES["DE"], None, None).missing(TODAY) == ("the year of the composer's death",)
    assert protection(RULES["US"], 1809, None).missing(TODAY) == ("the year of first publication",)
    assert protection(RULES["GB"], 1827, None).missing(TODAY) == ("the year of first publication or performance",)
    assert "mort pour la France" in protection(RULES["FR"], 1918, 1900).missing(TODAY)[-1]
    assert protection(RULES["FR"], 1918, 1900, NOT_FALLEN).missing(TODAY) == ()
    assert "nationality" in protection(RULES["FR"], 1945, 1920, NOT_FALLEN).missing(TODAY)[0]
    assert protection(RULES["FR"], 1945, 1920, NOT_FALLEN).missing(date(2035, 1, 1)) == ()


def test_ends_are_on_the_day() -> None:
    assert protection(RULES["DE"], 1950, None).latest() == date(2020, 12, 31)
    # 31 December 2011 and 14 years and 272 days.
    assert protection(RULES["FR"], 1941, 1910, NOT_FALLEN).latest() == date(2026, 9, 29)
    assert protection(RULES["IN"], 1894, None).latest() is None


CODES = st.sampled_from(sorted(RULES))
YEARS = st.integers(1700, 2026)
DAYS = st.dates(date(2026, 1, 1), date(2200, 12, 31))


@given(CODES, st.none() | YEARS, st.none() | YEARS, DAYS, st.integers(0, 60_000))
def test_what_is_free_stays_free(code: str, died: int | None, published: int | None, day: date, later: int) -> None:
    span = protection(RULES[code], died, published)
    assume(span.status(day) is FREE)
    assert span.status(min(date(2200, 12, 31), day + timedelta(days=later))) is FREE


@given(CODES, YEARS, YEARS, DAYS)
def test_learning_a_fact_never_contradicts_what_was_certain(code: str, died: int, published: int, day: date) -> None:
    rule = RULES[code]
    for ignorant in (protection(rule, died, None), protection(rule, None, published), protection(rule, None, None)):
        before = ignorant.status(day)
        after = protection(rule, died, published, NOT_FALLEN).status(day)
        assert before in {OPEN, after}


@given(CODES, st.none() | YEARS, st.none() | YEARS, DAYS)
def test_a_doubt_is_named_exactly_when_the_status_is_open(
    code: str, died: int | None, published: int | None, day: date
) -> None:
    span = protection(RULES[code], died, published)
    assert (span.status(day) is OPEN) == (day > span.certain and bool(span.missing(day)))
    assert all(span.missing(day)) or not span.missing(day)


@given(st.sampled_from(sorted(code for code, rule in RULES.items() if rule.kind is Kind.LIFE)), YEARS, DAYS)
def test_published_in_their_lifetime_the_years_of_death_decide_as_one_counts_them(
    code: str, died: int, day: date
) -> None:
    rule = RULES[code]
    (years,) = {step.years for step in rule.life if died in step.died}
    counted = died
    for _ in range(years):
        counted += 1
    held = day.year <= counted
    status = protection(rule, died, died).status(day)
    assert (status is HELD) == held
    assert held or status is FREE or rule.extensions


@given(st.integers(1700, 2025), st.integers(0, 200), DAYS)
def test_a_rule_of_one_step_is_plain_arithmetic(died: int, years: int, day: date) -> None:
    rule = RULES["AT"]
    plain = type(rule)(
        **{name: getattr(rule, name) for name in rule.__slots__ if name != "life"}, life=(LifeStep(Years(), years),)
    )
    assert protection(plain, died, None).status(day) is (HELD if day <= year_end(died + years) else FREE)


@pytest.mark.parametrize(
    ("code", "died", "published", "expected"),
    [
        ("DE", 1894, 2018, HELD),  # first published long after the copyright ended: 25 years for the publisher
        ("DE", 1894, 1999, FREE),
        ("DE", 1894, 1890, FREE),
        ("DE", 1894, None, OPEN),
        ("DE", 1960, 2018, FREE),  # still in copyright: there is nothing for a publisher
        ("DE", 1940, 2005, FREE),  # first published while it was in copyright
        ("DE", None, 2018, FREE),
        ("US", 1894, 2018, FREE),
        ("GB", 1894, 2018, HELD),
    ],
)
def test_the_first_publishers_own_right(code: str, died: int | None, published: int | None, expected: Status) -> None:
    assert publication_right(RULES[code], died, published, TODAY) is expected
