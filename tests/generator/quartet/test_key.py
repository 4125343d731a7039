"""Hearing the key of a passage."""

import numpy as np
import pytest

from generator.quartet.key import KEYS, NO_KEY, estimate_key, key_fifths, transpose_key

MAJOR = (0, 4, 7, 0, 5, 9, 0, 7, 11, 2)
MINOR = (0, 3, 7, 0, 5, 8, 0, 7, 11, 2)


@pytest.mark.parametrize("key", range(KEYS))
def test_cadences_are_heard_in_their_key_whatever_the_signature(key: int) -> None:
    weights = np.zeros(12)
    for step in MAJOR if key < 12 else MINOR:
        weights[(step + key) % 12] += 1
    own = key_fifths(key % 12, "major" if key < 12 else "minor")
    assert estimate_key(weights, own) == key
    assert estimate_key(weights, own + 12) == key


def test_silence_has_no_key() -> None:
    assert estimate_key(np.zeros(12), 3) == NO_KEY
    assert transpose_key(NO_KEY, 5) == NO_KEY


def test_the_signature_decides_where_the_notes_do_not() -> None:
    open_fifth = np.zeros(12)
    open_fifth[[9, 4]] = 1
    assert estimate_key(open_fifth, 3) == 9
    assert estimate_key(open_fifth, 0) == 12 + 9


def test_transposing_keys_keeps_the_mode() -> None:
    assert [transpose_key(key, -1) for key in (0, 5, 12, 23)] == [11, 4, 23, 22]


def test_signatures() -> None:
    assert [key_fifths(tonic, "major") for tonic in (0, 7, 2, 5, 10, 6, 1)] == [
        0,
        1,
        2,
        -1,
        -2,
        6,
        -5,
    ]
    assert [key_fifths(tonic, "minor") for tonic in (9, 4, 2, 0)] == [0, 1, -1, -3]
