"""Runs a command, and dies at a step of it; what it does while it opens the home does not count.

Arguments: the step (a key of `STEPS`, or `none`), and those of the command. It says `opened`, and waits for a line.
"""

import os
import signal
import sys
from typing import Any

from api import cli, key_record
from api.custody import Custody
from api.home import Home
from ledger import publisher
from ledger.last_checkpoint import LastCheckpoint
from ledger.log import Log

BEFORE, AFTER = "before", "after"
STEPS: dict[str, tuple[object, str, str, int]] = {
    "before the new key is made": (Custody, "next_log", BEFORE, 1),
    "after the new key is made": (Custody, "next_log", AFTER, 1),
    "after it is registered": (key_record, "record", AFTER, 1),
    "before both sign": (publisher, "sign_handover", BEFORE, 1),
    "before the commit": (Home, "_fold", AFTER, 2),
    "after the commit": (publisher.Publisher, "hand_over", BEFORE, 1),
    "before it is remembered": (LastCheckpoint, "write", BEFORE, 2),
    "after it is remembered": (Log, "hand_over", AFTER, 1),
    "before the files are moved": (Custody, "settle", BEFORE, 1),
    "after the files are moved": (Custody, "publish", BEFORE, 1),
    "before the service key is renewed": (key_record, "renew_service_key", BEFORE, 1),
    "after the next service key is made": (Custody, "next_service", AFTER, 1),
    "after the service key is replaced": (key_record, "record", AFTER, 2),
    "before the service key's file is moved": (Custody, "settle", BEFORE, 2),
}
"""Where to die, in the order of time: a function, and before or after which of its calls."""


def arm(owner: Any, name: str, when: str, number: int) -> None:
    real, calls = getattr(owner, name), 0

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and when == BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*arguments, **options)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, call)


def main(step: str, *command: str) -> None:
    opened = Home.__init__

    def open_(*arguments: Any) -> None:
        opened(*arguments)
        os.writev(1, [b"opened\n"])
        sys.stdin.readline()
        if step in STEPS:
            arm(*STEPS[step])

    Home.__init__ = open_  # type: ignore[method-assign]
    sys.argv = ["linernotes", *command]
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
