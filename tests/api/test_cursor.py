"""Cursors are read back as they were written, and nothing else is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursor import cursor, place
from api.errors import UsageError


@given(st.integers(0, 10**18 - 1))
def test_round_trip(before: int) -> None:
    assert place(cursor(before)) == before


@given(st.text(max_size=60))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    try:
        found = place(text)
    except UsageError as error:
        assert "is not a cursor" in str(error)  # noqa: PT017 - the other outcome is asserted below
    else:
        assert cursor(found) == text


@pytest.mark.parametrize("text", ["", "50", "YmVmb3JlIDA1", cursor(5) + "=", "é"])
def test_near_misses(text: str) -> None:
    with pytest.raises(UsageError):
        place(text)
