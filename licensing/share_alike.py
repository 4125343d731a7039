"""Share-alike duties that no licence can meet together, or that another licence in the lineage stands against.

Whoever adapts share-alike material must offer the result to everybody, under a licence of its own choosing and without
further terms. Two such licences may ask for different ones, and a third may forbid what everybody would be allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from licensing.reason import Duty, Grounds, Limit, Reason
from licensing.vocabulary import Result, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from licensing.case import Case

_Clause = TypeVar("_Clause", Duty, Limit)


def rule_share_alike(case: Case, grounds: Grounds) -> Grounds:
    """Return the ground that share-alike gives against the whole: none where one licence meets every duty.

    Args:
        case: The case.
        grounds: Those of every part of the lineage.
    """
    duties = _distinct(duty for duty in grounds.duties if duty.offers)
    if not duties:
        return Grounds()
    common = frozenset.intersection(*(frozenset(duty.offers) for duty in duties))
    if not common:
        return _against(duties, (), "no licence is accepted by all of these")
    asked = [case.terms.lets(licence, Subject.OUTPUT) for licence in sorted(common)]
    stands = [[limit for limit in grounds.limits if limit.use in uses] for uses in asked]
    if not all(stands):
        return Grounds()
    limits = _distinct(limit for standing in stands for limit in standing)
    return _against(duties, limits, "what must be allowed to everybody is forbidden by another licence")


def _against(duties: tuple[Duty, ...], limits: tuple[Limit, ...], why: str) -> Grounds:
    clauses: tuple[Duty | Limit, ...] = (*duties, *limits)
    said = " ".join(f"{clause.text} ({clause.clause})" for clause in clauses)
    reason = Reason(
        code="share-alike-conflict",
        result=Result.HOLD,
        path=clauses[0].path,
        text=f"The release cannot be offered as its share-alike licences ask, since {why}. {said}",
        clause="; ".join(dict.fromkeys(clause.clause for clause in clauses)),
        source="; ".join(dict.fromkeys(clause.source for clause in clauses)),
    )
    return Grounds((reason,))


def _distinct(clauses: Iterable[_Clause]) -> tuple[_Clause, ...]:
    """Those with different words, in an order that does not hang on the lineage's."""
    by_text: dict[str, _Clause] = {}
    for clause in sorted(clauses, key=lambda clause: (clause.text, clause.path)):
        by_text.setdefault(clause.text, clause)
    return tuple(by_text.values())
