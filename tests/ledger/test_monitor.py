"""Following a log that grows, shrinks, forks and lies."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.encoding import encode_base64
from ledger.errors import (
    DisagreeingTilesError,
    ForkedLogError,
    LedgerError,
    MonitorError,
    PolicyError,
    RemoteError,
    ShrunkLogError,
    TileError,
)
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.merkle import Frontier, leaf_hash
from ledger.monitor import Monitor, Seen
from ledger.note import Note, NoteSigner
from ledger.policy import Policy, TrustedLog
from ledger.tile import TilePath
from ledger.tiled_tree import TiledTree


@dataclass
class Copy:
    """A log as it is at some moment, with what a liar would answer in its place."""

    log: Log
    lies: dict[str, bytes] = field(default_factory=dict)
    note: bytes | None = None
    hidden: frozenset[str] = frozenset()

    def checkpoint(self) -> bytes:
        return self.note or self.log.checkpoint()

    def tile(self, path: TilePath) -> bytes:
        if path.format() in self.hidden:
            raise RemoteError(f"404 for {path.format()}")
        return self.lies.get(path.format()) or self.log.tile(path)


@pytest.fixture
def policy(signer: NoteSigner) -> Policy:
    return Policy((TrustedLog(signer.verifier),))


@pytest.fixture
def fork(tmp_path: Path, signer: NoteSigner, new_engine: Callable[[Path], Engine]) -> Log:
    """Another log under the same key."""
    return Log(new_engine(tmp_path / "fork.db"), signer)


def taken_in(monitor: Monitor) -> list[Seen]:
    seen = []
    for bundle in monitor.look():
        seen += bundle
        monitor.acknowledge()
    return seen


def numbers(start: int, stop: int) -> list[bytes]:
    return [b"%d" % number for number in range(start, stop)]


def test_everything_is_seen_once(log: Log, policy: Policy, tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    monitor = Monitor(log, policy, memory)
    log.append(numbers(0, 3))
    assert taken_in(monitor) == [Seen(0, b"0"), Seen(1, b"1"), Seen(2, b"2")]
    assert taken_in(monitor) == []
    log.append(numbers(3, 700))
    monitor = Monitor(log, policy, memory)
    assert taken_in(monitor) == [Seen(number, b"%d" % number) for number in range(3, 700)]
    assert monitor.followed.edge.size == 700
    assert monitor.followed.seen == log.checkpoint()


@given(st.lists(st.integers(0, 300), max_size=6))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_it_grows(
    tmp_path_factory: pytest.TempPathFactory,
    new_engine: Callable[[Path], Engine],
    signer: NoteSigner,
    policy: Policy,
    batches: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("monitor")
    log = Log(new_engine(folder / "log.db"), signer)
    size = 0
    for batch in batches:
        if batch:
            log.append(numbers(size, size + batch))
        assert [entry.index for entry in taken_in(Monitor(log, policy, folder / "memory"))] == [
            *range(size, size + batch)
        ]
        size += batch


def test_a_bundle_that_was_not_dealt_with_comes_again(log: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 600))
    memory = tmp_path / "memory"
    monitor = Monitor(log, policy, memory)
    bundles = monitor.look()
    assert len(next(bundles)) == 256
    monitor.acknowledge()
    assert next(bundles)[0].index == 256
    assert next(bundles)[0].index == 512
    bundles.close()
    log.append(numbers(600, 610))
    assert [entry.index for entry in taken_in(Monitor(log, policy, memory))] == list(range(256, 610))


def test_a_log_that_shrank(log: Log, fork: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 5))
    fork.append(numbers(0, 4))
    memory = tmp_path / "memory"
    taken_in(Monitor(log, policy, memory))
    with pytest.raises(ShrunkLogError, match="has 4 entries now, and 5 were seen"):
        taken_in(Monitor(fork, policy, memory))
    assert Monitor(log, policy, memory).followed.edge.size == 5


@pytest.mark.parametrize("more", [0, 1, 400])
def test_a_log_that_forked(log: Log, fork: Log, policy: Policy, tmp_path: Path, more: int) -> None:
    log.append(numbers(0, 5))
    fork.append([*numbers(0, 4), b"another", *numbers(5, 5 + more)])
    memory = tmp_path / "memory"
    taken_in(Monitor(log, policy, memory))
    with pytest.raises(ForkedLogError, match="does not extend the 5 entries") as caught:
        taken_in(Monitor(fork, policy, memory))
    for side in (log, fork):
        assert repr(side.checkpoint().decode()) in str(caught.value)
    assert Monitor(log, policy, memory).followed.seen == log.checkpoint()


def test_a_fork_behind_what_was_dealt_with_is_noticed(log: Log, fork: Log, policy: Policy, tmp_path: Path) -> None:
    """The monitor stopped at entry 256, and had accepted the checkpoint of 300 before."""
    log.append(numbers(0, 300))
    fork.append([*numbers(0, 299), b"another", *numbers(300, 310)])
    memory = tmp_path / "memory"
    monitor = Monitor(log, policy, memory)
    bundles = monitor.look()
    next(bundles)
    monitor.acknowledge()
    bundles.close()
    assert Monitor(log, policy, memory).followed.edge.size == 256
    with pytest.raises(ForkedLogError, match="does not extend the 300 entries"):
        taken_in(Monitor(fork, policy, memory))


def test_what_nobody_acknowledged_is_all_given_again(log: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 600))
    memory = tmp_path / "memory"
    for _ in range(2):
        assert sum(map(len, Monitor(log, policy, memory).look())) == 600


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "bundle by bundle"])
@pytest.mark.parametrize("bundle", [TilePath(None, 0), TilePath(None, 1), TilePath(None, 2, 88)])
def test_a_bundle_that_is_hidden_once_is_given_later(
    log: Log, policy: Policy, tmp_path: Path, bundle: TilePath, *, at_once: bool
) -> None:
    log.append(numbers(0, 600))
    memory = tmp_path / "memory"
    given: list[Seen] = []
    monitor = Monitor(Copy(log, hidden=frozenset({bundle.format()})), policy, memory)

    def take_in() -> None:
        for each in monitor.look():
            given.extend(each)
            if not at_once:
                monitor.acknowledge()

    with pytest.raises(RemoteError):
        take_in()
    assert len(given) == 256 * bundle.index
    assert Monitor(log, policy, memory).followed.edge.size == (0 if at_once else len(given))
    rest = taken_in(Monitor(log, policy, memory))
    assert [entry.index for entry in rest] == list(range(0 if at_once else len(given), 600))


def test_a_tile_or_a_bundle_that_is_false(log: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 300))
    tile, bundle = TilePath(0, 1, 44).format(), TilePath(None, 1, 44).format()
    good_tile, good_bundle = log.tile(TilePath(0, 1, 44)), log.tile(TilePath(None, 1, 44))
    for name, lie, error in (
        (tile, bytes(len(good_tile)), DisagreeingTilesError),
        (tile, good_tile[:-1], TileError),
        (bundle, good_bundle.replace(b"299", b"298"), TileError),
        (bundle, good_bundle[:-1], TileError),
    ):
        with pytest.raises(error):
            taken_in(Monitor(Copy(log, {name: lie}), policy, tmp_path / "memory"))
    assert [entry.index for entry in taken_in(Monitor(log, policy, tmp_path / "memory"))][-1] == 299


@pytest.mark.parametrize(("dealt_with", "hashes"), [(256, (0, 43, 44, 53)), (300, (44, 53))])
def test_a_false_tile_is_not_called_a_fork(
    log: Log, policy: Policy, tmp_path: Path, dealt_with: int, hashes: tuple[int, ...]
) -> None:
    """Both checkpoints are true, and prove nothing against the log."""
    log.append(numbers(0, 300))
    memory = tmp_path / "memory"
    monitor = Monitor(log, policy, memory)
    for bundle in monitor.look():
        if bundle[-1].index < dealt_with:
            monitor.acknowledge()
    log.append(numbers(300, 310))
    tile = TilePath(0, 1, 54)
    good = log.tile(tile)
    for position in (32 * hash_ for hash_ in hashes):
        false = good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :]
        with pytest.raises(DisagreeingTilesError, match="nothing here proves which") as caught:
            taken_in(Monitor(Copy(log, {tile.format(): false}), policy, memory))
        assert repr(log.checkpoint().decode()) in str(caught.value)
    assert Monitor(log, policy, memory).followed.edge.size == dealt_with
    assert [entry.index for entry in taken_in(Monitor(log, policy, memory))] == list(range(dealt_with, 310))


def test_a_fork_whose_tiles_are_hidden_is_not_passed_over(log: Log, fork: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 300))
    fork.append([b"another", *numbers(1, 310)])
    memory = tmp_path / "memory"
    taken_in(Monitor(log, policy, memory))
    with pytest.raises(ForkedLogError):
        taken_in(Monitor(fork, policy, memory))
    hidden = frozenset({TilePath(1, 0, 1).format()})
    with pytest.raises(DisagreeingTilesError):
        taken_in(Monitor(Copy(fork, hidden=hidden), policy, memory))
    assert Monitor(log, policy, memory).followed.seen == log.checkpoint()


def test_a_false_memory_is_not_called_a_fork(log: Log, fork: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 5))
    memory = tmp_path / "memory"
    taken_in(Monitor(log, policy, memory))
    document = json.loads(memory.read_text())
    document["edge"][0] = encode_base64(bytes(32))
    memory.write_text(json.dumps(document))
    log.append(numbers(5, 8))
    with pytest.raises(MonitorError, match="was damaged or altered") as caught:
        taken_in(Monitor(log, policy, memory))
    assert not isinstance(caught.value, (ForkedLogError, DisagreeingTilesError))


@given(st.data())
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_begins_anywhere(
    tmp_path_factory: pytest.TempPathFactory,
    new_engine: Callable[[Path], Engine],
    signer: NoteSigner,
    policy: Policy,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("monitor")
    log = Log(new_engine(folder / "log.db"), signer)
    size = data.draw(st.integers(1, 600))
    first = data.draw(st.none() | st.integers(0, size))
    log.append(numbers(0, size))
    memory = folder / "memory"
    begin = size if first is None else first
    assert [entry.index for entry in taken_in(Monitor(log, policy, memory, first))] == list(range(begin, size))
    log.append(numbers(size, size + 3))
    again = Monitor(log, policy, memory, first)
    assert [entry.index for entry in taken_in(again)] == [*range(size, size + 3)]
    assert again.followed.edge.root == Checkpoint.parse(Note.parse(log.checkpoint()).text).root_hash


def test_what_was_left_out_is_bound_all_the_same(log: Log, fork: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 300))
    fork.append([b"another", *numbers(1, 310)])
    tile = TilePath(1, 0, 1)
    with pytest.raises(DisagreeingTilesError):
        taken_in(Monitor(Copy(log, {tile.format(): bytes(32)}), policy, tmp_path / "memory", 290))
    assert not (tmp_path / "memory").exists()
    taken_in(Monitor(log, policy, tmp_path / "memory", 290))
    with pytest.raises(ForkedLogError):
        taken_in(Monitor(fork, policy, tmp_path / "memory", 290))


def test_it_cannot_begin_behind_the_end(log: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 3))
    with pytest.raises(MonitorError, match="has 3 entries, so none to begin with at 4"):
        taken_in(Monitor(log, policy, tmp_path / "memory", 4))
    assert not (tmp_path / "memory").exists()


def test_a_checkpoint_that_the_policy_does_not_accept(log: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 3))
    stranger = NoteSigner("example.com/log", Ed25519Signer.generate())
    forged = sign_checkpoint(Checkpoint("example.com/log", 3, bytes(32)), stranger)
    with pytest.raises(PolicyError):
        taken_in(Monitor(Copy(log, note=forged), policy, tmp_path / "memory"))
    assert not (tmp_path / "memory").exists()


def test_each_log_has_a_memory_of_its_own(
    log: Log, tmp_path: Path, signer: NoteSigner, new_engine: Callable[[Path], Engine]
) -> None:
    other = Log(new_engine(tmp_path / "other.db"), NoteSigner("example.com/other", Ed25519Signer.generate()))
    both = Policy((TrustedLog(signer.verifier), TrustedLog(other.verifier)))
    taken_in(Monitor(log, both, tmp_path / "memory"))
    with pytest.raises(MonitorError, match="in a file of its own"):
        taken_in(Monitor(other, both, tmp_path / "memory"))


@pytest.fixture
def stretches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stretches of a bundle each; gives how many leaf hashes are verified at a time."""
    held: list[int] = []

    def leaves(tree: TiledTree, first: int, stop: int) -> list[bytes]:
        held.append(stop - first)
        return read(tree, first, stop)

    read = TiledTree.leaves
    monkeypatch.setattr("ledger.monitor.STRETCH", 256)
    monkeypatch.setattr(TiledTree, "leaves", leaves)
    return held


