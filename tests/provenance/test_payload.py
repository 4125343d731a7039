"""JSON from outside has one meaning, or is refused; whatever is sent, it ends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import (
    AdmissionError,
    DeepJsonError,
    DuplicateMemberError,
    InexactNumberError,
    InvalidTextError,
    MalformedJsonError,
    NotANumberError,
)
from provenance.payload import read_json

DEPTH = 8
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), children, max_size=3)
    ),
    max_leaves=12,
)


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(VALUES)
def test_what_is_meant_is_read(value: object) -> None:
    assert read_json(json.dumps(value).encode(), 20) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode(), 20) == value


@given(VALUES)
def test_the_depth_is_that_of_the_brackets_and_not_of_texts(value: object) -> None:
    value = ['[[[[[{{{{\\"[[', value]
    data = json.dumps(value).encode()
    assert read_json(data, depth(value)) == value
    with pytest.raises(DeepJsonError, match=f"more than {depth(value) - 1} levels"):
        read_json(data, depth(value) - 1)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"[" * 65_000, DeepJsonError),
        (b'{"a":' * 13_000, DeepJsonError),
        (b"[" * 9 + b"]" * 9, DeepJsonError),
        (b'{"a":1,"a":1}', DuplicateMemberError),
        (b'{"a":1,"\\u0061":2}', DuplicateMemberError),
        (b'[{"b":{"a":[],"c":1,"a":[]}}]', DuplicateMemberError),
        (b"1.5", InexactNumberError),
        (b"[1.0]", InexactNumberError),
        (b"1e3", InexactNumberError),
        (b"-0.0", InexactNumberError),
        (b"1E400", InexactNumberError),
        (b"9007199254740992", InexactNumberError),
        (b"-9007199254740992", InexactNumberError),
        (b"9" * 60_000, InexactNumberError),
        (b"NaN", NotANumberError),
        (b'{"a":Infinity}', NotANumberError),
        (b"[-Infinity]", NotANumberError),
        (b'"\xff"', InvalidTextError),
        (b'"\xc0\x80"', InvalidTextError),
        (b'"\xed\xa0\x80"', InvalidTextError),
        (b'"\xf4\x90\x80\x80"', InvalidTextError),
        (b"\xff\xfe{\0}\0", InvalidTextError),
        (b'["\\ud800"]', InvalidTextError),
        (b'{"\\udc00\\ud800":1}', InvalidTextError),
        (b"", MalformedJsonError),
        (b"{", MalformedJsonError),
        (b"\xef\xbb\xbf{}", MalformedJsonError),
        (b"{} {}", MalformedJsonError),
        (b"[1,]", MalformedJsonError),
        (b"'a'", MalformedJsonError),
        (b"01", MalformedJsonError),
        (b'"\n"', MalformedJsonError),
        (b'"\\x"', MalformedJsonError),
        (b'"' * 65_001, MalformedJsonError),
        (b'"\\"' * 21_000, MalformedJsonError),
        (b'\\"' * 32_000, MalformedJsonError),
        (b"]" * 32_000 + b"[" * 32_000, MalformedJsonError),
    ],
    ids=lambda value: repr(value[:16]) if isinstance(value, bytes) else value.__name__,
)
def test_what_has_no_one_meaning_is_refused_with_its_own_error(data: bytes, error: type[AdmissionError]) -> None:
    with pytest.raises(AdmissionError) as refused:
        read_json(data, DEPTH)
    assert type(refused.value) is error


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    assert read_json(b'["\\ud83c\\udfb5", "\\\\ud800"]', DEPTH) == ["\N{MUSICAL NOTE}", "\\ud800"]


def test_numbers_up_to_the_last_safe_one_are_read() -> None:
    assert read_json(b"[9007199254740991,-9007199254740991,0]", DEPTH) == [2**53 - 1, -(2**53) + 1, 0]


@given(st.binary(max_size=80) | st.text(alphabet='{}[]",:\\u0019.eEtrufalsnN-I ', max_size=60).map(str.encode))
def test_any_bytes_are_a_document_or_one_of_our_errors(data: bytes) -> None:
    try:
        value = read_json(data, DEPTH)
    except AdmissionError:
        return
    assert json.loads(data) == value
    assert depth(value) <= DEPTH
