"""Medians in a Markdown table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class Clock:
    """Seconds by name, over several runs."""

    def __init__(self) -> None:
        self.runs: dict[str, list[float]] = {}

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        began = time.perf_counter()
        yield
        self.runs.setdefault(name, []).append(time.perf_counter() - began)

    def median(self, name: str) -> float:
        """Return the median of a name's runs, in seconds."""
        return statistics.median(self.runs[name])

    def call(self, name: str, work: Callable[[], object]) -> None:
        """Time a call."""
        with self.timing(name):
            work()


def milliseconds(seconds: float) -> str:
    """Return seconds as whole milliseconds."""
    return f"{seconds * 1000:.0f} ms"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"
