"""The copyright-term rules of every territory with data, read from TOML and checked for gaps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from licensing import datafile
from licensing.copyright_term import Evidence, Extension, Kind, LifeStep, Posthumous, Publication, TermRule, Years
from licensing.territory import gazetteer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from licensing.datafile import Table

_YEARS = (1000, 2200)
_TERM = (0, 200)


@dataclass(frozen=True, slots=True)
class CopyrightTerms:
    """Rules by territory, and facts about composers.

    Attributes:
        rules: By territory code; a territory that is not there has no data.
        people: Facts by name and year of death.
    """

    rules: Mapping[str, TermRule]
    people: Mapping[tuple[str, int], frozenset[str]]

    def facts(self, composer: str, died: int | None) -> frozenset[str]:
        """Return what is known of a composer that rules exceptions out."""
        return frozenset() if died is None else self.people.get((composer, died), frozenset())


@lru_cache(maxsize=1)
def shipped_terms() -> CopyrightTerms:
    """Return the rules and facts that come with the package."""
    return read_terms(datafile.load("copyright-terms.toml"), datafile.load("people.toml"))


def read_terms(rules: Table, people: Table) -> CopyrightTerms:
    """Read both files.

    Raises:
        DataFileError: A rule overlaps another, leaves a year open, or breaks the files' form.
    """
    by_territory: dict[str, TermRule] = {}
    for table in rules.tables("rule"):
        rule = _rule(table)
        for code in rule.territories:
            if code not in gazetteer().territories:
                raise table.wrong("territories", f"names {code}, which is not in ISO 3166-1")
            if code in by_territory:
                raise table.wrong("territories", f"names {code}, which has a rule already")
            by_territory[code] = rule
    rules.close()
    return CopyrightTerms(by_territory, dict(_people(people)))


def _people(table: Table) -> Iterator[tuple[tuple[str, int], frozenset[str]]]:
    for person in table.tables("person"):
        key = (person.text("name"), person.integer("died", *_YEARS))
        facts = frozenset(person.texts("facts"))
        for text in ("basis", "source"):
            person.text(text)
        person.day("read")
        person.close()
        yield key, facts
    table.close()


def _rule(table: Table) -> TermRule:
    right = table.optional_integer("publication-right-years", *_TERM)
    rule = TermRule(
        territories=table.texts("territories"),
        kind=table.choice("kind", Kind),
        summary=table.text("summary"),
        clause=table.text("clause"),
        source=table.text("source"),
        evidence=table.choice("evidence", Evidence),
        read=table.day("read"),
        note=table.text("note") if table.has("note") else "",
        publication_right_years=right,
        publication_right_clause="" if right is None else table.text("publication-right-clause"),
        life=tuple(_life(entry) for entry in table.tables("life")),
        posthumous=tuple(_posthumous(entry) for entry in table.tables("posthumous")),
        extensions=tuple(_extension(entry) for entry in table.tables("extension")),
        published=tuple(_publication(entry) for entry in table.tables("published")),
    )
    table.close()
    if rule.kind is Kind.LIFE:
        _require_every_year(table, "life", [step.died for step in rule.life])
        if rule.published:
            raise table.wrong("published", "belongs to rules of the kind publication")
    else:
        _require_every_year(table, "published", [window.published for window in rule.published])
        if rule.life or rule.posthumous or rule.extensions:
            raise table.wrong("kind", "leaves no room for life, posthumous or extension tables")
    return rule


def _require_every_year(table: Table, key: str, spans: Sequence[Years]) -> None:
    if not spans or spans[0].first is not None or spans[-1].last is not None:
        raise table.wrong(key, "must begin and end with a step that has no bound on that side")
    for before, after in pairwise(spans):
        if before.last is None or after.first != before.last + 1:
            raise table.wrong(key, f"leaves a gap or an overlap after the year {before.last}")


def _years(table: Table, word: str) -> Years:
    span = Years(
        table.optional_integer(f"{word}-from", *_YEARS),
        table.optional_integer(f"{word}-until", *_YEARS),
    )
    if span.first is not None and span.last is not None and span.first > span.last:
        raise table.wrong(f"{word}-until", f"is before {word}-from")
    return span


def _life(table: Table) -> LifeStep:
    step = LifeStep(_years(table, "died"), table.integer("years", *_TERM))
    table.close()
    return step


def _posthumous(table: Table) -> Posthumous:
    window = Posthumous(
        published=_years(table, "published"),
        died=_years(table, "died"),
        within=table.optional_integer("within-years-of-death", *_TERM),
        years=table.optional_integer("years", *_TERM),
        life_years=table.optional_integer("life-years", *_TERM),
        ends=table.optional_integer("ends", *_YEARS),
    )
    table.close()
    if [window.years, window.life_years, window.ends].count(None) != len(("years", "life-years", "ends")) - 1:
        raise table.wrong("years", "must stand alone: give exactly one of years, life-years and ends")
    return window


def _extension(table: Table) -> Extension:
    unbounded = table.has("open") and table.flag("open")
    extension = Extension(
        died=_years(table, "died"),
        published=_years(table, "published"),
        years=None if unbounded else table.integer("years", *_TERM),
        days=0 if unbounded else table.integer("days", 0, 10_000),
        fact=table.text("fact"),
        clause=table.text("clause"),
        excluded_by=table.text("excluded-by") if table.has("excluded-by") else "",
    )
    table.close()
    return extension


def _publication(table: Table) -> Publication:
    window = Publication(
        published=_years(table, "published"),
        years=table.optional_integer("years", *_TERM),
        life_years=table.optional_integer("life-years", *_TERM),
        not_before=table.optional_integer("not-before", *_YEARS),
    )
    table.close()
    if (window.years is None) == (window.life_years is None):
        raise table.wrong("years", "must stand alone: give exactly one of years and life-years")
    return window
