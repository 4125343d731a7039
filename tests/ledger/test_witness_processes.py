"""A witness that is killed at any moment, and one whose disk fails."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.checkpoint import open_checkpoint
from ledger.cosignature import Cosigner
from ledger.errors import UnknownLogError
from ledger.keys import Ed25519Signer
from ledger.merkle import leaf_hash, root
from ledger.note import NoteVerifier, open_note
from ledger.witness import Witness
from ledger.witness_memory import origin_hash

WATCHED = Path(__file__).with_name("watched.py")
COSIGNER = Cosigner("witness.example/w1", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"w" * 32)))
LOG = NoteVerifier("example.com/log", Ed25519PrivateKey.from_private_bytes(b"l" * 32).public_key().public_bytes_raw())


def start(folder: Path, *before: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*before, sys.executable, str(WATCHED), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=WATCHED.parents[2],
        env={"PYTHONPATH": str(WATCHED.parents[2]), "PATH": "/usr/bin:/bin"},
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def remembered(folder: Path) -> int:
    """Opens the witness as its next start does, and gives the size that it goes on from."""
    witness = Witness(COSIGNER, [LOG], folder)
    try:
        note = witness.checkpoint(origin_hash(LOG.name))
    except UnknownLogError:
        return 0
    open_note(note, [COSIGNER.verifier])
    checkpoint = open_checkpoint(note, [LOG])
    assert checkpoint.root_hash == root([leaf_hash(b"%d" % number) for number in range(checkpoint.size)])
    names = {path.name for path in folder.iterdir()}
    assert names == {origin_hash(LOG.name), f".{origin_hash(LOG.name)}.lock"}
    return checkpoint.size


def test_a_killed_witness_never_goes_back_behind_a_cosignature(tmp_path: Path) -> None:
    chance, size = random.Random(3), 0
    for _ in range(6):
        process = start(tmp_path)
        assert process.stdout
        given_out = [process.stdout.readline() for _ in range(3)]
        time.sleep(chance.uniform(0, 0.01))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        sizes = [int(line) for line in (*given_out, *rest.split("\n")[:-1])]
        assert sizes == sorted(sizes)
        assert sizes[0] > size
        size = remembered(tmp_path)
        assert sizes[-1] <= size <= sizes[-1] + 1


@pytest.mark.parametrize(
    "fault", ["fsync:error=EIO:when=7+5", "/^rename:error=EIO:when=3+3", "write:error=ENOSPC:when=4+5"]
)
def test_what_the_disk_refuses_is_not_cosigned(tmp_path: Path, fault: str) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: a failing disk was not tried")
    process = start(tmp_path, strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={fault}")
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(40)]
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    said = [line.strip() for line in (*lines, *rest.split("\n")[:-1])]
    sizes = [int(line) for line in said if line != "failed"]
    assert len(sizes) < len(said)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] <= remembered(tmp_path)
