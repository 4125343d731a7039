"""Checks 5 to 8, against evidence that is false in one way at a time."""

import base64
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.cosignature import Cosigner, with_signatures
from ledger.database import open_engine
from ledger.envelope import sign
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.note import Note, NoteSigner
from ledger.policy import Policy
from ledger.rotation import Succession
from migrations.upgrade import upgrade
from provenance.attestation import checkpoint_signature, log_inclusion, log_trust
from provenance.bundle import Exhibit
from provenance.envelope_signature import envelope_signature
from provenance.errors import EvidenceError
from provenance.identity import Digest, digest, new_id
from provenance.key_predicate import KeyPredicate
from provenance.keys_at_hand import KeysAtHand, registered_key
from provenance.source_predicate import PartyPredicate
from provenance.statement import Statement, Subject, header
from provenance.trust import Trust

COMMITMENT = "hmac-sha256:" + "0" * 64


@dataclass(frozen=True)
class World:
    """A log with one key statement and one statement signed by that key."""

    log: Log
    service: Ed25519Signer
    key: Exhibit
    entry: Exhibit

    @property
    def keys(self) -> KeysAtHand:
        return KeysAtHand((self.key,))


def key_statement(service: Ed25519Signer, log: Log, *, role: str = "service", keyid: str = "") -> bytes:
    predicate = KeyPredicate.model_validate(
        header(KeyPredicate)
        | {
            "role": role,
            "algorithm": "ed25519",
            "keyid": keyid or service.keyid,
            "public_key": base64.b64encode(service.verifier.public_key).decode(),
            "log_vkey": log.verifier.vkey,
        }
    )
    return Statement((Subject("key", Digest(service.keyid)),), predicate).to_bytes()


def party_statement() -> bytes:
    predicate = PartyPredicate.model_validate(
        header(PartyPredicate) | {"party_id": new_id(), "kind": "person", "relation": "owner", "name": COMMITMENT}
    )
    return Statement((Subject("party", digest(b"p")),), predicate).to_bytes()


def open_log(path: Path, origin: str = "example.org/log") -> Log:
    engine = open_engine(path)
    upgrade(engine)
    return Log(engine, NoteSigner(origin, Ed25519Signer.generate()))


def exhibit(log: Log, index: int) -> Exhibit:
    return Exhibit(log.entry(index).data, log.tlog_proof(index).format())


def build(path: Path, *, key_first: bool = True, service: Ed25519Signer | None = None, **options: str) -> World:
    log, service = open_log(path), service or Ed25519Signer.generate()
    key = sign(key_statement(service, log, **options), service).to_bytes()
    entry = sign(party_statement(), service).to_bytes()
    log.append([key, entry] if key_first else [entry, key])
    order = (0, 1) if key_first else (1, 0)
    return World(log, service, exhibit(log, order[0]), exhibit(log, order[1]))


@pytest.fixture
def world(tmp_path) -> World:
    return build(tmp_path / "log.db")


def test_true_evidence_passes(world: World) -> None:
    policy = Policy.parse(f"log {world.log.verifier.vkey}\nquorum none\n".encode())
    for check in (
        envelope_signature(world.entry, world.keys, Trust()),
        log_inclusion(world.keys, world.entry),
        checkpoint_signature(world.keys, Trust(), world.entry),
        log_trust(Trust(policy=policy), world.keys, world.entry),
        log_trust(Trust(own_log=world.log.succession), world.keys, world.entry),
    ):
        assert check.result == "pass", check


def test_a_key_proves_that_it_is_held(world: World) -> None:
    other = Ed25519Signer.generate()
    stolen = sign(key_statement(world.service, world.log), other).to_bytes()
    with pytest.raises(EvidenceError, match="not signed by the key it registers"):
        registered_key(replace(world.key, envelope=stolen))


def test_a_key_registered_for_something_else_cannot_sign_statements(tmp_path) -> None:
    world = build(tmp_path / "log.db", role="party")
    check = envelope_signature(world.entry, world.keys, Trust())
    assert check.result == "fail"
    assert "registered as party" in check.detail


def test_a_key_under_a_false_name_is_refused(tmp_path) -> None:
    world = build(tmp_path / "log.db", keyid=digest(b"another"))
    assert envelope_signature(world.entry, world.keys, Trust()).result == "fail"


def test_a_key_registered_afterwards_signs_nothing_before(tmp_path) -> None:
    world = build(tmp_path / "log.db", key_first=False)
    check = envelope_signature(world.entry, world.keys, Trust())
    assert (check.result, "after the statement" in check.detail) == ("fail", True)


def test_a_statement_by_an_unregistered_key_fails(world: World) -> None:
    forged = sign(party_statement(), Ed25519Signer.generate()).to_bytes()
    assert envelope_signature(replace(world.entry, envelope=forged), world.keys, Trust()).result == "fail"
    assert log_inclusion(world.keys, replace(world.entry, envelope=forged)).result == "fail"


def test_the_proof_of_another_entry_fails(world: World) -> None:
    swapped = replace(world.entry, tlog_proof=world.key.tlog_proof)
    assert log_inclusion(world.keys, swapped).result == "fail"


