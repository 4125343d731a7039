"""What a service does for the log in the background: sign checkpoints at intervals, and have them witnessed."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from api.witnessing import read_policy, submit_newest
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.home import Home

WITNESS_SECONDS: Final = 30.0
"""How often the newest checkpoint is submitted to witnesses, when it is a new one."""
WITNESS_DEADLINE_SECONDS: Final = 10.0

_log = logging.getLogger("linernotes")


class Publishing:
    """One thread for checkpoints and one for witnesses, each only where the settings ask for it.

    Nobody waits for them but those who need a proof; what goes wrong is logged when it begins and when
    it ends, and tried again.

    Args:
        home: Whose log.

    Raises:
        UsageError: The policy of the settings names no witness that can be asked.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._stopping = threading.Event()
        self._policy = read_policy(home.settings.witness_policy) if home.settings.witness_policy else None
        self._witnessed = b""
        tasks = []
        if not home.log.publishes_at_once:
            tasks.append(("checkpoints", home.settings.publish_interval, self._publish))
        if self._policy is not None:
            tasks.append(("witnesses", WITNESS_SECONDS, self._submit))
        self._threads = [
            threading.Thread(target=self._repeat, args=task, name=f"linernotes-{task[0]}", daemon=True)
            for task in tasks
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, after a last checkpoint that covers everything."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, what: str, seconds: float, task: Callable[[], None]) -> None:
        fault = ""
        last = False
        while not last:
            last = self._stopping.is_set()
            began = time.monotonic()
            now = _said(task)
            if now != fault:
                _log.warning("%s: %s", what, now or "all is well again")
                fault = now
            if not last:
                self._stopping.wait(max(0.0, seconds - (time.monotonic() - began)))

    def _publish(self) -> None:
        self._home.log.publish()

    def _submit(self) -> None:
        newest = self._home.log.checkpoint()
        if self._policy is None or newest == self._witnessed or self._stopping.is_set():
            return
        answer = submit_newest(self._home, self._policy, WITNESS_DEADLINE_SECONDS)
        if not answer.quorum_reached:
            refused = [f"{each.witness}: {each.detail}" for each in answer.witnesses if each.result != "cosigned"]
            raise LedgerError(f"The quorum of witnesses was not reached. {answer.detail} {' '.join(refused)}")
        self._witnessed = newest


def _said(task: Callable[[], None]) -> str:
    try:
        task()
    except (LedgerError, OSError) as fault:
        return str(fault)
    return ""
