"""Range and If-None-Match, against the definitions of RFC 9110."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ranges import RangeError, Span, is_fresh, requested_span

SIZE = 1000


@given(st.integers(1, 5000), st.integers(0, 6000), st.integers(0, 6000))
def test_a_range_of_first_and_last_byte(size: int, first: int, last: int) -> None:
    file = bytes(index % 251 for index in range(size))
    header = f"bytes={first}-{last}"
    if last < first:
        assert requested_span(header, size) is None
    elif first >= size:
        with pytest.raises(RangeError, match=str(size)):
            requested_span(header, size)
    else:
        span = requested_span(header, size)
        assert span is not None
        assert file[span.start : span.stop] == file[first : last + 1]
        assert span.length == len(file[first : last + 1])


@given(st.integers(1, 5000), st.integers(1, 6000))
def test_a_range_of_last_bytes(size: int, suffix: int) -> None:
    file = bytes(index % 251 for index in range(size))
    span = requested_span(f"bytes=-{suffix}", size)
    assert span is not None
    assert file[span.start : span.stop] == file[-suffix:]


@pytest.mark.parametrize("header", ["bytes=0-9", "BYTES=0-9", " bytes = 0-9 "])
def test_spellings_of_a_range(header: str) -> None:
    assert requested_span(header, SIZE) == Span(0, 10)


def test_a_range_to_the_end() -> None:
    assert requested_span("bytes=990-", SIZE) == Span(990, 1000)


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-1,5-6", "items=0-9", "bytes=0x1-2", "bytes=" + "9" * 40],
)
def test_what_is_no_single_range_is_ignored(header: str) -> None:
    assert requested_span(header, SIZE) is None


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0"])
def test_a_range_beyond_the_file(header: str) -> None:
    with pytest.raises(RangeError, match="1000 bytes"):
        requested_span(header, SIZE)


def test_the_content_range() -> None:
    assert Span(0, 10).content_range(SIZE) == "bytes 0-9/1000"


@pytest.mark.parametrize(
    ("header", "fresh"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ("", False),
        ("a", False),
        ('"b"', False),
        ('"ab"', False),
    ],
)
def test_a_copy_that_is_still_good(header: str, *, fresh: bool) -> None:
    assert is_fresh(header, '"a"') is fresh
