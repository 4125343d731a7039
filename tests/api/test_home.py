"""A home keeps others out, whatever the folder it lies in and the umask allow."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from api.errors import HomeError
from api.home import Home
from api.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHERS = 0o077
PUBLIC = {
    "keys/log.vkey",
    "keys/log-origin",
    "keys/last-checkpoint",
    "keys/.last-checkpoint.lock",
    "keys/c2pa/anchor.pem",
    "keys/c2pa/chain.pem",
}
"""Public key material, what is published with it, and a lock; the folder around them is closed all the same."""


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Nothing is private by the umask's doing."""
    before = os.umask(0o000)
    yield
    os.umask(before)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that was there before, open to all."""
    root = tmp_path / "home"
    root.mkdir(mode=0o755)
    return root


@contextmanager
def _opened(root: Path) -> Iterator[Home]:
    home = Home(Settings(home=root, device="cpu"))
    try:
        yield home
    finally:
        home.engine.dispose()


def _open_to_others(root: Path) -> set[str]:
    """What others can get at: its own bits allow it, and those of every folder on the way from the home."""
    found = set()
    for path in root.rglob("*"):
        way = [each for each in (path, *path.parents) if root in each.parents]
        if all(each.stat().st_mode & OTHERS for each in way):
            found.add(str(path.relative_to(root)))
    return found


def test_nobody_else_looks_into_a_fresh_home(root: Path) -> None:
    with _opened(root) as home:
        assert home.credential.is_test
        home.objects.put_bytes(b"sound")
        with home.writing():
            assert (root / "linernotes.db-wal").exists()
            assert _open_to_others(root) == set()
    assert {path.name for path in root.iterdir()} >= {"keys", "objects", "models", "linernotes.db", "lock"}
    for path in root.iterdir():
        assert not path.stat().st_mode & OTHERS, path
    for path in (root / "keys").rglob("*"):
        if str(path.relative_to(root)) not in PUBLIC:
            assert not path.stat().st_mode & OTHERS, path


def test_a_home_that_was_open_is_closed(root: Path) -> None:
    with _opened(root) as home:
        size = home.log.size()
    for path in (root / "linernotes.db", root / "objects", root / "models", root / "keys"):
        path.chmod(0o755)
    with _opened(root) as home:
        assert home.log.size() == size
    assert _open_to_others(root) == set()


def test_the_database_is_never_open_even_for_a_moment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def refuse(path: Path) -> None:
        seen.append(path.stat().st_mode & 0o777)
        raise HomeError("far enough")

    monkeypatch.setattr("api.home.open_engine", refuse)
    with pytest.raises(HomeError, match="far enough"):
        Home(Settings(home=root, device="cpu"))
    assert seen == [0o600]


def test_what_cannot_be_closed_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "objects").mkdir(mode=0o755)

    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.chmod", refuse)
    with pytest.raises(HomeError, match=r"objects cannot be kept private: Operation not permitted\. Only the user"):
        Home(Settings(home=root, device="cpu"))
