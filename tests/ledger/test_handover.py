"""A log is handed over from one key to the next, and nothing that only the old one signed counts afterwards."""

import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from ledger import store
from ledger.add_checkpoint import AddCheckpoint
from ledger.checkpoint import open_checkpoint, sign_checkpoint
from ledger.cosignature import Cosigner
from ledger.database import appending, open_engine, reading
from ledger.entry import Receipt
from ledger.errors import (
    DuplicateEntryError,
    EntryError,
    LedgerError,
    NotPublishedError,
    PolicyError,
    RolledBackError,
    SignatureError,
    SuccessionError,
    WrongLogError,
)
from ledger.fsck import check
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.merkle import leaf_hash
from ledger.note import Note, NoteSigner, NoteVerifier
from ledger.policy import Policy
from ledger.publisher import Publisher
from ledger.rotation import Succession
from ledger.sequencer import Append, Sequencer
from ledger.witness import Witness
from tests.ledger.handing import FIRST, NAMES_SECOND, NAMES_THIRD, SECOND, THIRD
from tests.ledger.test_fsck import tamper

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "last-checkpoint"


@pytest.fixture
def reopen(engine: Engine, memory: Path) -> Callable[..., Log]:
    """Opens the log as another process does that has a key, and knows which keys there were before."""

    def open_(*keys: tuple[NoteSigner, int], at_once: bool = True) -> Log:
        succession = Succession.of(FIRST.verifier)
        for key, index in keys:
            succession = succession.extended(key.verifier, index)
        signer = keys[-1][0] if keys else FIRST
        return Log(engine, signer, last_checkpoint=memory, succession=succession, publishes_at_once=at_once)

    return open_


@pytest.fixture
def log(reopen: Callable[..., Log]) -> Log:
    """A log of three entries."""
    log = reopen()
    log.append([b"a"])
    log.append([b"b", b"c"])
    return log


def policy(*keys: NoteSigner) -> Policy:
    return Policy.parse("".join(f"log {key.vkey}\n" for key in keys) + "quorum none\n")


def note_at(log: Log, size: int) -> bytes:
    with reading(log.engine) as connection:
        stored = store.checkpoint_at(connection, size)
    assert stored is not None
    return stored.note


def twice_handed(log: Log) -> Log:
    """Ends with eight entries: 3 names the second key, 6 the third."""
    log.hand_over(NAMES_SECOND, SECOND)
    log.append([b"d"])
    log.append([b"e"])
    log.hand_over(NAMES_THIRD, THIRD)
    log.append([b"f"])
    return log


def test_who_signs_before_at_and_after(log: Log, reopen: Callable[..., Log]) -> None:
    receipt = log.hand_over(NAMES_SECOND, SECOND)
    assert (receipt.index, receipt.leaf_hash) == (3, leaf_hash(NAMES_SECOND))
    assert log.verifier == SECOND.verifier
    assert log.checkpoint() == log.remembered() == note_at(log, 4)
    assert [line.key_id for line in Note.parse(note_at(log, 4)).signatures] == [
        FIRST.verifier.key_id,
        SECOND.verifier.key_id,
    ]
    log.append([b"d"])
    for size, signers in ((3, [FIRST]), (4, [FIRST, SECOND]), (5, [SECOND])):
        for key in (FIRST, SECOND):
            if key in signers:
                assert open_checkpoint(note_at(log, size), [key.verifier]).size == size
            else:
                with pytest.raises(SignatureError):
                    open_checkpoint(note_at(log, size), [key.verifier])
    assert check(log).problems == ()
    again = reopen((SECOND, 3))
    again.append([b"e"])
    again.tlog_proof(0).verify(leaf_hash(b"a"), [SECOND.verifier])
    assert check(again).problems == check(log).problems == ()