@pytest.mark.parametrize("first", [0, 100, 256, 999])
def test_more_than_is_held_at_once_is_taken_in_by_stretches(
    log: Log, policy: Policy, tmp_path: Path, stretches: list[int], first: int
) -> None:
    log.append(numbers(0, 1000))
    monitor = Monitor(log, policy, tmp_path / "memory", first)
    assert taken_in(monitor) == [Seen(number, b"%d" % number) for number in range(first, 1000)]
    assert max(stretches) <= 256
    assert sum(stretches) == 1000 - first
    assert monitor.followed.edge.root == Checkpoint.parse(Note.parse(log.checkpoint()).text).root_hash
    assert taken_in(Monitor(log, policy, tmp_path / "memory")) == []


@pytest.mark.usefixtures("stretches")
def test_it_goes_on_in_the_middle_of_catching_up(log: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 1000))
    memory = tmp_path / "memory"
    bundles = Monitor(log, policy, memory).look()
    assert sum(len(next(bundles)) for _ in range(3)) == 768
    bundles.close()
    assert Monitor(log, policy, memory).followed.edge.size == 0  # nothing was acknowledged
    monitor = Monitor(Copy(log, hidden=frozenset({TilePath(0, 2).format()})), policy, memory)
    with pytest.raises(RemoteError):
        taken_in(monitor)
    assert Monitor(log, policy, memory).followed.edge.size == 512
    log.append(numbers(1000, 1100))
    assert [entry.index for entry in taken_in(Monitor(log, policy, memory))] == list(range(512, 1100))


