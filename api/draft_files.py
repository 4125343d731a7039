"""The files of edits that wait for a signature: a folder for each, apart from those that an entry may point at.

So the files of a draft that is withdrawn, or expires, can go at once: nothing else names them, and nothing that is made
at the same moment can come to rely on them.
"""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from ledger.durability import sync_folder
from provenance.errors import DamagedObjectError, ObjectError
from provenance.objects import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from provenance.recording_predicate import File

FOLDER: Final = "drafts"
_STALE_SECONDS: Final = 24 * 3600


class DraftFiles:
    """The folders of all drafts of a home.

    Args:
        objects: The home's own store, on whose file system they lie.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._root = objects.root / FOLDER

    def path(self, draft_id: str, name: str) -> Path:
        """Return where a file of a draft lies, whose bytes are still those it is named by.

        Raises:
            DamagedObjectError: It is missing, or was altered.
        """
        kept = ObjectStore(self._root / draft_id)
        with _explained(draft_id):
            path = kept.path(name)
            kept.read(name)
        return path

    def place(self, kept: Path, draft_id: str) -> None:
        """Give a draft the folder in which its files were kept; durable when it returns.

        Raises:
            ObjectError: It cannot be moved there.
        """
        try:
            for folder in (kept, *(path for path in kept.iterdir() if path.is_dir())):
                sync_folder(folder)
            self._root.mkdir(mode=0o700, exist_ok=True)
            kept.rename(self._root / draft_id)
            sync_folder(self._root)
        except OSError as error:
            raise ObjectError(
                f"The files of the edit cannot be kept in {self._root}: {error.strerror}. Check that the disk has room "
                "and that the home is writable; nothing was handed out."
            ) from error

    def adopt(self, draft_id: str, files: Sequence[File]) -> None:
        """Copy files of a draft into the home's own store, durably; to do it twice does no harm.

        Raises:
            DamagedObjectError: One is missing, or was altered.
            ObjectError: One cannot be stored.
        """
        kept = ObjectStore(self._root / draft_id)
        for file in files:
            with _explained(draft_id):
                data = kept.read(file.asset_digest)
            self._objects.put_bytes(data)

    def remove(self, draft_id: str) -> None:
        """Remove the files of a draft."""
        shutil.rmtree(self._root / draft_id, ignore_errors=True)

    def remove_others(self, needed: Collection[str]) -> None:
        """Remove what was interrupted a day ago or longer: the folders of no draft."""
        horizon = time.time() - _STALE_SECONDS
        for folder in self._root.glob("*"):
            if folder.name not in needed:
                with suppress(FileNotFoundError):  # another process was faster
                    if folder.stat().st_mtime < horizon:
                        self.remove(folder.name)


@contextmanager
def _explained(draft_id: str) -> Iterator[None]:
    try:
        yield
    except DamagedObjectError as error:
        raise DamagedObjectError(
            f"A file that was kept for the edit {draft_id} is missing, or was altered since the edit was described, so "
            "that no signature can be taken for it. Ask for the edit again."
        ) from error
