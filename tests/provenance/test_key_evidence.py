"""What a log says about its keys, offline: which signatures count, as of when, and what the file cannot show."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.cosignature import Cosigner, with_signatures
from ledger.database import open_engine
from ledger.envelope import Envelope
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.note import Note, NoteSigner
from ledger.policy import Policy
from ledger.proof import TlogProof
from migrations.upgrade import upgrade
from provenance.attestation import checkpoint_signature, proven
from provenance.bundle import EvidenceBundle, Exhibit
from provenance.check import Check
from provenance.envelope_signature import envelope_signature
from provenance.errors import EvidenceError, ProvenanceError, WrongRoleError
from provenance.identity import digest_bytes, new_id
from provenance.key_evidence import KeyEvidence
from provenance.trust import Trust
from tests.provenance.key_log import edit, new_key, party, registration, revocation, signed
from tests.provenance.key_world import KeyWorld, proof_of

LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def world(tmp_path: Path) -> KeyWorld:
    return KeyWorld(path=tmp_path / "log.db")


def judged(world: KeyWorld, index: int, *, evidence: bytes | None = None) -> Check:
    """Check 5 of an entry, with what the log says about its keys now."""
    keys = KeyEvidence.open(evidence or world.evidence(), world.policy())
    entry = world.exhibit(index)
    names = entry.envelope.decode()
    services = [key for key in world.services if key.keyid in names]
    return envelope_signature(entry, world.keys(*services), Trust(policy=world.policy(), keys=keys))


@pytest.fixture
def stolen(world: KeyWorld) -> KeyWorld:
    """The service key is stolen, the thief signs too, and the owner revokes it as of the thief's first entry."""
    world.services = [world.service]
    world.owner = world.register("owner")
    world.rightful = world.append(party(), world.service)
    world.thief = world.append(party(time=LONG_AGO), world.service)
    world.append(party(), world.service)
    world.before = world.evidence()
    world.revoke(world.service, world.owner, from_index=world.thief)
    world.services.append(world.register("service", voucher=world.owner))
    world.last = world.append(party(), world.services[-1])
    return world


def test_what_a_revocation_spares_passes_and_says_so(stolen: KeyWorld) -> None:
    check = judged(stolen, stolen.rightful)
    assert check.result == "pass", check
    assert f"as of {stolen.next} entries of the log" in check.detail
    assert "is spared and counts, though" in check.detail
    assert f"as of entry {stolen.thief} (compromised)" in check.detail
    assert "not ended" in judged(stolen, stolen.last).detail


def test_what_the_thief_dated_back_fails(stolen: KeyWorld) -> None:
    """It states a time long before the theft; its place is behind."""
    statement = stolen.exhibit(stolen.thief).statement()
    assert statement.predicate.time == LONG_AGO
    for index in (stolen.thief, stolen.thief + 1):
        check = judged(stolen, index)
        assert check.result == "fail", check
        assert "does not count" in check.detail
        assert f"as of {stolen.next} entries of the log" in check.detail


def test_without_evidence_of_keys_nothing_is_known_of_revocations(stolen: KeyWorld) -> None:
    for index in (stolen.rightful, stolen.thief):
        check = envelope_signature(stolen.exhibit(index), stolen.keys(stolen.service), Trust())
        assert check.result == "pass"
        assert "whether it was revoked since is not known" in check.detail


def test_evidence_of_before_the_revocation_speaks_as_of_then(stolen: KeyWorld) -> None:
    size = EvidenceBundle.parse(stolen.before).exhibits[0].checkpoint().size
    check = judged(stolen, stolen.thief, evidence=stolen.before)
    assert check.result == "pass"
    assert f"as of {size} entries of the log" in check.detail
    check = judged(stolen, stolen.last, evidence=stolen.before)
    assert (check.result, "registered later than is known" in check.detail) == ("pass", True)


def test_an_entry_behind_the_evidence(world: KeyWorld) -> None:
    world.services = [world.service]
    evidence, index = world.evidence(), world.append(party(), world.service)
    check = judged(world, index, evidence=evidence)
    assert (check.result, "and it lies behind these" in check.detail) == ("pass", True)


def test_a_revocation_that_was_left_out_is_not_noticed(stolen: KeyWorld) -> None:
    """This is what the file cannot show, and why its source matters."""
    [revoked] = [index for index in range(stolen.next) if stolen.kind(index) == "revocation"]
    short = stolen.evidence(without=[revoked])
    assert judged(stolen, stolen.thief, evidence=short).result == "pass"


@pytest.mark.parametrize("place", ["first", "owner"])
def test_what_others_stand_on_cannot_be_left_out(stolen: KeyWorld, place: str) -> None:
    left_out = 0 if place == "first" else stolen.ring.keys[stolen.owner.keyid].index
    with pytest.raises(EvidenceError, match="The evidence of keys is refused"):
        KeyEvidence.open(stolen.evidence(without=[left_out]))


