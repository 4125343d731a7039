from pathlib import Path

import pytest

from ledger.durability import overwrite, replace, write_new


def test_write_new_never_replaces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_new(path, b"first", mode=0o600)
    with pytest.raises(FileExistsError):
        write_new(path, b"second", mode=0o600)
    assert path.read_bytes() == b"first"


def test_replace_makes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace(path, b"first", mode=0o600)
    replace(path, b"second", mode=0o600)
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_replacement_leaves_the_old_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    replace(path, b"first", mode=0o600)

    def fail(_descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        replace(path, b"second", mode=0o600)
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_overwrite_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    before = path.stat().st_ino
    overwrite(path, b"other")
    assert path.read_bytes() == b"other"
    assert path.stat().st_ino == before
