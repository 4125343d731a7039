import logging
import re
import shutil
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event, text

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.database import open_engine
from ledger.errors import (
    DuplicateEntryError,
    EntryError,
    LogDamagedError,
    NoSuchEntryError,
    RolledBackError,
    WrongLogError,
)
from ledger.keys import Ed25519Signer
from ledger.log import Log, Receipt
from ledger.merkle import (
    EMPTY_ROOT,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root,
)
from ledger.note import NoteSigner
from migrations.upgrade import upgrade

ENTRIES = [b"entry %d" % number for number in range(64)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


@pytest.fixture
def remembering(engine: Engine, signer: NoteSigner, tmp_path: Path) -> Log:
    """A log that keeps its newest checkpoint in a file."""
    return Log(engine, signer, last_checkpoint=tmp_path / "last-checkpoint")


def checkpoint_of(log: Log) -> Checkpoint:
    return open_checkpoint(log.checkpoint(), [log.verifier])


def test_appending(log: Log) -> None:
    assert log.append(ENTRIES[:2]) == [Receipt(0, LEAVES[0]), Receipt(1, LEAVES[1])]
    assert log.append(ENTRIES[2:3]) == [Receipt(2, LEAVES[2])]
    assert log.size() == 3
    entry = log.entry(2)
    assert (entry.index, entry.leaf_hash, entry.data) == (2, LEAVES[2], ENTRIES[2])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.appended_at)
    assert log.entry_by_leaf(LEAVES[2]) == entry
    assert log.entry_by_leaf(LEAVES[3]) is None
    assert checkpoint_of(log) == Checkpoint("example.com/log", 3, root(LEAVES[:3]))


def test_an_empty_log_has_a_checkpoint(log: Log) -> None:
    assert checkpoint_of(log) == Checkpoint("example.com/log", 0, EMPTY_ROOT)
    assert log.checkpoint() == log.checkpoint()
    log.append(ENTRIES[:1])
    assert checkpoint_of(log).size == 1


def test_every_proof_is_that_of_all_leaves(log: Log) -> None:
    for entry in ENTRIES:
        log.append([entry])
    for size in range(1, len(ENTRIES) + 1):
        whole = root(LEAVES[:size])
        for index in range(size):
            proof = log.inclusion_proof(index, size)
            assert proof.path == inclusion_path(LEAVES[:size], index)
            proof.verify(LEAVES[index], whole)
    for new in (1, 2, 3, 31, 32, 33, 63, 64):
        for old in range(1, new + 1):
            growth = log.consistency_proof(old, new)
            assert growth.path == consistency_path(LEAVES[:new], old)
            growth.verify(root(LEAVES[:old]), root(LEAVES[:new]))


def test_proofs_default_to_the_newest_tree(log: Log) -> None:
    log.append(ENTRIES[:5])
    assert log.inclusion_proof(2) == log.inclusion_proof(2, 5)
    assert log.consistency_proof(2) == log.consistency_proof(2, 5)
    proof = log.tlog_proof(2)
    assert proof.checkpoint_note == log.checkpoint()
    assert proof.verify(LEAVES[2], [log.verifier]).size == 5


