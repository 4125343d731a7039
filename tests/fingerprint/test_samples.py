"""Sample tables: where the coded frames lie, and that they are played one after the other."""

import struct
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint import samples
from fingerprint.boxes import Boxes, children
from fingerprint.errors import AudioError
from tests.fingerprint.movies import box, sized, table, times, uniform

PLENTY = 10_000


def tables(*content: bytes) -> Boxes:
    return dict(children(b"".join(content)))


@given(
    layout=st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=4), min_size=1, max_size=6),
    shuffle=st.randoms(),
    wide=st.booleans(),
)
def test_samples_come_in_playing_order_wherever_their_chunks_lie(
    layout: list[list[int]], shuffle: Random, *, wide: bool
) -> None:
    order = list(range(len(layout)))
    shuffle.shuffle(order)
    offsets, content, data = {}, {}, b"front"
    for chunk in order:
        offsets[chunk], size = len(data), sum(layout[chunk])
        content[chunk] = bytes((17 * chunk + byte) % 256 for byte in range(size))
        data += content[chunk]
    runs = [number for place, chunk in enumerate(layout) for number in (place + 1, len(chunk), 1)]
    places = [offsets[chunk] for chunk in range(len(layout))]
    found = samples.ranges(
        tables(
            sized([size for chunk in layout for size in chunk]),
            table(b"co64", "Q", places) if wide else table(b"stco", "I", places),
            table(b"stsc", "I", runs, len(layout)),
        ),
        len(data),
    )
    joined = b"".join(data[position : position + size] for position, size in found)
    assert joined == b"".join(content[chunk] for chunk in range(len(layout)))


GOOD = {"sizes": uniform(5, 2), "chunks": table(b"stco", "I", [1]), "runs": [1, 2, 1]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sizes": uniform(5, 3)}, "3 samples, and places for 2"),
        ({"sizes": uniform(5, 1)}, "1 samples, and places for 2"),
        ({"sizes": uniform(5, 2**32 - 1)}, "uncompressed"),
        ({"sizes": uniform(2**31, 2)}, "cut off or damaged"),
        ({"sizes": sized([2**32 - 1])}, "cut off or damaged"),
        ({"sizes": box(b"stsz", struct.pack(">III", 0, 0, 1000))}, "a table of 12 bytes"),
        ({"sizes": uniform(0, 0), "runs": []}, "has no samples"),
        ({"chunks": b""}, "no chunk offsets"),
        ({"chunks": table(b"stco", "I", [1]) + table(b"co64", "Q", [1])}, "two tables of chunk offsets"),
        ({"chunks": table(b"stco", "I", [2**31])}, "cut off"),
        ({"chunks": table(b"co64", "Q", [2**63])}, "cut off"),
        ({"chunks": table(b"stco", "I", [1], 50)}, "a table of"),
        ({"runs": []}, "places for 0"),
        ({"runs": [0, 2, 1]}, "not in order"),
        ({"runs": [9, 2, 1]}, "not in order"),
        ({"runs": [2, 2, 1]}, "not in order"),
        ({"runs": [1, 1, 1, 3, 1, 1, 2, 1, 1]}, "not in order"),
        ({"runs": [1, 2, 2]}, "a description .* that is not there"),
    ],
)
def test_tables_that_contradict(change: dict[str, object], said: str) -> None:
    parts = {**GOOD, **change}
    runs = parts["runs"]
    with pytest.raises(AudioError, match=said):
        samples.ranges(tables(parts["sizes"], parts["chunks"], table(b"stsc", "I", runs, len(runs) // 3)), PLENTY)


@given(count=st.integers(2, 5000), pace=st.integers(1, 3000), scale=st.integers(1000, 96_000), data=st.data())
def test_an_even_pace_is_known_exactly_whatever_the_last_sample_lasts(
    count: int, pace: int, scale: int, data: st.DataObject
) -> None:
    last = data.draw(st.integers(0, pace))
    found, length = samples.timing(tables(times((count - 1, pace), (1, last)), uniform(1, count)), scale)
    assert found == Fraction(pace, scale)
    assert length == Fraction(pace * (count - 1) + last, scale)


def test_a_clock_of_milliseconds_is_passed_over() -> None:
    """1024 samples at 44.1 kHz are 23.22 ms: 23, 23, 23, 24 and so on."""
    deltas = [round(1024 * (n + 1) / 44.1) - round(1024 * n / 44.1) for n in range(2000)]
    runs = times(*((1, delta) for delta in deltas))
    pace, _ = samples.timing(tables(runs, uniform(1, 2000)), 1000)
    assert float(pace) == pytest.approx(1024 / 44_100, abs=1e-6)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([(500, 1024), (1, 44_100), (500, 1024)], "stops and goes"),
        ([(500, 1024), (500, 512)], "stops and goes"),
        ([(1000, 1024), (1, 1_000_000)], "played for longer"),
        ([(1000, 1024)], "times for 1000 samples"),
        ([(1, 1024)] * 3, "times for 3 samples"),
    ],
)
def test_a_time_table_that_players_follow_differently(runs: list[tuple[int, int]], said: str) -> None:
    with pytest.raises(AudioError, match=said):
        samples.timing(
            tables(times(*runs), uniform(1, 1000 if said.startswith("stops") and len(runs) == 2 else 1001)), 44_100
        )


def test_one_sample_and_none() -> None:
    assert samples.timing(tables(times((1, 1024)), uniform(1, 1)), 1024) == (1, 1)
    assert samples.timing(tables(times(), uniform(1, 0)), 1024) == (0, 0)
