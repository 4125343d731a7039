"""A publisher of its own: it signs what is durable, and nothing that contradicts what it signed."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine

import ledger.log
import ledger.store
from ledger import publisher as publisher_module
from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.errors import LogDamagedError, NoSuchEntryError, NotPublishedError, RolledBackError
from ledger.fsck import check
from ledger.last_checkpoint import LastCheckpoint
from ledger.log import Log
from ledger.merkle import leaf_hash
from ledger.note import NoteSigner
from ledger.tile import TilePath

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def writer(engine: Engine, signer: NoteSigner) -> Log:
    """A log in a process that has not the log's private key."""
    return Log(engine, signer.verifier, publishes_at_once=False)


@pytest.fixture
def publisher(engine: Engine, signer: NoteSigner, tmp_path: Path) -> Log:
    """The same log where its key lies."""
    return Log(engine, signer, publishes_at_once=False, last_checkpoint=tmp_path / "last-checkpoint")


def size_of(note: bytes, log: Log) -> int:
    return open_checkpoint(note, [log.verifier]).size


def test_checkpoints_come_when_they_are_published(writer: Log, publisher: Log) -> None:
    assert size_of(publisher.publish(), writer) == 0
    writer.append([b"a", b"b"])
    writer.append([b"c"])
    assert size_of(writer.checkpoint(), writer) == 0
    note = publisher.publish()
    assert size_of(note, writer) == 3
    assert writer.checkpoint() == note == publisher.publish() == publisher.remembered()
    writer.tlog_proof(1).verify(leaf_hash(b"b"), [writer.verifier])


def test_a_process_without_the_key_cannot_publish(writer: Log) -> None:
    writer.append([b"a"])
    with pytest.raises(NotPublishedError, match=r"only the public key of the log example\.com/log"):
        writer.publish()
    with pytest.raises(NotPublishedError):
        writer.checkpoint()
    with pytest.raises(ValueError, match="needs its private key"):
        Log(writer.engine, writer.verifier)