def test_what_outsiders_accept(log: Log) -> None:
    """Whoever knows the old key alone is brought as far as the handover, and not one entry further."""
    twice_handed(log)
    old, both = policy(FIRST), policy(FIRST, SECOND)
    assert old.check(note_at(log, 4)).size == both.check(note_at(log, 4)).size == 4
    assert both.check(note_at(log, 7)).size == 7
    for size in (5, 7, 8):
        with pytest.raises(PolicyError):
            old.check(note_at(log, size))
    with pytest.raises(PolicyError):
        both.check(note_at(log, 8))
    assert policy(THIRD).check(note_at(log, 7)).size == 7
    at_handover = log.proof_against(3, note_at(log, 4))
    assert at_handover is not None
    assert old.verify(at_handover, leaf_hash(NAMES_SECOND)).size == 4


def test_a_sound_log_that_was_handed_over_twice(log: Log, reopen: Callable[..., Log]) -> None:
    twice_handed(log)
    again = reopen((SECOND, 3), (THIRD, 6))
    assert check(log) == check(again)
    assert check(again).problems == check(again).warnings == ()
    assert [tenure.first_size for tenure in log.succession.tenures] == [0, 4, 7]


@pytest.mark.parametrize(
    ("size", "signers"),
    [(3, [SECOND]), (4, [FIRST]), (4, [SECOND]), (5, [FIRST]), (6, [THIRD]), (8, [FIRST]), (8, [SECOND])],
)
def test_fsck_names_a_checkpoint_that_the_wrong_key_signed(
    log: Log, reopen: Callable[..., Log], size: int, signers: Sequence[NoteSigner]
) -> None:
    """The root is right, and the signature holds: only its turn it was not."""
    twice_handed(log)
    checkpoint = open_checkpoint(note_at(log, size), [FIRST.verifier, SECOND.verifier, THIRD.verifier])
    forged = sign_checkpoint(checkpoint, signers[0])
    tamper(log.engine, f"UPDATE checkpoint SET note = ? WHERE size = {size}", forged)  # noqa: S608 - a fixed number
    if size == 8:
        log._publisher._last_checkpoint.path.write_bytes(forged)  # type: ignore[union-attr]
    [found, *others] = check(reopen((SECOND, 3), (THIRD, 6))).problems
    places = {found.where, *(other.where for other in others)}
    assert places == ({f"checkpoint {size}", "log"} if size == 8 else {f"checkpoint {size}"})
    whose = {3: FIRST, 4: SECOND if signers == [FIRST] else FIRST, 5: SECOND, 6: SECOND, 8: THIRD}[size]
    assert any(f"has to be signed by the key {whose.vkey}" in each.what for each in (found, *others))


def test_who_has_the_log_open_with_the_old_key_signs_nothing_more(log: Log, reopen: Callable[..., Log]) -> None:
    asleep, fresh = reopen(), reopen()
    asleep.append([b"d"])
    log.hand_over(NAMES_SECOND, SECOND)  # at 4
    for stale in (asleep, fresh):
        for _ in range(2):
            with pytest.raises(SuccessionError, match=f"{SECOND.verifier.key_id:08x}, which this process does not"):
                stale.append([b"by the old key"])
        with pytest.raises(SuccessionError):
            stale.hand_over(NAMES_THIRD, THIRD)
    log.append([b"e"])
    for stale in (asleep, fresh):
        with pytest.raises(WrongLogError, match="open the log again, if it was handed over"):
            stale.append([b"by the old key"])
    assert log.size() == 6
    assert check(log).problems == ()


def test_a_publisher_with_the_old_key_publishes_nothing_more(log: Log, reopen: Callable[..., Log]) -> None:
    slow, asleep = reopen(at_once=False), reopen(at_once=False)
    slow.append([b"d", b"e"])
    slow.hand_over(NAMES_SECOND, SECOND)  # the entries before are covered by the same checkpoint
    assert open_checkpoint(slow.checkpoint(), [FIRST.verifier]).size == 6
    asleep.append([b"f"])  # it signs nothing, and sees a checkpoint that its own key signed too
    with pytest.raises(SuccessionError):
        asleep.publish()
    assert open_checkpoint(slow.publish(), [SECOND.verifier]).size == 7
    with pytest.raises(WrongLogError):
        asleep.append([b"g"])
    assert check(slow).problems == ()


