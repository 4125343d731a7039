"""A log and its witness in one process, until somebody kills it; says what was cosigned.

Argument: folder of the witness. Prints the size of each checkpoint once its cosignature was given
out, and `failed` where the witness could not remember it.
"""

import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.add_checkpoint import AddCheckpoint
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.cosignature import Cosigner
from ledger.errors import OldSizeError
from ledger.keys import Ed25519Signer
from ledger.merkle import consistency_path, leaf_hash, root
from ledger.note import Note, NoteSigner
from ledger.witness import Witness

LIMIT = 3000


def main(folder: str) -> None:
    log = NoteSigner("example.com/log", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"l" * 32)))
    cosigner = Cosigner("witness.example/w1", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"w" * 32)))
    witness = Witness(cosigner, [log.verifier], Path(folder))
    leaves = [leaf_hash(b"%d" % number) for number in range(LIMIT)]
    os.writev(1, [b"ready\n"])
    old, size = 0, 0
    while size < LIMIT:
        size = max(size, old) + 1
        note = Note.parse(sign_checkpoint(Checkpoint(log.name, size, root(leaves[:size])), log))
        path = consistency_path(leaves[:size], old) if old else ()
        try:
            witness.add_checkpoint(AddCheckpoint(old, path, note).format())
        except OldSizeError as refusal:
            old = refusal.size
        except OSError:
            os.writev(1, [b"failed\n"])
        else:
            old = size
            os.writev(1, [b"%d\n" % size])  # not `write`, which tests make fail


main(*sys.argv[1:])
