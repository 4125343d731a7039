import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.errors import TerritoryError
from licensing.territory import WORLDWIDE, gazetteer, parse_territory


def test_has_every_code_of_iso_3166_once() -> None:
    known = gazetteer().territories
    assert len(known) == 249
    assert all(len(code) == 2 and code.isupper() and code == place.code for code, place in known.items())
    assert len({place.name for place in known.values()}) == 249


def test_groups_and_aliases_name_territories() -> None:
    known = gazetteer()
    assert len(known.groups["EU"]) == 27
    assert set(known.groups["EEA"]) - set(known.groups["EU"]) == {"IS", "LI", "NO"}
    assert {code for group in known.groups.values() for code in group} <= set(known.territories)
    assert set(known.aliases.values()) <= set(known.territories)


@pytest.mark.parametrize(("typed", "code"), [("DE", "DE"), ("de", "DE"), (" Us ", "US"), ("WorldWide", "worldwide")])
def test_reads_codes_in_any_case(typed: str, code: str) -> None:
    assert parse_territory(typed).code == code


def test_says_its_name_and_code() -> None:
    assert str(parse_territory("mx")) == "Mexico (MX)"
    assert str(WORLDWIDE) == "the whole world"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("UK", "GB (United Kingdom)"), ("germany", "DE (Germany)"), ("Germny", "DE (Germany)"), ("USA", "US (United")],
)
def test_offers_what_may_have_been_meant(typed: str, meant: str) -> None:
    with pytest.raises(TerritoryError) as caught:
        parse_territory(typed)
    assert f"Did you mean {meant}" in str(caught.value)


@pytest.mark.parametrize("typed", ["XX", "", "D", "🎻", "x" * 5_000])
def test_refuses_what_is_no_territory(typed: str) -> None:
    with pytest.raises(TerritoryError) as caught:
        parse_territory(typed)
    assert "ISO 3166-1" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_says_that_a_group_is_not_a_territory() -> None:
    with pytest.raises(TerritoryError, match=r"EU is not a territory but a group of 27: ask for one of its members"):
        parse_territory("eu")


@given(st.sampled_from(sorted(gazetteer().territories)))
def test_every_code_reads_back(code: str) -> None:
    assert parse_territory(code.lower()).code == code
