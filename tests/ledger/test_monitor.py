"""Following a log that grows, shrinks, forks and lies."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.errors import ForkedLogError, LedgerError, MonitorError, PolicyError, ShrunkLogError, TileError
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.monitor import Monitor, Seen
from ledger.note import NoteSigner
from ledger.policy import Policy, TrustedLog
from ledger.tile import TilePath


@dataclass
class Copy:
    """A log as it is at some moment, with what a liar would answer in its place."""

    log: Log
    lies: dict[str, bytes] = field(default_factory=dict)
    note: bytes | None = None

    def checkpoint(self) -> bytes:
        return self.note or self.log.checkpoint()

    def tile(self, path: TilePath) -> bytes:
        return self.lies.get(path.format()) or self.log.tile(path)


@pytest.fixture
def policy(signer: NoteSigner) -> Policy:
    return Policy((TrustedLog(signer.verifier),))


@pytest.fixture
def fork(tmp_path: Path, signer: NoteSigner, new_engine: Callable[[Path], Engine]) -> Log:
    """Another log under the same key."""
    return Log(new_engine(tmp_path / "fork.db"), signer)


def taken_in(monitor: Monitor) -> list[Seen]:
    return [entry for bundle in monitor.look() for entry in bundle]


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
    bundles = Monitor(log, policy, memory).look()
    assert len(next(bundles)) == 256
    assert next(bundles)[0].index == 256
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
    bundles = Monitor(log, policy, memory).look()
    next(bundles)
    next(bundles)
    bundles.close()
    with pytest.raises(ForkedLogError):
        taken_in(Monitor(fork, policy, memory))


def test_a_tile_or_a_bundle_that_is_false(log: Log, policy: Policy, tmp_path: Path) -> None:
    log.append(numbers(0, 300))
    tile, bundle = TilePath(0, 1, 44).format(), TilePath(None, 1, 44).format()
    good_tile, good_bundle = log.tile(TilePath(0, 1, 44)), log.tile(TilePath(None, 1, 44))
    for name, lie, error in (
        (tile, bytes(len(good_tile)), ForkedLogError),
        (tile, good_tile[:-1], TileError),
        (bundle, good_bundle.replace(b"299", b"298"), TileError),
        (bundle, good_bundle[:-1], TileError),
    ):
        with pytest.raises(error):
            taken_in(Monitor(Copy(log, {name: lie}), policy, tmp_path / "memory"))
    assert [entry.index for entry in taken_in(Monitor(log, policy, tmp_path / "memory"))][-1] == 299


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


def test_more_than_it_takes_in(log: Log, policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.monitor.MAX_NEW_ENTRIES", 2)
    log.append(numbers(0, 3))
    with pytest.raises(MonitorError, match="3 new entries"):
        taken_in(Monitor(log, policy, tmp_path / "memory"))


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_memory_is_refused(log: Log, policy: Policy, tmp_path: Path, data: bytes) -> None:
    memory = tmp_path / "memory"
    memory.write_bytes(data)
    with pytest.raises(MonitorError, match="should hold how far"):
        Monitor(log, policy, memory)
    assert memory.read_bytes() == data


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
