"""A lock that lasts as long as its holder: the system takes it back when a process dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MODE = 0o600


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Waits until no other thread or process has the same file, and keeps them out.

    Args:
        path: The file that is to be read and changed; it need not exist, but its folder has to.

    Raises:
        OSError: The lock file beside it cannot be made.
    """
    name = path.with_name(f".{path.name}.lock")
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
