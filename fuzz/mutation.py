"""What becomes of good bytes in bad hands: the mutations that the tests try (atheris has its own)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

_LENGTHS = (
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff" * 8,
    b"\x7f" + b"\xff" * 7,
    bytes(8),
)
"""Lengths that no file has, for whatever counts in bytes."""
_NUMBERS = (b"-1", b"0", b"9" * 19, b"9" * 5000, b"1e999", b"0.1", b"NaN", b"18446744073709551616")
_TEXTS = (
    b"\0",
    b"\n\n",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\xef\xbf\xbd",
    "\N{ARABIC LIGATURE ALLAH ISOLATED FORM}".encode(),
)
_WORDS = (*_LENGTHS, *_NUMBERS, *_TEXTS, b"null", b"true", b"[]", b"{}", b'""')
_NESTS = ((b"[", b"]"), (b"(", b")"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"\x30\x80", b""), (b"a.", b""))
_DEPTHS = (10, 100, 1_000, 10_000)
_MOST_STEPS = 4


@st.composite
def mutated(draw: DrawFn, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Draw one of the seeds, and do up to four things to it."""
    data = draw(st.sampled_from(seeds))
    others = (*words, *_WORDS)
    for _ in range(draw(st.integers(1, _MOST_STEPS))):
        data = draw(st.sampled_from(_MUTATIONS))(draw, data, seeds, others)
    return data


def _flip(draw: DrawFn, data: bytes, _seeds: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = draw(_place(data[:-1]))
    return data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]


def _truncate(draw: DrawFn, data: bytes, _seeds: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    return data[: draw(_place(data))]


def _cut(draw: DrawFn, data: bytes, _seeds: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    start, stop = draw(_slice(data))
    return data[:start] + data[stop:]


def _repeat(draw: DrawFn, data: bytes, _seeds: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    start, stop = draw(_slice(data))
    return data[:stop] + data[start:stop] * draw(st.sampled_from((1, 2, 100))) + data[stop:]


def _splice(draw: DrawFn, data: bytes, seeds: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    other = draw(st.sampled_from(seeds))
    return data[: draw(_place(data))] + other[draw(_place(other)) :]


def _insert(draw: DrawFn, data: bytes, _seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    at = draw(_place(data))
    return data[:at] + draw(st.sampled_from(words)) + data[at:]


def _overwrite(draw: DrawFn, data: bytes, _seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    at, word = draw(_place(data)), draw(st.sampled_from(words))
    return data[:at] + word + data[at + len(word) :]


def _replace(draw: DrawFn, data: bytes, _seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    start, stop = draw(_slice(data))
    return data[:start] + draw(st.sampled_from(words)) + data[stop:]


def _nest(draw: DrawFn, data: bytes, _seeds: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    start, stop = draw(_slice(data))
    (before, behind), depth = draw(st.sampled_from(_NESTS)), draw(st.sampled_from(_DEPTHS))
    return data[:start] + before * depth + data[start:stop] + behind * depth + data[stop:]


_MUTATIONS = (_flip, _truncate, _cut, _repeat, _splice, _insert, _overwrite, _replace, _nest)


def _place(data: bytes) -> SearchStrategy[int]:
    return st.integers(0, len(data))


def _slice(data: bytes) -> SearchStrategy[tuple[int, int]]:
    return st.tuples(_place(data), _place(data)).map(lambda ends: (min(ends), max(ends)))
