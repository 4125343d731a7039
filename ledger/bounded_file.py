"""Files that others wrote, read as far as their format allows, and no further."""

import errno
from pathlib import Path


def read_bounded(path: Path, limit: int) -> bytes:
    """Returns what is in a file that is no longer than a limit; of a longer one, no more than that is read.

    Args:
        path: The file.
        limit: Bytes that its format allows.

    Raises:
        OSError: It cannot be read, or is longer (EFBIG).
    """
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is longer than the {limit} bytes that are read of such a file", str(path))
    return data
