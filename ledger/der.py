"""DER (ITU-T X.690), as far as a time stamp needs it: elements with one-byte tags and definite lengths.

Nothing is nested here: an element's content is octets, and whoever expects elements in them asks again.
Why it is our own: `docs/adr/0013-own-der-where-libraries-stop.md`.
"""

from dataclasses import dataclass
from typing import Final

from ledger.errors import TimeStampError, shown

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30
SET: Final = 0x31
CONTEXT_0: Final = 0xA0
"""Tag of a constructed element `[0]`."""

_HEADER_BYTES = 2
_HIGH_TAG = 0x1F
_LONG_LENGTH = 0x80
_MAX_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Element:
    """One element: identifier, length and content.

    Attributes:
        tag: The identifier octet.
        content: The content octets.
        whole: All of its octets.
    """

    tag: int
    content: bytes
    whole: bytes


def elements(data: bytes) -> list[Element]:
    """Takes octets apart into the elements that stand one after the other.

    Args:
        data: The content of a constructed element, or a whole document.

    Returns:
        The elements, which together are all of `data`.

    Raises:
        TimeStampError: The octets are not whole elements with definite lengths in their shortest form.
    """
    found = []
    start = 0
    while start < len(data):
        element = _element(data, start)
        found.append(element)
        start += len(element.whole)
    return found


def parts(data: bytes, *tags: int, more: bool = False) -> list[Element]:
    """Takes octets apart that have to be elements with the given tags, in this order.

    Args:
        data: As for `elements`.
        tags: One per element.
        more: Whether others may follow.

    Raises:
        TimeStampError: They are not.
    """
    found = elements(data)
    if [each.tag for each in found[: len(tags)]] != list(tags) or (len(found) > len(tags) and not more):
        raise TimeStampError(
            f"The time stamp holds elements with the tags {shown([each.tag for each in found])}, where RFC 3161 has "
            f"{list(tags)}. Get the original time stamp again."
        )
    return found


def encode(tag: int, *contents: bytes) -> bytes:
    """Returns one element whose content is what is given, joined."""
    content = b"".join(contents)
    size = len(content)
    if size < _LONG_LENGTH:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, _LONG_LENGTH | len(length)]) + length + content


def _element(data: bytes, start: int) -> Element:
    header = data[start : start + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES or header[0] & _HIGH_TAG == _HIGH_TAG:
        raise _refused(header)
    tag, size = header
    content_start = start + _HEADER_BYTES
    if size & _LONG_LENGTH:
        length = data[content_start : content_start + min(size & ~_LONG_LENGTH, _MAX_LENGTH_BYTES)]
        content_start += len(length)
        size = int.from_bytes(length, "big")
    content = data[content_start : content_start + size]
    whole = data[start : content_start + size]
    if len(content) != size or encode(tag, content) != whole:  # of several ways to write a length, one is DER
        raise _refused(header)
    return Element(tag, content, whole)


def _refused(header: bytes) -> TimeStampError:
    return TimeStampError(
        f"The time stamp is not DER where it goes on with the bytes {shown(header.hex())}: a tag or a length is not in "
        "its one form, or octets are missing. Get the original time stamp again."
    )