def test_a_checkpoint_of_another_log_fails(world: World, tmp_path) -> None:
    other = build(tmp_path / "other.db")
    assert checkpoint_signature(other.keys, Trust(), world.entry).result == "fail"
    disguised = build(tmp_path / "disguised.db", service=world.service)  # the same signing key, registered elsewhere
    assert checkpoint_signature(disguised.keys, Trust(), world.entry).result == "fail"
    policy = Policy.parse(f"log {other.log.verifier.vkey}\nquorum none\n".encode())
    assert log_trust(Trust(policy=policy), world.keys, world.entry).result == "fail"


def test_without_anything_to_trust_the_key_is_shown_and_nothing_passes(world: World) -> None:
    mine = Succession.of(NoteSigner("example.org/mine", Ed25519Signer.generate()).verifier)
    for trust in (Trust(), Trust(own_log=mine)):
        check = log_trust(trust, world.keys, world.entry)
        assert check.result == "not-checked"
        assert world.log.verifier.vkey in check.detail


@pytest.mark.parametrize("rubbish", [b"", b"{}", b"\xff" * 100])
def test_rubbish_fails_and_does_not_crash(world: World, rubbish: bytes) -> None:
    for key in (world.key, replace(world.key, envelope=rubbish), replace(world.key, tlog_proof=rubbish)):
        for entry in (replace(world.entry, envelope=rubbish), replace(world.entry, tlog_proof=rubbish)):
            keys = KeysAtHand((key,))
            checks = [
                envelope_signature(entry, keys, Trust()),
                log_inclusion(keys, entry),
                checkpoint_signature(keys, Trust(), entry),
                log_trust(Trust(), keys, entry),
            ]
            assert "fail" in {check.result for check in checks}


# Further proofs, that came beside


@dataclass(frozen=True)
class Cosigned:
    """A world whose log a witness has seen since, and what a reader who asks for that witness accepts."""

    world: World
    trust: Trust
    beside: tuple[Exhibit, ...]

    def checks(self, beside: tuple[Exhibit, ...]) -> dict[str, str]:
        keys = KeysAtHand((self.world.key, *(each for each in beside if each.statement().kind == "key")))
        found = (
            log_inclusion(keys, self.world.entry, beside=beside),
            checkpoint_signature(keys, self.trust, self.world.entry, beside=beside),
            log_trust(self.trust, keys, self.world.entry, beside=beside),
        )
        return {check.id: check.result for check in found}


PASS = dict.fromkeys(("log-inclusion", "checkpoint-signature", "log-trust"), "pass")


def cosigned(world: World, witnesses: int = 1, quorum: int = 1) -> Cosigned:
    cosigners = [Cosigner(f"witness.example/w{n}", Ed25519Signer.generate()) for n in range(2)]
    note = Note.parse(world.log.checkpoint())
    seen = with_signatures(note, [each.cosign(note.text, 1_700_000_000) for each in cosigners[:witnesses]]).format()
    lines = [f"log {world.log.verifier.vkey}", *(f"witness w{n} {each.vkey}" for n, each in enumerate(cosigners))]
    policy = Policy.parse("\n".join([*lines, f"group some {quorum} w0 w1", "quorum some", ""]).encode())
    beside = [Exhibit(e.data, world.log.proof_against(e.index, seen).format()) for e in world.log.entries()]
    return Cosigned(world, Trust(policy=policy), tuple(beside))


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> Cosigned:
    return cosigned(build(tmp_path_factory.mktemp("seen") / "log.db"))


def test_a_proof_that_came_beside_reaches_the_quorum(seen: Cosigned) -> None:
    assert seen.checks(seen.beside) == PASS
    assert seen.checks(()) == PASS | {"log-trust": "fail"}
    for one in seen.beside:  # the entry and its key: both are asked about
        assert seen.checks((one,)) == PASS | {"log-trust": "fail"}


def test_one_witness_is_not_two(world: World) -> None:
    for witnesses, result in ((1, "fail"), (2, "pass")):
        found = cosigned(world, witnesses, quorum=2)
        assert found.checks(found.beside)["log-trust"] == result


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_bit_beside_is_told(seen: Cosigned, data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(seen.beside) - 1))
    proof = bytearray(seen.beside[which].tlog_proof)
    at = data.draw(st.integers(0, len(proof) - 1))
    proof[at] ^= 1 << data.draw(st.integers(0, 7))
    beside = list(seen.beside)
    beside[which] = replace(beside[which], tlog_proof=bytes(proof))
    assert "fail" in seen.checks(tuple(beside)).values()


def test_a_cosigned_proof_of_another_log_is_none(seen: Cosigned, tmp_path) -> None:
    """The same statements in another log, which the witness has seen: the reader does not accept that log."""
    other = open_log(tmp_path / "other.db")
    other.append([each.envelope for each in seen.beside])
    elsewhere = cosigned(World(other, seen.world.service, seen.world.key, seen.world.entry))
    assert seen.checks(elsewhere.beside)["checkpoint-signature"] == "fail"
    assert seen.checks(elsewhere.beside)["log-trust"] == "fail"


def test_two_proofs_are_about_one_place(seen: Cosigned, tmp_path) -> None:
    other = open_log(tmp_path / "other.db")
    other.append([b"something else", *(each.envelope for each in seen.beside)])
    moved = tuple(exhibit(other, index) for index in (1, 2))
    check = log_inclusion(seen.world.keys, seen.world.entry, beside=moved)
    assert check.result == "fail"
    assert "about index" in check.detail
