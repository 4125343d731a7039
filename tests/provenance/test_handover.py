"""A log is followed from one key to the next, by what came along and by nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.checkpoint import sign_checkpoint
from ledger.keys import Ed25519Signer
from ledger.note import Note, NoteSigner
from ledger.proof import TlogProof
from ledger.rotation import sign_handover
from provenance.attestation import checkpoint_signature, log_inclusion, log_trust, proven
from provenance.bundle import Exhibit
from provenance.envelope_signature import envelope_signature
from provenance.errors import EvidenceError
from provenance.handover import followed, succession_of
from provenance.keyring import Keyring
from provenance.keys_at_hand import KeysAtHand
from provenance.trust import Trust
from tests.provenance.key_log import leaf_of, new_key, registration, rotation, signed
from tests.provenance.key_world import KeyWorld, proof_of


@pytest.fixture
def world(tmp_path: Path) -> KeyWorld:
    """Two handovers with a new service key after each; entries by each of the three."""
    world = KeyWorld(path=tmp_path / "log.db")
    world.first = world.service
    world.fill()
    world.hand_over()
    world.second = world.renew()
    world.fill()
    world.hand_over()
    world.third = world.renew()
    world.fill()
    return world


def by(world: KeyWorld, service: Ed25519Signer) -> int:
    """The last entry that a service key signed, other than about keys."""
    return max(
        index
        for index, entry in enumerate(world.entries)
        if service.keyid.encode() in entry and world.kind(index) == "party"
    )


def test_the_keys_of_a_log(world: KeyWorld) -> None:
    assert succession_of(world.ring) == world.log.succession
    assert succession_of(Keyring()) is None
    vkeys = [log.vkey for log in world.logs]
    for place, vkey in enumerate(vkeys):
        found = followed(vkey, world.handovers())
        assert [tenure.verifier.vkey for tenure in found.tenures] == vkeys[place:]
    assert followed(vkeys[0], ()).current.vkey == vkeys[0]
    assert followed(vkeys[0], world.handovers()[2:]).current.vkey == vkeys[0]  # what leads on from there is missing


def test_entries_of_before_and_after_hold_with_the_keys_of_then(world: KeyWorld) -> None:
    """Each by the service key of its time, all of them proven under the newest checkpoint."""
    for service in (world.first, world.second, world.third):
        entry = world.exhibit(by(world, service))
        assert proven(entry, world.keys(service), Trust(policy=world.policy())) == []
        assert proven(entry, world.keys(world.third, world.second, world.first), Trust()) == []
        for other in {world.first, world.second, world.third} - {service}:
            check = envelope_signature(entry, world.keys(other), Trust())
            assert (check.result, "did not come along" in check.detail) == ("fail", True)


def test_without_the_handovers_the_newest_checkpoint_is_not_that_log_s(world: KeyWorld) -> None:
    entry = world.exhibit(by(world, world.first))
    keys = world.keys(world.first, handovers=False)
    assert log_inclusion(keys, entry).result == envelope_signature(entry, keys, Trust()).result == "pass"
    assert checkpoint_signature(keys, Trust(), entry).result == "fail"
    half = KeysAtHand((*keys.exhibits, *world.handovers()[:2]))
    assert checkpoint_signature(half, Trust(), entry).result == "fail"


def test_what_was_proven_before_needs_no_handover(tmp_path: Path) -> None:
    world = KeyWorld(path=tmp_path / "log.db")
    entry, keys, policy = world.exhibit(1), world.keys(), world.policy()
    world.hand_over()
    world.fill()
    assert proven(entry, keys, Trust(policy=policy)) == []
    assert "signed by" in checkpoint_signature(keys, Trust(), entry).detail
    own = Trust(own_log=world.log.succession)
    assert log_trust(own, keys, entry).result == "pass"
    assert log_trust(own, world.keys(), world.exhibit(1)).result == "pass"
    assert log_trust(Trust(policy=policy), world.keys(), world.exhibit(1)).result == "fail"


def test_entries_of_several_keys_at_once(world: KeyWorld) -> None:
    """As in a manifest whose certificate was vouched for by a later key."""
    entries = [world.exhibit(by(world, service)) for service in (world.third, world.first)]
    keys = world.keys(world.first, world.third)
    assert log_inclusion(keys, *entries).result == "pass"
    assert checkpoint_signature(keys, Trust(), *entries).result == "pass"
    assert log_trust(Trust(policy=world.policy()), keys, *entries).result == "pass"
    assert log_inclusion(world.keys(world.first), *entries).result == "fail"


def test_keys_of_two_logs_are_not_one(world: KeyWorld, tmp_path: Path) -> None:
    other = KeyWorld(path=tmp_path / "other.db")
    keys = KeysAtHand((*world.keys().exhibits, *other.keys().exhibits))
    entries = world.exhibit(by(world, world.third)), other.exhibit(1)
    assert log_inclusion(keys, *entries).result == "pass"
    check = checkpoint_signature(keys, Trust(), *entries)
    assert (check.result, "was registered in the log" in check.detail) == ("fail", True)


def test_the_thief_of_the_old_key_leads_nobody_away(world: KeyWorld) -> None:
    """The chain that he forges is consistent in itself; whoever has a policy, or the real chain, does not go along."""
    thief, entry = new_key(), world.exhibit(by(world, world.first))
    assert isinstance(world.logs[0].key, Ed25519Signer)
    evil = NoteSigner(world.logs[0].name, thief)
    checkpoint = entry.checkpoint()
    forged = replace(proof_of(entry), checkpoint_note=sign_checkpoint(checkpoint, world.logs[0]))
    by_the_old_key = Exhibit(entry.envelope, forged.format())
    keys = world.keys(world.first)
    check = checkpoint_signature(keys, Trust(), by_the_old_key)
    assert (check.result, "before or after its time" in check.detail) == ("fail", True)
    handover = sign_handover(checkpoint, world.logs[0], evil)
    taken = TlogProof(proof_of(entry).index, proof_of(entry).path, handover)
    assert proven(Exhibit(entry.envelope, taken.format()), keys, Trust(policy=world.policy())) != []


@pytest.mark.parametrize("signers", [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_a_rotation_in_the_log_that_the_two_keys_did_not_sign(tmp_path: Path, signers: tuple[int, ...]) -> None:
    """No log takes it; but here is one whose operator did, and which both keys signed nevertheless."""
    world = KeyWorld(path=tmp_path / "log.db")
    old, new = world.note.key, new_key()
    assert isinstance(old, Ed25519Signer)
    world.append(registration(new, "log", world.vkey), new, world.service)
    said = signed(rotation("log", old, new, world.leaf(new)), *((old, new, world.service)[each] for each in signers))
    world.log.hand_over(said, NoteSigner(world.note.name, new))
    world.entries.append(said)
    exhibits = [world.exhibit(world.next - 1), world.exhibit(world.next - 2)]
    with pytest.raises(EvidenceError, match="the handover of the log from"):
        followed(world.note.vkey, exhibits)


@pytest.mark.parametrize("what", ["not in the log", "another registration", "no registration", "of another role"])
def test_a_handover_that_does_not_hold(world: KeyWorld, what: str) -> None:
    [turned, registered, *_] = world.handovers()
    old, new = world.logs[0].key, world.logs[1].key
    assert isinstance(old, Ed25519Signer)
    assert isinstance(new, Ed25519Signer)
    named: str = registered.leaf_hash
    if what == "another registration":
        named, registered = world.ada_leaf, world.exhibit(1)
    elif what == "of another role":
        forged = signed(registration(new, "service", world.logs[0].vkey), new)
        named, registered = leaf_of(forged), replace(registered, envelope=forged)
    exhibits = [replace(turned, envelope=signed(rotation("log", old, new, named), old, new)), registered]
    if what == "no registration":
        exhibits = [turned]
    with pytest.raises(EvidenceError, match="the handover of the log from"):
        followed(world.logs[0].vkey, exhibits)


def test_a_handover_that_one_key_signed_alone(world: KeyWorld) -> None:
    """The statement is right, and the checkpoint is not."""
    [turned, registered, *_] = world.handovers()
    whole = Note.parse(proof_of(turned).checkpoint_note)
    for line in whole.signatures:
        note = Note(whole.text, (line,)).format()
        alone = [Exhibit(e.envelope, replace(proof_of(e), checkpoint_note=note).format()) for e in (turned, registered)]
        with pytest.raises(EvidenceError, match="the handover of the log from"):
            followed(world.logs[0].vkey, alone)


def test_a_rotation_under_a_later_checkpoint_hands_nothing_over(world: KeyWorld) -> None:
    later = [world.exhibit(proof_of(each).index) for each in world.handovers()]
    assert len(followed(world.logs[0].vkey, later).tenures) == 1


def test_every_flipped_bit_of_a_handover_leads_nowhere(world: KeyWorld) -> None:
    """A change is refused, or leaves the reader where he was; it never leads to another key."""
    [turned, registered, *_] = world.handovers()
    for part in range(2):
        data = (turned, registered)[part].envelope
        for position in range(0, len(data) * 8, 61):
            changed = bytearray(data)
            changed[position // 8] ^= 1 << position % 8
            exhibits = [turned, registered]
            exhibits[part] = replace(exhibits[part], envelope=bytes(changed))
            try:
                found = followed(world.logs[0].vkey, exhibits)
            except EvidenceError:
                continue
            assert [tenure.verifier.vkey for tenure in found.tenures] == [world.logs[0].vkey]
    assert len(followed(world.logs[0].vkey, [turned, registered]).tenures) == 2
