"""A file is read as far as its format allows, however long it is."""

import errno
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.bounded_file import read_bounded


@given(st.binary(max_size=40), st.integers(0, 40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_within_the_limit_is_read_whole(tmp_path: Path, data: bytes, limit: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    if len(data) <= limit:
        assert read_bounded(path, limit) == data
        return
    with pytest.raises(OSError, match=f"longer than the {limit} bytes") as refused:
        read_bounded(path, limit)
    assert (refused.value.errno, refused.value.filename) == (errno.EFBIG, str(path))


def test_a_file_of_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match="longer than"):
            read_bounded(path, 64 * 1024)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "missing", 10)
