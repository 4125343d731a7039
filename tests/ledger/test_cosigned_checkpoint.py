from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.cosignature import Cosigner, with_signatures
from ledger.cosigned_checkpoint import CosignedCheckpoint
from ledger.errors import CheckpointError, LogDamagedError, NoteError
from ledger.keys import Ed25519Signer
from ledger.note import Note, NoteSigner


def cosigned(signer: NoteSigner, size: int, *names: str, seconds: int = 5) -> bytes:
    note = Note.parse(sign_checkpoint(Checkpoint(signer.name, size, bytes(32)), signer))
    key = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"w" * 32))
    return with_signatures(note, [Cosigner(name, key).cosign(note.text, seconds) for name in names]).format()


@pytest.fixture
def kept(tmp_path: Path) -> CosignedCheckpoint:
    return CosignedCheckpoint(tmp_path / "cosigned-checkpoint")


def names(kept: CosignedCheckpoint) -> list[str]:
    return [signature.name for signature in Note.parse(kept.read() or b"").signatures]


def test_the_largest_is_kept(kept: CosignedCheckpoint, signer: NoteSigner) -> None:
    assert kept.read() is None
    kept.keep(cosigned(signer, 7, "w1"))
    kept.keep(cosigned(signer, 9, "w2"))
    kept.keep(cosigned(signer, 8, "w1", "w2"))
    assert kept.read() == cosigned(signer, 9, "w2")


def test_cosignatures_of_one_checkpoint_are_gathered(kept: CosignedCheckpoint, signer: NoteSigner) -> None:
    kept.keep(cosigned(signer, 7, "w1", "w2"))
    kept.keep(cosigned(signer, 7, "w2", "w3", seconds=9))
    assert names(kept) == [signer.name, "w1", "w2", "w3"]
    assert (
        Note.parse(kept.read() or b"").signatures[2] == Note.parse(cosigned(signer, 7, "w2", seconds=9)).signatures[1]
    )


@pytest.mark.parametrize("content", [b"", b"hello", "text\n\n— a AAAAAAA=\n".encode()])
def test_what_is_no_checkpoint_is_refused(kept: CosignedCheckpoint, signer: NoteSigner, content: bytes) -> None:
    kept.path.write_bytes(content)
    with pytest.raises(LogDamagedError, match="Remove the file"):
        kept.read()
    with pytest.raises(LogDamagedError):
        kept.keep(cosigned(signer, 7))
    kept.path.unlink()
    with pytest.raises((NoteError, CheckpointError)):
        kept.keep(content)
    assert kept.read() is None