@given(st.lists(st.integers(1, 9), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
def test_batches_of_any_size_give_one_tree(
    tmp_path_factory: pytest.TempPathFactory, empty: Path, signer: NoteSigner, batches: list[int]
) -> None:
    path = tmp_path_factory.mktemp("log") / "linernotes.db"
    shutil.copy(empty, path)
    log = Log(open_engine(path), signer)
    size = 0
    for batch in batches:
        receipts = log.append(ENTRIES[size : size + batch])
        assert [receipt.index for receipt in receipts] == list(range(size, size + batch))
        size += batch
    assert checkpoint_of(log).root_hash == root(LEAVES[:size])
    log.engine.dispose()


@pytest.fixture
def empty(engine: Engine, database: Path) -> Path:
    """The file of an upgraded database that nobody has open."""
    engine.dispose()
    return database


def test_an_append_reads_only_the_edge(engine: Engine, log: Log) -> None:
    log.append([b"%d" % number for number in range(1000)])
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(engine, "after_cursor_execute", note)
    log.append([b"one more"])
    event.remove(engine, "after_cursor_execute", note)
    assert len(statements) <= 8
    assert not any("entry.data" in statement for statement in statements)


def test_entries_are_streamed(log: Log) -> None:
    data = [b"%d" % number for number in range(600)]
    log.append(data)
    assert [entry.data for entry in log.entries()] == data
    assert [entry.index for entry in log.entries(250, 520)] == list(range(250, 520))
    assert list(log.entries(600, 600)) == []
    for start, stop in ((-1, 3), (5, 4), (0, 601), (601, 601)):
        with pytest.raises(NoSuchEntryError, match="log of 600 entries"):
            log.entries(start, stop)


def test_large_batches(log: Log) -> None:
    data = [b"%d" % number for number in range(3000)]
    assert len(log.append(data)) == 3000
    log.tlog_proof(1234).verify(leaf_hash(b"1234"), [log.verifier])


def test_threads_take_turns(log: Log) -> None:
    def work(name: int) -> list[int]:
        return [log.append([b"%d %d" % (name, turn)])[0].index for turn in range(5)]

    with ThreadPoolExecutor(4) as pool:
        indices = list(pool.map(work, range(4)))
    assert sorted(index for some in indices for index in some) == list(range(20))
    assert all(some == sorted(some) for some in indices)
    assert checkpoint_of(log).size == 20


def test_what_is_outside_the_log_is_refused(log: Log) -> None:
    with pytest.raises(NoSuchEntryError, match="log of 0 entries"):
        log.tlog_proof(0)
    log.append(ENTRIES[:3])
    for index in (-1, 3, 2**70):
        with pytest.raises(NoSuchEntryError, match=f"index {index} in a log of 3"):
            log.entry(index)
        with pytest.raises(NoSuchEntryError):
            log.inclusion_proof(index)
        with pytest.raises(NoSuchEntryError):
            log.tlog_proof(index)
    with pytest.raises(NoSuchEntryError, match="tree of size 4"):
        log.inclusion_proof(0, 4)
    with pytest.raises(NoSuchEntryError, match="index 2 in a log of 2"):
        log.inclusion_proof(2, 2)
    for old, new in ((0, 3), (3, 2), (-1, 3), (1, 4)):
        with pytest.raises(NoSuchEntryError):
            log.consistency_proof(old, new)


def test_the_same_bytes_twice_are_refused(log: Log) -> None:
    log.append(ENTRIES[:3])
    with pytest.raises(DuplicateEntryError, match=r"Entry 1 of the batch.*index 2 of the log"):
        log.append([ENTRIES[5], ENTRIES[2]])
    with pytest.raises(DuplicateEntryError, match=r"Entry 2 of the batch.*position 0 of the same"):
        log.append([ENTRIES[5], ENTRIES[6], ENTRIES[5]])
    assert log.size() == 3


def test_no_entry_and_long_entries_are_refused(log: Log, signer: NoteSigner) -> None:
    with pytest.raises(EntryError, match="no entry"):
        log.append([])
    with pytest.raises(EntryError, match="Entry 1 of the batch is 65536 bytes"):
        log.append([b"short", bytes(65_536)])
    assert log.size() == 0
    log.append([bytes(65_535)])
    with pytest.raises(EntryError, match="at most 10"):
        Log(log.engine, signer, max_entry_bytes=10).append([bytes(11)])


def test_within_shares_the_transaction(engine: Engine, log: Log) -> None:
    def project(connection: Connection, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            connection.execute(text("INSERT INTO projection VALUES (:i)"), {"i": receipt.index})

    def fail(connection: Connection, receipts: Sequence[Receipt]) -> None:
        project(connection, receipts)
        raise KeyError

    def projected() -> list[int]:
        with Connection(engine) as connection:
            return list(connection.scalars(text("SELECT i FROM projection ORDER BY i")))

    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE projection (i INTEGER)")
    log.append(ENTRIES[:2], within=project)
    assert projected() == [0, 1]
    with pytest.raises(KeyError):
        log.append(ENTRIES[2:4], within=fail)
    assert projected() == [0, 1]
    assert log.size() == 2
    assert checkpoint_of(log).size == 2
    log.append(ENTRIES[2:4], within=project)
    assert projected() == [0, 1, 2, 3]


def test_the_newest_checkpoint_is_kept_in_a_file(remembering: Log, tmp_path: Path) -> None:
    path = tmp_path / "last-checkpoint"
    assert remembering.remembered() is None
    first = remembering.checkpoint()
    assert path.read_bytes() == first == remembering.remembered()
    remembering.append(ENTRIES[:3])
    assert remembering.checkpoint() != first
    assert path.read_bytes() == remembering.checkpoint() == remembering.remembered()


def test_an_older_copy_of_the_database_is_noticed(remembering: Log, database: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    remembering.append(ENTRIES[:3])
    with sqlite3.connect(database) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    remembering.append(ENTRIES[3:4])
    newest = remembering.checkpoint()
    restore(backup, database, remembering)
    with pytest.raises(RolledBackError, match=r"has 3 entries, but a checkpoint for 4 .*beside"):
        remembering.append(ENTRIES[4:5])
    assert remembering.size() == 3
    assert remembering.remembered() == newest


def test_a_log_that_took_another_way_is_noticed(
    remembering: Log, database: Path, tmp_path: Path, signer: NoteSigner
) -> None:
    backup = tmp_path / "backup.db"
    remembering.append(ENTRIES[:3])
    with sqlite3.connect(database) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    remembering.append(ENTRIES[3:4])
    restore(backup, database, remembering)
    Log(remembering.engine, signer).append(ENTRIES[10:11])  # as large as before, yet not the same
    for more in (b"forgetful", b"again"):
        with pytest.raises(RolledBackError, match=r"first 4 entries.*the past was changed"):
            remembering.append(ENTRIES[5:6])
        Log(remembering.engine, signer).append([more])


def test_an_emptied_database_is_noticed(remembering: Log, database: Path) -> None:
    remembering.append(ENTRIES[:3])
    remembering.engine.dispose()
    for file in database.parent.glob("linernotes.db*"):
        file.unlink()
    upgrade(remembering.engine)
    with pytest.raises(RolledBackError, match="has 0 entries"):
        remembering.checkpoint()
    with pytest.raises(RolledBackError, match="has 0 entries"):
        remembering.append(ENTRIES[:3])


def restore(backup: Path, database: Path, log: Log) -> None:
    log.engine.dispose()
    for file in database.parent.glob("linernotes.db*"):
        file.unlink()
    shutil.copy(backup, database)


def without_guards(database: Path, *statements: str) -> None:
    """Changes the past as somebody could who owns the file: the triggers go first."""
    connection = sqlite3.connect(database, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "error", "why"),
    [
        ("DELETE FROM entry WHERE log_index = 4", RolledBackError, "has 4 entries.*for 5"),
        ("DELETE FROM checkpoint WHERE size = 5", LogDamagedError, "newest checkpoint covers 0"),
        ("UPDATE head SET edge = randomblob(64)", LogDamagedError, "head says that there are 5"),
        ("UPDATE head SET edge = x'00'", LogDamagedError, "row contradicts itself"),
        ("UPDATE head SET size = 4", LogDamagedError, "row contradicts itself"),
        ("DELETE FROM head", LogDamagedError, "lost the row"),
        (
            "UPDATE entry SET leaf_hash = randomblob(32) WHERE log_index = 4",
            RolledBackError,
            "the past was changed",
        ),
        (
            "INSERT INTO entry VALUES (5, randomblob(32), 'now', x'00')",
            LogDamagedError,
            "holds 6 entries.*head says that there are 5",
        ),
        (
            "UPDATE checkpoint SET note = x'00'",
            Exception,
            "not",
        ),
    ],
)
def test_a_changed_past_is_not_signed(
    log: Log, database: Path, statement: str, error: type[Exception], why: str
) -> None:
    log.append(ENTRIES[:5])
    without_guards(database, statement)
    with pytest.raises(error, match=why):
        log.append(ENTRIES[10:11])
    with sqlite3.connect(database) as connection:
        [count] = connection.execute("SELECT count(*) FROM entry WHERE log_index > 5").fetchone()
    connection.close()
    assert count == 0


def test_a_log_that_is_opened_again_looks_deeper(log: Log, database: Path, signer: NoteSigner) -> None:
    log.append(ENTRIES[:5])
    without_guards(database, "DELETE FROM entry WHERE log_index = 2")
    with pytest.raises(LogDamagedError, match="Of the entries from 0 to 4, the log has only 4"):
        Log(log.engine, signer).append(ENTRIES[5:6])


def test_another_key_does_not_continue_the_log(log: Log, engine: Engine, signer: NoteSigner) -> None:
    log.append(ENTRIES[:1])
    for stranger in (
        NoteSigner("example.com/log", Ed25519Signer.generate()),
        NoteSigner("example.com/other", signer.key),
    ):
        with pytest.raises(WrongLogError, match="not signed by the key"):
            Log(engine, stranger).append(ENTRIES[1:2])
    assert log.size() == 1


def test_a_memory_that_cannot_be_written_undoes_nothing(
    engine: Engine,
    signer: NoteSigner,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log(engine, signer, last_checkpoint=tmp_path / "last-checkpoint")

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ledger.last_checkpoint.replace", fail)
    with caplog.at_level(logging.WARNING):
        assert log.append(ENTRIES[:1])[0].index == 0
    assert "could not be kept" in caplog.text
    assert "No space left" in caplog.text