def test_every_signature_of_an_entry_is_judged(world: KeyWorld) -> None:
    world.services = [world.service]
    ada = world.register("party")
    before, after = world.edit(ada), world.edit(ada)
    world.revoke(ada, world.service, from_index=after)
    spared, fallen = judged(world, before), judged(world, after)
    assert (spared.result, fallen.result) == ("pass", "fail")
    assert spared.detail.count("the signature in entry") == 2
    assert f"by {ada.keyid} does not count" in fallen.detail


def test_a_rotation_spares_what_lies_before_it(world: KeyWorld) -> None:
    world.services = [world.service]
    before = world.append(party(), world.service)
    world.services.append(world.renew())
    after = world.append(party(), world.service)
    assert "was replaced by" in judged(world, before).detail
    assert judged(world, before).result == judged(world, after).result == "pass"


def test_the_keys_of_another_log_say_nothing_of_this(stolen: KeyWorld, tmp_path: Path) -> None:
    other = KeyWorld(path=tmp_path / "other.db")
    keys = KeyEvidence.open(other.evidence())
    check = envelope_signature(stolen.exhibit(stolen.rightful), stolen.keys(stolen.service), Trust(keys=keys))
    assert (check.result, "was registered in the log" in check.detail) == ("fail", True)


# Trust


def test_the_evidence_has_to_hold_under_the_policy(stolen: KeyWorld, tmp_path: Path) -> None:
    data = stolen.evidence()
    other = KeyWorld(path=tmp_path / "other.db", note=NoteSigner(stolen.note.name, new_key()))
    for policy, own_log in (
        (other.policy(), None),
        (None, other.log.succession),
        (other.policy(), stolen.log.succession),
    ):
        with pytest.raises(EvidenceError, match="The evidence of keys is refused"):
            KeyEvidence.open(data, policy, own_log)
    assert KeyEvidence.open(data, stolen.policy(), other.log.succession).ring.size == stolen.next
    assert KeyEvidence.open(data, None, stolen.log.succession).succession == stolen.log.succession
    elsewhere = KeyWorld(path=tmp_path / "elsewhere.db", note=NoteSigner("example.org/elsewhere", new_key()))
    assert KeyEvidence.open(data, None, elsewhere.log.succession).ring.size == stolen.next  # held against itself


def test_a_policy_with_the_old_key_is_told_the_way(world: KeyWorld) -> None:
    world.services = [world.service]
    old = world.policy(world.note)
    world.hand_over()
    assert KeyEvidence.open(world.evidence(), old).ring.size == world.next  # both keys signed this one
    world.services.append(world.renew())
    with pytest.raises(EvidenceError) as refused:
        KeyEvidence.open(world.evidence(), old)
    assert str(refused.value).endswith(f"add a line to the policy: log {world.logs[1].vkey}")
    world.hand_over()
    world.renew()
    with pytest.raises(EvidenceError) as refused:
        KeyEvidence.open(world.evidence(), old)
    assert str(refused.value).endswith(f"log {world.logs[2].vkey}")
    assert KeyEvidence.open(world.evidence(), world.policy()).succession == world.log.succession


def test_the_thief_of_a_log_s_old_key_is_found_out(world: KeyWorld) -> None:
    """A policy has to go on listing the old key, for what was proven with it; its turn is known from the log."""
    first = world.service
    index = world.append(party(), first)
    world.hand_over()
    world.renew()
    entry = world.exhibit(index)
    note = sign_checkpoint(entry.checkpoint(), world.note)
    forged = Exhibit(entry.envelope, replace(proof_of(entry), checkpoint_note=note).format())
    policy, plain = world.policy(), world.keys(first, handovers=False)
    key = world.exhibit(0, world.log.checkpoint_at(1))
    plain = replace(plain, exhibits=(key,))
    assert proven(forged, plain, Trust(policy=policy)) == []
    trust = Trust(policy=policy, keys=KeyEvidence.open(world.evidence(), policy))
    assert checkpoint_signature(plain, trust, entry).result == "pass"
    check = checkpoint_signature(plain, trust, forged)
    assert (check.result, "before or after its time" in check.detail) == ("fail", True)


# Certificates


def test_a_manifest_of_a_revoked_certificate_counts_where_its_place_is_known(stolen: KeyWorld) -> None:
    keys = KeyEvidence.open(stolen.evidence())
    keyid = stolen.service.keyid  # what is asked of a certificate is asked of its term alone
    assert "is spared" in keys.certificate_judged(keyid, stolen.rightful)
    with pytest.raises(EvidenceError, match="does not count"):
        keys.certificate_judged(keyid, stolen.thief)
    with pytest.raises(EvidenceError, match="Nothing came along that shows when this file was finished"):
        keys.certificate_judged(keyid, None)
    assert "is not ended" in keys.certificate_judged(stolen.services[-1].keyid, None)
    assert "later than is known" in keys.certificate_judged(new_key().keyid, None)


