import json
from dataclasses import dataclass, field, replace
from datetime import date

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from licensing.document import HIDDEN, as_document, document_digest
from licensing.vocabulary import Use


@dataclass(frozen=True)
class Thing:
    name: str
    day: date
    uses: frozenset[Use]
    derived: int = field(default=0, metadata=HIDDEN)


THING = Thing("Große Fuge", date(1827, 5, 10), frozenset({Use.SYNC, Use.BROADCAST}), 9)


def test_turns_what_we_use_into_json_without_floats() -> None:
    assert as_document([THING, {"none": None, "n": 1, "yes": True}]) == [
        {"name": "Große Fuge", "day": "1827-05-10", "uses": ["broadcast", "sync"]},
        {"none": None, "n": 1, "yes": True},
    ]


@pytest.mark.parametrize("value", [1.5, object(), Thing, b"bytes"])
def test_refuses_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(TypeError, match="has no canonical form"):
        as_document([value])


def test_what_is_derived_does_not_count_and_everything_else_does() -> None:
    assert document_digest(replace(THING, derived=1)) == document_digest(THING)
    assert document_digest(replace(THING, uses=frozenset())) != document_digest(THING)
    assert document_digest(THING).startswith("sha256:")


ROWS = st.lists(st.lists(st.none() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8"))))


@given(ROWS)
def test_rows_of_text_and_numbers_have_one_form_by_two_writers(rows: list[list[int | str | None]]) -> None:
    # closure.py writes a corpus's items with json.dumps for speed: it must give the RFC 8785 bytes.
    assert json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode() == rfc8785.dumps(as_document(rows))
