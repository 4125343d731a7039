"""The strict readings that every C2SP text shares: base64 and decimal, one form each.

A value that could be written in two ways could be changed without anybody noticing, so only
the canonical form is read: RFC 4648 section 4 with its padding and zero trailing bits, and
ASCII decimal without sign or leading zero.
"""

import binascii
import re

from ledger.errors import LedgerError, shown

MAX_NUMBER = 2**63 - 1
"""Largest tree size, index or time stamp: what fits a signed 64-bit database column."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def encode_base64(data: bytes) -> str:
    """Returns standard base64 with padding (RFC 4648 section 4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_base64(text: str, what: str, error: type[LedgerError]) -> bytes:
    """Reads canonical base64.

    Args:
        text: What was found.
        what: What it should be, for the message ("the root hash").
        error: The class to raise.

    Returns:
        The decoded bytes.

    Raises:
        LedgerError: As `error`, when the text is not base64 or not in its canonical form.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as fault:
        raise error(f"{what} is not base64: {shown(text)}; ask its sender for an undamaged copy.") from fault
    last = encode_base64(data[-(len(data) % 3 or 3) :])  # only there can one value be written in two ways
    if text.endswith(last) and len(text) == (len(data) + 2) // 3 * 4:
        return data
    raise error(
        f"{what} is base64 in a form that is not canonical: {shown(text)}, where "
        f"{shown(encode_base64(data))} is the only form accepted; ask its sender for the "
        "original bytes."
    )


def decode_decimal(text: str, what: str, error: type[LedgerError]) -> int:
    """Reads an ASCII decimal from 0 to `MAX_NUMBER`, without sign or leading zeroes.

    Args:
        text: What was found.
        what: What it should be, for the message ("the tree size").
        error: The class to raise.

    Returns:
        The number.

    Raises:
        LedgerError: As `error`, when the text is anything else.
    """
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_NUMBER:
        raise error(
            f"{what} is {shown(text)}, which is not a decimal number from 0 to 2^63-1 without "
            "leading zeroes; ask its sender for an undamaged copy."
        )
    return int(text)
