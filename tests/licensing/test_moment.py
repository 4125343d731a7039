from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.errors import ClosureError, QuestionError
from licensing.moment import parse_day, require_moment


@given(st.datetimes(datetime(1000, 1, 1), datetime(2200, 1, 1)))
def test_reads_back_every_moment(naive: datetime) -> None:
    moment = naive.replace(microsecond=0, tzinfo=UTC)
    assert require_moment(moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "It") == moment


@given(st.dates(date(1000, 1, 1)))
def test_reads_back_every_day(day: date) -> None:
    assert parse_day(day.isoformat()) == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-20",
        "2026-11-20T10:31:45",
        "2026-11-20T10:31:45+01:00",
        "2026-11-20T10:31:45.5Z",
        "2026-13-20T10:31:45Z",
    ],
)
def test_refuses_other_moments(text: str) -> None:
    with pytest.raises(ClosureError, match=r"The take has the time .*: give RFC 3339"):
        require_moment(text, "The take", ClosureError)


@pytest.mark.parametrize("text", ["", "20.11.2026", "20261120", "2026-W47-5", "2026-02-30", "tomorrow", "1" * 9_999])
def test_refuses_other_days(text: str) -> None:
    with pytest.raises(QuestionError, match=r"is not a date: give year, month and day"):
        parse_day(text)


def test_a_moment_keeps_to_the_second() -> None:
    first, second = (require_moment(f"2026-11-20T10:31:4{digit}Z", "It") for digit in (4, 5))
    assert second - first == timedelta(seconds=1)
