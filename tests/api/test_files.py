"""Paths that users give lead to files and folders, or are refused before anything is opened."""

import os
import stat
from pathlib import Path

import pytest

from api.errors import UsageError
from api.files import require_usable
from provenance.errors import TextError


@pytest.mark.parametrize(
    ("mode", "what"), [(stat.S_IFIFO, "a named pipe"), (stat.S_IFSOCK, "a socket"), (None, "a device")]
)
def test_what_is_neither_a_file_nor_a_folder(tmp_path: Path, mode: int | None, what: str) -> None:
    path = tmp_path / "it"
    if mode is None:
        path.symlink_to("/dev/zero")
    else:
        os.mknod(path, mode | 0o600)
    (tmp_path / "link").symlink_to(path)
    for each in (path, tmp_path / "link"):
        with pytest.raises(UsageError, match=f"is {what}, and a regular file is needed"):
            require_usable(each)


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for path in (tmp_path / "a", tmp_path / "a" / "x", tmp_path / ("x" * 300), Path("x/" * 3000)):
        with pytest.raises(UsageError, match="leads to no file") as caught:
            require_usable(path)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["a\x00b", "a\x1b[2J", "a\udcff", "two\nlines", "a\tb", "abc\u202egpj"])
def test_names_that_no_terminal_should_show(tmp_path: Path, name: str) -> None:
    with pytest.raises(TextError) as caught:
        require_usable(tmp_path / name)
    assert str(caught.value).isprintable()


def test_files_folders_and_what_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "dangling").symlink_to(tmp_path / "later")
    for name in ("file", "link", "dangling", ".", "new", "no/such/folder", "file/in/a/file", "Ünïcode 🎻 ", "a\u200db"):
        assert require_usable(tmp_path / name) == tmp_path / name


def test_a_path_has_a_name_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert require_usable(Path()) == tmp_path
    assert require_usable(Path("..")) == Path("..")
    with pytest.raises(UsageError, match="root of the file system"):
        require_usable(Path("/"))
