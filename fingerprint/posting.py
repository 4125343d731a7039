"""Postings: which sub-fingerprint sounds at which address, as sorted 64-bit integers (pure).

The upper 28 bits are the key, a sub-fingerprint without its last two classifiers, which are the
least stable; the lower 36 bits are the address. Keys of a query are looked up as they are and
with each one of their bits flipped, since a shift of the clip against the grid of frames and
lossy coding move a few classifiers to the neighbouring class, which is one bit away.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fingerprint.chroma import Items

Postings = NDArray[np.uint64]

KEY_BITS: Final = 28
ADDRESS_BITS: Final = 64 - KEY_BITS
MAX_ADDRESS: Final = 2**ADDRESS_BITS - 1

_DROPPED_BITS: Final = np.uint32(32 - KEY_BITS)
_SHIFT: Final = np.uint64(ADDRESS_BITS)
_ADDRESS_MASK: Final = np.uint64(MAX_ADDRESS)
_MAX_FLIPPED_ITEMS: Final = 512
_MAX_HITS: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Probes:
    """The keys to look up for one query.

    Attributes:
        keys: Sorted.
        positions: For each key, the index of the query's item it comes from.
    """

    keys: Postings
    positions: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hits:
    """Addresses that share a key with the query.

    Attributes:
        addresses: Where, in the address space.
        positions: The index of the query's item that was found there.
    """

    addresses: NDArray[np.int64]
    positions: NDArray[np.int64]

    @property
    def diagonals(self) -> NDArray[np.int64]:
        """The address at which the query's first item would lie, for each hit."""
        return self.addresses - self.positions


def pack(items: Items, start: int) -> Postings:
    """The postings, not yet sorted, of a recording whose first item is at address `start`."""
    addresses = np.arange(start, start + len(items), dtype=np.uint64)
    return _keys(items) << _SHIFT | addresses


def buckets(keys: Postings, bits: int) -> NDArray[np.int64]:
    """The bucket of each key: its first `bits` bits."""
    return (keys >> np.uint64(KEY_BITS - bits)).astype(np.int64)


def keys_of(postings: Postings) -> Postings:
    """The key of each posting."""
    return postings >> _SHIFT


def probe(items: Items) -> Probes:
    """All keys to look up for the items of a query.

    Of long queries every item is looked up as it is, and only some, evenly spread, with flips.
    """
    keys = _keys(items)
    every = np.arange(len(items))
    step = -(-len(items) // _MAX_FLIPPED_ITEMS) or 1
    some = every[::step]
    flips = np.uint64(1) << np.arange(KEY_BITS, dtype=np.uint64)
    flipped = keys[some, None] ^ flips
    all_keys = np.concatenate((keys, flipped.ravel()))
    positions = np.concatenate((every, np.repeat(some, KEY_BITS)))
    order = np.argsort(all_keys, kind="stable")
    return Probes(all_keys[order], positions[order])


def look_up(postings: Postings, probes: Probes) -> Hits:
    """Every posting under one of the keys; of the most frequent keys none, when there are many.

    Args:
        postings: Sorted.
        probes: What to look up.
    """
    first = np.searchsorted(postings, probes.keys << _SHIFT)
    after = np.searchsorted(postings, probes.keys << _SHIFT | _ADDRESS_MASK, side="right")
    counts = after - first
    rarest = np.argsort(counts, kind="stable")
    kept = rarest[: np.searchsorted(np.cumsum(counts[rarest]), _MAX_HITS, side="right")]
    first, counts = first[kept], counts[kept]
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    rows = np.arange(total) + np.repeat(first - ends + counts, counts)
    addresses = (postings[rows] & _ADDRESS_MASK).astype(np.int64)
    return Hits(addresses, np.repeat(probes.positions[kept], counts))


def merge(parts: list[Hits]) -> Hits:
    """The hits from several stretches of the index together."""
    return Hits(
        np.concatenate([part.addresses for part in parts]),
        np.concatenate([part.positions for part in parts]),
    )


def busiest(hits: Hits, limit: int) -> NDArray[np.int64]:
    """The diagonals with most hits on and directly beside them, best first, at most `limit`."""
    diagonals, votes = np.unique(hits.diagonals, return_counts=True)
    beside = votes.copy()
    adjacent = np.diff(diagonals) == 1
    beside[1:][adjacent] += votes[:-1][adjacent]
    beside[:-1][adjacent] += votes[1:][adjacent]
    return diagonals[np.argsort(-beside, kind="stable")[:limit]]


def _keys(items: Items) -> Postings:
    return (items >> _DROPPED_BITS).astype(np.uint64)