def test_a_writer_without_the_key_cannot_hand_over(engine: Engine) -> None:
    writer = Log(engine, FIRST.verifier, publishes_at_once=False)
    with pytest.raises(NotPublishedError):
        writer.hand_over(NAMES_SECOND, SECOND)
    assert writer.size() == 0


def test_what_cannot_follow(log: Log) -> None:
    other = NoteSigner("example.com/other", Ed25519Signer.generate())
    for successor in (FIRST, other):
        with pytest.raises(LedgerError):
            log.hand_over(NAMES_SECOND, successor)
    with pytest.raises(DuplicateEntryError):
        log.hand_over(b"a", SECOND)
    with pytest.raises(EntryError):
        log.hand_over(bytes(100_000), SECOND)
    log.hand_over(NAMES_SECOND, SECOND)
    with pytest.raises(SuccessionError, match="had before"):
        log.hand_over(b"and back", FIRST)
    log.append([b"d"])
    assert log.size() == 5
    assert check(log).problems == ()


def test_what_is_refused_within_hands_nothing_over(log: Log) -> None:
    def refuse(_connection: Connection, receipts: Sequence[Receipt]) -> None:
        assert [receipt.index for receipt in receipts] == [3]
        raise LookupError("no")

    with pytest.raises(LookupError):
        log.hand_over(NAMES_SECOND, SECOND, refuse)
    log.append([b"d"])
    assert log.verifier == FIRST.verifier
    assert check(log).problems == ()


def test_a_key_that_is_not_the_log_s_signs_nothing(log: Log, engine: Engine, memory: Path) -> None:
    """As when the key's file was lost and made anew, or put back from before a handover."""
    log.hand_over(NAMES_SECOND, SECOND)
    for key in (FIRST, THIRD):
        wrong = Log(engine, key, last_checkpoint=memory, succession=log.succession)
        with pytest.raises(WrongLogError, match=re.escape(f"signs with {SECOND.vkey}")):
            wrong.append([b"d"])
        assert wrong.entry(0).data == b"a"
        assert [problem.where for problem in check(wrong).problems] == ["log"]
    assert log.size() == 4


def test_the_last_gate_is_the_signing_itself(log: Log) -> None:
    log.hand_over(NAMES_SECOND, SECOND)
    for key in (FIRST, THIRD):
        publisher = Publisher(log.engine, key, None, succession=log.succession)
        with appending(log.engine) as connection, pytest.raises(WrongLogError):
            publisher.sign(store.head(connection).extended([bytes(32)]).frontier, None)
    assert log.checkpoint() == note_at(log, 4)


def test_a_handover_is_committed_alone() -> None:
    batches: list[list[bytes]] = []
    begun, may_go_on = threading.Semaphore(0), threading.Event()

    def commit(batch: Sequence[Append], _more: Callable[[], Sequence[Append]]) -> None:
        begun.release()
        may_go_on.wait()
        batches.append([append.entries[0] for append in batch])
        for append in batch:
            append.receipts = [Receipt(0, bytes(32))]

    sequencer = Sequencer(commit)
    with ThreadPoolExecutor(6) as pool:
        futures = []
        for position, name in enumerate((b"a", b"b", b"c", NAMES_SECOND, b"d", b"e")):
            successor = SECOND if name == NAMES_SECOND else None
            futures.append(pool.submit(sequencer.submit, Append([name], [bytes(32)], successor=successor)))
            if position == 0:
                begun.acquire()
            while len(sequencer._queue) < position:
                threading.Event().wait(0.001)
        may_go_on.set()
        for future in futures:
            future.result()
    assert batches == [[b"a"], [b"b", b"c"], [NAMES_SECOND], [b"d", b"e"]]


