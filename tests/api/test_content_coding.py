"""Which clients are sent gzip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.content_coding import prefers_gzip

LARGE, SMALL = 1024, 1023


@pytest.mark.parametrize(
    ("header", "large", "small"),
    [
        ("", False, False),
        ("gzip", True, False),
        ("x-gzip", True, False),
        ("GZip;Q=1.000", True, False),
        ("deflate, gzip;q=1.0, *;q=0.5", True, False),
        ("\tgzip\t;\tq=0.7 ,, br", True, False),
        ("*", True, False),
        ("gzip;q=0", False, False),
        ("gzip;q=0.", False, False),
        ("gzip;q=0.000", False, False),
        ("x-gzip;q=0, *", False, False),
        ("*;q=0", False, False),
        ("br", False, False),
        ("identity", False, False),
        ("identity;q=0", False, False),
        ("gzip;q=0, identity;q=0", False, False),
        ("gzip, identity;q=0", True, True),
        ("gzip;q=0.001, *;q=0", True, True),
        ("identity;q=0, *;q=0.5", True, True),
        ("gzip;q=0.5, identity;q=0.5", True, False),
        ("gzip;q=0.499, identity;q=0.5", False, False),
        ("gzip;q=0.2, *;q=0.3", False, False),
        ("gzip;q=x", False, False),
        ("gzip;q=1.001", False, False),
        ("gzip;q=0.0001", False, False),
        ("gzip;level=9", False, False),
        ("gzipped", False, False),
        ("not-gzip, br", False, False),
        ("gzip deflate", False, False),
        ("\xff", False, False),
    ],
)
def test_by_what_it_says(header: str, *, large: bool, small: bool) -> None:
    assert (prefers_gzip(header, LARGE), prefers_gzip(header, SMALL)) == (large, small)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_more_welcome_form_is_sent(gzip: int, plain: int) -> None:
    header = f"identity;q={_weight(plain)},gzip;q={_weight(gzip)}"
    assert prefers_gzip(header, LARGE) == (gzip > 0 and gzip >= plain)


@given(st.text(st.characters(max_codepoint=255)), st.integers(0, 5000))
def test_nothing_that_is_said_is_a_fault_or_overrules_a_refusal(text: str, size: int) -> None:
    prefers_gzip(text, size)
    assert not prefers_gzip(f"{text},gzip;q=0", size)


def _weight(thousandths: int) -> str:
    return f"{thousandths // 1000}.{thousandths % 1000:03}"
