"""ISCC Audio-Codes, against the reference implementation's own vectors and decoder."""

import json
from importlib.resources import files

import iscc_core
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.chroma import Fingerprint
from fingerprint.errors import InsufficientEvidenceError
from fingerprint.iscc import audio_code, distance

VECTORS = json.loads(files("iscc_core").joinpath("data.json").read_text("utf-8"))["gen_audio_code_v0"]
CONTENT, AUDIO, V0, BITS_64 = 2, 2, 0, 1
ITEMS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=60)


def print_of(items: list[int]) -> Fingerprint:
    return Fingerprint(np.array(items, np.uint32), 10_000)


@pytest.mark.parametrize("name", [name for name, vector in VECTORS.items() if vector["inputs"][0]])
def test_the_vectors_of_the_reference_implementation(name: str) -> None:
    (signed, bits), expected = VECTORS[name]["inputs"], VECTORS[name]["outputs"]["iscc"]
    code = audio_code(print_of([item & 0xFFFFFFFF for item in signed]))
    *_, expected_digest = iscc_core.iscc_decode(expected)
    *_, digest = iscc_core.iscc_decode(code)
    assert bits >= 64
    assert digest == expected_digest[:8]


@given(ITEMS)
def test_the_text_says_what_it_is(items: list[int]) -> None:
    code = audio_code(print_of(items))
    assert code.startswith("ISCC:EIA")
    main_type, sub_type, version, length, digest = iscc_core.iscc_decode(code)
    assert (main_type, sub_type, version, length) == (CONTENT, AUDIO, V0, BITS_64)
    assert len(digest) == 8


@given(ITEMS, ITEMS)
def test_distance_counts_bits(one: list[int], other: list[int]) -> None:
    codes = [audio_code(print_of(items)) for items in (one, other)]
    digests = [int.from_bytes(iscc_core.iscc_decode(code)[4]) for code in codes]
    assert distance(*codes) == (digests[0] ^ digests[1]).bit_count()
    assert distance(codes[0], codes[0]) == 0


def test_no_items_have_no_code() -> None:
    with pytest.raises(InsufficientEvidenceError, match="too short"):
        audio_code(print_of([]))
