"""Which statements about keys go along, and what a home writes about all of them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.errors import UsageError
from api.home import Home
from api.key_exhibits import keys_along, write_key_evidence
from api.key_record import register_key, rotate_log_key, rotate_service_key
from api.key_statements import registration_statement
from api.registration import party_statement
from api.settings import Settings
from api.signing import signed
from api.submission import Intake
from ledger.checkpoint import Checkpoint
from ledger.cosignature import Cosigner, with_signatures
from ledger.keys import Ed25519Signer
from ledger.note import Note
from ledger.policy import Policy
from ledger.proof import TlogProof
from provenance.attestation import proven
from provenance.bundle import EvidenceBundle, Exhibit
from provenance.errors import EvidenceError
from provenance.key_evidence import KeyEvidence
from provenance.key_predicate import KeyPredicate, RotationPredicate
from provenance.keys_at_hand import KeysAtHand
from provenance.trust import Trust


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("homes") / "home"
    Home(Settings(home=root, device="cpu")).close()
    return root


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Iterator[Home]:
    shutil.copytree(made, tmp_path / "home")
    home = Home(Settings(home=tmp_path / "home", device="cpu"))
    yield home
    home.close()


def append(home: Home) -> str:
    draft = home.sign(party_statement("person", "Bea")[0])
    home.append([draft])
    return draft.leaf_hash


def said(exhibits: tuple[Exhibit, ...]) -> list[tuple[str, str, int]]:
    """Kind, role, and the size of the tree in which it is proven, counted from its own place."""
    found = []
    for exhibit in exhibits:
        predicate = exhibit.statement().predicate
        assert isinstance(predicate, KeyPredicate | RotationPredicate)
        proof = TlogProof.parse(exhibit.tlog_proof)
        size = Checkpoint.parse(Note.parse(proof.checkpoint_note).text).size
        found.append((predicate.KIND, predicate.role, size - proof.index))
    return found


def test_one_key_that_signed_everything_goes_along_alone(home: Home) -> None:
    [key] = keys_along(home, append(home), append(home))
    assert key.leaf_hash == home.service_key_leaf


def test_the_key_of_the_time_goes_along(home: Home) -> None:
    before = append(home)
    old = home.service.keyid
    rotate_service_key(home, Intake(home))
    after = append(home)
    for leaf, keyid in ((before, old), (after, home.service.keyid)):
        [key] = keys_along(home, leaf)
        assert key.statement().predicate.keyid == keyid
        assert proven(home.exhibit(leaf), KeysAtHand((key,)), Trust()) == []
    both = keys_along(home, after, before)
    assert [each.statement().predicate.keyid for each in both] == [home.service.keyid, old]


def test_the_handovers_since_go_along(home: Home) -> None:
    leaves = [append(home)]
    for _ in range(2):
        rotate_log_key(home, Intake(home))
        leaves.append(append(home))
    handover = [("rotation", "log", 1), ("key", "log", 2)]
    for number, leaf in enumerate(leaves):
        keys = keys_along(home, leaf)
        assert said(keys)[0][:2] == ("key", "service")
        assert said(keys)[1:] == handover * (2 - number)
        assert proven(home.exhibit(leaf), KeysAtHand(keys), Trust(own_log=home.log.succession)) == []


def test_a_party_s_key_goes_along_behind_the_home_s(home: Home) -> None:
    key = Ed25519Signer.generate()
    envelope = signed(registration_statement("witness", key.verifier, home.log_vkey).to_bytes(), key)
    recorded = register_key(home, Intake(home), envelope, role="witness")
    assert [row[:2] for row in said(keys_along(home, recorded.leaf_hash))] == [("key", "service"), ("key", "witness")]


def test_everything_about_keys(home: Home, tmp_path: Path) -> None:
    append(home)
    rotate_log_key(home, Intake(home))
    append(home)
    written = write_key_evidence(home, tmp_path / "keys")
    assert (written.statements, written.tree_size, written.cosigned) == (6, home.log.size(), False)
    data = (tmp_path / "keys").read_bytes()
    assert len(EvidenceBundle.parse(data).exhibits) == 6 + 1
    found = KeyEvidence.open(data, own_log=home.log.succession)
    assert found.ring == home.ring.now()
    assert found.succession == home.log.succession
    with pytest.raises(UsageError, match="cannot be written"):
        write_key_evidence(home, tmp_path / "no" / "folder")


def test_the_cosigned_checkpoint_is_taken_where_it_covers_everything(home: Home, tmp_path: Path) -> None:
    cosigner = Cosigner("witness.example/w", Ed25519Signer.generate())
    policy = Policy.parse(f"log {home.log_vkey}\nwitness w {cosigner.vkey}\nquorum w\n")
    append(home)
    note = Note.parse(home.log.checkpoint())
    size = home.log.size()
    home.cosigned.keep(with_signatures(note, [cosigner.cosign(note.text, 1_700_000_000)]).format())
    append(home)
    written = write_key_evidence(home, tmp_path / "keys")
    assert (written.tree_size, written.cosigned) == (size, True)
    assert KeyEvidence.open((tmp_path / "keys").read_bytes(), policy).ring.size == size
    rotate_service_key(home, Intake(home))
    written = write_key_evidence(home, tmp_path / "keys")
    assert (written.tree_size, written.cosigned) == (home.log.size(), False)
    with pytest.raises(EvidenceError, match="does not reach the quorum"):
        KeyEvidence.open((tmp_path / "keys").read_bytes(), policy)
