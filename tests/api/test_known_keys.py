"""What is listed of keys: those of the log in force and ended, the home's own, and the witnesses' of its settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.errors import UsageError
from api.home import Home
from api.key_record import record, register_key, revocation, rotate_log_key, rotate_service_key, rotation
from api.key_statements import registration_statement
from api.known_keys import known_keys
from api.registration import certificate_statement, party_statement
from api.schemas.registry import KeyShown
from api.settings import Settings
from api.signing import signed
from api.submission import Intake
from ledger.cosignature import Cosigner
from ledger.keys import Ed25519Signer
from ledger.note import NoteVerifier
from provenance.identity import digest
from provenance.predicate import Role
from tests.conftest import Run

OWNER, STOLEN = Ed25519Signer.generate(), Ed25519Signer.generate()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(Settings(home=tmp_path / "home", device="cpu"))
    yield home
    home.close()


def listed(home: Home) -> dict[str, KeyShown]:
    keys = known_keys(home).keys
    assert len({key.keyid for key in keys}) == len(keys)
    return {key.keyid: key for key in keys}


def register(home: Home, key: Ed25519Signer, role: Role, party: str = "") -> int:
    statement = registration_statement(role, key.verifier, home.log_vkey, party=party)
    return register_key(home, Intake(home), signed(statement.to_bytes(), key), role=role, party=party).log_index


def revoke(home: Home, key: Ed25519Signer, by: Ed25519Signer, from_index: int | None = None) -> int:
    [recorded] = record(Intake(home), [revocation(Intake(home).keyring(), key.keyid, by, "compromised", from_index)])
    return recorded.log_index


def test_a_new_home(home: Home) -> None:
    log, service, certificate = known_keys(home).keys
    assert log == KeyShown(role="log", state="active", keyid=home.log_key.keyid, vkey=home.log_vkey, log_index=0)
    assert service == KeyShown(role="service", state="active", keyid=home.service.keyid, log_index=0)
    keyid = digest(home.credential.certificate)
    assert certificate == KeyShown(role="c2pa", state="test", keyid=keyid)
    [recorded] = record(
        Intake(home), [signed(certificate_statement(home.credential, home.log_vkey).to_bytes(), home.service)]
    )
    assert listed(home)[keyid] == certificate.model_copy(update={"log_index": recorded.log_index})


def test_keys_that_were_replaced_come_last_and_say_by_which(home: Home) -> None:
    olds = [home.log_key.keyid, home.service.keyid]
    old_vkey = home.log_vkey
    rotate_service_key(home, Intake(home))
    olds.append(home.service.keyid)
    rotate_log_key(home, Intake(home))
    keys = known_keys(home).keys
    assert [key.role for key in keys if key.state in {"active", "test"}] == ["c2pa", "log", "service"]
    ended = keys[3:]
    assert [(key.role, key.state, key.keyid) for key in ended] == [
        ("log", "replaced", olds[0]),
        ("service", "replaced", olds[1]),
        ("service", "replaced", olds[2]),
    ]
    assert ended[0].vkey == old_vkey
    assert next(key.vkey for key in keys if key.role == "log") == home.log_vkey
    assert [key.ending and key.ending.successor for key in ended] == [
        home.log_key.keyid,
        olds[2],
        home.service.keyid,
    ]
    for key in ended:
        assert key.ending is not None
        assert key.stop == key.ending.from_index == key.ending.log_index + 1


def test_a_revoked_key_takes_those_along_that_it_vouched_for(home: Home) -> None:
    party = home.sign(party_statement("person", "Ada")[0])
    home.append([party])
    register(home, OWNER, "owner")
    party_key, later = Ed25519Signer.generate(), Ed25519Signer.generate()
    party_id = party.statement.predicate.party_id
    before = register(home, party_key, "party", party_id)
    after = register(home, later, "party", party_id)
    revoked_at = revoke(home, home.service, OWNER, after)
    keys = listed(home)
    spared, fallen, service = keys[party_key.keyid], keys[later.keyid], keys[home.service.keyid]
    assert (spared.state, spared.party, spared.log_index, spared.stop) == ("active", party_id, before, None)
    assert (fallen.state, fallen.log_index, fallen.stop, fallen.ending) == ("revoked", after, after, service.ending)
    assert (service.state, service.stop) == ("revoked", after)
    assert service.ending is not None
    assert (service.ending.log_index, service.ending.reason) == (revoked_at, "compromised")
    assert keys[OWNER.keyid].role == "owner"


def test_a_service_key_that_the_log_does_not_know(home: Home) -> None:
    old = home.service.keyid
    home.service = STOLEN
    keys = listed(home)
    assert (keys[STOLEN.keyid].role, keys[STOLEN.keyid].state) == ("service", "unregistered")
    assert keys[old].state == "active"


def test_the_witnesses_of_the_settings_whether_registered_or_not(home: Home, tmp_path: Path) -> None:
    keys = [Ed25519Signer.generate() for _ in range(3)]
    known, replaced, unknown = keys
    named = [Cosigner(f"witness.example/w{number}", key).verifier for number, key in enumerate(keys)]
    lines = "".join(f"witness w{each.name[-1]} {each.vkey} https://{each.name}\n" for each in named)
    (tmp_path / "policy").write_text(f"log {home.log_vkey}\n{lines}quorum none\n")
    index = register(home, known, "witness")
    register(home, replaced, "witness")
    new = Ed25519Signer.generate()
    register(home, new, "witness")
    record(Intake(home), [rotation(Intake(home).keyring(), replaced, new)])
    home.settings = home.settings.model_copy(update={"witness_policy": tmp_path / "policy"})
    found = listed(home)
    for verifier, key, state in zip(named, keys, ("active", "replaced", "unregistered"), strict=True):
        shown = found[key.keyid]
        assert (shown.role, shown.state, shown.vkey) == ("witness", state, verifier.vkey)
        assert NoteVerifier.parse(shown.vkey) == verifier
    assert found[known.keyid].log_index == index
    assert found[unknown.keyid].log_index is None
    assert (found[new.keyid].state, found[new.keyid].vkey) == ("active", "")


def test_a_policy_that_is_none_is_not_passed_over(home: Home, tmp_path: Path) -> None:
    (tmp_path / "policy").write_text("hello\n")
    home.settings = home.settings.model_copy(update={"witness_policy": tmp_path / "policy"})
    with pytest.raises(UsageError, match="not a tlog-policy"):
        known_keys(home)


def test_the_table_says_what_became_of_each(home: Home, linernotes: Run) -> None:
    gone, spared = Ed25519Signer.generate(), Ed25519Signer.generate()
    first, second = register(home, gone, "witness"), register(home, spared, "owner")
    revoke(home, gone, home.service, first)
    last = revoke(home, spared, spared)
    done = linernotes("key", "list", home=home.root)
    rows = [" ".join(line.split()) for line in done.out.splitlines()]
    assert rows == [
        "role state counts in key",
        f"log active 0 on {home.log_vkey}",
        f"service active 0 on {home.service.keyid}",
        f"c2pa test no entry {digest(home.credential.certificate)}",
        f"witness revoked, compromised no entry {gone.keyid}",
        f"owner revoked, compromised {second} to {last} {spared.keyid}",
    ]
