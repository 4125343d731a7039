"""The one rule of what text is taken from outside."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import TextError
from provenance.text import require_line, require_plain

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r"]
TURNING = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
SURROGATES = [chr(code) for code in (0xD800, 0xDBFF, 0xDC00, 0xDCFF, 0xDFFF)]
BREAKS = ["\t", "\n", "\r", "\u2028", "\u2029"]
INVISIBLE = ["\u00ad", "\u200b", "\u200e", "\u200f", "\u2060", "\ufeff", "\U000e0041"]
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="".join(TURNING + BREAKS)))


@pytest.mark.parametrize("character", [*CONTROLS, *TURNING, *SURROGATES], ids=lambda char: f"{ord(char):04X}")
def test_what_no_text_has(character: str) -> None:
    for take in (require_plain, lambda text, what: require_line(text, what, most=99)):
        for text in (character, f"a{character}b", f"ab{character}"):
            with pytest.raises(
                TextError, match=rf"^It has U\+{ord(character):04X} as character {text.index(character) + 1},"
            ):
                take(text, "It")


@given(TEXT)
def test_other_text_is_taken_as_it_is(text: str) -> None:
    assert require_plain(text, "It") == text
    assert require_plain(text, "It", breaks=False) == text
    text.encode()


@pytest.mark.parametrize("character", BREAKS)
def test_text_may_have_lines_and_a_name_has_one(character: str) -> None:
    assert require_plain(f"a{character}b", "It") == f"a{character}b"
    for text in (f"a{character}b", f"a{character}"):
        with pytest.raises(TextError, match="on one line"):
            require_plain(text, "It", breaks=False)
        with pytest.raises(TextError, match="on one line"):
            require_line(text, "It", most=99)


@pytest.mark.parametrize("character", INVISIBLE)
def test_a_name_hides_nothing(character: str) -> None:
    with pytest.raises(TextError, match="cannot be seen"):
        require_line(f"a{character}b", "It", most=99)


@pytest.mark.parametrize("name", ["", "   ", "\u00a0\u3000", "\u200d", "\u3164", "\u2800 \u2800", "\u200c \u3164"])
def test_a_name_shows_something(name: str) -> None:
    with pytest.raises(TextError, match="is empty"):
        require_line(name, "It", most=99)


@pytest.mark.parametrize("name", ["\u0301a", " \u20dda", "\u0903"])
def test_a_mark_belongs_on_a_letter(name: str) -> None:
    with pytest.raises(TextError, match="belongs on a letter"):
        require_line(name, "It", most=99)


@pytest.mark.parametrize("name", ["Ada", "🎻", "†††", "!!!", "李焕之", "فيروز", "می\u200cروم", "👩\u200d🎤", "1 2 3"])
def test_names_of_all_kinds(name: str) -> None:
    assert require_line(f"  {name} ", "It", most=99) == name


def test_a_name_has_one_form_and_a_length() -> None:
    assert require_line("Antonín Dvořák", "It", most=99) == unicodedata.normalize("NFC", "Antonín Dvořák")
    assert require_line("x" * 9, "It", most=9) == "x" * 9
    with pytest.raises(TextError, match="10 characters, and at most 9"):
        require_line("x" * 10, "It", most=9)


@given(st.text(st.characters(max_codepoint=sys.maxunicode), max_size=30))
def test_a_name_that_is_taken_can_be_written_shown_and_taken_again(text: str) -> None:
    try:
        name = require_line(text, "It", most=99)
    except TextError as error:
        name = str(error)
    name.encode()
    assert name.splitlines() == [name]
    assert require_line(name, "It", most=399) == name