# Logs that took what they should not


def test_a_party_that_signed_for_another_is_found_out(world: KeyWorld) -> None:
    """The log is asked what it holds, and not whether it was right to take it."""
    world.services, ada = [world.service], world.register("party")
    for statement, said in (
        (edit(new_id(), world.ada_leaf, world.ada_leaf), "signs a statement of another"),
        (party(), "registered as party"),
    ):
        wrong = signed(statement, world.service, ada)
        world.entries.append(wrong)
        world.log.append([wrong])
        check = judged(world, world.next - 1)
        assert (check.result, said in check.detail) == ("fail", True), check


def test_a_ring_begins_with_the_log(tmp_path: Path) -> None:
    """Whatever comes later says that it is the first service key, and nobody vouches for it."""
    engine = open_engine(tmp_path / "log.db")
    upgrade(engine)
    log, service = Log(engine, NoteSigner("example.org/log", new_key())), new_key()
    entries = [signed(party(), service), signed(registration(service, "service", log.verifier.vkey), service)]
    log.append(entries)
    bundle = EvidenceBundle((Exhibit(entries[1], log.tlog_proof(1).format()),))
    with pytest.raises(EvidenceError, match="the first entry of the log"):
        KeyEvidence.open(bundle.to_bytes())


# Form


def document(data: bytes) -> dict[str, list[dict[str, str]]]:
    return json.loads(data)


def payload(entry: dict[str, str]) -> bytes:
    return Envelope.parse(base64.b64decode(entry["envelope"])).payload


def refuse(entries: list[dict[str, str]], data: bytes) -> None:
    with pytest.raises(EvidenceError):
        KeyEvidence.open(rfc8785.dumps(document(data) | {"entries": entries}))


def test_what_is_no_evidence_of_keys(stolen: KeyWorld) -> None:
    data = stolen.evidence()
    entries = document(data)["entries"]
    another = stolen.exhibit(1)
    with_another = EvidenceBundle((*EvidenceBundle.parse(data).exhibits[:1], another)).to_bytes()
    refuse([], data)
    refuse(entries[::-1], data)
    refuse([*entries, entries[-1]], data)
    refuse(entries[1:], data)
    refuse([entries[0], entries[1] | {"tlog_proof": entries[2]["tlog_proof"]}, *entries[2:]], data)
    refuse([entries[0] | {"tlog_proof": "hello"}, *entries[1:]], data)
    refuse(document(with_another)["entries"], with_another)
    forged = signed(party(), Ed25519Signer.generate())
    refuse([entries[0], entries[1] | {"envelope": base64.b64encode(forged).decode()}], data)
    revoked = next(place for place, each in enumerate(entries) if b"revocation/v1" in payload(each))
    other = signed(revocation(stolen.service.keyid, stolen.leaf(stolen.service), stolen.thief + 1), stolen.owner)
    unlogged = entries[revoked] | {"envelope": base64.b64encode(other).decode()}
    refuse([*entries[:revoked], unlogged, *entries[revoked + 1 :]], data)
    for rubbish in (b"", b"{}", b"\xff", b"[]"):
        with pytest.raises(EvidenceError):
            KeyEvidence.open(rubbish)


def test_a_revoked_signature_counts_no_more_for_one_beside_it_that_nobody_knows(stolen: KeyWorld) -> None:
    data = stolen.evidence()
    for beside in ((), (new_key(),)):
        [receipt] = stolen.log.append([signed(party(), stolen.service, *beside)])  # by a log that asks nobody
        entry = Exhibit(signed_bytes(stolen, receipt.index), stolen.log.tlog_proof(receipt.index).format())
        keys = KeyEvidence.open(data, stolen.policy())
        with pytest.raises(EvidenceError, match="revoked"):
            keys.judged(entry)


def test_a_signature_that_nobody_knows_does_not_hide_one_of_another_role(world: KeyWorld) -> None:
    witness = world.register("witness")
    data = world.evidence()
    [receipt] = world.log.append([signed(party(), witness, new_key())])
    entry = Exhibit(signed_bytes(world, receipt.index), world.log.tlog_proof(receipt.index).format())
    with pytest.raises(WrongRoleError):
        KeyEvidence.open(data, world.policy()).judged(entry)


def signed_bytes(world: KeyWorld, index: int) -> bytes:
    return world.log.entry(index).data