@pytest.mark.usefixtures("stretches")
@pytest.mark.parametrize(("tile", "taken"), [(0, 0), (1, 256), (2, 512), (3, 0)])
def test_no_entry_of_a_stretch_with_a_false_tile_is_given(
    log: Log, policy: Policy, tmp_path: Path, tile: int, taken: int
) -> None:
    """The last one, which is partial, is part of what shows any stretch to belong to the tree."""
    log.append(numbers(0, 1000))
    path = TilePath(0, tile, min(256, 1000 - 256 * tile))
    monitor = Monitor(Copy(log, {path.format(): bytes(32) + log.tile(path)[32:]}), policy, tmp_path / "memory")
    with pytest.raises(DisagreeingTilesError, match=f"No entry from {taken} on was taken in"):
        taken_in(monitor)
    assert Monitor(log, policy, tmp_path / "memory").followed.edge.size == taken


@pytest.mark.usefixtures("stretches")
@pytest.mark.parametrize("upper", [0, 1, 2])
def test_a_false_tile_above_the_leaves_lets_nothing_through(
    log: Log, policy: Policy, tmp_path: Path, upper: int
) -> None:
    log.append(numbers(0, 1000))
    path = TilePath(1, 0, 3)
    true = log.tile(path)
    false = true[: 32 * upper] + bytes(32) + true[32 * (upper + 1) :]
    monitor = Monitor(Copy(log, {path.format(): false}), policy, tmp_path / "memory")
    with pytest.raises(DisagreeingTilesError):
        taken_in(monitor)
    edge = monitor.followed.edge
    assert edge == Frontier().extended([leaf_hash(entry) for entry in numbers(0, edge.size)]).frontier


