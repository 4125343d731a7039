"""Group commit: appends that come at the same time share one durable transaction.

A commit waits for the disk, whatever its size; so while one is on its way, those who come next
queue up and are committed together. There is no thread of its own: the first in the queue leads,
commits what is there, and hands over to the next. Whoever comes while the leader waits for other
processes still goes along.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ledger.entry import Receipt
from ledger.errors import LedgerError
from ledger.note import NoteSigner

MAX_BATCH_ENTRIES = 1024

Within = Callable[[Connection, Sequence[Receipt]], None]
"""What an appender does in the same transaction: add rows that must not exist without the entries.

It may be called again, with other receipts, when the transaction has to be repeated without
somebody else's entries: whatever it does besides adding rows has to bear that.
"""


@dataclass(slots=True, eq=False)
class Append:
    """One caller's wish, and what became of it.

    Attributes:
        entries: The bytes, in order.
        leaf_hashes: One for each entry.
        within: See `Within`.
        idempotency_key: Names the wish; a second one with this name is the first.
        successor: The log's next key, if it is handed over with this append, which is then committed alone.
        receipts: One for each entry, once they are durable.
        error: Why it was refused, if it was.
        leads: Whether it is the turn of this append's thread to commit.
    """

    entries: Sequence[bytes]
    leaf_hashes: Sequence[bytes]
    within: Within | None = None
    idempotency_key: str | None = None
    successor: NoteSigner | None = None
    receipts: list[Receipt] = field(default_factory=list)
    error: BaseException | None = None
    leads: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._turn.acquire()

    @property
    def settled(self) -> bool:
        """Whether it is known what became of it."""
        return bool(self.receipts) or self.error is not None

    def result(self) -> list[Receipt]:
        """Returns the receipts, or raises what went wrong."""
        if self.error is not None:
            raise self.error
        return self.receipts

    def wait(self) -> None:
        """Waits until somebody calls `wake`; once for each call."""
        self._turn.acquire()

    def wake(self) -> None:
        """Ends a `wait`, even one that has not begun."""
        self._turn.release()


Commit = Callable[[Sequence[Append], Callable[[], Sequence[Append]]], None]
"""Settles every append of a batch: gives it receipts, or an error.

The second argument gives further appends, which came meanwhile and are settled along with the batch; it is
asked at most once.
"""


class Sequencer:
    """Forms batches of the appends of all threads.

    Args:
        commit: See `Commit`; called by one thread at a time.
    """

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._mutex = threading.Lock()
        self._queue: list[Append] = []
        self._led = False

    def submit(self, append: Append) -> list[Receipt]:
        """Commits an append together with those that wait beside it.

        Returns:
            Its receipts; by then its entries are on the disk.

        Raises:
            LedgerError: It was refused; or what its own `within` raised.
        """
        with self._mutex:
            self._queue.append(append)
            append.leads, self._led = not self._led, True
        if not append.leads:
            self._wait(append)
        if not append.settled:
            self._lead()
        return append.result()

    def _wait(self, append: Append) -> None:
        try:
            append.wait()
        except BaseException:
            with self._mutex:
                if append in self._queue:
                    self._queue.remove(append)
                if append.leads and not append.settled:
                    self._hand_over()
            raise

    def _lead(self) -> None:
        """Commits the first of the queue, this thread's own append among them, and hands over."""
        batch: list[Append] = []
        self._join(batch)
        fault: BaseException | None = None
        try:
            self._commit(tuple(batch), lambda: self._join(batch))
        except BaseException as interruption:
            fault = interruption
            raise
        finally:
            for append in batch:
                if not append.settled:
                    append.error = _unsettled(fault)
            with self._mutex:
                self._hand_over()
            for append in batch[1:]:
                append.wake()

    def _hand_over(self) -> None:
        self._led = bool(self._queue)
        if self._queue:
            self._queue[0].leads = True
            self._queue[0].wake()

    def _join(self, batch: list[Append]) -> Sequence[Append]:
        """Moves the first of the queue to a batch, as many as may be committed with it, and returns them."""
        with self._mutex:
            entries = sum(len(append.entries) for append in batch)
            alone = any(append.successor is not None for append in batch)
            count = 0
            for append in self._queue:
                entries += len(append.entries)
                first = not batch and not count
                if alone or (not first and (append.successor is not None or entries > MAX_BATCH_ENTRIES)):
                    break
                alone = append.successor is not None
                count += 1
            joined, self._queue = self._queue[:count], self._queue[count:]
            batch += joined
            return joined


def _unsettled(fault: BaseException | None) -> LedgerError:
    """Nobody waits for ever: what an append is told whose commit ended without a word about it."""
    return LedgerError(
        f"The append was interrupted ({type(fault).__name__}), and may or may not be durable. Try again: with the "
        "same idempotency key, or the same bytes, nothing is appended twice."
    )
