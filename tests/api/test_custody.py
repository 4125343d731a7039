"""The files of a home's own keys: which takes whose place, and what readers find of them."""

from pathlib import Path

import pytest

from api.custody import Custody
from api.errors import HomeError
from ledger.errors import KeyFileError
from ledger.keys import Ed25519Signer
from ledger.note import NoteSigner
from ledger.rotation import Succession
from provenance.key_term import RegisteredKey
from provenance.keyring import Keyring

ORIGIN = "example.org/log"


@pytest.fixture
def custody(tmp_path: Path) -> Custody:
    (tmp_path / "keys").mkdir()
    return Custody(tmp_path / "keys")


def vkey(key: Ed25519Signer) -> str:
    return NoteSigner(ORIGIN, key).vkey


def ring_of(*keys: Ed25519Signer, logs: tuple[Ed25519Signer, ...] = ()) -> Keyring:
    registered = {key.keyid: RegisteredKey(key.keyid, "service", "", 0, "", key.keyid, key.verifier) for key in keys}
    return Keyring(keys=registered, log=tuple((vkey(log), size) for size, log in enumerate(logs)))


def test_keys_are_made_once_and_stay(custody: Custody) -> None:
    for of in (custody.service, custody.next_service, custody.log, custody.next_log):
        assert of().keyid == of().keyid
    assert len({path.read_bytes() for path in custody.folder.glob("*.pem")}) == 4
    assert {path.stat().st_mode & 0o777 for path in custody.folder.glob("*.pem")} == {0o600}


def test_a_key_takes_its_place_when_the_log_says_so(custody: Custody) -> None:
    old, new = custody.log(), custody.next_log()
    for ring in (Keyring(), ring_of(new), ring_of(new, logs=(old,)), ring_of(logs=(new, old))):
        custody.settle(ring)
        assert (custody.log().keyid, custody.next_log().keyid) == (old.keyid, new.keyid)
    custody.settle(ring_of(logs=(old, new)))
    assert custody.log().keyid == new.keyid
    assert not (custody.folder / "log-next.pem").exists()
    custody.settle(ring_of(logs=(old, new)))
    assert custody.log().keyid == new.keyid


def test_a_service_key_takes_its_place_when_it_is_on_record(custody: Custody) -> None:
    old, new = custody.service(), custody.next_service()
    custody.settle(ring_of(old))
    assert custody.service().keyid == old.keyid
    custody.settle(ring_of(old, new))
    assert custody.service().keyid == new.keyid
    assert not (custody.folder / "service-next.pem").exists()


def test_a_key_that_cannot_be_moved_is_named(custody: Custody) -> None:
    custody.service()
    new = custody.next_service()
    (custody.folder / "service.pem").unlink()
    (custody.folder / "service.pem").mkdir()
    with pytest.raises(HomeError, match=r"service-next\.pem cannot take its place.* Rename it to service\.pem"):
        custody.settle(ring_of(new))


def test_a_next_key_that_cannot_be_read_stops_the_start(custody: Custody) -> None:
    """It may be the only copy of the key that is in office."""
    (custody.folder / "log-next.pem").write_text("rubbish")
    with pytest.raises(KeyFileError, match=r"log-next\.pem"):
        custody.settle(ring_of(logs=(Ed25519Signer.generate(),)))


def test_what_readers_find(custody: Custody, caplog: pytest.LogCaptureFixture) -> None:
    assert custody.published() is None
    first, second = (NoteSigner(ORIGIN, Ed25519Signer.generate()).verifier for _ in range(2))
    (custody.folder / "log.vkey").write_text(f"{first.vkey}\n")  # as an earlier release left it
    assert custody.published() == Succession.of(first)
    handed_over = Succession.of(first).extended(second, 7)
    custody.publish(handed_over)
    assert custody.published() == handed_over
    assert (custody.folder / "log.vkey").read_text() == f"{second.vkey}\n"
    before = (custody.folder / "log.vkey").stat().st_mtime_ns
    custody.publish(handed_over)
    assert (custody.folder / "log.vkey").stat().st_mtime_ns == before
    (custody.folder / "log-succession").write_text("rubbish\n")
    assert custody.published() is None
    assert "cannot be read" in caplog.text


def test_what_is_no_earlier_state_of_the_succession_is_kept(custody: Custody) -> None:
    first, second, other = (NoteSigner(ORIGIN, Ed25519Signer.generate()).verifier for _ in range(3))
    before, path = Succession.of(first), custody.folder / "log-succession"
    now = before.extended(second, 7)
    assert custody.fault(now) == ""
    for earlier in (before, now):
        path.write_bytes(earlier.format())
        assert custody.fault(now) == ""
        custody.publish(now)
        assert path.read_bytes() == now.format()
    for kept, what in (
        (b"rubbish\n", "but does not"),
        (b"", "but does not"),
        (now.format()[:-1], "but does not"),
        (Succession.of(other).format(), "lists other keys"),
        (before.extended(second, 8).format(), "lists other keys"),
        (now.extended(other, 9).format(), "an older copy of the database"),
    ):
        path.write_bytes(kept)
        assert what in custody.fault(now)
        custody.publish(now)
        assert path.read_bytes() == kept
        assert (custody.folder / "log.vkey").read_text() == f"{second.vkey}\n"
    path.unlink()
    path.mkdir()
    assert "but does not" in custody.fault(now)
    custody.publish(now)
