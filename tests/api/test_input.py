"""What is given and names nothing does not stand for what is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.home import Home
from api.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Outcome, Studio


@pytest.mark.parametrize(
    "options",
    [
        ("edit", "RECORDING", "--file", "MIDI", "--party", ""),
        ("edit", "RECORDING", "--file", "MIDI", "--sign-with", ""),
        ("key", "register", "MIDI", "--vouch-with", ""),
        ("key", "rotate", "", ""),
        ("key", "rotate", "--role", ""),
        ("key", "revoke", "KEYID", "--reason", "ceased", "--key", ""),
    ],
)
def test_an_empty_name_is_nobody(studio: Studio, linernotes: Callable[..., Outcome], options: tuple[str, ...]) -> None:
    """A script whose variable was never set would else replace the home's key, or sign with it."""
    home = Home(Settings(home=studio.home))
    before, keyid = home.log.size(), home.service.keyid
    home.close()
    meant = {"RECORDING": studio.recording_id, "MIDI": studio.midi, "KEYID": keyid}
    done = linernotes(*(meant.get(each, each) for each in options), home=studio.home)
    assert (done.code, done.out) == (2, "")
    assert "is empty. Name what is meant, or leave it out." in done.err
    home = Home(Settings(home=studio.home))
    assert (home.log.size(), home.service.keyid) == (before, keyid)
    home.close()
