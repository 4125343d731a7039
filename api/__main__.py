"""The first lines of the ``linernotes`` command: an interrupt ends it at once, whatever it is doing.

Nothing needs to be tidied up for the ledger's sake: it survives being killed at any moment, and a file
is handed out whole or not at all. Raising KeyboardInterrupt instead would be swallowed wherever an
extension module happens to be calling back into Python.
"""

import os
import signal

INTERRUPTED = 130


def main() -> None:
    """Run the command."""
    signal.signal(signal.SIGINT, _stop)
    from api.cli import main as run  # noqa: PLC0415 - importing takes long enough to be interrupted

    run()


def _stop(_signal: int, _frame: object) -> None:
    os.write(2, b"linernotes: Stopped. What was recorded before is safe; nothing half-made was handed out.\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
