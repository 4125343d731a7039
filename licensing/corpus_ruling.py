"""Ruling on what a model learned from: the files' licences, and the compositions' copyright.

Items with equal rights facts are ruled on once. Findings of one kind become one reason that names
every composer, with all the items attached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from licensing.case import Case, granted, ruled
from licensing.copyright_term import Protection, Status, protection, publication_right
from licensing.reason import Grounds, Reason
from licensing.territory import WORLDWIDE, gazetteer
from licensing.vocabulary import Result, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from licensing.closure import Corpus, CorpusItem, ItemGroup
    from licensing.copyright_term import TermRule

MAX_NAMED: Final = 60
"""Composers named in a reason's text; beyond it, the rest stand in its items only."""
_TITLES_UP_TO: Final = 12


def rule_corpus(case: Case, corpus: Corpus) -> Grounds:
    """Rule on a corpus: first on its files, then on the works in them."""
    return _rule_files(case, corpus) + _rule_works(case, corpus)


def _rule_files(case: Case, corpus: Corpus) -> Grounds:
    subject = Subject.TRAINING_INPUT
    if grant := case.covering(corpus.id, subject):
        return granted(case, grant, case.path(corpus.id), f"The files of {corpus.name}")
    groups, grounds = _without_granted(case, corpus, subject)
    by_licence: dict[str | None, list[ItemGroup]] = {}
    for group in groups:
        by_licence.setdefault(group.encoding_licence, []).append(group)
    for licence, members in by_licence.items():
        items = _items(members)
        ruling = case.terms.rule(licence, subject, case.question.use)
        path, noun = _path(case, corpus, items), f"{len(items)} of the files that {corpus.name} consists of"
        more = case.shortfalls(corpus.id, subject)
        grounds += ruled(case, ruling, case.policy.training_input, subject, path, noun, more=more, items=items)
    return grounds


def _rule_works(case: Case, corpus: Corpus) -> Grounds:
    if not case.policy.compositions.weighed:
        text = f"The copyright in {_works(corpus.groups)} is not weighed. {case.policy.compositions.why}"
        reason = Reason("composition-not-weighed", Result.ALLOW, case.path(corpus.id), text, count=len(corpus.items))
        return Grounds((reason,))
    if grant := case.covering(corpus.id, Subject.COMPOSITION):
        return granted(case, grant, case.path(corpus.id), f"The compositions of {corpus.name}")
    groups, grounds = _without_granted(case, corpus, Subject.COMPOSITION)
    if not groups:
        return grounds
    rules, codes = case.terms.copyright.rules, [case.question.territory.code]
    if case.question.territory == WORLDWIDE:
        codes = sorted(gazetteer().territories)
    by_rule: dict[TermRule | None, list[str]] = {}
    for code in codes:
        by_rule.setdefault(rules.get(code), []).append(code)
    for rule, places in by_rule.items():
        if rule is None:
            grounds += Grounds((_no_data(case, corpus, groups, places),))
        else:
            grounds += Grounds(tuple(_Docket(case, corpus, rule, _named_places(places)).reasons(groups)))
    return grounds


@dataclass(frozen=True, slots=True)
class _Finding:
    """One group of works under one rule."""

    group: ItemGroup
    span: Protection


@dataclass(frozen=True, slots=True)
class _Docket:
    """The works of a corpus before one rule.

    Attributes:
        where: The rule's territories that are asked about.
    """

    case: Case
    corpus: Corpus
    rule: TermRule
    where: str

    def reasons(self, groups: Sequence[ItemGroup]) -> Iterator[Reason]:
        """Yield a reason for each kind of finding."""
        day, facts = self.case.question.use_date, self.case.terms.copyright.facts
        findings: dict[tuple[Status, tuple[str, ...]], list[_Finding]] = {}
        ruled_on: dict[tuple[int | None, int | None, frozenset[str]], Protection] = {}
        for group in groups:
            key = (group.died, group.first_published, facts(group.composer, group.died))
            if (span := ruled_on.get(key)) is None:
                span = ruled_on[key] = protection(self.rule, *key)
            findings.setdefault((span.status(day), span.missing(day)), []).append(_Finding(group, span))
        for (status, missing), found in findings.items():
            match status:
                case Status.IN_COPYRIGHT:
                    yield self._in_copyright(found)
                case Status.UNDETERMINED:
                    yield self._undetermined(found, missing)
        free = [finding for (status, _), found in findings.items() for finding in found if status is Status.FREE]
        if free:
            yield self._public_domain(free)
            yield from self._publication_rights([finding.group for finding in free])

    def _in_copyright(self, found: list[_Finding]) -> Reason:
        groups = [finding.group for finding in found]
        text = (
            f"{_works(groups)} {_are(groups)} still in copyright in {self.where} on {self.case.question.use_date}: "
            f"{_named(found, _until)}. Rule: {self.rule.summary} ({self.rule.clause})."
        )
        return self._reason("composition-in-copyright", self.case.policy.compositions.in_copyright, text, groups)

    def _undetermined(self, found: list[_Finding], missing: tuple[str, ...]) -> Reason:
        groups = [finding.group for finding in found]
        text = (
            f"Whether {_works(groups)} {_are(groups)} in copyright in {self.where} on {self.case.question.use_date} "
            f"hangs on what is not on record: {'; '.join(missing)}. It is about {_named(found, _at_most)}. "
            f"Rule: {self.rule.summary} ({self.rule.clause})."
        )
        return self._reason("composition-undetermined", self.case.policy.compositions.undetermined, text, groups)

    def _public_domain(self, found: list[_Finding]) -> Reason:
        groups = [finding.group for finding in found]
        last = max(end for finding in found if (end := finding.span.latest()) is not None)
        text = (
            f"{_works(groups)} {_are(groups)} out of copyright in {self.where} on {self.case.question.use_date}; "
            f"the last term ended by {last}. Rule: {self.rule.summary} ({self.rule.clause})."
        )
        return self._reason("composition-public-domain", Result.ALLOW, text, groups)

    def _publication_rights(self, groups: Sequence[ItemGroup]) -> Iterator[Reason]:
        weight, day = self.case.policy.publication_right, self.case.question.use_date
        by_status: dict[Status, list[ItemGroup]] = {}
        for group in groups:
            status = publication_right(self.rule, group.died, group.first_published, day)
            by_status.setdefault(status, []).append(group)
        right = (
            f"The right of whoever first publishes a work out of copyright ({self.rule.publication_right_years} "
            f"years, {self.rule.publication_right_clause})"
        )
        if running := by_status.get(Status.IN_COPYRIGHT):
            years = ", ".join(sorted({str(group.first_published) for group in running}))
            text = f"{right} is running for {_works(running)} in {self.where}, first published in {years}. {weight.why}"
            yield self._reason("publication-right", weight.running, text, running)
        if unexamined := by_status.get(Status.UNDETERMINED):
            text = (
                f"{right} was not examined for {_works(unexamined)} in {self.where}: the year of first publication is "
                f"not on record. {weight.why}"
            )
            yield self._reason("publication-right-not-examined", weight.unexamined, text, unexamined)

    def _reason(self, code: str, result: Result, text: str, groups: Iterable[ItemGroup]) -> Reason:
        items = _items(groups)
        return Reason(
            code=code,
            result=result,
            path=_path(self.case, self.corpus, items),
            text=text,
            clause=self.rule.publication_right_clause if code.startswith("publication") else self.rule.clause,
            source=f"{self.rule.source} (read {self.rule.read})",
            count=len(items),
            items=() if result is Result.ALLOW else items,
        )


