"""Bounded time and memory: one input is given to a target, and what that takes is measured."""

from __future__ import annotations

import signal
import threading
import time
import tracemalloc
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from fuzz.target import Target

SECONDS = 2.0
"""Processor time of this thread, so that a busy machine is no failure."""
PATIENCE = 5 * SECONDS
"""When an input that does not end is given up."""


class UnboundedError(Exception):
    """An input took more time or memory than the target may take."""


class _TimeIsUpError(BaseException):
    """Ends a parser that would not end; no parser may catch it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What it took to read an input.

    Attributes:
        accepted: Whether the parser took the input, or refused it.
        seconds: Processor time.
        memory: Most bytes of Python objects at a time.
    """

    accepted: bool
    seconds: float
    memory: int


def take(target: Target, data: bytes) -> Taken:
    """Give one input to a target, and hold it to its bounds.

    Raises:
        UnboundedError: It took too much time or memory.
        Exception: Any error that is none of the target's refusals.
    """
    taken = _measured(target, data)
    if taken.memory > target.max_memory:
        raise UnboundedError(
            f"{target.name} takes {taken.memory} bytes of memory for an input of {len(data)}; {target.max_memory} are "
            "the most that it may."
        )
    if taken.seconds <= SECONDS:
        return taken
    seconds = _timed(target, data)[1]  # counting memory takes time too
    if seconds > SECONDS:
        raise UnboundedError(
            f"{target.name} takes {seconds:.1f} s for an input of {len(data)} bytes, and may {SECONDS}."
        )
    return Taken(taken.accepted, seconds, taken.memory)


def _measured(target: Target, data: bytes) -> Taken:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        accepted, seconds = _timed(target, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return Taken(accepted, seconds, peak - before)


def _timed(target: Target, data: bytes) -> tuple[bool, float]:
    began = time.thread_time()
    try:
        with _watchdog():
            accepted = target.takes(data)
    except _TimeIsUpError:
        message = f"{target.name} was still at it after {PATIENCE} s, with an input of {len(data)} bytes."
        raise UnboundedError(message) from None
    return accepted, time.thread_time() - began


@contextmanager
def _watchdog() -> Iterator[None]:
    """Interrupts whatever takes longer than `PATIENCE` of processor time; only the main thread can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def bark(_number: int, _frame: FrameType | None) -> None:
        raise _TimeIsUpError

    before = signal.signal(signal.SIGVTALRM, bark)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
