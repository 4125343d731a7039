"""Check 5 of an edit: whether the person who is named signed it, or the home alone says that it was they."""

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.envelope import Envelope, EnvelopeSignature
from ledger.keys import Ed25519Signer
from ledger.proof import TlogProof
from provenance.attestation import log_inclusion, proven
from provenance.bundle import Exhibit
from provenance.check import Check
from provenance.envelope_signature import envelope_signature
from provenance.keys_at_hand import KeysAtHand
from provenance.trust import Trust
from tests.provenance.key_log import TAKE, edit, leaf_of, party, registration, signed
from tests.provenance.key_world import KeyWorld


@pytest.fixture
def world(tmp_path: Path) -> KeyWorld:
    return KeyWorld(path=tmp_path / "log.db")


def check(world: KeyWorld, index: int, *further: Ed25519Signer) -> Check:
    return envelope_signature(world.exhibit(index), world.keys(world.service, *further), Trust())


def test_an_edit_says_who_signed_it(world: KeyWorld) -> None:
    ada = world.register("party")
    own = world.edit(ada)
    alone = world.append(edit(world.ada, TAKE, world.ada_leaf), world.service)
    found = check(world, own, ada)
    assert found.result == "pass"
    assert f"and by the party {world.ada} with its own key {ada.keyid}, registered at index 2" in found.detail
    assert "alone" not in found.detail
    found = check(world, alone, ada)
    assert (found.result, f"the party {world.ada}, the home alone says" in found.detail) == ("pass", True)
    assert not proven(world.exhibit(own), world.keys(world.service, ada), Trust())


def test_without_the_registration_nothing_is_claimed(world: KeyWorld) -> None:
    ada = world.register("party")
    found = check(world, world.edit(ada))
    assert (found.result, "was not checked" in found.detail) == ("pass", True)
    assert ada.keyid in found.detail
    assert "own key" not in found.detail
    assert "alone" not in found.detail


def test_the_registration_has_to_be_in_the_log_too(world: KeyWorld) -> None:
    ada = world.register("party")
    entry, (service, registered) = world.exhibit(world.edit(ada)), world.keys(world.service, ada).exhibits
    elsewhere = replace(TlogProof.parse(registered.tlog_proof), index=1).format()
    keys = KeysAtHand((service, Exhibit(registered.envelope, elsewhere)))
    assert log_inclusion(keys, entry).result == "fail"
    assert proven(entry, keys, Trust())


@pytest.mark.parametrize("whose", ["another party", "a witness", "nobody"])
def test_a_signature_that_may_not_be_there_fails(world: KeyWorld, whose: str) -> None:
    bea = party()
    world.append(bea, world.service)
    key = world.register("witness") if whose == "a witness" else world.register("party", party=bea.predicate.party_id)
    made = signed(edit(world.ada, TAKE, world.ada_leaf), world.service, key)
    if whose == "nobody":
        envelope = Envelope.parse(made)
        spoilt = EnvelopeSignature(key.keyid, bytes(64))
        made = replace(envelope, signatures=(envelope.signatures[0], spoilt)).to_bytes()
    [receipt] = world.log.append([made])  # a log whose door stood open
    world.entries.append(made)
    assert leaf_of(made) == f"sha256:{receipt.leaf_hash.hex()}"
    assert check(world, receipt.index, key).result == "fail"


def test_a_key_that_was_registered_afterwards_fails(world: KeyWorld) -> None:
    ada = Ed25519Signer.generate()
    made = signed(edit(world.ada, TAKE, world.ada_leaf), world.service, ada)
    late = signed(registration(ada, "party", world.vkey, party=world.ada), ada, world.service)
    receipts = world.log.append([made, late])
    world.entries += [made, late]
    keys = KeysAtHand((*world.keys().exhibits, world.exhibit(receipts[1].index)))
    found = envelope_signature(world.exhibit(receipts[0].index), keys, Trust())
    assert (found.result, "after the statement it signed" in found.detail) == ("fail", True)
