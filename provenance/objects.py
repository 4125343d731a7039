"""Files kept by their digest: audio, scores and everything else an entry may point at.

A file is durable here before any entry names it, so no entry points at a file that is not stored.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.errors import DamagedObjectError, ObjectError
from provenance.identity import Digest, digest, digest_from_text, file_digest, is_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_FOLDER = re.compile(r"[0-9a-f]{2}")
_STAGING = "staging"
_STALE_SECONDS = 24 * 3600


class ObjectStore:
    """A directory of files named by the SHA-256 of their bytes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Give a private folder on the same file system, removed when the work is done.

        Raises:
            ObjectError: The store cannot be written to.
        """
        with _explained(self.root):
            (self.root / _STAGING).mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=self.root / _STAGING))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def clear_stale(self) -> None:
        """Remove what interrupted work left in staging a day ago or longer."""
        horizon = time.time() - _STALE_SECONDS
        for folder in (self.root / _STAGING).glob("*"):
            with suppress(FileNotFoundError):  # another process was faster
                if folder.stat().st_mtime < horizon:
                    shutil.rmtree(folder, ignore_errors=True)

    def put(self, source: Path, known: Digest | None = None, *, durable: bool = False) -> Digest:
        """Move a staged file into the store, durably, and return its digest.

        Args:
            source: A file in a folder given by :meth:`staging`.
            known: Its digest, when the caller has just computed it.
            durable: Whether its bytes are known to be on the disk already.

        Raises:
            ObjectError: The file cannot be read or stored.
        """
        with _explained(source):
            name = known or file_digest(source)
            target = self._place(name)
            if target.exists():
                source.unlink()
                return name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not durable:
                _sync(source)
            source.replace(target)
            _sync(target.parent)
            return name

    def put_bytes(self, data: bytes) -> Digest:
        """Store ``data`` durably and return its digest.

        Raises:
            ObjectError: The store cannot be written to.
        """
        with self.staging() as folder, _explained(folder):
            path = folder / "object"
            path.write_bytes(data)
            return self.put(path, digest(data))

    def path(self, name: str) -> Path:
        """Return where an object lies.

        Raises:
            DamagedObjectError: There is no such object.
        """
        target = self._place(digest_from_text(name))
        if not target.is_file():
            raise DamagedObjectError(
                f"The stored file {name} is missing from {self.root}. Restore it from a backup of the home; its bytes "
                "can be checked against the digest."
            )
        return target

    def read(self, name: str) -> bytes:
        """Return an object's bytes, checked against its digest.

        Raises:
            DamagedObjectError: The object is missing or was altered.
        """
        data = self.path(name).read_bytes()
        if digest(data) != name:
            raise DamagedObjectError(
                f"The stored file {name} in {self.root} was altered: its bytes have {digest(data)}. Restore it from a "
                "backup of the home."
            )
        return data

    def names(self) -> Iterator[Digest]:
        """Yield the digest by which each stored file is named.

        Raises:
            OSError: A folder cannot be read.
        """
        yield from (name for _, name in self._found() if name is not None)

    def strays(self, others: Collection[str] = ()) -> Iterator[Path]:
        """Yield what lies among the stored files and is none by its name, as paths below the root.

        Args:
            others: Names of files and folders of somebody else's in the root.

        Raises:
            OSError: A folder cannot be read.
        """
        known = {_STAGING, *others}
        for path, name in self._found():
            relative = path.relative_to(self.root)
            if name is None and relative.parts[0] not in known:
                yield relative

    def is_intact(self, name: Digest) -> bool:
        """Tell whether a stored file still has the bytes its name says."""
        return file_digest(self.path(name)) == name

    def _found(self) -> Iterator[tuple[Path, Digest | None]]:
        """Yield what lies in the root and in the folders of stored files, with the digest that a name stands for."""
        for folder in sorted(self.root.iterdir()) if self.root.exists() else ():
            if not (_FOLDER.fullmatch(folder.name) and folder.is_dir()):
                yield folder, None
                continue
            for path in sorted(folder.iterdir()):
                name = f"sha256:{folder.name}{path.name}"
                yield path, Digest(name) if is_digest(name) else None

    def _place(self, name: Digest) -> Path:
        hexadecimal = name.removeprefix("sha256:")
        return self.root / hexadecimal[:2] / hexadecimal[2:]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _explained(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ObjectError(
            f"{where} cannot be used for storing files: {error.strerror or error}. Check that the disk has room and "
            "that the home is writable; nothing was recorded."
        ) from error
