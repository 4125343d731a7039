"""One entry has one index, written in one way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.entry_index import entry_index
from api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Outcome, Studio

OTHERWISE = ("00", "01", "+1", " 1", "1 ", "-0", "-1", "1_0", "1.0", "0x1", "1e0", "\u0661", "\uff11", str(2**63), "")


@given(st.integers(0, 2**63 - 1))
def test_every_index_is_read(index: int) -> None:
    assert entry_index(str(index)) == index


@given(st.text(max_size=30))
def test_whatever_is_read_is_written_so(text: str) -> None:
    try:
        index = entry_index(text)
    except UsageError:
        return
    assert str(index) == text


@pytest.mark.parametrize("text", OTHERWISE)
def test_no_other_form_is_read(text: str) -> None:
    with pytest.raises(UsageError, match="is not a log index"):
        entry_index(text)


@pytest.mark.parametrize("text", ["00", "+1", " 1", "1_0", "\uff11"])
def test_commands_take_no_other_form(
    studio: Studio, linernotes: Callable[..., Outcome], tmp_path: Path, text: str
) -> None:
    key = linernotes("key", "list", "--json", home=studio.home).json["keys"][0]["keyid"]
    (tmp_path / "policy").write_text(f"log {(studio.home / 'keys' / 'log.vkey').read_text().strip()}\nquorum none\n")
    for arguments in (
        ("log", "entry", text, "-o", tmp_path / "out"),
        ("log", "proof", text, "-o", tmp_path / "out"),
        ("key", "show", key, "--at", text),
        ("key", "revoke", key, "--reason", "lost", "--from-index", text),
        ("show", "--before", text),
        ("log", "monitor", "http://127.0.0.1:1", "--policy", tmp_path / "policy", "--from", text),
    ):
        done = linernotes(*arguments)
        assert (done.code, done.out) == (2, ""), arguments
        assert "index" in done.err, arguments
    assert not (tmp_path / "out").exists()
    assert linernotes("log", "entry", "1", "-o", tmp_path / "out").code == 0
    assert linernotes("key", "show", key, "--at", "1").code == 0
