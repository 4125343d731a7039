"""Who commits for whom, when many append at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.entry import Receipt
from ledger.errors import EntryError, LedgerError
from ledger.sequencer import MAX_BATCH_ENTRIES, Append, Sequencer

More = Callable[[], Sequence[Append]]


def wish(*entries: bytes) -> Append:
    return Append(entries, [bytes(32)] * len(entries))


class Recorder:
    """A commit that waits until it is let go, and remembers what was in it."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.at_once = 0
        self.most_at_once = 0

    def commit(self, batch: Sequence[Append], _more: More) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.release()
        self.may_end.acquire()
        self.batches.append([entry for append in batch for entry in append.entries])
        for append in batch:
            if append.entries[0] == b"bad":
                append.error = EntryError("bad")
            else:
                append.receipts = [Receipt(len(self.batches), leaf) for leaf in append.leaf_hashes]
        self.at_once -= 1


def queued(sequencer: Sequencer, count: int) -> None:
    while len(sequencer._queue) < count:
        threading.Event().wait(0.001)


def test_those_who_come_during_a_commit_are_committed_together() -> None:
    recorder = Recorder()
    sequencer = Sequencer(recorder.commit)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(sequencer.submit, wish(b"first"))
        recorder.begun.acquire()
        others = []
        for position, name in enumerate((b"second", b"bad", b"third", b"fourth"), 1):
            others.append(pool.submit(sequencer.submit, wish(name)))
            queued(sequencer, position)
        recorder.may_end.release()
        assert first.result()[0].index == 1
        recorder.may_end.release()
        assert isinstance(others[1].exception(), EntryError)
        assert [other.result()[0].index for other in (others[0], *others[2:])] == [2, 2, 2]
    assert recorder.batches == [[b"first"], [b"second", b"bad", b"third", b"fourth"]]
    assert recorder.most_at_once == 1


def test_a_batch_has_a_size_and_an_append_is_not_cut() -> None:
    recorder = Recorder()
    sequencer = Sequencer(recorder.commit)
    sizes = (1, 700, 300, 100, 2 * MAX_BATCH_ENTRIES, 5)
    with ThreadPoolExecutor(len(sizes)) as pool:
        futures = []
        for position, size in enumerate(sizes):
            futures.append(pool.submit(sequencer.submit, wish(*[b"x"] * size)))
            if position:
                queued(sequencer, position)
            else:
                recorder.begun.acquire()
        recorder.may_end.release(len(sizes))
        for future, size in zip(futures, sizes, strict=True):
            assert len(future.result()) == size
    assert [len(batch) for batch in recorder.batches] == [1, 1000, 100, 2 * MAX_BATCH_ENTRIES, 5]


def test_nobody_waits_for_a_commit_that_broke_off() -> None:
    begun, go_on = threading.Event(), threading.Event()
    calls = []

    def commit(batch: Sequence[Append], _more: More) -> None:
        calls.append(len(batch))
        if len(calls) == 1:
            begun.set()
            go_on.wait()
            raise KeyboardInterrupt
        if len(calls) == 2:
            raise SystemExit
        for append in batch:
            append.receipts = [Receipt(0, leaf) for leaf in append.leaf_hashes]

    sequencer = Sequencer(commit)
    with ThreadPoolExecutor(3) as pool:
        leader = pool.submit(sequencer.submit, wish(b"leader"))
        begun.wait()
        followers = []
        for position in (1, 2):
            followers.append(pool.submit(sequencer.submit, wish(b"follower")))
            queued(sequencer, position)
        go_on.set()
        assert isinstance(leader.exception(), KeyboardInterrupt)
        told = sorted(type(follower.exception()).__name__ for follower in followers)
        assert told == ["LedgerError", "SystemExit"]
        [waiting] = [error for follower in followers if isinstance(error := follower.exception(), LedgerError)]
        assert "may or may not be durable" in str(waiting)
    assert sequencer.submit(wish(b"next"))


def test_one_who_is_interrupted_while_waiting_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    sequencer = Sequencer(recorder.commit)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(sequencer.submit, wish(b"first"))
        recorder.begun.acquire()
        interrupted = wish(b"interrupted")

        def interrupt(_self: Append) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Append, "wait", interrupt)
            with pytest.raises(KeyboardInterrupt):
                sequencer.submit(interrupted)
        last = pool.submit(sequencer.submit, wish(b"last"))
        queued(sequencer, 1)
        recorder.may_end.release(2)
        first.result()
        last.result()
    assert recorder.batches == [[b"first"], [b"last"]]


def test_one_who_is_interrupted_when_leading_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    sequencer = Sequencer(recorder.commit)
    wait = Append.wait

    def interrupt(append: Append) -> None:
        wait(append)
        if append.entries == (b"interrupted",):
            raise KeyboardInterrupt

    monkeypatch.setattr(Append, "wait", interrupt)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(sequencer.submit, wish(b"first"))
        recorder.begun.acquire()
        interrupted = pool.submit(sequencer.submit, wish(b"interrupted"))
        queued(sequencer, 1)
        last = pool.submit(sequencer.submit, wish(b"last"))
        queued(sequencer, 2)
        recorder.may_end.release(2)
        first.result()
        assert isinstance(interrupted.exception(), KeyboardInterrupt)
        last.result()
    assert recorder.batches == [[b"first"], [b"last"]]


def test_those_who_come_while_the_leader_waits_for_others_go_along() -> None:
    begun, may_join = threading.Semaphore(0), threading.Semaphore(0)
    batches: list[list[bytes]] = []

    def commit(batch: Sequence[Append], more: More) -> None:
        begun.release()
        may_join.acquire()
        joined = [*batch, *more()]
        batches.append([append.entries[0] for append in joined])
        for append in joined:
            append.receipts = [Receipt(0, leaf) for leaf in append.leaf_hashes]

    sequencer = Sequencer(commit)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(sequencer.submit, wish(b"first"))]
        begun.acquire()
        for position, name in enumerate((b"second", b"third"), 1):
            futures.append(pool.submit(sequencer.submit, wish(name)))
            queued(sequencer, position)
        large = wish(*[b"x"] * MAX_BATCH_ENTRIES)
        futures.append(pool.submit(sequencer.submit, large))
        queued(sequencer, 3)
        may_join.release(2)
        for future in futures:
            assert future.result()
    assert batches == [[b"first", b"second", b"third"], [b"x"]]
