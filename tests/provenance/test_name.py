"""Names are the same, similar, other, or beyond comparison; a wrong yes is as bad as a wrong no."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import TextError
from provenance.name import Likeness, compare_people, compare_titles, require_words, scripts, tells_people_apart, words
from provenance.openscore import shipped_manifest

ITEMS = shipped_manifest().items
COMPOSERS = sorted({item.composer for item in ITEMS})
TITLES = sorted({item.title for item in ITEMS})
SHORTER = {"van", "de"}
"""Particles in the names above."""
FREE = {
    "van",
    "von",
    "de",
    "der",
    "den",
    "di",
    "da",
    "del",
    "du",
    "des",
    "la",
    "le",
    "zu",
    "zur",
    "ten",
    "ter",
    "af",
    "av",
}
"""Words that add nothing to a name, with `ADDRESS`."""
ADDRESS = {"sir", "dame", "dr", "prof"}
LETTERS = st.characters(categories=["Ll", "Lu"], max_codepoint=0x17F, exclude_characters="\u00b5")


def best(asked: str) -> Likeness:
    return max(compare_people(asked, composer) for composer in COMPOSERS)


def spelled(name: str) -> st.SearchStrategy[str]:
    """The ways in which a full name is written."""
    *given_names, family = name.split()
    plain = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    initials = " ".join(each if each in SHORTER else f"{each[0]}." for each in given_names)
    no_particles = " ".join(each for each in name.split() if each not in SHORTER)
    forms = (
        *(name, name.upper(), name.lower(), plain, unicodedata.normalize("NFD", name), no_particles, family),
        *(f"{family}, {' '.join(given_names)}", f"{family} {' '.join(given_names)}", f"{initials} {family}"),
        *(name.replace("-", " "), name.replace("\u2019", "'"), f"  {name}  "),
    )
    return st.sampled_from(forms)


@given(st.sampled_from(COMPOSERS).flatmap(lambda name: st.tuples(st.just(name), spelled(name))))
def test_a_composer_is_found_however_the_name_is_written(pair: tuple[str, str]) -> None:
    known, asked = pair
    assert compare_people(asked, known) == Likeness.SAME


@given(st.sampled_from(COMPOSERS), st.sampled_from(COMPOSERS), st.data())
def test_a_yes_leaves_no_word_unexplained(known: str, other: str, data: st.DataObject) -> None:
    pool = [*words(known), *words(other), *(word[0] for word in words(known)), "van", "sir", "x"]
    asked = " ".join(data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=5)))
    if compare_people(asked, known) == Likeness.SAME:
        assert words(known)[-1] in words(asked)
        for word in words(asked):
            assert word in {*words(known), "van", "sir"} or any(name.startswith(word) for name in words(known))


@given(st.sampled_from(COMPOSERS), st.text(LETTERS, min_size=2, max_size=8), st.sampled_from(["{0} {1}", "{1} {0}"]))
def test_a_further_name_is_never_a_no_nor_a_yes(known: str, further: str, form: str) -> None:
    word = words(further)[0]
    if len(word) > 1 and word not in {*words(known), *FREE, *ADDRESS}:
        assert compare_people(form.format(known, further), known) == Likeness.SIMILAR


@given(st.sampled_from(COMPOSERS), st.data())
def test_a_slip_of_the_pen_is_never_a_no(known: str, data: st.DataObject) -> None:
    family = words(known)[-1]
    at = data.draw(st.integers(0, len(family) - 1))
    slip = data.draw(st.sampled_from(["drop", "double", "swap"]))
    letter = {"drop": "", "double": family[at] * 2, "swap": "x"}[slip]
    asked = family[:at] + letter + family[at + 1 :]
    assert best(asked) >= Likeness.SIMILAR


@given(st.sampled_from(COMPOSERS), st.sampled_from("ЯШЖλψ李ハ한אش"), st.integers(0, 40))
def test_letters_of_another_script_are_neither_a_yes_nor_a_no(known: str, letter: str, at: int) -> None:
    asked = known[:at] + letter + known[at + 1 :]
    assert {compare_people(asked, composer) for composer in COMPOSERS} == {Likeness.INCOMPARABLE}


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("Ludwig von Beethoven", "Ludwig van Beethoven"),
        ("L. v. Beethoven", "Ludwig van Beethoven"),
        ("Beethoven", "Ludwig van Beethoven"),
        ("W. A. Mozart", "Wolfgang Amadeus Mozart"),
        ("DVORAK, Antonin", "Antonín Dvořák"),
        ("Bartók Béla", "Béla Bartók"),
        ("Joseph Haydn", "Haydn, Joseph"),
        ("d'Indy", "Vincent d\u2019Indy"),
        ("Indy", "Vincent d\u2019Indy"),
        ("Saint Georges", "Joseph Bologne Saint-Georges"),
        ("Arriaga", "Juan Crisóstomo de Arriaga"),
        ("E.J. Moeran", "Ernest John Moeran"),
        ("Sir Edward Elgar", "Edward Elgar"),
        ("Soren Lodz", "Søren Łódź"),
        ("Strasse", "Straße"),
        ("李焕之", "李焕之"),
    ],
)
def test_the_same_person(asked: str, known: str) -> None:
    assert compare_people(asked, known) == Likeness.SAME


@pytest.mark.parametrize(
    "asked",
    [
        *("Franz Joseph Haydn", "Michael Haydn", "M. Haydn", "E. Haydn", "von Haydn", "Hayden", "Haiden", "Hayd"),
        *("Mendelssohn Bartholdy", "Felix Mendelssohn-Bartholdy", "Fanny Mendelssohn", "Clara Schumann"),
        *("Chevalier de Saint-Georges", "Joseph Boulogne, Chevalier de Saint-Georges", "Georges", "SaintGeorges"),
        *("Glasunow", "Alexander Konstantinowitsch Glasunow", "Borodine", "Jan Václav Kalivoda", "Janatschek"),
        *("Mrs. H. H. A. Beach", "Mr. Beach", "Mueller-Hermann", "Hermann", "Smith", "Dvorack", "Ravell"),
        *("Wolfgang", "Wolfgang Amadeus", "Joseph", "Amy", "Joseph Bologne", "Jack Moeran", "WA Mozart", "JosephHaydn"),
        *("Leopold Mozart", "Johann Strauss", "Haydn and Mozart", "Mozart Mozart", "vanBeethoven"),
    ],
)
def test_what_may_be_one_of_the_composers(asked: str) -> None:
    assert best(asked) == Likeness.SIMILAR


@pytest.mark.parametrize(
    "asked",
    [
        *(
            "Igor Stravinsky",
            "Stravinsky",
            "Johann Sebastian Bach",
            "Dmitri Shostakovich",
            "Gustav Mahler",
            "Max Bruch",
        ),
        *(
            "Franz Liszt",
            "Richard Wagner",
            "Camille Saint-Saëns",
            "Carl Czerny",
            "Taylor Swift",
            "Bernard Rands",
            "Van Halen",
        ),
    ],
)
def test_who_is_none_of_the_composers(asked: str) -> None:
    assert best(asked) == Likeness.OTHER


@pytest.mark.parametrize("known", ["?", "🎻", " - "])
def test_a_known_name_without_words_is_nobody_s(known: str) -> None:
    for asked in ("Haydn", "Sir", "123"):
        assert compare_people(asked, known) == Likeness.INCOMPARABLE


@pytest.mark.parametrize("asked", ["a", "J. H.", "van", "de la", "Sir", "W. A."])
def test_what_tells_nobody_apart(asked: str) -> None:
    assert not tells_people_apart(asked)
    assert best(asked) < Likeness.SAME


@given(st.text(max_size=20))
def test_a_name_without_words_is_none(text: str) -> None:
    if words(text):
        assert require_words(text, "It") == text
    else:
        with pytest.raises(TextError, match="nothing to look for"):
            require_words(text, "It")


@pytest.mark.parametrize("text", ["🎻", "-", "\udcff", "…", "\u0301", "♭️"[1:], "👩\u200d🎤", "''"])
def test_signs_are_no_words(text: str) -> None:
    assert words(text) == ()


def test_the_words_and_scripts_of_a_name() -> None:
    assert words("Quartet in B♭, №\u00a012: „Jagd“ (K.458)") == (
        "quartet",
        "in",
        "b",
        "flat",
        "no",
        "12",
        "jagd",
        "k",
        "458",
    )
    assert words("ﬁŁœ") == ("filoe",)
    assert scripts("Béla Bartók, 1881") == {"Latin"}
    assert scripts("\u041d\u0430ydn") == {"Cyrillic", "Latin"}
    assert scripts("12 🎻") == frozenset()


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_the_same_as_itself(title: str) -> None:
    for written in (title, title.upper(), unicodedata.normalize("NFD", title), title.replace(",", ""), f" {title}."):
        assert compare_titles(written, title) == Likeness.SAME


@given(st.sampled_from(TITLES), st.data())
def test_a_title_is_no_run_of_words_that_ends_anywhere(title: str, data: st.DataObject) -> None:
    told = words(title)
    start = data.draw(st.integers(0, len(told) - 1))
    asked = told[start : data.draw(st.integers(start + 1, len(told)))]
    found = compare_titles(" ".join(asked), title)
    assert found in {Likeness.SAME, Likeness.SIMILAR}
    if asked[0] in {"in", "no", "quartet", "major", "minor"} or asked in {("a",), ("string",), ("the",)}:
        assert found == Likeness.SIMILAR


AMERICAN = "String Quartet No.12 in F major, Op.96 (“American”)"
HUNT = "String Quartet No.18 in A major, K.464/b (Op. 10, No. 5)"


@pytest.mark.parametrize(
    ("asked", "title", "likeness"),
    [
        ("String Quartet", AMERICAN, Likeness.SAME),
        ("String Quartet No. 12", AMERICAN, Likeness.SAME),
        ("string quartet no 12 in f MAJOR op 96 american", AMERICAN, Likeness.SAME),
        ("Op.96", AMERICAN, Likeness.SAME),
        ("American", AMERICAN, Likeness.SAME),
        ("Op. 96, 'American'", AMERICAN, Likeness.SAME),
        ("Quartet", AMERICAN, Likeness.SIMILAR),
        ("No.12", AMERICAN, Likeness.SIMILAR),
        ("in F major", AMERICAN, Likeness.SIMILAR),
        ("F", AMERICAN, Likeness.SIMILAR),
        ("String Quartet No.96", AMERICAN, Likeness.SIMILAR),
        ("Amerikan", AMERICAN, Likeness.SIMILAR),
        ("The American", AMERICAN, Likeness.OTHER),
        ("Американский", AMERICAN, Likeness.INCOMPARABLE),
        ("K.464", HUNT, Likeness.SAME),
        ("Op.10 No.5", HUNT, Likeness.SAME),
        ("Op.18 No.5 in A major", HUNT, Likeness.SIMILAR),
        ("No.5", HUNT, Likeness.SIMILAR),
        ("String Quartet in B major", "String Quartet in B♭ major", Likeness.SIMILAR),
        ("String Quartet in B-flat major", "String Quartet in B♭ major", Likeness.SAME),
        ("Night", "Night in the Tropics", Likeness.SIMILAR),
        ("No Man\u2019s Land", "No Man's Land", Likeness.SAME),
    ],
)
def test_titles(asked: str, title: str, likeness: Likeness) -> None:
    assert compare_titles(asked, title) == likeness