@pytest.mark.usefixtures("stretches")
@pytest.mark.parametrize("dealt_with", [0, 256, 768])
@pytest.mark.parametrize("changed", [0, 300, 700, 899])
def test_a_fork_beyond_the_next_stretch_is_noticed_before_anything_is_given(
    log: Log, fork: Log, policy: Policy, tmp_path: Path, changed: int, dealt_with: int
) -> None:
    log.append(numbers(0, 900))
    fork.append([*numbers(0, changed), b"another", *numbers(changed + 1, 1000)])
    memory = tmp_path / "memory"
    monitor = Monitor(log, policy, memory)
    for bundle in monitor.look():
        if bundle[-1].index < dealt_with:
            monitor.acknowledge()
    assert monitor.followed.edge.size == dealt_with
    for source, error in (
        (fork, ForkedLogError),
        (Copy(fork, {TilePath(1, 0, 3).format(): bytes(96)}), (ForkedLogError, DisagreeingTilesError)),
    ):
        with pytest.raises(error):
            next(Monitor(source, policy, memory).look())
        followed = Monitor(log, policy, memory).followed
        assert (followed.edge.size, followed.seen) == (dealt_with, log.checkpoint())
    assert [entry.index for entry in taken_in(Monitor(log, policy, memory))] == list(range(dealt_with, 900))