def test_no_statement_goes_unread(stolen: KeyWorld) -> None:
    """The checkpoint of the revocation alone is changed by one bit, so it is no longer the one of the others."""
    data = stolen.evidence()
    entries = document(data)["entries"]
    revoked = next(place for place, each in enumerate(entries) if b"revocation/v1" in payload(each))
    proof = entries[revoked]["tlog_proof"]
    at = proof.rindex("=") - 20
    changed = entries[revoked] | {"tlog_proof": proof[:at] + ("A" if proof[at] != "A" else "B") + proof[at + 1 :]}
    with pytest.raises(EvidenceError, match=r"does not show of sha256:[0-9a-f]{64} that the newest"):
        KeyEvidence.open(
            rfc8785.dumps(document(data) | {"entries": [*entries[:revoked], changed, *entries[revoked + 1 :]]})
        )


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, KeyWorld]:
    world = KeyWorld(path=tmp_path_factory.mktemp("sound") / "log.db")
    owner = world.register("owner")
    world.hand_over()
    world.renew()
    world.revoke(world.register("party"), owner)
    return world.evidence(), world


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_flipped_bit_is_refused(sound: tuple[bytes, KeyWorld], data: st.DataObject) -> None:
    evidence, world = sound
    changed = bytearray(evidence)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ProvenanceError):
        KeyEvidence.open(bytes(changed), world.policy())


def test_any_flipped_bit_of_what_comes_once_more_is_refused(sound: tuple[bytes, KeyWorld]) -> None:
    """The rotation of the log's key under the checkpoint that both keys signed: its index, its path and its note."""
    evidence, world = sound
    *statements, again = EvidenceBundle.parse(evidence).exhibits
    assert again.leaf_hash in {each.leaf_hash for each in statements}
    for place in range(len(again.tlog_proof)):
        proof = bytearray(again.tlog_proof)
        proof[place] ^= 1 << place % 7
        try:
            proof.decode()
        except UnicodeDecodeError:
            continue  # no evidence can hold it
        changed = EvidenceBundle((*statements, replace(again, tlog_proof=bytes(proof))))
        with pytest.raises(EvidenceError):
            KeyEvidence.open(changed.to_bytes(), world.policy())


def test_what_comes_once_more_lies_in_the_same_place(world: KeyWorld) -> None:
    """The log's key says of two trees that they hold one entry in two places: one of them is no tree of this log."""
    owner = world.register("owner")
    index = world.ring.keys[owner.keyid].index
    then = world.log.checkpoint()
    world.fill()
    *statements, last = EvidenceBundle.parse(world.evidence()).exhibits
    assert last.leaf_hash == world.leaf(owner)
    alone = Checkpoint(world.log.origin, 1, digest_bytes(last.leaf_hash))
    true = world.exhibit(index, then)
    false = Exhibit(last.envelope, TlogProof(0, (), sign_checkpoint(alone, world.note)).format())
    assert KeyEvidence.open(EvidenceBundle((*statements, last, true)).to_bytes(), world.policy())
    with pytest.raises(EvidenceError, match=f"is about index {index}, and another about 0"):
        KeyEvidence.open(EvidenceBundle((*statements, last, false)).to_bytes(), world.policy())


def test_a_cosignature_that_comes_once_more_is_checked_by_whoever_knows_the_witness(world: KeyWorld) -> None:
    witness = Cosigner("witness.example/w", new_key())
    world.hand_over()
    handover = Note.parse(world.log.checkpoint())
    cosigned = with_signatures(handover, [witness.cosign(handover.text, 1_700_000_000)]).format()
    world.renew()
    *statements, again = EvidenceBundle.parse(world.evidence()).exhibits
    lines = [*(f"log {log.vkey}" for log in world.logs), f"witness w {witness.vkey}", "quorum none", ""]
    policy = Policy.parse("\n".join(lines))
    false = with_signatures(
        handover, [replace(witness.cosign(handover.text, 1_700_000_000), signature=bytes(72))]
    ).format()
    for note, fits in ((cosigned, True), (false, False)):
        once_more = replace(again, tlog_proof=replace(proof_of(again), checkpoint_note=note).format())
        data = EvidenceBundle((*statements, once_more)).to_bytes()
        assert KeyEvidence.open(data, world.policy())
        if fits:
            assert KeyEvidence.open(data, policy)
            continue
        with pytest.raises(EvidenceError):
            KeyEvidence.open(data, policy)


def test_it_is_read_for_so_long(sound: tuple[bytes, KeyWorld]) -> None:
    evidence, world = sound
    with pytest.raises(EvidenceError, match="the time was over"):
        KeyEvidence.open(evidence, world.policy(), seconds=-1)
    assert KeyEvidence.open(evidence, world.policy(), seconds=600)
