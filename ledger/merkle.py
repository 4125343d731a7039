"""The Merkle tree of RFC 6962: hashes, roots, inclusion and consistency (pure).

The tree over `n` leaves is drawn over perfect subtrees: `NodeId(level, position)` is the one
that covers the leaves `[position << level, (position + 1) << level)`. A node, once complete, never changes,
so a log stores each of them once; `root_nodes`, `inclusion_nodes` and `consistency_nodes` say
which stored nodes an answer needs, never more than two per level.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledger.encoding import MAX_NUMBER
from ledger.errors import ProofError

HASH_BYTES = 32
MAX_ENTRY_BYTES = 65_535
"""Largest leaf input, in bytes: C2SP tlog-tiles gives its length 16 bits."""
MAX_PATH_HASHES = 63
"""Longest inclusion path of a tree with at most 2^63-1 leaves."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962 section 2.1)."""


class NodeId(NamedTuple):
    """Place of a perfect subtree: `level` 0 is a leaf, `position` counts from the left."""

    level: int
    position: int


def leaf_hash(entry: bytes) -> bytes:
    """Returns SHA-256(0x00 ‖ entry), the hash of a leaf (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns SHA-256(0x01 ‖ left ‖ right), the hash of an interior node (RFC 6962 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Returns the Merkle tree hash over the leaf hashes, left to right (RFC 6962 2.1)."""
    return Frontier().extended(leaf_hashes).frontier.root


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right-hand edge of a tree: all that an append has to know of the past.

    Attributes:
        size: Number of leaves.
        hashes: The hashes of `root_nodes(size)`, the largest subtree first.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        return fold(self.hashes) if self.hashes else EMPTY_ROOT

    def extended(self, leaf_hashes: Sequence[bytes]) -> "Growth":
        """Returns the edge after appending leaves, with every interior node that this completes."""
        edge = list(self.hashes)
        completed: list[tuple[NodeId, bytes]] = []
        for index, leaf in enumerate(leaf_hashes, start=self.size):
            node, value = NodeId(0, index), leaf
            while node.position % 2:
                node = NodeId(node.level + 1, node.position // 2)
                value = node_hash(edge.pop(), value)
                completed.append((node, value))
            edge.append(value)
        return Growth(Frontier(self.size + len(leaf_hashes), tuple(edge)), tuple(completed))


@dataclass(frozen=True, slots=True)
class Growth:
    """What an append does to a tree.

    Attributes:
        frontier: The new right-hand edge.
        completed: Interior nodes (level 1 and up) that are complete from now on, and their hashes.
    """

    frontier: Frontier
    completed: tuple[tuple[NodeId, bytes], ...]


def fold(hashes: Sequence[bytes]) -> bytes:
    """Joins the hashes of adjacent perfect subtrees, the largest first, into their root."""
    joined = hashes[-1]
    for left in reversed(hashes[:-1]):
        joined = node_hash(left, joined)
    return joined


def root_nodes(size: int) -> tuple[NodeId, ...]:
    """Returns the perfect subtrees whose `fold` is the root of a tree of `size` leaves."""
    return _range_nodes(0, size)


def inclusion_nodes(index: int, size: int) -> tuple[tuple[NodeId, ...], ...]:
    """Returns, for each hash of an inclusion path, the nodes whose `fold` it is.

    Args:
        index: Zero-based index of the leaf.
        size: Leaves in the tree; greater than `index`.

    Returns:
        One group of nodes per path element, from the leaf's sibling to the root's child.

    Raises:
        ProofError: The index lies outside the tree.
    """
    _require_inside(index, size)
    groups = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _left_width(stop - start)
        if index < middle:
            groups.append(_range_nodes(middle, stop))
            stop = middle
        else:
            groups.append(_range_nodes(start, middle))
            start = middle
    return tuple(reversed(groups))


def consistency_nodes(old_size: int, new_size: int) -> tuple[tuple[NodeId, ...], ...]:
    """Returns, for each hash of a consistency path, the nodes whose `fold` it is.

    Args:
        old_size: Leaves in the older tree, at least 1.
        new_size: Leaves in the newer tree, at least `old_size`.

    Returns:
        One group of nodes per path element, in the order of RFC 6962 section 2.1.2.

    Raises:
        ProofError: The sizes are not 1 ≤ old ≤ new.
    """
    _require_growth(old_size, new_size)
    groups = []
    start, stop = 0, new_size
    while stop != old_size:
        middle = start + _left_width(stop - start)
        if old_size <= middle:
            groups.append(_range_nodes(middle, stop))
            stop = middle
        else:
            groups.append(_range_nodes(start, middle))
            start = middle
    if start:  # the old root is not itself a subtree of the new tree: its last part is needed
        groups.append(_range_nodes(start, stop))
    return tuple(reversed(groups))


def inclusion_path(leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Computes an inclusion path from all leaves, by the recursion PATH of RFC 6962 2.1.1.

    Args:
        leaf_hashes: All leaves of the tree.
        index: Zero-based index of the leaf.

    Returns:
        The hashes from the leaf's sibling up to the root's child.

    Raises:
        ProofError: The index lies outside the tree.
    """
    size = len(leaf_hashes)
    _require_inside(index, size)
    if size == 1:
        return ()
    middle = _left_width(size)
    left, right = leaf_hashes[:middle], leaf_hashes[middle:]
    if index < middle:
        return (*inclusion_path(left, index), root(right))
    return (*inclusion_path(right, index - middle), root(left))


def consistency_path(leaf_hashes: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Computes a consistency path from all leaves, by the recursion PROOF of RFC 6962 2.1.2.

    Args:
        leaf_hashes: All leaves of the newer tree.
        old_size: Leaves in the older tree, at least 1.

    Returns:
        The path from the tree of the first `old_size` leaves to the tree of all.

    Raises:
        ProofError: `old_size` is 0 or greater than the number of leaves.
    """
    _require_growth(old_size, len(leaf_hashes))
    return _subproof(leaf_hashes, old_size, whole=True)


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Returns the root that an inclusion path leads to (RFC 9162 section 2.1.3.2).

    Args:
        leaf: Hash of the leaf.
        index: Zero-based index of the leaf.
        size: Leaves in the tree.
        path: The hashes from the leaf's sibling up to the root's child.

    Returns:
        The root of the tree, if the path is a true one.

    Raises:
        ProofError: The index lies outside the tree, a hash is not 32 bytes long, or the path does
            not have the length that this leaf has in this tree.
    """
    _require_inside(index, size)
    _require_hashes((leaf, *path))
    position, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise _wrong_length(index, size, path)
        if position % 2 or position == last:
            value = node_hash(sibling, value)
            while not position % 2 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise _wrong_length(index, size, path)
    return value


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root_hash: bytes) -> None:
    """Checks that a leaf is in the tree with the given root (RFC 9162 section 2.1.3.2).

    Args:
        leaf: Hash of the leaf.
        index: Zero-based index of the leaf.
        size: Leaves in the tree.
        path: The hashes from the leaf's sibling up to the root's child.
        root_hash: Root of the tree.

    Raises:
        ProofError: The path is malformed or leads to another root.
    """
    found = root_from_inclusion(leaf, index, size, path)
    if found != root_hash:
        raise ProofError(
            f"The inclusion path of leaf {leaf.hex()} at index {index} leads to the root "
            f"{found.hex()}, but the tree of size {size} has the root {root_hash.hex()}; the leaf "
            "is not in that tree at that index: ask the log for the proof again, and do not rely "
            "on this one."
        )


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Checks that a tree is an extension of an older one (RFC 9162 section 2.1.4.2).

    Args:
        old_size: Leaves in the older tree; 0 is refused, for every tree extends the empty one.
        new_size: Leaves in the newer tree.
        old_root: Root of the older tree.
        new_root: Root of the newer tree.
        path: The consistency path.

    Raises:
        ProofError: The path is malformed, or does not join the two roots.
    """
    _require_growth(old_size, new_size)
    if old_size == new_size:
        if path:
            raise ProofError(
                f"A consistency path of {len(path)} hashes joins two trees of the same size "
                f"{new_size}, where it has to be empty; ask the log for the proof again."
            )
        _require_root("older", old_size, found=new_root, given=old_root)
        return
    _require_hashes((old_root, new_root, *path))
    found_old, found_new = _roots_from_consistency(old_size, new_size, old_root, path)
    _require_root("older", old_size, found=found_old, given=old_root)
    _require_root("newer", new_size, found=found_new, given=new_root)


def _roots_from_consistency(
    old_size: int, new_size: int, old_root: bytes, path: Sequence[bytes]
) -> tuple[bytes, bytes]:
    hashes = list(path)
    if old_size & (old_size - 1) == 0:  # a power of two: the old root is itself the first node
        hashes.insert(0, old_root)
    if not hashes:
        raise _wrong_length(old_size, new_size, path)
    position, last = old_size - 1, new_size - 1
    while position % 2:
        position, last = position >> 1, last >> 1
    older = newer = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise _wrong_length(old_size, new_size, path)
        if position % 2 or position == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while not position % 2 and position:
                position, last = position >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise _wrong_length(old_size, new_size, path)
    return older, newer


def _subproof(leaf_hashes: Sequence[bytes], old_size: int, *, whole: bool) -> tuple[bytes, ...]:
    """SUBPROOF of RFC 6962 2.1.2; `whole` says that the old tree's root is known to the reader."""
    size = len(leaf_hashes)
    if old_size == size:
        return () if whole else (root(leaf_hashes),)
    middle = _left_width(size)
    left, right = leaf_hashes[:middle], leaf_hashes[middle:]
    if old_size <= middle:
        return (*_subproof(left, old_size, whole=whole), root(right))
    return (*_subproof(right, old_size - middle, whole=False), root(left))


def _left_width(size: int) -> int:
    """Largest power of two below `size` (at least 2): where RFC 6962 splits a tree."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_nodes(start: int, stop: int) -> tuple[NodeId, ...]:
    """Perfect subtrees covering `[start, stop)`, where `start` is aligned to the largest."""
    width = stop - start
    if width & (width - 1) == 0 and width:  # most often: one node
        level = width.bit_length() - 1
        return (NodeId(level, start >> level),)
    nodes = []
    for level in reversed(range(width.bit_length())):
        if width >> level & 1:
            nodes.append(NodeId(level, start >> level))
            start += 1 << level
    return tuple(nodes)


def _require_inside(index: int, size: int) -> None:
    if not 0 <= index < size <= MAX_NUMBER:
        raise ProofError(
            f"Index {index} lies outside a tree of size {size}; ask for an index from 0 to one below the tree's size."
        )


def _require_growth(old_size: int, new_size: int) -> None:
    if not 1 <= old_size <= new_size <= MAX_NUMBER:
        raise ProofError(
            f"There is no consistency proof from size {old_size} to size {new_size}: the older "
            "tree has to have at least one leaf and no more than the newer; ask for other sizes."
        )


def _require_hashes(hashes: Sequence[bytes]) -> None:
    for value in hashes:
        if len(value) != HASH_BYTES:
            raise ProofError(
                f"A hash in the proof is {len(value)} bytes long where SHA-256 gives "
                f"{HASH_BYTES}; ask the log for the proof again."
            )


def _require_root(which: str, size: int, *, found: bytes, given: bytes) -> None:
    if found != given:
        raise ProofError(
            f"The consistency path leads to the root {found.hex()} for the {which} tree of size "
            f"{size}, which has the root {given.hex()}: the newer tree does not extend the older "
            "one. Keep both checkpoints: signed by one log, they prove that it forked."
        )


def _wrong_length(first: int, size: int, path: Sequence[bytes]) -> ProofError:
    return ProofError(
        f"A path of {len(path)} hashes has the wrong length between {first} and a tree of size "
        f"{size}; ask the log for the proof again."
    )
