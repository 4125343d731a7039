import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from licensing.errors import IdentifierError, PartyError
from licensing.party import Party, PartyId, PartyKind, parse_ipi, parse_isni

# Sample identifiers of ORCID's documentation, which lie in a block of ISNIs and have their check digit.
ISNIS = ("0000000218250097", "000000021694233X")
# IPI name numbers from the public samples of the django-music-publisher project.
IPIS = ("00000000199", "00000000297", "00000000395")


@pytest.mark.parametrize("number", ISNIS)
def test_accepts_the_published_isni_samples(number: str) -> None:
    assert parse_isni(number) == number


@pytest.mark.parametrize("number", IPIS)
def test_accepts_the_published_ipi_numbers(number: str) -> None:
    assert parse_ipi(number) == number
    assert parse_ipi(f"IPI {number[:4]}.{number[4:]}") == number


def test_accepts_an_isni_in_the_forms_people_write() -> None:
    assert parse_isni("ISNI 0000 0001 2150 090X") == "000000012150090X"
    assert parse_isni("https://isni.org/isni/000000012150090x") == "000000012150090X"
    assert parse_isni("0000-0001-2150-090X") == "000000012150090X"


def test_the_isni_check_digit_is_iso_7064_mod_11_2() -> None:
    # The check digit makes the polynomial in 2 congruent to 1 modulo 11: another way to compute it.
    number = parse_isni("000000012150090X")
    digits = [10 if digit == "X" else int(digit) for digit in number]
    assert sum(digit * 2 ** (15 - place) for place, digit in enumerate(digits)) % 11 == 1


@given(st.text("0123456789", min_size=15, max_size=15))
def test_a_wrong_isni_is_refused_with_the_right_one(stem: str) -> None:
    good = []
    for last in "0123456789X":
        try:
            good.append(parse_isni(stem + last))
        except IdentifierError as error:
            wrong = str(error)
    assert len(good) == 1
    assert f"did you mean {good[0]}?" in wrong


@given(st.text("0123456789", min_size=9, max_size=9), st.integers(0, 8), st.integers(1, 9))
def test_a_changed_ipi_digit_is_refused_with_a_suggestion(stem: str, place: int, change: int) -> None:
    with pytest.raises(IdentifierError) as caught:
        parse_ipi(stem + "xx")
    assert "not an IPI name number" in str(caught.value)
    numbers = []
    for check in range(100):
        try:
            numbers.append(parse_ipi(f"{stem}{check:02d}"))
        except IdentifierError as error:
            wrong = str(error)
    assert len(numbers) == 1
    assert f"did you mean {numbers[0]}?" in wrong
    other = stem[:place] + str((int(stem[place]) + change) % 10) + stem[place + 1 :]
    with pytest.raises(IdentifierError, match="did you mean"):
        parse_ipi(other + numbers[0][-2:])


@given(st.text("0123456789", min_size=9, max_size=9))
@example("000000000")
@example("000000050")
def test_the_ipi_check_digits_bring_the_weighted_sum_to_a_multiple_of_101(stem: str) -> None:
    weighted = sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), stem, strict=True))
    (check,) = (check for check in range(101) if (weighted + check) % 101 == 0)
    number = f"{stem}{check % 100:02d}"
    assert parse_ipi(number) == number


@pytest.mark.parametrize("text", ["", "1234", "0000 0001 2150 09XX", "\u0660" * 15 + "X"])
def test_refuses_what_is_not_an_isni(text: str) -> None:
    with pytest.raises(IdentifierError, match="is not an ISNI"):
        parse_isni(text)


def test_a_new_party_has_a_pseudonym_and_keeps_its_name_to_itself() -> None:
    party = Party.new("person", "Ada Lovelace", isni="0000 0001 2150 090X", ipi="00000000199")
    again = Party.new("person", "Ada Lovelace")
    assert party.id != again.id
    assert party.kind is PartyKind.PERSON
    assert party.isni == "000000012150090X"
    assert party.public_document() == {"id": party.id, "kind": "person"}
    for told in (repr(party), str(party.public_document())):
        assert "Ada" not in told
        assert "2150" not in told


def test_refuses_a_party_that_is_neither_person_nor_organisation() -> None:
    with pytest.raises(PartyError, match=r"person or organisation, not 'robot'"):
        Party.new("robot", "R2")


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
def test_refuses_an_empty_or_endless_name(name: str) -> None:
    with pytest.raises(PartyError, match=r"give 1 to 200"):
        Party.new("person", name)


def test_refuses_identifiers_that_are_not_in_normal_form() -> None:
    with pytest.raises(IdentifierError, match="leave them out"):
        Party(PartyId("p"), PartyKind.PERSON, "Ada", isni="0000 0001 2150 090X")
    with pytest.raises(IdentifierError, match="add the leading zeros"):
        Party(PartyId("p"), PartyKind.PERSON, "Ada", ipi="000000199")
