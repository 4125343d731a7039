import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.errors import QuestionError
from licensing.vocabulary import Effect, Result, Use, worst


def test_the_list_of_uses_is_the_one_that_is_documented() -> None:
    assert list(Use) == [
        "commercial-release",
        "sync",
        "broadcast",
        "education",
        "non-commercial",
        "derivative",
        "sampling",
        "training",
    ]


@given(st.sampled_from(Use))
def test_reads_a_use_in_any_case(use: Use) -> None:
    assert Use.parse(f" {use.upper()} ") is use


def test_refuses_an_unknown_use_and_offers_the_nearest() -> None:
    with pytest.raises(QuestionError, match=r"no use 'comercial-release'.*Did you mean commercial-release\?"):
        Use.parse("comercial-release")
    with pytest.raises(QuestionError, match=r"give one of commercial-release, sync"):
        Use.parse("🎻")


def test_results_and_effects_have_an_order() -> None:
    assert [result.severity for result in (Result.ALLOW, Result.HOLD, Result.DENY)] == [0, 1, 2]
    assert sorted(Effect, key=lambda effect: effect.severity) == ["permitted", "partly", "unknown", "prohibited"]


@given(st.lists(st.sampled_from(Result)))
def test_the_worst_decides_and_nothing_known_is_held(results: list[Result]) -> None:
    expected = (
        Result.DENY
        if Result.DENY in results
        else Result.HOLD
        if Result.HOLD in results or not results
        else Result.ALLOW
    )
    assert worst(results) is expected
