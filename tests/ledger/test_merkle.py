import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import ProofError
from ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    NodeId,
    consistency_nodes,
    consistency_path,
    fold,
    inclusion_nodes,
    inclusion_path,
    leaf_hash,
    node_hash,
    root,
    root_from_inclusion,
    root_nodes,
    verify_consistency,
    verify_inclusion,
)

LARGEST = 64
ENTRIES = [b"entry %d" % index for index in range(LARGEST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


@cache
def naive_root(start: int, stop: int) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if start == stop:
        return hashlib.sha256(b"").digest()
    if stop - start == 1:
        return hashlib.sha256(b"\x00" + ENTRIES[start]).digest()
    width = 1
    while width * 2 < stop - start:
        width *= 2
    left, right = naive_root(start, start + width), naive_root(start + width, stop)
    return hashlib.sha256(b"\x01" + left + right).digest()


def stored_hash(node: NodeId) -> bytes:
    start = node.position << node.level
    return naive_root(start, start + (1 << node.level))


def from_stored(groups: Sequence[Sequence[NodeId]]) -> tuple[bytes, ...]:
    return tuple(fold([stored_hash(node) for node in group]) for group in groups)


def test_root_is_that_of_the_recursion() -> None:
    assert [root(LEAVES[:size]) for size in range(LARGEST + 1)] == [naive_root(0, size) for size in range(LARGEST + 1)]
    assert root([]) == EMPTY_ROOT


def test_roots_of_the_reference_implementation(vectors: Callable[[str], Path]) -> None:
    reference = json.loads((vectors("rfc6962-reference") / "roots.json").read_text())
    leaves = [leaf_hash(bytes.fromhex(text)) for text in reference["leafInputsHex"]]
    roots = [root(leaves[:size]).hex() for size in range(len(leaves) + 1)]
    assert roots == reference["rootHashesHexBySize"]


def test_root_nodes_fold_to_the_root() -> None:
    for size in range(1, LARGEST + 1):
        nodes = root_nodes(size)
        assert fold([stored_hash(node) for node in nodes]) == naive_root(0, size)
        assert len(nodes) == size.bit_count()
    assert root_nodes(0) == ()


def test_every_inclusion_proof() -> None:
    for size in range(1, LARGEST + 1):
        whole = naive_root(0, size)
        for index in range(size):
            path = inclusion_path(LEAVES[:size], index)
            assert from_stored(inclusion_nodes(index, size)) == path
            verify_inclusion(LEAVES[index], index, size, path, whole)


def test_every_consistency_proof() -> None:
    for new in range(1, LARGEST + 1):
        for old in range(1, new + 1):
            path = consistency_path(LEAVES[:new], old)
            assert from_stored(consistency_nodes(old, new)) == path
            verify_consistency(old, new, naive_root(0, old), naive_root(0, new), path)


def test_a_path_proves_one_place_in_one_tree_only() -> None:
    for size in range(1, 20):
        for index in range(size):
            path = inclusion_path(LEAVES[:size], index)
            for other in range(size):
                if other != index:
                    with pytest.raises(ProofError):
                        verify_inclusion(LEAVES[index], other, size, path, naive_root(0, size))
                    with pytest.raises(ProofError):
                        verify_inclusion(LEAVES[other], index, size, path, naive_root(0, size))


def test_a_consistency_path_joins_one_pair_of_trees_only() -> None:
    for new in range(2, 20):
        for old in range(1, new):
            path = consistency_path(LEAVES[:new], old)
            for other in range(1, new):
                if other != old:
                    with pytest.raises(ProofError):
                        verify_consistency(old, new, naive_root(0, other), naive_root(0, new), path)
                    with pytest.raises(ProofError):
                        verify_consistency(other, new, naive_root(0, other), naive_root(0, new), path)


@given(st.data())
def test_one_flipped_bit_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    path = list(inclusion_path(LEAVES[:size], index))
    position = data.draw(st.integers(0, len(path) - 1))
    bit = data.draw(st.integers(0, 255))
    changed = int.from_bytes(path[position], "big") ^ 1 << bit
    path[position] = changed.to_bytes(32, "big")
    with pytest.raises(ProofError):
        verify_inclusion(LEAVES[index], index, size, path, naive_root(0, size))


@given(st.lists(st.integers(0, 9), max_size=12))
def test_a_tree_grows_alike_in_any_steps(steps: list[int]) -> None:
    frontier, completed = Frontier(), dict[NodeId, bytes]()
    for step in steps:
        growth = frontier.extended(LEAVES[frontier.size : frontier.size + step])
        frontier = growth.frontier
        completed |= growth.completed
    assert frontier.root == naive_root(0, frontier.size)
    assert frontier.hashes == tuple(stored_hash(node) for node in root_nodes(frontier.size))
    assert completed == {
        NodeId(level, position): stored_hash(NodeId(level, position))
        for level in range(1, 7)
        for position in range(frontier.size >> level)
    }


def test_a_proof_in_a_huge_tree_needs_few_nodes() -> None:
    size = 2**63 - 1
    assert len(inclusion_nodes(0, size)) == 63
    assert sum(len(group) for group in inclusion_nodes(0, size)) < 2 * 63
    assert sum(len(group) for group in consistency_nodes(2**40 + 1, size)) < 2 * 63


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (0, 2**63), (5, 4)])
def test_an_index_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(ProofError, match="lies outside"):
        inclusion_nodes(index, size)
    with pytest.raises(ProofError, match="lies outside"):
        root_from_inclusion(LEAVES[0], index, size, [])


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 5), (3, 2), (-1, 2), (1, 2**63)])
def test_sizes_without_a_consistency_proof_are_refused(old: int, new: int) -> None:
    with pytest.raises(ProofError, match="no consistency proof"):
        consistency_nodes(old, new)
    with pytest.raises(ProofError, match="no consistency proof"):
        verify_consistency(old, new, EMPTY_ROOT, EMPTY_ROOT, [])


