"""Moments and days as text: RFC 3339 in UTC to the second, and ISO 8601 calendar dates."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from licensing.errors import QuestionError, shown

if TYPE_CHECKING:
    from licensing.errors import LicensingError

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def require_moment(text: str, what: str, error: type[LicensingError] = QuestionError) -> datetime:
    """Read a moment such as ``2026-11-20T10:31:45Z``.

    Args:
        text: The moment.
        what: Whose it is, to begin the message with.
        error: What to raise.
    """
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        pass
    raise error(f"{what} has the time {shown(text)}: give RFC 3339 in UTC to the second, such as 2026-11-20T10:31:45Z.")


def parse_day(text: str) -> date:
    """Read a day such as ``2026-11-20``.

    Raises:
        QuestionError: It is not one.
    """
    try:
        if _DAY.fullmatch(text.strip()):
            return date.fromisoformat(text.strip())
    except ValueError:
        pass
    raise QuestionError(f"{shown(text)} is not a date: give year, month and day, such as 2026-11-20.")
