import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.der import SEQUENCE, SET, elements, encode, parts
from ledger.errors import TimeStampError

TAGS = st.integers(0, 255).filter(lambda tag: tag & 0x1F != 0x1F)
CONTENTS = st.binary(max_size=300) | st.sampled_from([bytes(127), bytes(128), bytes(255), bytes(256), bytes(65536)])


@given(st.lists(st.tuples(TAGS, CONTENTS), max_size=4))
def test_what_is_encoded_is_read(pairs: list[tuple[int, bytes]]) -> None:
    data = b"".join(encode(tag, content) for tag, content in pairs)
    found = elements(data)
    assert [(each.tag, each.content) for each in found] == pairs
    assert b"".join(each.whole for each in found) == data


@given(st.binary(max_size=12))
def test_what_is_read_has_one_form(data: bytes) -> None:
    try:
        found = elements(data)
    except TimeStampError:
        return
    assert b"".join(encode(each.tag, each.content) for each in found) == data


@pytest.mark.parametrize(
    "data",
    [
        "30",  # no length
        "3001",  # no content
        "30810100",  # a length in a longer form than it needs
        "3082008000",
        "3080",  # an indefinite length
        "30800000",
        "30ff",
        "3085000000000100",  # a length of five octets
        "1f1f00",  # a tag of two octets
        "300000",  # half an element after a whole one
    ],
)
def test_other_encodings_are_refused(data: str) -> None:
    with pytest.raises(TimeStampError, match="not DER"):
        elements(bytes.fromhex(data))


def test_parts_are_of_the_given_tags() -> None:
    data = encode(SEQUENCE) + encode(SET, b"\x05\x00")
    assert [each.whole for each in parts(data, SEQUENCE, SET)] == [b"\x30\x00", b"\x31\x02\x05\x00"]
    assert len(parts(data, SEQUENCE, more=True)) == 2
    for tags, more in [((SEQUENCE,), False), ((SET, SEQUENCE), True), ((SEQUENCE, SET, SET), True)]:
        with pytest.raises(TimeStampError, match=r"tags '\[48, 49\]'|tags \[48, 49\]"):
            parts(data, *tags, more=more)
