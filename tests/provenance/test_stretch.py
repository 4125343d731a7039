"""A stretch of the log tells a keyring all that it has to see, whichever keys are at hand."""

from pathlib import Path

import pytest

from ledger.database import reading
from ledger.entry import Entry
from ledger.keys import Ed25519Signer
from provenance.errors import UnknownKeyError, WrongPartyError
from provenance.identity import new_id
from provenance.key_term import RegisteredKey
from provenance.keyring import Keyring
from provenance.signed_entry import read_entry
from provenance.stretch import Reader, Reading, Run, differences
from tests.provenance.key_log import edit, party, signed
from tests.provenance.key_world import KeyWorld


@pytest.fixture
def world(tmp_path: Path) -> KeyWorld:
    """Registrations, three statements alike, a registration, two more alike."""
    world = KeyWorld(path=tmp_path / "log.db")
    for _ in range(3):
        world.append(party(), world.service)
    world.register("party")
    for _ in range(2):
        world.append(party(), world.service)
    return world


def read(world: KeyWorld, reader: Reader) -> Reading:
    with reading(world.log.engine) as connection:
        return reader(connection, list(world.log.entries()))


def judged(found: Reading) -> Keyring:
    ring = Keyring()
    for each in found.signed:
        ring = ring.after(each.first if isinstance(each, Run) else read_entry(each.index, each.data, ring.keys))
    return ring


def test_entries_that_are_alike_come_once(world: KeyWorld) -> None:
    found = read(world, Reader(world.ring.keys))
    runs = [each for each in found.signed if isinstance(each, Run)]
    assert runs == found.signed
    size = world.log.size()
    assert sum(run.count for run in runs) == size
    assert [run.count for run in runs if run.first.statement.kind == "party"] == [1 + 3, 2]
    assert judged(found).keys == world.ring.keys
    assert found.stop == size
    assert found.faults == []


def test_entries_of_unknown_keys_come_as_they_are(world: KeyWorld) -> None:
    """The first registration holds its own key; all others wait for the ring that knows theirs."""
    found = read(world, Reader({}))
    unread = [each for each in found.signed if isinstance(each, Entry)]
    assert len(unread) >= world.log.size() - 2
    assert judged(found).keys == world.ring.keys
    assert found.faults == []


def test_a_key_at_hand_is_no_licence(world: KeyWorld) -> None:
    """Whoever knows a key of another log learns no more than that it signed."""
    stranger = Ed25519Signer.generate()
    stray = RegisteredKey(stranger.keyid, "service", "", 0, "", stranger.keyid, stranger.verifier)
    world.log.append([signed(party(), stranger)])
    found = read(world, Reader({**world.ring.keys, stranger.keyid: stray}))
    assert found.faults == []
    with pytest.raises(UnknownKeyError):
        judged(found)


def test_what_a_party_signs_for_another_hides_behind_nothing(world: KeyWorld) -> None:
    key = world.register("party")
    world.edit(key)
    world.log.append([signed(edit(new_id(), world.ada_leaf, world.ada_leaf), world.service, key)])
    found = read(world, Reader(world.ring.keys))
    assert found.faults == []
    with pytest.raises(WrongPartyError):
        judged(found)


def test_a_signature_that_does_not_hold_is_named(world: KeyWorld) -> None:
    envelope = signed(party(), world.service)
    at = envelope.index(b'"sig":"') + 20
    changed = envelope[:at] + (b"A" if envelope[at : at + 1] != b"A" else b"B") + envelope[at + 1 :]
    [receipt] = world.log.append([changed])
    world.log.append([b"no envelope"])
    found = read(world, Reader(world.ring.keys))
    assert [where for _, where in found.faults] == [f"entry {receipt.index}", f"entry {receipt.index + 1}"]
    assert "does not verify" in found.faults[0][0]


def test_rows_that_are_not_there_are_told(world: KeyWorld) -> None:
    """This log was filled behind the projections' back."""
    found = read(world, Reader(world.ring.keys))
    size = world.log.size()
    assert found.rows == {"statement": size, "recording": 0, "rendition": 0}
    [(what, where)] = found.differences
    assert what.startswith(f"{size} rows differ")
    assert where.startswith("table statement, row sha256:")


def test_the_first_difference_is_named_in_whatever_order() -> None:
    assert differences("t", [("b", 1), ("a", 2)], [("b", 1)]) == differences("t", [("a", 2), ("b", 1)], [("b", 1)])
    assert differences("t", [("a", 2)], [("b", 1)])[1] == "table t, row a"