def test_hashes_of_another_length_are_refused() -> None:
    path = [LEAVES[1][:31]]
    with pytest.raises(ProofError, match="31 bytes"):
        verify_inclusion(LEAVES[0], 0, 2, path, naive_root(0, 2))
    with pytest.raises(ProofError, match="31 bytes"):
        verify_consistency(1, 2, LEAVES[0], naive_root(0, 2), path)


def test_a_leaf_cannot_pass_for_a_node() -> None:
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])


def hashes(values: list[str] | None) -> list[bytes]:
    return [base64.b64decode(value) for value in values or []]


def is_accepted(verify: Callable[..., None], *arguments: object) -> bool:
    try:
        verify(*arguments)
    except ProofError:
        return False
    return True


def test_inclusion_cases_of_transparency_dev(vectors: Callable[[str], Path]) -> None:
    folder = vectors("transparency-dev-merkle") / "testdata" / "inclusion"
    verdicts = []
    for file in sorted(folder.rglob("*.json")):
        case = json.loads(file.read_text())
        [leaf, root_hash] = hashes([case["leafHash"], case["root"]])
        place = (case["leafIdx"], case["treeSize"])
        accepted = is_accepted(verify_inclusion, leaf, *place, hashes(case["proof"]), root_hash)
        assert accepted is not case["wantErr"], file
        verdicts.append(accepted)
    assert len(verdicts) == 98


def test_consistency_cases_of_transparency_dev(vectors: Callable[[str], Path]) -> None:
    folder = vectors("transparency-dev-merkle") / "testdata" / "consistency"
    verdicts = []
    for file in sorted(folder.rglob("*.json")):
        case = json.loads(file.read_text())
        [old_root, new_root] = hashes([case["root1"], case["root2"]])
        sizes = (case["size1"], case["size2"])
        accepted = is_accepted(verify_consistency, *sizes, old_root, new_root, hashes(case["proof"]))
        assert accepted is not case["wantErr"], file
        verdicts.append(accepted)
    assert len(verdicts) == 98


def test_sigstore_accepts_our_inclusion_proofs() -> None:
    merkle = pytest.importorskip("sigstore._internal.merkle")
    errors = pytest.importorskip("sigstore.errors")
    for size in range(1, 34):
        for index in range(size):
            proof = SimpleNamespace(
                log_index=index,
                tree_size=size,
                hashes=list(inclusion_path(LEAVES[:size], index)),
                root_hash=naive_root(0, size),
            )
            inner = SimpleNamespace(inclusion_proof=proof, canonicalized_body=ENTRIES[index])
            merkle.verify_merkle_inclusion(cast("Any", SimpleNamespace(_inner=inner)))
            proof.root_hash = EMPTY_ROOT
            with pytest.raises(errors.VerificationError):
                merkle.verify_merkle_inclusion(cast("Any", SimpleNamespace(_inner=inner)))
