import base64
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import MAX_NUMBER, decode_base64, decode_decimal, encode_base64
from ledger.errors import ProofError


@given(st.binary(max_size=100))
def test_base64_round_trip(data: bytes) -> None:
    assert decode_base64(encode_base64(data), "it", ProofError) == data


@given(st.text(alphabet="AQgw+/-_= \n", max_size=9))
def test_base64_has_one_form(text: str) -> None:
    try:
        data = decode_base64(text, "it", ProofError)
    except ProofError:
        return
    assert encode_base64(data) == text


def test_short_texts_are_read_exactly_when_they_are_what_would_be_written() -> None:
    for text in ("".join(characters) for length in range(6) for characters in product("Aw/=-\n", repeat=length)):
        try:
            written = encode_base64(base64.b64decode(text))  # which reads every form that there is
        except ValueError:
            written = None
        try:
            read = encode_base64(decode_base64(text, "it", ProofError))
        except ProofError:
            read = None
        assert read == (text if written == text else None), text


@pytest.mark.parametrize(
    "text", ["QQ", "QR==", "QQ==\n", " QQ==", "QQ=", "Q", "Q-_=", "é", "QQ==QQ==", "QUFB=", "QUFB===="]
)
def test_base64_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(ProofError, match=r"The hash is .*base64"):
        decode_base64(text, "The hash", ProofError)


@given(st.integers(min_value=0, max_value=MAX_NUMBER))
def test_decimal_round_trip(number: int) -> None:
    assert decode_decimal(str(number), "it", ProofError) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        "01",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1_0",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "1e3",
        "0x1",
        str(MAX_NUMBER + 1),
        "9" * 5000,
    ],
)
def test_decimal_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(ProofError, match=r"The size is .*decimal"):
        decode_decimal(text, "The size", ProofError)
