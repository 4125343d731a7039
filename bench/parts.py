"""What the time of a service goes to: the parts of a submission, timed where they are called.

The clocks are put around the functions of the program from outside. What a part calls that is a part itself does not
count for it, so that the parts add up; what is left of the process is HTTP.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from api import tokens
from api.home import Home
from api.ring import Ring
from api.routes import statements
from api.submission import Intake
from ledger.integration import Integrator
from ledger.sequencer import Sequencer
from provenance import admission

IDENTIFYING: Final = "the token: a query"
RING: Final = "the keys of the log: a query"
READING: Final = "reading: JSON, envelope, statement"
VERIFYING: Final = "verifying the signature"
COMMIT: Final = "the log's rows, the checkpoint, the commit"
WAITING: Final = "waiting for the commit of others"
PROJECTIONS: Final = "the projections"
OTHERWISE: Final = "the rest of the way into the log"
ANSWER: Final = "reading it again for the answer"

_PARTS: Final[tuple[tuple[Any, str, str], ...]] = (
    (tokens, "identify", IDENTIFYING),
    (Intake, "submit", OTHERWISE),
    (Ring, "now", RING),
    (admission, "receive", READING),
    (admission, "checked_signers", VERIFYING),
    (Sequencer, "submit", WAITING),
    (Integrator, "commit", COMMIT),
    (Home, "_fold", PROJECTIONS),
    (statements, "receive", ANSWER),
)


@dataclass(slots=True)
class Spent:
    """Seconds.

    Attributes:
        processor: Of the processor, in the thread that was in this part.
        wall: By the clock.
    """

    processor: float = 0.0
    wall: float = 0.0

    def add(self, other: Spent) -> None:
        """Add what was spent elsewhere."""
        self.processor += other.processor
        self.wall += other.wall


class Clocks:
    """Clocks around the parts of this process; any number of threads may be in them."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._spent: dict[str, Spent] = {}
        self._inside = threading.local()

    def install(self) -> None:
        """Put a clock around every part."""
        for owner, name, part in _PARTS:
            setattr(owner, name, self._timed(part, getattr(owner, name)))

    def read(self) -> dict[str, dict[str, float]]:
        """Return what was spent since the last time, by part."""
        with self._mutex:
            spent, self._spent = self._spent, {}
        return {part: {"processor": each.processor, "wall": each.wall} for part, each in spent.items()}

    def _timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def timed(*arguments: Any, **named: Any) -> Any:
            outer: Spent | None = getattr(self._inside, "below", None)
            below = self._inside.below = Spent()
            wall, processor = time.perf_counter(), time.thread_time()
            try:
                return work(*arguments, **named)
            finally:
                whole = Spent(time.thread_time() - processor, time.perf_counter() - wall)
                self._inside.below = outer
                if outer is not None:
                    outer.add(whole)
                self._add(part, Spent(whole.processor - below.processor, whole.wall - below.wall))

        return timed

    def _add(self, part: str, own: Spent) -> None:
        with self._mutex:
            self._spent.setdefault(part, Spent()).add(own)
