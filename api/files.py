"""Files that users name, to read or to write: regular files and folders, and nothing that waits or never ends.

What is read into memory is read as far as its format allows, and no further.
"""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING, Final

from api.errors import UsageError
from ledger import bounded_file
from provenance.text import require_plain

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN: Final = 200
_KINDS: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_NO_FILE: Final = {
    errno.ELOOP: "its links lead back to themselves",
    errno.ENAMETOOLONG: "it is longer than the name of any file",
}


def require_usable(path: Path) -> Path:
    """Return a path with a name at its end, after looking at what is there.

    The status is asked for rather than the file opened: opening can have effects of its own, and a file that is to
    be written may not be there yet. Nothing there, or no permission to look, is for the command to find out.

    Raises:
        TextError: The path is not text on one line.
        UsageError: It leads to a pipe, a device or a socket, or nowhere at all.
    """
    require_plain(str(path), f"The path {str(path)[:_SHOWN]!r}", breaks=False)
    whole = path if path.name else path.absolute()
    if not whole.name:
        raise UsageError(f"{path} is the root of the file system; name a file or folder in it.")
    try:
        kind = stat.S_IFMT(whole.stat().st_mode)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise UsageError(f"{str(path)[:_SHOWN]} leads to no file: {_NO_FILE[error.errno]}.") from error
        return whole
    if kind in _KINDS:
        raise UsageError(
            f"{path} is {_KINDS[kind]}, and a regular file is needed here. Write what comes out of it to a file first."
        )
    return whole


def read_bounded(path: Path, limit: int) -> bytes:
    """Return what is in a file that is no longer than its format allows.

    Args:
        path: The file.
        limit: Bytes that its format allows.

    Raises:
        UsageError: It cannot be read, or is longer.
    """
    try:
        return bounded_file.read_bounded(path, limit)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
