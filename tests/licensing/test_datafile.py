import pytest

from licensing import datafile
from licensing.errors import DataFileError, PolicyError
from licensing.vocabulary import Use


def read(text: str) -> datafile.Table:
    return datafile.parse(text, "file.toml")


def test_reads_every_kind_of_value() -> None:
    table = read(
        't = "a\\n b"\nl = ["x"]\nn = 3\nd = 2026-11-20\nf = true\nu = ["sync"]\n[s]\nk = "v"\n[[a]]\nk = "w"\n'
    )
    assert table.text("t") == "a b"
    assert table.texts("l") == ("x",)
    assert table.integer("n", 0, 9) == 3
    assert table.day("d").isoformat() == "2026-11-20"
    assert table.flag("f")
    assert table.choices("u", Use) == (Use.SYNC,)
    assert table.table("s").text("k") == "v"
    assert [entry.text("k") for entry in table.tables("a")] == ["w"]
    table.close()


def test_what_is_left_out_has_one_meaning() -> None:
    table = read("")
    assert table.texts("l") == ()
    assert table.choices("u", Use) == tuple(Use)
    assert list(table.tables("a")) == []
    assert table.optional_day("d") is None
    assert table.optional_integer("n", 0, 9) is None
    table.close()


@pytest.mark.parametrize(
    ("text", "key", "verb", "words"),
    [
        ("", "t", "text", "file.toml lacks the key t"),
        ('t = " "', "t", "text", "must be a text that is not empty"),
        ("t = 1", "t", "text", "the key t is '1'"),
        ('l = ["a", "a"]', "l", "texts", "names something twice"),
        ('l = ["a", 1]', "l", "texts", "must be a list of texts"),
        ("d = 2026-11-20T10:00:00Z", "d", "day", "must be a date such as 2026-11-20"),
        ('d = "2026-11-20"', "d", "day", "without quotes"),
        ('f = "yes"', "f", "flag", "must be true or false"),
        ("s = 1", "s", "table", "must be a table"),
        ("a = 1", "a", "tables", "must be an array of tables"),
    ],
)
def test_says_which_key_of_which_file_is_wrong(text: str, key: str, verb: str, words: str) -> None:
    with pytest.raises(DataFileError) as caught:
        list(getattr(read(text), verb)(key))
    assert words in str(caught.value)
    assert "file.toml" in str(caught.value)


@pytest.mark.parametrize("value", ["10", "-1", "true", "1.0"])
def test_whole_numbers_have_bounds_and_are_not_truths(value: str) -> None:
    with pytest.raises(DataFileError, match="must be a whole number from 0 to 9"):
        read(f"n = {value}").integer("n", 0, 9)


def test_a_member_outside_the_closed_set_is_refused() -> None:
    with pytest.raises(DataFileError, match=r"names 'selling', which is not one of commercial-release, sync"):
        read('u = ["selling"]').choices("u", Use)


def test_a_misspelt_key_is_not_passed_over() -> None:
    table = read('tile = "x"')
    with pytest.raises(DataFileError, match=r"file\.toml has keys that mean nothing here: tile"):
        table.close()


def test_text_that_is_not_toml_is_refused_with_its_line() -> None:
    with pytest.raises(PolicyError, match=r"mine.toml is not TOML: .*line 2"):
        datafile.parse("a = 1\nb =\n", "mine.toml", PolicyError)
