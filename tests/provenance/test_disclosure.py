import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.disclosure import commit
from provenance.errors import DisclosureError


@given(st.text())
def test_a_commitment_is_hmac_sha256_of_the_value_under_its_salt(value: str) -> None:
    opening = commit(value)
    expected = hmac.new(opening.salt, value.encode(), hashlib.sha256).hexdigest()
    assert opening.commitment == "hmac-sha256:" + expected
    opening.check()


def test_equal_values_have_different_commitments() -> None:
    assert commit("Ada").commitment != commit("Ada").commitment


@given(st.text(), st.text(), st.integers(0, 255))
def test_another_value_or_salt_is_refused(value: str, other: str, bit: int) -> None:
    opening = commit(value)
    salt = bytearray(opening.salt)
    salt[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DisclosureError, match="recompute"):
        replace(opening, salt=bytes(salt)).check()
    if other != value:
        with pytest.raises(DisclosureError, match="recompute"):
            replace(opening, value=other).check()


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(DisclosureError, match="32 bytes"):
        replace(commit("x"), salt=b"short").check()


@pytest.mark.parametrize("value", ["J\udcff", "\ud800", "a\udfffb"])
def test_half_a_character_is_refused(value: str) -> None:
    with pytest.raises(DisclosureError, match="half a character"):
        commit(value)
    with pytest.raises(DisclosureError, match="half a character"):
        replace(commit("J"), value=value).check()
