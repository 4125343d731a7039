"""The closed sets that licences, policies, questions and verdicts are written in."""

from __future__ import annotations

import difflib
from enum import StrEnum, unique
from typing import TYPE_CHECKING

from licensing.errors import QuestionError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable


@unique
class Use(StrEnum):
    """What somebody wants to do with a recording. One list everywhere."""

    COMMERCIAL_RELEASE = "commercial-release"
    SYNC = "sync"
    BROADCAST = "broadcast"
    EDUCATION = "education"
    NON_COMMERCIAL = "non-commercial"
    DERIVATIVE = "derivative"
    SAMPLING = "sampling"
    TRAINING = "training"

    @classmethod
    def parse(cls, text: str) -> Use:
        """Read a use as typed by a person.

        Raises:
            QuestionError: It is not in the list.
        """
        try:
            return cls(text.strip().lower())
        except ValueError:
            near = difflib.get_close_matches(text.strip().lower(), list(cls), n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise QuestionError(f"There is no use {shown(text)}: give one of {', '.join(cls)}.{hint}") from None


@unique
class Subject(StrEnum):
    """What a term is about. Terms on one subject say nothing of another."""

    CODE = "code"
    WEIGHTS = "weights"
    TRAINING_INPUT = "training-input"
    OUTPUT = "output"
    MASTER = "master"
    COMPOSITION = "composition"


@unique
class Effect(StrEnum):
    """What a document says of one use of one subject, from best to worst for the asker."""

    PERMITTED = "permitted"
    PARTLY = "partly"
    """Only part of what the use covers is permitted, or it is unsettled whether it is."""
    UNKNOWN = "unknown"
    """The document is silent, or is not known."""
    PROHIBITED = "prohibited"

    @property
    def severity(self) -> int:
        """Return 0 for the best, 3 for the worst."""
        return list(Effect).index(self)


@unique
class Result(StrEnum):
    """The answer to a question, and the weight of each reason for it."""

    ALLOW = "ALLOW"
    HOLD = "HOLD"
    """A person must decide; what is missing is named."""
    DENY = "DENY"

    @property
    def severity(self) -> int:
        """Return 0 for ALLOW, 1 for HOLD, 2 for DENY."""
        return list(Result).index(self)


def worst(results: Iterable[Result]) -> Result:
    """Return the worst of ``results``; HOLD when there are none, since nothing was known."""
    return max(results, key=lambda result: result.severity, default=Result.HOLD)
