"""How long a composition is in copyright in a territory, and which facts that hangs on.

A term ends on 31 December of the Nth year after the year it counts from. Where a fact is missing the
answer is a range: copyright is certain up to one day, and can last, doubt by doubt, to later ones. The
rules themselves are data: ``data/copyright-terms.toml``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum, unique

NEVER = date.min
"""End of a term that may already have been over for as long as anyone can say."""
DEATH_FACT = "the year of the composer's death"
PUBLICATION_FACT = "the year of first publication"


@unique
class Status(StrEnum):
    """Whether a composition is in copyright on a day."""

    FREE = "free"
    UNDETERMINED = "undetermined"
    IN_COPYRIGHT = "in-copyright"


@unique
class Kind(StrEnum):
    """What a territory's term mainly counts from."""

    LIFE = "life"
    PUBLICATION = "publication"


@unique
class Evidence(StrEnum):
    """What was read for a rule."""

    STATUTE = "statute"
    OFFICIAL = "official"
    SECONDARY = "secondary"


@dataclass(frozen=True, slots=True)
class Years:
    """Years from the first to the last, both included; None is without bound."""

    first: int | None = None
    last: int | None = None

    def __contains__(self, year: int) -> bool:
        return (self.first is None or self.first <= year) and (self.last is None or year <= self.last)


@dataclass(frozen=True, slots=True)
class LifeStep:
    """The basic term for those who died in certain years."""

    died: Years
    years: int


@dataclass(frozen=True, slots=True)
class Posthumous:
    """The term of works first published after their composer's death.

    Attributes:
        published: Years of first publication it is for; without a last year, it is also for works
            that are not published yet.
        died: Years of death it is for.
        within: Only publications within so many years of the death.
        years: Counted from publication.
        life_years: Counted from the death.
        ends: A fixed last year.
    """

    published: Years
    died: Years
    within: int | None
    years: int | None
    life_years: int | None
    ends: int | None

    def end(self, died: int, published: int | None) -> date | None:
        """Return the last day, the latest possible one where ``published`` is None, or None for no end."""
        if self.ends is not None:
            return year_end(self.ends)
        if self.life_years is not None:
            return year_end(died + self.life_years)
        last = published if published is not None else self._last_publication(died)
        return None if last is None or self.years is None else year_end(last + self.years)

    def may_apply(self, died: int, published: int | None) -> bool:
        """Tell whether a work of these dates is, or with an unknown publication can be, of this kind."""
        if died not in self.died:
            return False
        last = self._last_publication(died)
        if published is None:
            return last is None or last > died
        return published > died and published in self.published and (last is None or published <= last)

    def _last_publication(self, died: int) -> int | None:
        bounds = [self.published.last, None if self.within is None else died + self.within]
        return min((bound for bound in bounds if bound is not None), default=None)


@dataclass(frozen=True, slots=True)
class Extension:
    """A lengthening of the basic term that hangs on a fact.

    Attributes:
        years: Added to the basic term; None when no end can be given.
        days: Added after the years.
        fact: What must be known to say whether it applies.
        excluded_by: Fact about the composer that rules it out, or empty.
    """

    died: Years
    published: Years
    years: int | None
    days: int
    fact: str
    clause: str
    excluded_by: str

    def end(self, basic: date) -> date | None:
        """Return the last day when it applies, or None for no end."""
        if self.years is None:
            return None
        return year_end(basic.year + self.years) + timedelta(days=self.days)

    def may_apply(self, died: int, published: int | None, facts: frozenset[str]) -> bool:
        """Tell whether it can apply to a work of these dates and to a composer of these facts."""
        fits = published is None or published in self.published
        return fits and died in self.died and self.excluded_by not in facts


@dataclass(frozen=True, slots=True)
class Publication:
    """The term of works first published in certain years, where terms count from publication.

    Attributes:
        years: Counted from publication, or None.
        life_years: Counted from the death, or None.
        not_before: Last year that the term reaches in any case, or None.
    """

    published: Years
    years: int | None
    life_years: int | None
    not_before: int | None

    def end(self, died: int | None, published: int) -> date | None:
        """Return the last day, or None when the year of death is needed and missing."""
        if self.years is not None:
            return year_end(published + self.years)
        if died is None or self.life_years is None:
            return None
        return year_end(max(died + self.life_years, self.not_before or 0))


