"""A connection that is cut in the middle of a commit: what becomes of the entries, and what their appender is told."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from sqlalchemy import Connection, text

from ledger import integration, store
from ledger.database import open_engine, reading, writing
from ledger.errors import DatabaseUnavailableError, DuplicateEntryError, InDoubtError
from ledger.fsck import check
from ledger.integration import Integrator
from ledger.log import Log, Receipt
from ledger.merkle import leaf_hash
from ledger.note import NoteSigner
from ledger.publisher import Publisher
from ledger.sequencer import Append
from tests.ledger.cut import Fault, Proxy, proxy

KEPT = [Fault.LOSE_REPLY, Fault.LATE]


@pytest.fixture
def url(new_postgresql: Callable[[], str]) -> str:
    return new_postgresql()


@pytest.fixture
def wire(url: str) -> Iterator[Proxy]:
    with proxy(url) as made:
        yield made


@pytest.fixture
def log(wire: Proxy, signer: NoteSigner) -> Iterator[Log]:
    """A log of one entry, at the other end of a wire that can be cut."""
    engine = open_engine(wire.url)
    log = Log(engine, signer)
    log.append([b"before"])
    yield log
    engine.dispose()


@pytest.fixture
def straight(url: str, signer: NoteSigner) -> Iterator[Log]:
    """The same log, without that wire."""
    engine = open_engine(url)
    yield Log(engine, signer)
    engine.dispose()


@pytest.mark.parametrize("key", [None, "a key"])
@pytest.mark.parametrize("fault", KEPT)
def test_what_was_recorded_is_acknowledged(log: Log, straight: Log, wire: Proxy, fault: Fault, key: str | None) -> None:
    wire.fault = fault
    receipts = log.append([b"a", b"b"], idempotency_key=key)
    assert wire.fault is None
    assert [receipt.index for receipt in receipts] == [1, 2]
    assert straight.size() == 3
    if key:
        assert log.append([b"a", b"b"], idempotency_key=key) == receipts
    assert log.append([b"c"])[0].index == 3
    assert check(straight).problems == ()


@pytest.mark.parametrize(("fault", "key"), [(Fault.LOSE_IT, None), (Fault.LOSE_IT, "a key"), (Fault.SILENCE, "a key")])
def test_what_was_not_recorded_is_refused(
    log: Log, straight: Log, wire: Proxy, fault: Fault, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_HELD_SECONDS", 2)  # then the server ends what stands still with the lock
    wire.fault = fault
    with pytest.raises(DatabaseUnavailableError, match="nothing was recorded: The database") as refusal:
        log.append([b"a", b"b"], idempotency_key=key)
    assert not isinstance(refusal.value, InDoubtError)
    assert wire.fault is None
    assert straight.size() == 1
    assert [receipt.index for receipt in log.append([b"a", b"b"], idempotency_key=key)] == [1, 2]
    assert check(straight).problems == ()


@pytest.mark.parametrize("statement", [b"FOR UPDATE", b"INSERT INTO entry", b"UPDATE head", b"INSERT INTO checkpoint"])
def test_a_cut_before_the_commit_leaves_no_doubt(log: Log, straight: Log, wire: Proxy, statement: bytes) -> None:
    wire.at, wire.fault = statement, Fault.LOSE_IT
    with pytest.raises(DatabaseUnavailableError, match="cannot be reached") as refusal:
        log.append([b"a"])
    assert not isinstance(refusal.value, InDoubtError)
    assert wire.fault is None
    assert straight.size() == 1
    assert log.append([b"a"])[0].index == 1


@pytest.mark.parametrize("fault", [Fault.LOSE_REPLY, Fault.LOSE_IT])
def test_a_server_that_does_not_answer_leaves_the_doubt(
    log: Log, straight: Log, wire: Proxy, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integration, "DOUBT_SECONDS", 0.3)
    wire.fault, wire.shuts = fault, True
    with pytest.raises(InDoubtError, match=r"may or may not be recorded.*same idempotency key, or the same bytes"):
        log.append([b"a"], idempotency_key="a key")
    wire.shut = False
    recorded = fault is Fault.LOSE_REPLY
    assert straight.size() == 1 + recorded
    if recorded:
        with pytest.raises(DuplicateEntryError, match="at index 1 of the log already"):
            log.append([b"a"])
    assert log.append([b"a"], idempotency_key="a key")[0].index == 1
    assert check(straight).problems == ()


def test_the_answer_is_waited_for_until_the_server_is_back(log: Log, wire: Proxy) -> None:
    wire.fault, wire.shuts = Fault.LOSE_REPLY, True

    def open_again() -> None:
        wire.shut = False

    timer = threading.Timer(0.3, open_again)
    timer.start()
    assert log.append([b"a"])[0].index == 1
    timer.join()


def add_row(connection: Connection, receipts: Sequence[Receipt]) -> None:
    connection.execute(text("INSERT INTO thing VALUES (:index)"), {"index": receipts[0].index})


@pytest.mark.parametrize("fault", [*KEPT, Fault.LOSE_IT])
def test_all_of_a_batch_have_one_fate(log: Log, straight: Log, wire: Proxy, signer: NoteSigner, fault: Fault) -> None:
    with writing(straight.engine) as connection:
        connection.exec_driver_sql("CREATE TABLE thing (x integer)")
    first = straight.append([b"known"], idempotency_key="known")
    wishes = [
        (b"a", None, None),
        (b"b", add_row, None),
        (b"c", None, "c"),
        (b"known", None, "known"),
    ]
    batch = [Append([data], [leaf_hash(data)], within, key) for data, within, key in wishes]
    wire.fault = fault
    Integrator(log.engine, Publisher(log.engine, signer, None), publishes_at_once=True).commit(batch)
    assert batch[3].result() == first
    with reading(straight.engine) as connection:
        things = list(connection.scalars(text("SELECT x FROM thing")))
    if fault in KEPT:
        assert [append.result()[0].index for append in batch[:3]] == [2, 3, 4]
        assert things == [3]
    else:
        assert all(isinstance(append.error, DatabaseUnavailableError) for append in batch[:3])
        assert things == []
    assert straight.size() == (5 if fault in KEPT else 2)
    assert check(straight).problems == ()


def test_a_repetition_adds_nothing_that_could_be_lost(log: Log, wire: Proxy) -> None:
    first = log.append([b"a"], idempotency_key="a key")
    wire.fault = Fault.LOSE_IT
    assert log.append([b"a"], idempotency_key="a key") == first
    assert wire.fault is None


def test_another_append_of_the_same_bytes_is_not_taken_for_this_one(straight: Log) -> None:
    [receipt] = straight.append([b"a"])
    with reading(straight.engine) as connection:
        for used, found in (({}, True), ({"a key": range(1)}, False)):
            assert store.settle_doubt(connection, 0, [receipt.leaf_hash], used) is found
        assert not store.settle_doubt(connection, 0, [receipt.leaf_hash, bytes(32)], {})
        assert not store.settle_doubt(connection, 1, [receipt.leaf_hash], {})


@pytest.mark.parametrize("fault", [Fault.LOSE_REPLY, Fault.LOSE_IT])
def test_other_writers_are_told_of_the_doubt(log: Log, straight: Log, wire: Proxy, fault: Fault) -> None:
    wire.fault = fault
    with pytest.raises(InDoubtError, match="may or may not be recorded: The database"), writing(log.engine) as session:
        session.exec_driver_sql("DELETE FROM checkpoint WHERE false")
    assert straight.size() == 1


@pytest.mark.parametrize("fault", [Fault.LOSE_REPLY, Fault.LOSE_IT])
def test_a_publisher_may_try_again(log: Log, wire: Proxy, signer: NoteSigner, fault: Fault) -> None:
    Log(log.engine, signer.verifier, publishes_at_once=False).append([b"a"])
    publisher = Log(log.engine, signer, publishes_at_once=False)
    wire.fault = fault
    with pytest.raises(InDoubtError):
        publisher.publish()
    publisher.publish()
    assert check(publisher).problems == ()
    assert check(publisher).warnings == ()
