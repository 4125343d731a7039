"""The folder of a home: one process at a time makes it, nobody else looks into it, and its log keeps its name."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from api.errors import HomeBusyError, HomeError
from ledger.bounded_file import read_bounded
from ledger.note import MAX_NOTE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS: Final = 120
"""How long one process waits for another to open a home."""


@contextmanager
def exclusively(root: Path) -> Iterator[None]:
    """Hold the home for oneself while it is opened or made.

    Raises:
        HomeError: The folder cannot be made or written to.
        HomeBusyError: Another process has held it for two minutes.
    """
    try:
        root.mkdir(parents=True, mode=0o700, exist_ok=True)
        handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HomeError(
            f"The home {root} cannot be used: {error.strerror}. Give the folder back its write permission, free some "
            "room on its disk, or choose another home with LINERNOTES_HOME."
        ) from error
    try:
        _lock(handle, root)
        yield
    finally:
        os.close(handle)


def private_folder(path: Path) -> None:
    """Make a folder that nobody else looks into, whatever the folder around it allows.

    Raises:
        HomeError: It cannot be made.
    """
    with _explained(path):
        path.mkdir(mode=0o700, exist_ok=True)
        _close_to_others(path, 0o700)


def private_file(path: Path) -> None:
    """Make the database before SQLite does, which would let others read it; its -wal and -shm take after it.

    Raises:
        HomeError: It cannot be made.
    """
    with _explained(path):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
                if each.exists():
                    _close_to_others(each, 0o600)


def origin(keys: Path, wanted: str) -> str:
    """Return the name of the home's log, which is chosen when it is first asked for.

    Args:
        keys: The folder that holds the home's keys.
        wanted: The name that the settings give; empty for any.

    Raises:
        HomeError: It has another name.
    """
    path = keys / "log-origin"
    if not path.exists():
        path.write_text((wanted or f"linernotes.local/{secrets.token_hex(8)}") + "\n", encoding="utf-8")
    found = read_bounded(path, MAX_NOTE_BYTES).decode().strip()
    if wanted not in ("", found):
        raise HomeError(
            f"This home's log is called {found}, and the setting log_origin says {wanted}. A log keeps its name for "
            "life: remove the setting, or choose another home."
        )
    return found


def _close_to_others(path: Path, mode: int) -> None:
    if path.stat().st_mode & 0o077:
        path.chmod(mode)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HomeError(
            f"{path} cannot be kept private: {error.strerror}. Only the user who runs Liner Notes may read it: give "
            "that user the file, or choose another home with LINERNOTES_HOME."
        ) from error


def _lock(handle: int, root: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise HomeBusyError(
                    f"Another process has been opening the home {root} for {PATIENCE_SECONDS} seconds. Stop it, "
                    "or wait."
                ) from error
            time.sleep(0.05)
        else:
            return
