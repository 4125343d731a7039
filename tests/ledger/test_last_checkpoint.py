from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.durability import overwrite
from ledger.errors import LogDamagedError
from ledger.last_checkpoint import LastCheckpoint
from ledger.merkle import EMPTY_ROOT
from ledger.note import NoteSigner


@pytest.fixture
def memory(tmp_path: Path) -> LastCheckpoint:
    return LastCheckpoint(tmp_path / "last-checkpoint")


def note(signer: NoteSigner, size: int) -> bytes:
    return sign_checkpoint(Checkpoint(signer.name, size, EMPTY_ROOT), signer)


def test_what_is_written_is_read(memory: LastCheckpoint, signer: NoteSigner) -> None:
    assert memory.read() is None
    for size in (0, 1, 9, 10, 11, 1000):
        memory.write(note(signer, size))
        assert memory.read() == note(signer, size)


def test_it_never_goes_back(memory: LastCheckpoint, signer: NoteSigner) -> None:
    memory.write(note(signer, 10))
    memory.write(note(signer, 9))
    assert memory.read() == note(signer, 10)


def test_only_notes_of_one_sector_and_length_are_written_in_place(
    memory: LastCheckpoint, signer: NoteSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def observe(path: Path, data: bytes) -> None:
        written.append(path)
        overwrite(path, data)

    monkeypatch.setattr("ledger.last_checkpoint.overwrite", observe)
    memory.write(note(signer, 8))
    memory.write(note(signer, 9))
    assert len(written) == 1
    memory.write(note(signer, 10))
    assert len(written) == 1
    long = NoteSigner("example.com/" + "x" * 400, signer.key)
    memory.write(note(long, 11))
    memory.write(note(long, 12))
    assert len(written) == 1
    assert memory.read() == note(long, 12)


@pytest.mark.parametrize("content", [b"", b"hello", "text\n\n— a AAAAAAA=\n".encode()])
def test_what_is_no_checkpoint_is_refused_and_kept(memory: LastCheckpoint, signer: NoteSigner, content: bytes) -> None:
    memory.path.write_bytes(content)
    with pytest.raises(LogDamagedError, match=r"last-checkpoint should hold.*remove the file"):
        memory.read()
    with pytest.raises(LogDamagedError):
        memory.write(note(signer, 1))
    assert memory.path.read_bytes() == content


def test_what_cannot_be_read_is_named(memory: LastCheckpoint) -> None:
    memory.path.mkdir()
    with pytest.raises(LogDamagedError, match="cannot be read"):
        memory.read()


def test_reading_needs_no_lock_where_none_can_be_made(memory: LastCheckpoint, signer: NoteSigner) -> None:
    memory.write(note(signer, 3))
    lock = memory.path.with_name(".last-checkpoint.lock")
    lock.unlink()
    lock.mkdir()
    assert memory.read() == note(signer, 3)
    with pytest.raises(IsADirectoryError):
        memory.write(note(signer, 4))
    assert LastCheckpoint(memory.path.parent / "nowhere" / "last-checkpoint").read() is None
