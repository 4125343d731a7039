"""Time stamps in the background: every so many checkpoints one is stamped, and nothing ever waits for it."""

import datetime as dt
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError, TsaUnreachableError
from ledger.note import Note
from ledger.timestamp import TimeStamp, rfc3339, stamped_bytes
from ledger.tsa import TimeStampAuthority

State = Literal["idle", "stamped", "refused", "unreachable", "not-kept"]
Keep = Callable[[int, TimeStamp], None]
"""What keeps a time stamp, durably, under the size of its checkpoint; it is called in the stamper's own thread."""

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """How stamping goes.

    Attributes:
        state: `idle` before the first answer; `stamped` when the last checkpoint got its stamp and that was kept,
            `not-kept` when it was not; `refused` and `unreachable` as in the ledger's errors.
        since: When the first of these failures in a row happened, or the last stamp came: RFC 3339; empty when idle.
        size: Largest tree whose checkpoint was stamped, in this process; None before there is one.
        detail: What was said last, in a sentence.
    """

    state: State = "idle"
    since: str = ""
    size: int | None = None
    detail: str = "No checkpoint was to be stamped yet."


class Stamper:
    """Has checkpoints stamped, one at a time, in a thread of its own that ends with the process.

    Only the newest checkpoint that is due waits; one that waited longer is not missed, since a newer checkpoint
    covers all that it covers. While the authority does not give stamps, it is asked ever more rarely.

    Args:
        authority: Who is asked.
        keep: What keeps a stamp.
        every: A checkpoint is due when so many were submitted since the last that was.
        behind: How many were published since the last one that was stamped, when this stamper starts.
        retry_seconds: First and longest pause before the authority is asked again.
    """

    def __init__(
        self,
        authority: TimeStampAuthority,
        keep: Keep,
        *,
        every: int = 1,
        behind: int = 0,
        retry_seconds: tuple[float, float] = (1.0, 900.0),
    ) -> None:
        self._authority = authority
        self._keep = keep
        self._every = every
        self._submitted = behind
        self._first_pause, self._longest_pause = retry_seconds
        self._changed = threading.Condition()
        self._waiting: bytes | None = None
        self._closed = False
        self._report = Report()
        self._thread: threading.Thread | None = None

    @property
    def report(self) -> Report:
        """How stamping goes."""
        return self._report

    def submit(self, checkpoint_note: bytes, *, now: bool = False) -> None:
        """Tells of a new checkpoint, and returns at once.

        Args:
            checkpoint_note: The signed checkpoint.
            now: It is due, however many were before it.
        """
        with self._changed:
            self._submitted += 1
            if self._closed or not (now or self._submitted >= self._every):
                return
            self._submitted = 0
            self._waiting = checkpoint_note
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stamper", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait_for(self, size: int, seconds: float) -> bool:
        """Waits for a stamp, but only for one of an authority that gave the last stamp it was asked for.

        Args:
            size: Tree size that a stamped checkpoint has to have at least.
            seconds: The longest to wait.

        Returns:
            Whether there is such a stamp.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._report.state != "stamped" or self._has_stamped(size), seconds)
            return self._has_stamped(size)

    def close(self, seconds: float = 0) -> None:
        """Takes no more checkpoints, and forgets the one that waits.

        Args:
            seconds: How long to wait for a question that is under way; it is abandoned afterwards.
        """
        with self._changed:
            self._closed = True
            self._waiting = None
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)

    def _has_stamped(self, size: int) -> bool:
        return self._report.size is not None and self._report.size >= size

    def _run(self) -> None:
        pause = 0.0
        while (note := self._next(pause)) is not None:
            report = self._attempt(note)
            failed = report.state != "stamped"
            pause = min(max(2 * pause, self._first_pause), self._longest_pause) if failed else 0.0
            self._conclude(report, again=note if failed else None)

    def _next(self, pause: float) -> bytes | None:
        """Waits for the pause to end and for a checkpoint; None when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, pause)
            self._changed.wait_for(lambda: self._closed or self._waiting is not None)
            note, self._waiting = self._waiting, None
            return note

    def _attempt(self, note: bytes) -> Report:
        try:
            size = Checkpoint.parse(Note.parse(note).text).size
            stamp = self._authority.stamp(stamped_bytes(note))
        except TsaUnreachableError as fault:
            return self._failed("unreachable", fault)
        except LedgerError as fault:
            return self._failed("refused", fault)
        try:
            self._keep(size, stamp)
        except Exception as fault:  # noqa: BLE001 - whatever it was, it is reported, and stamping goes on
            return self._failed("not-kept", fault)
        detail = f"The checkpoint of size {size} was stamped by {stamp.authority} for {stamp.gen_time}."
        return Report("stamped", _now(), max(size, self._report.size or 0), detail)

    def _failed(self, state: State, fault: Exception) -> Report:
        since = self._report.since if self._report.state == state else _now()
        return Report(state, since, self._report.size, str(fault))

    def _conclude(self, report: Report, again: bytes | None) -> None:
        if report.state != self._report.state:
            level = logging.INFO if report.state == "stamped" else logging.WARNING
            _LOGGER.log(level, "time stamps: %s. %s", report.state, report.detail)
        with self._changed:
            self._report = report
            if self._waiting is None and not self._closed:
                self._waiting = again
            self._changed.notify_all()


def _now() -> str:
    return rfc3339(dt.datetime.now(dt.UTC))
