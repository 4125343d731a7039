from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.cosignature import Cosigner, with_signatures
from ledger.errors import WitnessStateError
from ledger.keys import Ed25519Signer
from ledger.note import Note, NoteSigner
from ledger.witness_memory import WitnessMemory, origin_hash

WITNESS = Cosigner("witness.example/w1", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"w" * 32)))
STRANGER = Cosigner("witness.example/w1", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"s" * 32)))


def cosigned(signer: NoteSigner, size: int, seconds: int = 5, by: Cosigner = WITNESS) -> Note:
    note = Note.parse(sign_checkpoint(Checkpoint(signer.name, size, bytes(32)), signer))
    return with_signatures(note, [by.cosign(note.text, seconds)])


@pytest.fixture
def memory(tmp_path: Path, signer: NoteSigner) -> WitnessMemory:
    return WitnessMemory(tmp_path, signer.name, WITNESS.verifier)


def test_what_is_written_is_read(memory: WitnessMemory, signer: NoteSigner) -> None:
    assert memory.read() is None
    for size in (0, 1, 1000):
        note = cosigned(signer, size, 7 + size)
        memory.write(note)
        found = memory.read()
        assert found is not None
        assert (found.note, found.checkpoint.size, found.seconds) == (note.format(), size, 7 + size)
    assert memory.path.stat().st_mode & 0o777 == 0o600


def test_the_name_of_the_file_is_that_of_the_specification(memory: WitnessMemory) -> None:
    """As `printf %s example.com/log | sha256sum` prints it."""
    assert memory.path.name == "4d3203c8f35cdf600e475f55fede6081a703d3d322f208865fca2ec4f0e030f8"


@given(st.text(st.characters(codec="utf-8"), max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_origin_leaves_the_folder(tmp_path: Path, origin: str) -> None:
    path = WitnessMemory(tmp_path, origin, WITNESS.verifier).path
    assert path.parent == tmp_path
    assert path.name == origin_hash(origin)
    assert len(path.name) == 64


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_of_what_was_cosigned_is_noticed(
    memory: WitnessMemory, signer: NoteSigner, data: st.DataObject
) -> None:
    note = cosigned(signer, 7)
    body = bytearray(note.format())
    text = range(len(note.text.encode()) * 8)
    own = range(body.rindex(b"w1 ") * 8, len(body) * 8)
    position = data.draw(st.sampled_from([*text, *own]))
    body[position // 8] ^= 1 << position % 8
    memory.path.write_bytes(body)
    with pytest.raises(WitnessStateError, match="newest copy"):
        memory.read()


def test_damage_is_told_and_never_taken_for_a_beginning(memory: WitnessMemory, signer: NoteSigner) -> None:
    good = cosigned(signer, 7).format()
    elsewhere = cosigned(NoteSigner("example.com/other", signer.key), 7).format()
    plain = sign_checkpoint(Checkpoint(signer.name, 7, bytes(32)), signer)
    strange = cosigned(signer, 7, by=STRANGER).format()
    for damage in (
        b"",
        b"\n",
        good[:-1],
        good[: len(good) // 2],
        elsewhere,
        plain,
        strange,
        bytes(len(good)),
        good * 4,
    ):
        memory.path.write_bytes(damage)
        with pytest.raises(WitnessStateError, match=memory.path.name):
            memory.read()
        assert memory.path.read_bytes() == damage
    memory.path.unlink()
    memory.path.mkdir()
    with pytest.raises(WitnessStateError, match="cannot be read"):
        memory.read()


def test_only_what_this_witness_cosigned_is_written(memory: WitnessMemory, signer: NoteSigner) -> None:
    memory.write(cosigned(signer, 7))
    with pytest.raises(WitnessStateError):
        memory.write(cosigned(signer, 8, by=STRANGER))
    with pytest.raises(WitnessStateError):
        memory.write(cosigned(NoteSigner("example.com/other", signer.key), 8))
    found = memory.read()
    assert found is not None
    assert found.checkpoint.size == 7


def test_drafts_of_this_log_are_cleared(memory: WitnessMemory, signer: NoteSigner, tmp_path: Path) -> None:
    with memory.alone():
        memory.write(cosigned(signer, 7))
    draft = tmp_path / f".{memory.path.name}.0123456789abcdef"
    other = tmp_path / f".{origin_hash('other')}.0123456789abcdef"
    draft.touch()
    other.touch()
    memory.clear_drafts()
    assert {path.name for path in tmp_path.iterdir()} == {memory.path.name, f".{memory.path.name}.lock", other.name}
