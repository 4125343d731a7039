"""The newest checkpoint, remembered in a file outside the database.

A database can be replaced by an older copy of itself, and then knows nothing of what was signed
since. The file, kept beside the log's key, does.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ledger.checkpoint import Checkpoint
from ledger.durability import overwrite, replace
from ledger.errors import CheckpointError, LogDamagedError, NoteError
from ledger.note import MAX_NOTE_BYTES, Note

_MODE = 0o644
_SECTOR_BYTES = 512
"""A write within one sector reaches the disk whole or not at all; SQLite relies on the same."""


@dataclass(frozen=True, slots=True)
class LastCheckpoint:
    """A file that holds one signed checkpoint.

    Attributes:
        path: The file; its folder has to exist.
    """

    path: Path
    _name: str = field(init=False, repr=False, compare=False)
    _lock_name: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_name", str(self.path))  # every append asks for them
        object.__setattr__(self, "_lock_name", str(self.path.with_name(f".{self.path.name}.lock")))

    def read(self) -> bytes | None:
        """Returns the signed note that was remembered last, or None when there is none.

        Raises:
            LogDamagedError: The file cannot be read, or is not a checkpoint.
        """
        try:
            with self._lock(fcntl.LOCK_SH):
                note = self._content()
        except OSError:  # where no lock can be made, nothing is written: there is none to wait for
            note = self._content()
        if note is not None:
            self._size(note)
        return note

    def write(self, note: bytes) -> None:
        """Remembers a checkpoint.

        It is not waited for: the database, which was, is the truth. After a power cut the file may
        remember an earlier checkpoint, which a newer database contradicts in nothing.

        When another process has remembered a larger one meanwhile, that one stays.

        Args:
            note: A signed checkpoint.

        Raises:
            LogDamagedError: The file that is there is not a checkpoint.
            OSError: The file cannot be written.
        """
        with self._lock(fcntl.LOCK_EX):
            before = self._content()
            if before is not None and self._size(before) >= self._size(note):
                return
            if before is not None and len(before) == len(note) <= _SECTOR_BYTES:
                try:
                    overwrite(self.path, note)
                except OSError:  # which may have left a mixture of the two
                    replace(self.path, note, mode=_MODE)
            else:
                replace(self.path, note, mode=_MODE)

    @contextmanager
    def _lock(self, kind: int) -> Iterator[None]:
        descriptor = os.open(self._lock_name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)

    def _content(self) -> bytes | None:
        try:
            descriptor = os.open(self._name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(descriptor, MAX_NOTE_BYTES + 1)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise LogDamagedError(
                f"The file {self.path} remembers the newest checkpoint but cannot be read: "
                f"{fault.strerror}. Make it readable; the log takes no entry before."
            ) from fault

    def _size(self, note: bytes) -> int:
        try:
            return size_of(note)
        except (NoteError, CheckpointError) as fault:
            raise LogDamagedError(
                f"The file {self.path} should hold the newest checkpoint, but does not: {fault} "
                "If you are certain that the database is not an older copy, remove the file; it "
                "will be made again."
            ) from fault


@lru_cache(maxsize=8)
def size_of(note: bytes) -> int:
    """The size that a checkpoint states; every append asks for that of the one before."""
    return Checkpoint.parse(Note.parse(note).text).size
