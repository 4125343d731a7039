"""What a reader names to judge by: files of their formats, no longer than these allow, and never nothing."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from api.errors import UsageError
from api.inspection import inspect
from api.key_exhibits import write_key_evidence
from api.settings import Settings
from api.trust import trust_of
from ledger.policy import MAX_POLICY_BYTES
from ledger.timestamp import MAX_ROOTS_BYTES
from provenance.anchor import MAX_ANCHOR_BYTES
from provenance.bundle import MAX_BUNDLE_BYTES
from provenance.errors import CredentialError
from provenance.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.home import Home
    from tests.conftest import Outcome, Studio

OPTIONS = {
    "policy": MAX_POLICY_BYTES,
    "trust-anchors": MAX_ANCHOR_BYTES,
    "tsa-roots": MAX_ROOTS_BYTES,
    "keys": MAX_BUNDLE_BYTES,
    "evidence": MAX_BUNDLE_BYTES,
}


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file of three gigabytes, most of which is nowhere."""
    path = tmp_path / "endless"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    return path


@pytest.mark.parametrize("option", OPTIONS)
def test_no_file_is_read_further_than_its_format_allows(
    studio: Studio, linernotes: Callable[..., Outcome], endless: Path, option: str
) -> None:
    tracemalloc.start()
    try:
        done = linernotes("verify", studio.wav, f"--{option}", endless, home=studio.home)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (done.code, done.out) == (2, "")
    assert f"{endless} cannot be read: it is longer than the {OPTIONS[option]} bytes" in done.err
    assert most < 3 * MAX_BUNDLE_BYTES


@pytest.mark.parametrize(
    "arguments",
    [
        ("log", "monitor", "http://127.0.0.1:1", "--policy", "ENDLESS"),
        ("draft", "ENDLESS", "-o", "/dev/null/out"),
        ("sign", "ENDLESS", "--key", "ENDLESS", "-o", "/dev/null/out"),
        ("submit", "ENDLESS"),
        ("key", "register", "ENDLESS"),
    ],
)
def test_nor_is_what_other_commands_are_given(
    studio: Studio, linernotes: Callable[..., Outcome], endless: Path, arguments: tuple[str, ...]
) -> None:
    done = linernotes(*(endless if each == "ENDLESS" else each for each in arguments), home=studio.home)
    assert (done.code, done.out) == (2, "")
    assert f"{endless} cannot be read: it is longer than the" in done.err


@pytest.mark.parametrize("setting", ["witness_policy", "rights_policy", "policy", "trust_anchors", "tsa_roots"])
def test_nor_is_what_the_settings_name(
    studio: Studio,
    linernotes: Callable[..., Outcome],
    endless: Path,
    setting: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = endless.rename(endless.with_suffix(".toml"))
    monkeypatch.setenv(f"LINERNOTES_{setting.upper()}", str(named))
    commands = {
        "witness_policy": ("log", "evidence", studio.wav),
        "rights_policy": ("check", studio.recording_id, "--use", "sync", "--territory", "DE"),
    }
    done = linernotes(*commands.get(setting, ("verify", studio.wav)), home=studio.home)
    assert (done.code, done.out) == (2, "")
    assert "longer than the" in done.err


def test_nor_are_the_settings_themselves(linernotes: Callable[..., Outcome], endless: Path) -> None:
    endless.rename(endless.parent / "linernotes.toml")
    done = linernotes("vocabulary", home=endless.parent)
    if done.code == 0:  # which needs no settings
        done = linernotes("party", "list", home=endless.parent)
    assert done.code == 2
    assert "longer than the 65536 bytes" in done.err


@pytest.mark.parametrize("nothing", [b"", b"\n", b"# no certificates\n"])
def test_anchors_that_hold_no_certificate_vouch_for_nobody(
    studio: Studio, linernotes: Callable[..., Outcome], tmp_path: Path, nothing: bytes
) -> None:
    """They were taken for none at all, and the home's own test authority vouched in their name."""
    empty = tmp_path / "empty.pem"
    empty.write_bytes(nothing)
    done = linernotes("verify", studio.wav, "--trust-anchors", empty, home=studio.home)
    assert (done.code, done.out) == (2, "")
    assert f"{empty}: " in done.err
    assert "there is none, so that nobody would be trusted" in done.err


def test_anchors_of_the_settings_that_hold_no_certificate(studio: Studio, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(UsageError, match="there is none"):
        trust_of(Settings(home=studio.home, trust_anchors=empty))


def test_whoever_names_anchors_relies_on_no_others(studio: Studio) -> None:
    own = trust_of(Settings(home=studio.home)).own_anchors
    checks = {check.id: check for check in inspect(studio.wav, Trust(own_anchors=own)).checks}
    assert (checks["c2pa-trust"].result, "own authority" in checks["c2pa-trust"].detail) == ("pass", True)
    with pytest.raises(CredentialError, match="there is none"):
        inspect(studio.wav, Trust(anchors=b"", own_anchors=own))


def test_evidence_of_keys_is_read_for_so_long(home: Home, tmp_path: Path) -> None:
    keys = tmp_path / "keys.evidence"
    write_key_evidence(home, keys)
    with pytest.raises(UsageError, match=r"after 0 of [0-9]+ statements the time was over"):
        trust_of(home.settings, keys=keys, seconds=-1)
    found = trust_of(home.settings, keys=keys, seconds=600).keys
    assert found is not None
    assert found.ring.size == home.log.size()