def test_a_proof_waits_for_its_checkpoint(writer: Log, publisher: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher.publish()
    writer.append([b"a"])
    timer = threading.Timer(0.1, publisher.publish)
    timer.start()
    writer.tlog_proof(0).verify(leaf_hash(b"a"), [writer.verifier])
    timer.join()
    writer.append([b"b"])
    monkeypatch.setattr(ledger.log, "PUBLISHED_WITHIN_SECONDS", 0)
    with pytest.raises(NotPublishedError, match="index 1 is in the log, but no checkpoint covers it"):
        writer.tlog_proof(1)
    with pytest.raises(NoSuchEntryError):
        writer.tlog_proof(2)


def test_tiles_and_bundles_reach_as_far_as_the_checkpoint(writer: Log, publisher: Log) -> None:
    writer.append([b"%d" % number for number in range(300)])
    publisher.publish()
    writer.append([b"unpublished"])
    assert len(writer.tile(TilePath(0, 0))) == 8192
    assert len(writer.tile(TilePath(0, 1, 44))) == 44 * 32
    assert writer.tile(TilePath(0, 1, 3)) == writer.tile(TilePath(0, 1, 44))[:96]
    assert writer.tile(TilePath(0, 0, 7)) == writer.tile(TilePath(0, 0))[:224]
    assert len(writer.tile(TilePath(1, 0, 1))) == 32
    assert writer.tile(TilePath(None, 1, 1)) == b"\x00\x03256"
    for path in (TilePath(0, 1, 45), TilePath(0, 1), TilePath(None, 1, 45), TilePath(1, 0, 2), TilePath(2, 0, 1)):
        with pytest.raises(NoSuchEntryError, match="log of 300 entries"):
            writer.tile(path)


def test_entries_that_await_their_checkpoint_are_a_warning(writer: Log, publisher: Log) -> None:
    publisher.publish()
    writer.append([b"a", b"b"])
    report = check(publisher)
    assert report.problems == ()
    assert [warning.what for warning in report.warnings] == [
        "No checkpoint covers the last 2 entries yet: start the publisher."
    ]
    at_once = Log(publisher.engine, publisher._publisher._signer)  # type: ignore[arg-type]
    assert "newest checkpoint covers 0" in check(at_once).problems[0].what
    with pytest.raises(LogDamagedError, match="`linernotes log publish` signs for them"):
        at_once.append([b"c"])
    publisher.publish()
    assert at_once.append([b"c"])[0].index == 2


def test_an_older_copy_is_not_signed_for(writer: Log, publisher: Log, database: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    writer.append([b"a"])
    publisher.publish()
    with sqlite3.connect(database) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    writer.append([b"b"])
    publisher.publish()
    publisher.engine.dispose()
    for ending in ("-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
    backup.replace(database)
    writer.append([b"another b"])
    with pytest.raises(RolledBackError, match="the past was changed"):
        publisher.publish()


LOOKS: dict[str, Callable[[Log], object]] = {
    "checkpoint": Log.checkpoint,
    "publish": Log.publish,
    "proof": lambda log: log.tlog_proof(0),
    "append": lambda log: log.append([b"of another machine"]),
}


@pytest.mark.parametrize("publishes", ["at once", "now and then"])
@pytest.mark.parametrize("look", LOOKS)
def test_whoever_saw_a_checkpoint_notices_a_database_that_is_older(
    engine: Engine, signer: NoteSigner, database: Path, tmp_path: Path, look: str, publishes: str
) -> None:
    """As on another machine, whose memory is its own."""
    at_once = publishes == "at once"
    here = Log(engine, signer, last_checkpoint=tmp_path / "here", publishes_at_once=at_once)
    there = Log(engine, signer, last_checkpoint=tmp_path / "there", publishes_at_once=at_once)
    here.append([b"a"])
    here.publish()
    backup = tmp_path / "backup.db"
    with sqlite3.connect(database) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    here.append([b"b"])
    newest = here.publish()
    LOOKS[look](there)
    assert there.remembered() == (here.checkpoint() if look == "append" and at_once else newest)
    engine.dispose()
    for ending in ("-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
    backup.replace(database)
    with pytest.raises(RolledBackError, match="has 1 entries, but a checkpoint for"):
        there.append([b"another b"])
    for name in ("checkpoint", "publish", "proof"):
        with pytest.raises(RolledBackError, match="has 1 entries, but a checkpoint for"):
            LOOKS[name](there)
    assert there.size() == 1


def test_what_contradicts_the_checkpoint_that_is_remembered_is_not_shown(
    engine: Engine, signer: NoteSigner, tmp_path: Path
) -> None:
    log = Log(engine, signer, last_checkpoint=tmp_path / "last-checkpoint")
    log.append([b"a", b"b"])
    other = sign_checkpoint(Checkpoint(log.origin, 2, bytes(32)), signer)
    (tmp_path / "last-checkpoint").write_bytes(other)
    for look in (Log.checkpoint, lambda log: log.tlog_proof(0)):
        with pytest.raises(RolledBackError, match="the past was changed"):
            look(log)


def test_a_checkpoint_that_cannot_be_remembered_is_held_against_the_tree_once(
    engine: Engine, signer: NoteSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = Log(engine, signer).append([b"a"]) and Log(engine, signer).checkpoint()
    looked: list[object] = []
    monkeypatch.setattr(publisher_module, "require_sound", lambda *found: looked.append(found))
    forgetful = Log(engine, signer)
    assert [forgetful.checkpoint() for _ in range(3)] == [newest] * 3
    assert len(looked) == 1


def test_two_publishers(writer: Log, publisher: Log, signer: NoteSigner) -> None:
    other = Log(publisher.engine, signer, publishes_at_once=False)
    with ThreadPoolExecutor(2) as pool:
        for number in range(20):
            writer.append([b"%d" % number])
            first, second = pool.submit(publisher.publish), pool.submit(other.publish)
            assert first.result() == second.result()
    assert check(publisher).problems == ()


def test_what_cannot_be_remembered_is_reported(
    writer: Log, publisher: Log, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish()
    writer.append([b"a"])
    lock = tmp_path / ".last-checkpoint.lock"
    lock.unlink()
    lock.mkdir()
    with caplog.at_level(logging.WARNING):
        note = publisher.publish()
    assert size_of(note, writer) == 1
    assert "could not be kept" in caplog.text


@pytest.mark.parametrize("seam", [(LastCheckpoint, "read"), (ledger.store, "state")])
def test_a_publisher_that_is_outrun_claims_no_loss(
    engine: Engine, publisher: Log, signer: NoteSigner, monkeypatch: pytest.MonkeyPatch, seam: tuple[object, str]
) -> None:
    """Between its looks at the database and at the file, another publisher signs for more."""
    assert publisher.remembered() is None
    faster = Log(engine, signer, publishes_at_once=False, last_checkpoint=publisher._publisher._last_checkpoint.path)
    publisher.append([b"first"])
    publisher.publish()
    publisher.append([b"second"])
    owner, name = seam
    original = getattr(owner, name)

    def outrun(*arguments: object) -> object:
        found = original(*arguments)
        monkeypatch.undo()
        faster.append([b"third"])
        faster.publish()
        return found

    monkeypatch.setattr(owner, name, outrun)
    assert size_of(publisher.publish(), publisher) in {2, 3}
    assert size_of(publisher.publish(), publisher) == 3
