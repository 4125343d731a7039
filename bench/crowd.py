"""Many at once: threads that append, and processes that begin together."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

SECONDS_TO_BEGIN = 600


def by_threads(append: Callable[[bytes], object], entries: Sequence[bytes], threads: int) -> float:
    """Seconds that threads take to append entries, each its share, one after the other."""
    ready = threading.Barrier(threads + 1)

    def client(own: Sequence[bytes]) -> None:
        ready.wait()
        for entry in own:
            append(entry)

    clients = [threading.Thread(target=client, args=(entries[number::threads],)) for number in range(threads)]
    for one in clients:
        one.start()
    ready.wait()
    began = time.perf_counter()
    for one in clients:
        one.join()
    return time.perf_counter() - began


def together(work: Callable[..., Any], arguments: Sequence[tuple[object, ...]]) -> tuple[float, list[Any]]:
    """Do a piece of work in a process for each of the arguments.

    Args:
        work: Called with what waits until all are ready, and the arguments.
        arguments: Of each process.

    Returns:
        The seconds from when all were ready until the last was done, and what each gave.
    """
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(len(arguments) + 1, timeout=SECONDS_TO_BEGIN)
    ends = [context.Pipe(duplex=False) for _ in arguments]
    processes = [
        context.Process(target=_tell, args=(sender, ready, work, *each))
        for (_, sender), each in zip(ends, arguments, strict=True)
    ]
    for process, (_, sender) in zip(processes, ends, strict=True):
        process.start()
        sender.close()  # so that a process that dies is noticed
    ready.wait()
    began = time.perf_counter()
    given = [receiver.recv() for receiver, _ in ends]
    seconds = time.perf_counter() - began
    for process in processes:
        process.join()
    return seconds, given


def _tell(sender: Connection, ready: Barrier, work: Callable[..., Any], *arguments: object) -> None:
    try:
        sender.send(work(ready.wait, *arguments))
    except BaseException:
        ready.abort()  # or the others would wait for this one
        raise
