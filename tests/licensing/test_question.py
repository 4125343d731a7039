from datetime import date

import pytest

from licensing.errors import QuestionError
from licensing.question import LAST_DAY, Question, parse_question, require_day_after
from licensing.territory import parse_territory
from licensing.vocabulary import Use

NOW = "2026-11-20T10:00:00Z"


def test_reads_a_question_as_typed() -> None:
    question = parse_question("Sync", "fr", "2027-01-02", NOW, asked_by="party-1")
    assert question == Question(Use.SYNC, parse_territory("FR"), date(2027, 1, 2), NOW, "party-1", None)


def test_today_is_the_day_of_what_is_known() -> None:
    assert parse_question("sync", "FR", None, NOW).use_date == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("use", "territory", "day", "known", "words"),
    [
        ("sell", "DE", None, NOW, "There is no use 'sell'"),
        ("sync", "XX", None, NOW, "There is no territory 'XX'"),
        ("sync", "DE", "soon", NOW, "'soon' is not a date"),
        ("sync", "DE", "2201-01-01", NOW, "too far off: give one up to 2200-12-31"),
        ("sync", "DE", None, "now", "The question has the time 'now'"),
    ],
)
def test_refuses_what_cannot_be_ruled_on(use: str, territory: str, day: str | None, known: str, words: str) -> None:
    with pytest.raises(QuestionError) as caught:
        parse_question(use, territory, day, known)
    assert words in str(caught.value)


def test_refuses_a_day_before_the_recording_and_gives_the_range() -> None:
    question = parse_question("sync", "DE", "1066-10-14", NOW)
    with pytest.raises(QuestionError, match=r"1066-10-14 is before the recording was made: give one from 2026-11-20"):
        require_day_after(question, NOW)


def test_refuses_knowledge_from_before_the_recording() -> None:
    question = parse_question("sync", "DE", "2026-11-20", "2026-11-20T09:59:59Z")
    with pytest.raises(QuestionError, match="nothing was known of the recording"):
        require_day_after(question, NOW)


def test_takes_the_first_and_the_last_day() -> None:
    for day in (date(2026, 11, 20), LAST_DAY):
        require_day_after(parse_question("sync", "DE", day.isoformat(), NOW), NOW)
