"""Files that are on the disk when a function returns, and one way to change a file that need not be."""

import errno
import os
import secrets
from pathlib import Path


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Makes a file that did not exist, and returns when its bytes are on the disk.

    Args:
        path: The file to make.
        data: Its content.
        mode: Its permission bits, before the umask.

    Raises:
        FileExistsError: There is a file of that name.
        OSError: It cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes, *, mode: int) -> None:
    """Gives a file new content at once: a reader, and a crash, find all of the old or the new.

    Args:
        path: The file to make or replace.
        data: Its content.
        mode: Its permission bits, before the umask.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_new(draft, data, mode=mode)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def overwrite(path: Path, data: bytes) -> None:
    """Gives a file of the same length new content in place, without waiting for the disk.

    After a power cut the file has the old content or the new.

    Args:
        path: The file; it has to exist.
        data: Its content, as long as the old and within one disk sector, or a crash may mix them.

    Raises:
        OSError: It cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if os.pwrite(descriptor, data, 0) != len(data):
            raise OSError(errno.EIO, "it was written in part", str(path))
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Returns when the names in a folder are on the disk.

    Raises:
        OSError: The folder cannot be opened or synchronised.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