@pytest.mark.usefixtures("stretches")
def test_a_false_memory_far_behind_is_not_called_a_fork(log: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 900))
    memory = tmp_path / "memory"
    monitor = Monitor(log, policy, memory)
    next(bundles := monitor.look())
    monitor.acknowledge()
    bundles.close()
    document = json.loads(memory.read_text())
    document["edge"][0] = encode_base64(bytes(32))
    memory.write_text(json.dumps(document))
    log.append(numbers(900, 1000))
    with pytest.raises(MonitorError, match="was damaged or altered") as caught:
        taken_in(Monitor(log, policy, memory))
    assert not isinstance(caught.value, (ForkedLogError, DisagreeingTilesError))


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_memory_is_refused(log: Log, policy: Policy, tmp_path: Path, data: bytes) -> None:
    memory = tmp_path / "memory"
    memory.write_bytes(data)
    with pytest.raises(MonitorError, match="should hold how far"):
        Monitor(log, policy, memory)
    assert memory.read_bytes() == data


@pytest.mark.parametrize("covered", [5, 0])
def test_an_edge_beyond_the_checkpoint_is_refused(log: Log, policy: Policy, tmp_path: Path, covered: int) -> None:
    """No monitor comes further than the checkpoint it has seen: what it remembers was put together by somebody."""
    memory = tmp_path / "memory"
    log.append(numbers(0, 5))
    taken_in(Monitor(log, policy, memory))
    document = json.loads(memory.read_text())
    log.append(numbers(5, 8))
    taken_in(Monitor(log, policy, memory))
    later = json.loads(memory.read_text())
    memory.write_text(json.dumps(later | {"seen": document["seen"] if covered else None}))
    with pytest.raises(MonitorError, match=f"its edge is of 8 entries, and its checkpoint of {covered}"):
        Monitor(log, policy, memory)


def test_any_altered_byte_of_the_memory_is_noticed_or_harmless(log: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 5))
    memory = tmp_path / "memory"
    taken_in(Monitor(log, policy, memory))
    log.append(numbers(5, 8))
    whole = memory.read_bytes()
    for position in range(0, len(whole), 3):
        memory.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        try:
            seen = taken_in(Monitor(log, policy, memory))
        except LedgerError:
            continue
        assert [entry.index for entry in seen] == [5, 6, 7]