def _no_data(case: Case, corpus: Corpus, groups: Sequence[ItemGroup], places: list[str]) -> Reason:
    where = _named_places(places) if len(places) == 1 else f"{len(places)} territories ({', '.join(places)})"
    text = (
        f"There is no copyright-term data for {where}: whether {_works(groups)} {_are(groups)} in copyright there is "
        "not known."
    )
    items = _items(groups)
    result = case.policy.compositions.no_data
    return Reason("composition-no-data", result, _path(case, corpus, items), text, count=len(items), items=items)


def _without_granted(case: Case, corpus: Corpus, subject: Subject) -> tuple[list[ItemGroup], Grounds]:
    """Return the groups without the items that have a grant of their own, and the grounds of those grants."""
    nodes = {grant.node for grant in case.closure.grants if grant.subject is subject} & corpus.item_ids
    grants = {node: grant for node in sorted(nodes) if (grant := case.covering(node, subject)) is not None}
    if not grants:
        return list(corpus.groups), Grounds()
    grounds = Grounds()
    for node, grant in grants.items():
        grounds += granted(case, grant, (*case.path(corpus.id), node), f"Item {node} of {corpus.name}")
    kept = [group.without(grants.keys()) for group in corpus.groups]
    return [group for group in kept if group.items], grounds


def _items(groups: Iterable[ItemGroup]) -> tuple[CorpusItem, ...]:
    return tuple(item for group in groups for item in group.items)


def _path(case: Case, corpus: Corpus, items: tuple[CorpusItem, ...]) -> tuple[str, ...]:
    path = case.path(corpus.id)
    return (*path, items[0].id) if len(items) == 1 else path


def _named_places(codes: Iterable[str]) -> str:
    return ", ".join(str(gazetteer().territories[code]) for code in codes)


def _works(groups: Iterable[ItemGroup]) -> str:
    members = list(groups)
    works, composers = sum(len(group.items) for group in members), len({group.composer for group in members})
    return f"{works} training work{'s' * (works != 1)} by {composers} composer{'s' * (composers != 1)}"


def _are(groups: Iterable[ItemGroup]) -> str:
    return "is" if sum(len(group.items) for group in groups) == 1 else "are"


def _named(found: list[_Finding], tell: Callable[[Protection], str]) -> str:
    with_titles = sum(len(finding.group.items) for finding in found) <= _TITLES_UP_TO
    entries = []
    for finding in sorted(found, key=lambda finding: (finding.group.composer, finding.group.first_published or 0)):
        group = finding.group
        died = "year of death not on record" if group.died is None else f"died {group.died}"
        published = "" if group.first_published is None else f", published {group.first_published}"
        titles = f" for {', '.join(item.title for item in group.items)}" if with_titles else ""
        entries.append(f"{group.composer} ({died}{published}, {tell(finding.span)}){titles}")
    entries = list(dict.fromkeys(entries))
    rest = len(entries) - MAX_NAMED
    return "; ".join(entries[:MAX_NAMED]) + (f"; and {rest} more, all of them among the items" if rest > 0 else "")


def _until(span: Protection) -> str:
    latest = span.latest()
    if latest is None:
        return f"in copyright to {span.certain}, perhaps longer"
    perhaps = f", perhaps to {latest}" if latest > span.certain else ""
    return f"in copyright to {span.certain}{perhaps}"


def _at_most(span: Protection) -> str:
    latest = span.latest()
    return "no end can be given" if latest is None else f"to {latest} at the latest"
