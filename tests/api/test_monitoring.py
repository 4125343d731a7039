"""Following a served log through the command line."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from api.home import Home
from api.registry import add_party
from api.settings import Settings
from tests.api.conftest import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[tuple[Home, str, Path]]:
    """A served home, where it is served, and a policy that accepts its log."""
    home = Home(Settings(home=tmp_path / "home", device="cpu"))
    policy = tmp_path / "policy"
    policy.write_text(f"log {home.log_vkey}\nquorum none\n")
    with serving(home) as url:
        yield home, url, policy


def test_new_entries_are_told_once(
    followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path
) -> None:
    home, url, policy = followed
    asked = ("log", "monitor", url, "--policy", policy, "--memory", tmp_path / "memory")
    first = linernotes(*asked, "--json").json
    assert first["new_entries"] == first["tree_size"] == home.log.size()
    assert {each["kind"] for each in first["entries"]} >= {"key", "party", "corpus", "model"}
    party = add_party(home, "Somebody").party_id
    home.log.append([b"what no version knows"])
    done = linernotes(*asked, "--kind", "party", "--word", party.upper(), "--json").json
    assert done["new_entries"] == 2
    assert [each["about"] for each in done["entries"]] == [[party]]
    shown = linernotes(*asked)
    assert shown.code == 0
    assert "0 new entries, 0 of interest" in shown.out


def test_what_is_of_interest(followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path) -> None:
    home, url, policy = followed
    home.log.append([b"what no version knows"])

    def kinds(*options: str) -> list[str]:
        memory = tmp_path / f"memory {' '.join(options)[:40]}"
        done = linernotes("log", "monitor", url, "--policy", policy, "--memory", memory, "--json", *options)
        return [each["kind"] for each in json.loads(done.out)["entries"]]

    assert kinds("--kind", "unreadable") == ["unreadable"]
    assert kinds("--kind", "model", "--kind", "corpus") == ["corpus", "model"]
    assert kinds("--keyid", home.service.keyid, "--kind", "party") == ["party"]
    assert kinds("--keyid", "sha256:" + "0" * 64) == []
    assert kinds("--word", "no such word") == []


def test_a_log_that_forked_is_a_failed_check(
    followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path: Path
) -> None:
    home, url, policy = followed
    asked = ("log", "monitor", url, "--policy", policy, "--memory", tmp_path / "memory")
    home.engine.dispose()
    shutil.copytree(home.root, tmp_path / "fork")
    (tmp_path / "fork" / "service.lock").unlink(missing_ok=True)
    home.log.append([b"one"])
    assert linernotes(*asked).code == 0
    fork = Home(Settings(home=tmp_path / "fork", device="cpu"))
    fork.log.append([b"another"])
    with serving(fork) as other:
        done = linernotes("log", "monitor", other, *asked[3:])
    assert done.code == 1
    assert "does not extend" in done.out


def test_it_is_used_wrongly(
    followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path: Path
) -> None:
    _, url, policy = followed
    asked = ("--policy", policy, "--memory", tmp_path / "memory")
    (tmp_path / "nonsense").write_text("nonsense")
    for arguments in (
        ("http://127.0.0.1:1", *asked),
        ("ftp://127.0.0.1", *asked),
        (f"{url}/nowhere", *asked),
        (url, "--policy", tmp_path / "nonsense"),
        (url, "--policy", tmp_path / "missing"),
        (url, "--policy", policy, "--memory", tmp_path / "no" / "folder"),
        (url, "--policy", policy, "--memory", tmp_path / "nonsense"),
        (url, *asked, "--json", "--every", "1"),
    ):
        done = linernotes("log", "monitor", *arguments)
        assert done.code == 2, (arguments, done.out, done.err)


def test_a_memory_in_the_home_when_none_is_named(
    followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path: Path
) -> None:
    _, url, policy = followed
    own = tmp_path / "own"
    assert linernotes("log", "monitor", url, "--policy", policy, home=own).code == 0
    assert "0 new entries" in linernotes("log", "monitor", f"{url}/", "--policy", policy, home=own).out
    assert [path.name for path in own.iterdir()] == ["monitor"]
