"""One case: a lineage, a question, the terms and the policy, and what every ruling asks of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from licensing.reason import Duty, Grounds, Limit, Reason
from licensing.territory import WORLDWIDE
from licensing.vocabulary import Result, Subject

if TYPE_CHECKING:
    from licensing.closure import Closure, CorpusItem, Grant
    from licensing.policy import Policy, Weight
    from licensing.question import Question
    from licensing.terms import Ruling, TermsTable

_IN_THE_RELEASE: Final = frozenset({Subject.OUTPUT, Subject.MASTER, Subject.COMPOSITION})


@dataclass(frozen=True, slots=True)
class Case:
    """What is being ruled on, and by what."""

    closure: Closure
    question: Question
    terms: TermsTable
    policy: Policy

    @property
    def asked(self) -> str:
        """Return what is asked, for the middle of a sentence."""
        return f"{self.question.use} in {self.question.territory} on {self.question.use_date}"

    def path(self, node: str) -> tuple[str, ...]:
        """Return the way from the recording to a node."""
        return self.closure.paths[node]

    def grants(self, node: str, subject: Subject) -> tuple[Grant, ...]:
        """Return the grants given in one subject of a node that were on record at the question's moment."""
        return tuple(
            grant
            for grant in self.closure.grants
            if grant.node == node and grant.subject is subject and grant.recorded_at <= self.question.known_as_of
        )

    def covering(self, node: str, subject: Subject) -> Grant | None:
        """Return the first grant that covers all that is asked, or None."""
        return next((grant for grant in self.grants(node, subject) if not self.shortfall(grant)), None)

    def shortfall(self, grant: Grant) -> str:
        """Say what of the question a grant leaves uncovered; empty when it covers all of it."""
        asked = self.question
        gaps = []
        if asked.use not in grant.uses:
            gaps.append(f"is for {', '.join(sorted(grant.uses))} and not for {asked.use}")
        if not grant.territories & {asked.territory.code, WORLDWIDE.code}:
            gaps.append(f"is for {', '.join(sorted(grant.territories))} and not for {asked.territory}")
        if asked.use_date < grant.valid_from:
            gaps.append(f"begins on {grant.valid_from}")
        if grant.valid_until is not None and grant.valid_until < asked.use_date:
            gaps.append(f"ended on {grant.valid_until}")
        if grant.grantee is not None and grant.grantee != asked.asked_by:
            gaps.append("was given to another party")
        return " and ".join(gaps)

    def shortfalls(self, node: str, subject: Subject) -> str:
        """Say why each grant on record does not do; a sentence each, with a space before it."""
        return "".join(
            f" Grant {grant.id} {self.shortfall(grant)}."
            for grant in self.grants(node, subject)
            if self.shortfall(grant)
        )


def granted(case: Case, grant: Grant, path: tuple[str, ...], noun: str) -> Grounds:
    """Return the ground that a grant gives."""
    text = f"{noun}: grant {grant.id} covers {case.asked}."
    return Grounds((Reason(f"{grant.subject}-granted", Result.ALLOW, path, text, clause=f"grant {grant.id}"),))


def ruled(
    case: Case,
    ruling: Ruling,
    weight: Weight,
    subject: Subject,
    path: tuple[str, ...],
    noun: str,
    *,
    more: str = "",
    items: tuple[CorpusItem, ...] = (),
) -> Grounds:
    """Return the grounds that a ruling on licences gives under the policy.

    Args:
        case: The case.
        ruling: What the licences say.
        weight: What the policy makes of that.
        subject: What the ruling is about.
        path: Where it lies.
        noun: What the reason's text begins with.
        more: What it ends with.
        items: The corpus items it is about.
    """
    result = weight.result(ruling.effect)
    said = "; ".join(
        f"{finding.text} ({finding.licence}, {finding.clause})" if finding.clause else finding.text
        for finding in ruling.findings
    )
    why = "" if result is Result.ALLOW else f" Under policy {case.policy.version} this is {result}: {weight.why}"
    reason = Reason(
        code=f"{subject}-{ruling.effect}",
        result=result,
        path=path,
        text=f"{noun}: {said}.{more}{why}",
        clause="; ".join(f"{finding.licence} {finding.clause}" for finding in ruling.findings if finding.clause),
        source="; ".join(dict.fromkeys(finding.source for finding in ruling.findings if finding.source)),
        count=len(items),
        items=() if result is Result.ALLOW else items,
    )
    duties = (
        Duty(duty.code, f"{noun}: {duty.text}", path, duty.clause, source, duty.offers)
        for duty, source in ruling.duties
    )
    limits = (
        Limit(ban.use, f"{noun}: {ban.finding.text}", path, ban.finding.clause, ban.finding.source)
        for ban in ruling.bans
        if subject in _IN_THE_RELEASE
    )
    return Grounds((reason,), tuple(duties), tuple(limits))