def test_threads_append_while_the_log_is_handed_over(log: Log) -> None:
    begun = threading.Barrier(9)

    def append(number: int) -> None:
        begun.wait()
        for part in range(5):
            log.append([b"%d %d" % (number, part)])

    def hand_over() -> int:
        begun.wait()
        return log.hand_over(NAMES_SECOND, SECOND).index

    with ThreadPoolExecutor(9) as pool:
        appends = [pool.submit(append, number) for number in range(8)]
        index = pool.submit(hand_over).result()
        for each in appends:
            each.result()
    assert log.size() == 3 + 40 + 1
    assert len(Note.parse(note_at(log, index + 1)).signatures) == 2
    assert check(log).problems == ()


def test_a_database_from_before_the_handover_is_refused(
    database: Path, tmp_path: Path, new_engine: Callable[[Path], Engine], memory: Path
) -> None:
    """It does not even know the key that signed since; what is kept beside the key says so."""
    log = Log(new_engine(database), FIRST, last_checkpoint=memory)
    log.append([b"a"])
    backup = tmp_path / "backup.db"
    with sqlite3.connect(database) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    log.hand_over(NAMES_SECOND, SECOND)
    for last in (log.append, None):
        engine = open_engine(backup)
        for key in (SECOND, FIRST):
            old = Log(engine, key, last_checkpoint=memory, succession=Succession.of(FIRST.verifier))
            with pytest.raises(RolledBackError, match="older than the handover"):
                old.append([b"b"])
            assert [problem.where for problem in check(old).problems] == ["log"]
        engine.dispose()
        if last is not None:
            last([b"c"])


def test_a_witness_that_knows_the_old_key_alone(log: Log, tmp_path: Path) -> None:
    """It is brought as far as the handover; then its operator adds the new key, and it goes on from there."""
    folder = tmp_path / "witness"
    folder.mkdir()
    cosigner = Cosigner("witness.example/w", Ed25519Signer.generate())

    def ask(known: Sequence[NoteVerifier], old: int, size: int) -> bytes:
        path = log.consistency_proof(old, size).path if 0 < old < size else ()
        request = AddCheckpoint(old, path, Note.parse(note_at(log, size)))
        return Witness(cosigner, known, folder).add_checkpoint(request.format())

    ask([FIRST.verifier], 0, 3)
    log.hand_over(NAMES_SECOND, SECOND)
    log.append([b"d"])
    with pytest.raises(SignatureError):
        ask([FIRST.verifier], 3, 5)
    assert ask([FIRST.verifier], 3, 4)
    with pytest.raises(SignatureError):
        ask([FIRST.verifier], 4, 5)
    assert ask([FIRST.verifier, SECOND.verifier], 4, 5)
    assert ask([SECOND.verifier], 5, 5)


@pytest.mark.parametrize("step", ["sign", "within", "commit", "remember", "none"])
def test_killed_at_any_step_it_is_handed_over_or_not(
    step: str, engine: Engine, memory: Path, reopen: Callable[..., Log]
) -> None:
    url = engine.url.render_as_string(hide_password=False)
    child = subprocess.run(
        [sys.executable, "-m", "tests.ledger.handing", url.removeprefix("sqlite:///"), str(memory), step],
        cwd=_ROOT,
        env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert child.returncode == (0 if step == "none" else -signal.SIGKILL)
    [*_, last] = reopen().entries()
    handed = last.data == NAMES_SECOND
    assert handed == (step in {"remember", "none"})
    again = reopen((SECOND, 1)) if handed else reopen()
    assert check(again).problems == ()
    if not handed:
        again.hand_over(NAMES_SECOND, SECOND)
    again.append([b"after"])
    assert check(again).problems == ()
    assert len(Note.parse(note_at(again, 2)).signatures) == 2
    assert open_checkpoint(again.checkpoint(), [SECOND.verifier]).size == 3
