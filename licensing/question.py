"""What is asked of a recording: may this be done with it, there, on that day?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from licensing.errors import QuestionError, shown
from licensing.moment import parse_day, require_moment
from licensing.territory import Territory, parse_territory
from licensing.vocabulary import Use

LAST_DAY: Final = date(2200, 12, 31)
"""Terms are not computed beyond it: no law is that old."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        use: What is to be done.
        territory: Where.
        use_date: On which day.
        known_as_of: Moment whose knowledge counts: what came on record later is left out (RFC 3339, UTC).
        asked_by: Pseudonym of who asks, or None; what that party holds needs no permission.
        outlet: Store or society through which, or None.

    Raises:
        QuestionError: The moment is not one, or the day is too far off.
    """

    use: Use
    territory: Territory
    use_date: date
    known_as_of: str
    asked_by: str | None = None
    outlet: str | None = None

    def __post_init__(self) -> None:
        require_moment(self.known_as_of, "The question", QuestionError)
        if self.use_date > LAST_DAY:
            raise QuestionError(f"The date {self.use_date} is too far off: give one up to {LAST_DAY}.")


def parse_question(
    use: str,
    territory: str,
    use_date: str | None,
    known_as_of: str,
    *,
    asked_by: str | None = None,
    outlet: str | None = None,
) -> Question:
    """Read a question as typed by a person.

    Args:
        use: One of :class:`~licensing.vocabulary.Use`.
        territory: ISO 3166-1 alpha-2 code, or ``worldwide``.
        use_date: Such as ``2026-11-20``; None for the day of ``known_as_of``.
        known_as_of: RFC 3339, UTC.
        asked_by: See :class:`Question`.
        outlet: See :class:`Question`.

    Raises:
        QuestionError: One of them is not what it must be.
    """
    moment = require_moment(known_as_of, "The question", QuestionError)
    day = moment.date() if use_date is None else parse_day(use_date)
    return Question(Use.parse(use), parse_territory(territory), day, known_as_of, asked_by, outlet)


def require_day_after(question: Question, made_at: str) -> None:
    """Refuse a day or a knowledge that lies before the recording.

    Raises:
        QuestionError: The message gives the days that may be asked for.
    """
    made = require_moment(made_at, "The recording", QuestionError)
    if question.use_date < made.date():
        raise QuestionError(
            f"The date {question.use_date} is before the recording was made: give one from {made.date()} to {LAST_DAY}."
        )
    if require_moment(question.known_as_of, "The question", QuestionError) < made:
        raise QuestionError(
            f"At {shown(question.known_as_of)} nothing was known of the recording, which was made at {made_at}: "
            "ask as of a later moment."
        )
