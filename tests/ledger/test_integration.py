"""One transaction for many: who is refused, who is not, and what a second attempt gets."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from ledger.errors import DuplicateEntryError, EntryError, IdempotencyError
from ledger.fsck import check
from ledger.integration import Integrator
from ledger.log import Log, Receipt
from ledger.merkle import leaf_hash
from ledger.note import NoteSigner
from ledger.publisher import Publisher
from ledger.sequencer import Append


@pytest.fixture
def integrator(log: Log, signer: NoteSigner) -> Integrator:
    """What commits batches into the log under test."""
    return Integrator(log.engine, Publisher(log.engine, signer, None), publishes_at_once=True)


def wish(*entries: bytes, key: str | None = None) -> Append:
    return Append(entries, [leaf_hash(entry) for entry in entries], None, key)


def refuse(_session: Connection, _receipts: Sequence[Receipt]) -> None:
    raise KeyError("refused")


def test_one_refusal_spares_the_others(log: Log, integrator: Integrator) -> None:
    log.append([b"known"])
    batch = [wish(b"a", b"b"), wish(b"c", b"known"), wish(b"d"), wish(b"e"), wish(b"a")]
    batch[2].within = refuse
    integrator.commit(batch)
    assert [entry.data for entry in log.entries()] == [b"known", b"a", b"b", b"e"]
    assert [receipt.index for receipt in batch[0].result()] == [1, 2]
    with pytest.raises(DuplicateEntryError, match=r"Entry 1 of the batch.*at index 0 of the log"):
        batch[1].result()
    with pytest.raises(KeyError):
        batch[2].result()
    assert [receipt.index for receipt in batch[3].result()] == [3]
    with pytest.raises(DuplicateEntryError, match=r"Entry 0 of the batch.*at index 1 of the log"):
        batch[4].result()
    assert check(log).problems == ()


def test_a_within_sees_its_receipts_when_the_transaction_is_repeated(log: Log, integrator: Integrator) -> None:
    seen: list[list[int]] = []

    def note(_session: Connection, receipts: Sequence[Receipt]) -> None:
        seen.append([receipt.index for receipt in receipts])

    batch = [wish(b"a"), wish(b"b"), wish(b"c")]
    batch[0].within = refuse
    batch[2].within = note
    integrator.commit(batch)
    assert seen[-1] == [1] == [receipt.index for receipt in batch[2].result()]
    assert log.size() == 2


def test_an_idempotency_key_gives_the_first_receipts(log: Log) -> None:
    first = log.append([b"a", b"b"], idempotency_key="wish 1")
    assert log.append([b"a", b"b"], idempotency_key="wish 1") == first
    assert log.size() == 2
    with pytest.raises(DuplicateEntryError):
        log.append([b"a", b"b"])
    with pytest.raises(DuplicateEntryError):
        log.append([b"a"], idempotency_key="wish 2")
    for other in ([b"a"], [b"b", b"a"], [b"a", b"b", b"c"], [b"x", b"y"]):
        with pytest.raises(IdempotencyError, match="'wish 1' was used for 2 other entries, from index 0"):
            log.append(other, idempotency_key="wish 1")
    assert log.append([b"c"], idempotency_key="wish 2")[0].index == 2  # what was refused took no key


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_idempotency_keys_have_a_length(log: Log, key: str) -> None:
    with pytest.raises(EntryError, match=rf"has {len(key)} characters"):
        log.append([b"a"], idempotency_key=key)
    assert log.size() == 0


@pytest.mark.parametrize("key", ["a\0b", "\ud800", "a\nb"])
def test_idempotency_keys_can_be_printed(log: Log, key: str) -> None:
    with pytest.raises(EntryError, match="cannot be printed"):
        log.append([b"a"], idempotency_key=key)
    assert log.size() == 0


def test_one_key_twice_in_one_batch(log: Log, integrator: Integrator) -> None:
    batch = [wish(b"a", key="k"), wish(b"b"), wish(b"a", key="k"), wish(b"c", key="k")]
    integrator.commit(batch)
    assert batch[0].result() == batch[2].result()
    assert isinstance(batch[3].error, IdempotencyError)
    assert sorted(entry.data for entry in log.entries()) == [b"a", b"b"]


def test_a_repeated_append_alone_writes_nothing(log: Log) -> None:
    log.append([b"a"], idempotency_key="k")
    before = log.checkpoint()
    log.append([b"a"], idempotency_key="k")
    assert log.checkpoint() == before


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from([None, "k", "l"])), min_size=1, max_size=8))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_in_a_batch_every_append_is_settled_truly(
    log: Log, integrator: Integrator, wishes: list[tuple[int, str | None]]
) -> None:
    batch = [wish(b"%d" % number, key=key) for number, key in wishes]
    integrator.commit(batch)
    for append in batch:
        assert append.settled
        for receipt, data in zip(append.receipts, append.entries, strict=False):
            assert log.entry(receipt.index).data == data
    with log.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM entry")) == log.size()


def test_many_threads_share_transactions(log: Log) -> None:
    def work(name: int) -> list[int]:
        return [log.append([b"%d %d" % (name, turn)], idempotency_key=f"{name} {turn}")[0].index for turn in range(20)]

    with ThreadPoolExecutor(16) as pool:
        indices = list(pool.map(work, range(16)))
    assert sorted(index for some in indices for index in some) == list(range(320))
    with log.engine.connect() as connection:
        checkpoints = connection.scalar(text("SELECT count(*) FROM checkpoint"))
    assert checkpoints is not None
    assert checkpoints < 320
    assert check(log).problems == ()