@dataclass(frozen=True, slots=True)
class TermRule:
    """One rule of ``data/copyright-terms.toml``, for one or more territories.

    Attributes:
        territories: Codes, in the order of the file.
        summary: The rule in a few words.
        clause: The statute it comes from.
        source: What was read for it.
        evidence: What kind of source that is.
        read: When it was read.
        note: What a reader should know about it, or empty.
        publication_right_years: Years that whoever first publishes a work out of copyright has a
            right of their own, or None.
        publication_right_clause: The statute of that right, or empty.
    """

    territories: tuple[str, ...]
    kind: Kind
    summary: str
    clause: str
    source: str
    evidence: Evidence
    read: date
    note: str
    publication_right_years: int | None
    publication_right_clause: str
    life: tuple[LifeStep, ...] = ()
    posthumous: tuple[Posthumous, ...] = ()
    extensions: tuple[Extension, ...] = ()
    published: tuple[Publication, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """A missing fact, and the last day to which copyright lasts if it goes against the user.

    Attributes:
        fact: What is missing.
        until: Last day, or None when no end can be given.
    """

    fact: str
    until: date | None

    def reaches(self, day: date) -> bool:
        """Tell whether the doubt matters on a day."""
        return self.until is None or day <= self.until


@dataclass(frozen=True, slots=True)
class Protection:
    """How long a composition is in copyright.

    Attributes:
        certain: Last day on which it certainly is; :data:`NEVER` when that cannot be said of any day.
        doubts: What may make it longer.
    """

    certain: date
    doubts: tuple[Doubt, ...] = field(default=())

    def status(self, day: date) -> Status:
        """Return whether the composition is in copyright on a day."""
        if day <= self.certain:
            return Status.IN_COPYRIGHT
        return Status.UNDETERMINED if self.missing(day) else Status.FREE

    def missing(self, day: date) -> tuple[str, ...]:
        """Return the facts that would settle the status on a day."""
        return tuple(dict.fromkeys(doubt.fact for doubt in self.doubts if doubt.reaches(day)))

    def latest(self) -> date | None:
        """Return the last day of copyright if every doubt goes against the user, or None for no end."""
        ends = [doubt.until for doubt in self.doubts]
        known = [end for end in ends if end is not None]
        return None if len(known) < len(ends) else max([self.certain, *known])


def year_end(year: int) -> date:
    """Return 31 December of a year."""
    return date(year, 12, 31)


def protection(
    rule: TermRule, died: int | None, first_published: int | None, facts: frozenset[str] = frozenset()
) -> Protection:
    """Compute how long a composition is in copyright under a rule.

    Args:
        rule: The territory's rule.
        died: Year of the composer's death, or None when it is not known or has not come.
        first_published: Year of first publication, or the earliest in which it is known to have been
            published; None when that is not known.
        facts: What is known of the composer that rules exceptions out.
    """
    if rule.kind is Kind.PUBLICATION:
        return _from_publication(rule, died, first_published)
    if died is None:
        return Protection(NEVER, (Doubt(DEATH_FACT, None),))
    basic = year_end(died + next(step.years for step in rule.life if died in step.died))
    posthumous = [window for window in rule.posthumous if window.may_apply(died, first_published)]
    ends = [window.end(died, first_published) for window in posthumous]
    certain = basic
    if first_published is not None:
        certain, ends = max([basic, *(end for end in ends if end is not None)]), []
    doubts = [Doubt(f"{PUBLICATION_FACT} or performance", end) for end in ends]
    doubts += [
        Doubt(extension.fact, extension.end(basic))
        for extension in rule.extensions
        if extension.may_apply(died, first_published, facts)
    ]
    return Protection(certain, tuple(doubt for doubt in doubts if doubt.reaches(certain + timedelta(days=1))))


def publication_right(rule: TermRule, died: int | None, first_published: int | None, day: date) -> Status:
    """Return whether a first publisher's own right in a work out of copyright runs on a day.

    The right belongs to whoever first publishes a work after its copyright has ended (Directive
    2006/116/EC, Article 4); it is not the composer's.
    """
    if rule.publication_right_years is None or died is None:
        return Status.FREE
    ended = protection(rule, died, died).certain.year
    if day.year <= ended:
        return Status.FREE
    if first_published is None:
        return Status.UNDETERMINED
    runs = first_published > ended and day <= year_end(first_published + rule.publication_right_years)
    return Status.IN_COPYRIGHT if runs else Status.FREE


def _from_publication(rule: TermRule, died: int | None, first_published: int | None) -> Protection:
    if first_published is not None:
        window = next(window for window in rule.published if first_published in window.published)
        end = window.end(died, first_published)
        return Protection(NEVER, (Doubt(DEATH_FACT, None),)) if end is None else Protection(end)
    ends = [window.end(died, window.published.last or 0) for window in rule.published]
    known = [end for end in ends if end is not None]
    latest = max(known) if len(known) == len(ends) else None
    return Protection(NEVER, (Doubt(PUBLICATION_FACT, latest),))
