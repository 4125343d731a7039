"""A log in memory, which is nothing but its leaves."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.add_checkpoint import AddCheckpoint
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.keys import Ed25519Signer
from ledger.merkle import consistency_path, leaf_hash, root
from ledger.note import Note, NoteSigner
from ledger.proof import ConsistencyProof

SIGNER = NoteSigner("example.com/log", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"l" * 32)))


@dataclass
class Leaves:
    """The log of `SIGNER`."""

    leaves: list[bytes]

    def checkpoint(self) -> bytes:
        return sign_checkpoint(Checkpoint(SIGNER.name, len(self.leaves), root(self.leaves)), SIGNER)

    def consistency_proof(self, old_size: int, new_size: int | None = None) -> ConsistencyProof:
        size = len(self.leaves) if new_size is None else new_size
        return ConsistencyProof(old_size, size, consistency_path(self.leaves[:size], old_size))

    def request(self, old_size: int) -> bytes:
        """What is sent to a witness that has cosigned a size, 0 for none."""
        path = consistency_path(self.leaves, old_size) if old_size else ()
        return AddCheckpoint(old_size, path, Note.parse(self.checkpoint())).format()


def grown(count: int, name: str = "leaf") -> Leaves:
    return Leaves([leaf_hash(f"{name} {number}".encode()) for number in range(count)])
