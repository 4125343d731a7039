import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.identity import digest, digest_bytes, digest_from_text, file_digest, is_id, new_id


def test_the_time_in_an_id_is_that_of_the_rfc_9562_example() -> None:
    example = uuid.UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")  # RFC 9562, appendix A.6
    made = uuid.UUID(new_id(0x017F22E279B0))
    assert made.int >> 80 == example.int >> 80
    assert made.version == 7
    assert made.variant == uuid.RFC_4122


@given(st.integers(0, 2**48 - 1))
def test_ids_are_random_and_recognised(milliseconds: int) -> None:
    one, other = new_id(milliseconds), new_id(milliseconds)
    assert one != other
    assert is_id(one)
    assert not is_id(one + "0")


def test_a_file_and_its_bytes_have_one_digest(tmp_path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc" * 100_000)
    assert file_digest(path) == digest(b"abc" * 100_000)


@given(st.binary(max_size=40))
def test_digest_text_is_read_with_and_without_its_prefix(data: bytes) -> None:
    text = digest(data)
    assert digest_from_text(text) == digest_from_text(text.removeprefix("sha256:").upper()) == text
    assert "sha256:" + digest_bytes(text).hex() == text


@pytest.mark.parametrize("text", ["", "sha256:", "sha1:" + "0" * 64, "0" * 63, "sha256:" + "G" * 64, "0" * 65])
def test_other_text_is_no_digest(text: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        digest_from_text(text)
