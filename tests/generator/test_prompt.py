"""Reading prompts: words, forms, negations, and what is left over."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from generator.errors import RequestError
from generator.prompt import MAX_CHARACTERS, PATTERNS, normalise, parse_key, parse_metre, read_prompt
from generator.vocabulary import FILLERS, METRES, RULES


def said(prompt: str) -> list[tuple[str, str]]:
    return [(effect.control, effect.value) for _, effect in read_prompt(prompt).effects]


def unmatched(prompt: str) -> tuple[str, ...]:
    return read_prompt(prompt).unmatched


@pytest.mark.parametrize("words", [words for rule in RULES for words in rule.words])
def test_every_word_of_the_table_is_understood(words: str) -> None:
    [rule] = [rule for rule in RULES if words in rule.words]
    for spelling in (words, words.upper(), f"({words})", words.replace(" ", "  "), f"some {words}, please!"):
        reading = read_prompt(spelling)
        assert reading.unmatched == ()
        assert tuple(effect for _, effect in reading.effects) == rule.effects


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.example)
def test_every_example_of_a_form_is_understood(pattern: object) -> None:
    for example_ in pattern.example.split(", "):
        assert unmatched(example_) == ()
        assert said(example_)


def test_words_stand_as_in_the_prompt() -> None:
    [(words, _)] = read_prompt("Allegro  Ma\nNon Troppo").effects
    assert words == "Allegro Ma Non Troppo"


@pytest.mark.parametrize(
    ("prompt", "effects"),
    [
        ("D minor", [("tonic", "D"), ("mode", "minor")]),
        ("in f-sharp minor", [("tonic", "F#"), ("mode", "minor")]),
        ("B♭ major", [("tonic", "Bb"), ("mode", "major")]),
        ("Ebmaj", [("tonic", "Eb"), ("mode", "major")]),
        ("in the key of A flat major", [("tonic", "Ab"), ("mode", "major")]),
        ("in a minor", [("tonic", "A"), ("mode", "minor")]),
        ("A minor", [("tonic", "A"), ("mode", "minor")]),
        ("a minor theme", [("mode", "minor")]),
        ("in a minor key", [("mode", "minor")]),
        ("in A", [("tonic", "A")]),
        ("in a slow tempo", [("tempo_bpm", "44-76")]),
        ("key of Bb", [("tonic", "Bb")]),
        ("F#", [("tonic", "F#")]),
        ("Cb major", [("tonic", "B"), ("mode", "major")]),
    ],
)
def test_keys(prompt: str, effects: list[tuple[str, str]]) -> None:
    assert said(prompt) == effects


@pytest.mark.parametrize(
    ("prompt", "effects"),
    [
        ("in 3/4 time", [("metre", "3/4")]),
        ("12/8", [("metre", "12/8")]),
        ("at 96 bpm", [("tempo_bpm", "96")]),
        ("♩=120", [("tempo_bpm", "120")]),
        ("8 bars", [("bars", "8")]),
        ("a twelve-bar piece", [("bars", "12")]),
        ("30 seconds", [("seconds", "30")]),
        ("90s", [("seconds", "90")]),
        ("30-second", [("seconds", "30")]),
        ("two minutes", [("seconds", "120")]),
        ("a minute", [("seconds", "60")]),
        ("half a minute", [("seconds", "30")]),
        ("1 minute and 20 seconds", [("seconds", "80")]),
        ("two and a half minutes", [("seconds", "150")]),
        ("a minute and a half", [("seconds", "90")]),
        ("thirty-second notes", [("density", "busy")]),
    ],
)
def test_metres_tempos_and_lengths(prompt: str, effects: list[tuple[str, str]]) -> None:
    assert said(prompt) == effects


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ("a second theme", ("second", "theme")),
        ("in 5/4", ("5/4",)),
        ("es-moll", ("es-moll",)),
        ("like Haydn", ("like", "Haydn")),
        ("4.5 seconds", ("4.5", "seconds")),
        ("3/4/5", ("3/4/5",)),
        ("as", ()),
        ("slowness", ("slowness",)),
        ("🎻🎻 sad 🎻🎻 …", ("🎻🎻",)),
        ("👩🏽‍🎤", ("👩🏽‍🎤",)),
        ("“Dreamy”, \u2013 ok?", ("ok",)),
        ("日本の音楽", ("日本の音楽",)),
    ],
)
def test_what_is_not_understood_is_handed_back(prompt: str, left: tuple[str, ...]) -> None:
    assert unmatched(prompt) == left


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ("not fast", "not fast"),
        ("not too fast, calm", "not too fast"),
        ("don't be sad", "don't be sad"),
        ("without a cello", "without a cello"),
        ("less busy", "less busy"),
        ("never in a minor", "never in a minor"),
    ],
)
def test_negated_words_are_not_understood(prompt: str, left: str) -> None:
    assert unmatched(prompt) == (left,)
    assert not {effect for _, effect in read_prompt(prompt).effects} & {
        effect for _, effect in read_prompt(left).effects
    }


def test_a_negation_reaches_one_word_only() -> None:
    assert said("not fast but sad") == said("sad")
    assert said("allegro ma non troppo") == [("tempo_bpm", "104-126")]


@pytest.mark.parametrize("prompt", ["20 bpm", "300 bpm", "0 bars", "3 hours", "1 second", "999999 minutes"])
def test_numbers_out_of_bounds_are_refused(prompt: str) -> None:
    with pytest.raises(RequestError, match=f"asks for '{prompt}'; from "):
        read_prompt(prompt)


# Text ---------------------------------------------------------------------------------------------


def test_text_is_composed() -> None:
    assert normalise("bourre\u0301e") == "bourrée"
    assert said("bourre\u0301e") == said("bourrée") != []


def test_line_breaks_are_spaces() -> None:
    assert said("allegro\nma\tnon\r\ntroppo") == said("allegro ma non troppo")


@pytest.mark.parametrize("letter", ["\x00", "\x1b", "\x7f", "\x85", "\ud800"])
def test_control_characters_are_refused(letter: str) -> None:
    with pytest.raises(RequestError, match=rf"U\+{ord(letter):04X} at position 4"):
        normalise(f"calm{letter}")


def test_long_prompts_are_refused() -> None:
    assert normalise("é" * MAX_CHARACTERS)
    with pytest.raises(RequestError, match="2001 characters"):
        normalise("a" * (MAX_CHARACTERS + 1))
    with pytest.raises(RequestError, match="1048576 characters"):
        normalise("a" * 2**20)


@given(st.text(max_size=200))
@example("in " * 600)
@example("1 minute " * 200)
@example("not " * 500 + "fast")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        reading = read_prompt(text)
    except RequestError:
        return
    assert all(word in " ".join(unicodedata.normalize("NFC", text).split()) for word in reading.unmatched)


VOCABULARY = [words for rule in RULES for words in rule.words]
LETTERS = st.text(st.characters(categories=["Ll", "So"]), min_size=1, max_size=12)


@given(st.lists(st.sampled_from([*VOCABULARY, *sorted(FILLERS), "8", "in", "bars"]) | LETTERS, max_size=8))
def test_no_word_is_dropped(words: list[str]) -> None:
    """Every word is matched, handed back or a filler."""
    try:
        reading = read_prompt(" , ".join(words))
    except RequestError:
        return
    used = {word.casefold() for match, _ in reading.effects for word in match.split()}
    left = {word.casefold() for words in reading.unmatched for word in words.split()}
    always = {word for rule in RULES if not rule.effects for words in rule.words for word in words.split()}
    for word in unicodedata.normalize("NFC", " ".join(words)).casefold().split():
        assert word in used | left | FILLERS | always


# Options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("D minor", (2, "minor")),
        ("F#", (6, None)),
        ("Bb major", (10, "major")),
        ("b", (11, None)),
        ("e-flat minor", (3, "minor")),
        ("C♯m", (1, "minor")),
        ("G sharp MAJOR", (8, "major")),
        (" a  min ", (9, "minor")),
        ("Fb", (4, None)),
    ],
)
def test_key_names(text: str, key: tuple[int, str | None]) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize("text", ["", "H", "es-moll", "D dorian", "D minor D", "BB", "do mineur", "D" * 5000, "minor"])
def test_other_key_names_are_refused(text: str) -> None:
    with pytest.raises(RequestError, match="is not a key") as caught:
        parse_key(text)
    assert len(str(caught.value)) < 300


def test_metre_names() -> None:
    assert [parse_metre(text) for text in METRES][:2] == [(2, 4), (3, 4)]
    for text in ("5/4", "3", "3 / 4", "", "0/0", "x" * 5000):
        with pytest.raises(RequestError, match="is not a metre"):
            parse_metre(text)
