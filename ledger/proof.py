"""Merkle proofs, and the `.tlog-proof` file that carries one (C2SP tlog-proof v1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.encoding import decode_base64, decode_decimal, encode_base64
from ledger.errors import ProofError, shown
from ledger.merkle import (
    HASH_BYTES,
    MAX_PATH_HASHES,
    inclusion_nodes,
    verify_consistency,
    verify_inclusion,
)
from ledger.note import MAX_NOTE_BYTES, Note, NoteVerifier

MAX_EXTRA_BYTES = 64 * 1024
_HEADER = "c2sp.org/tlog-proof@v1"
_EXTRA = "extra "
_INDEX = "index "


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That a leaf is in a tree.

    Attributes:
        index: Zero-based index of the leaf.
        size: Leaves in the tree.
        path: Hashes from the leaf's sibling up to the root's child.
    """

    index: int
    size: int
    path: tuple[bytes, ...]

    def verify(self, leaf_hash: bytes, root: bytes) -> None:
        """Checks the proof.

        Args:
            leaf_hash: Hash of the leaf.
            root: Root of the tree.

        Raises:
            ProofError: The proof is malformed or does not lead from the leaf to the root.
        """
        verify_inclusion(leaf_hash, self.index, self.size, self.path, root)


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That a tree extends an older one.

    Attributes:
        old_size: Leaves in the older tree, at least 1.
        new_size: Leaves in the newer tree.
        path: The hashes, in the order of RFC 6962 section 2.1.2.
    """

    old_size: int
    new_size: int
    path: tuple[bytes, ...]

    def verify(self, old_root: bytes, new_root: bytes) -> None:
        """Checks the proof.

        Args:
            old_root: Root of the older tree.
            new_root: Root of the newer tree.

        Raises:
            ProofError: The proof is malformed or does not join the two roots.
        """
        verify_consistency(self.old_size, self.new_size, old_root, new_root, self.path)


@dataclass(frozen=True, slots=True)
class TlogProof:
    """That a log holds a leaf: an inclusion proof with the checkpoint it leads to.

    Attributes:
        index: Zero-based index of the leaf.
        path: Inclusion path in the tree of the checkpoint.
        checkpoint_note: The signed checkpoint, verbatim.
        extra: Opaque data that nobody signed, or None.

    Raises:
        NoteError: The checkpoint is not a signed note.
        CheckpointError: The note is not a checkpoint.
        ProofError: The index is not in the checkpoint's tree, the path has not the length it must
            have there, or `extra` is empty or too long.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint_note: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        size = Checkpoint.parse(Note.parse(self.checkpoint_note).text).size
        if len(self.path) != len(inclusion_nodes(self.index, size)):
            raise ProofError(
                f"The proof gives a path of {len(self.path)} hashes for index {self.index} in a "
                f"tree of size {size}, which is the wrong length; get the original proof again."
            )
        if any(len(value) != HASH_BYTES for value in self.path):
            raise ProofError("The proof holds a hash that is not 32 bytes long; get the original proof again.")
        if self.extra is not None and not 0 < len(self.extra) <= MAX_EXTRA_BYTES:
            raise ProofError(
                f"The proof holds {len(self.extra)} bytes of extra data, where 1 to "
                f"{MAX_EXTRA_BYTES} are allowed; leave the line out when there is none."
            )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Reads a `.tlog-proof` file without checking any signature or hash.

        Args:
            data: The whole file.

        Returns:
            The proof, of which `format` gives the same bytes.

        Raises:
            ProofError: The bytes are not a proof.
            NoteError: The checkpoint in it is not a signed note.
            CheckpointError: The note in it is not a checkpoint.
        """
        head, separator, note = data.partition(b"\n\n")
        if not separator or len(head) > 2 * MAX_EXTRA_BYTES or len(note) > MAX_NOTE_BYTES:
            raise ProofError(
                f"A file of {len(data)} bytes is not a .tlog-proof: it has no empty line before "
                "its checkpoint, or is far too long. Get the original proof again."
            )
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as fault:
            raise ProofError(
                f"The proof holds the byte 0x{head[fault.start]:02x} above its checkpoint, which "
                "is not ASCII; get the original proof again."
            ) from fault
        if lines.pop(0) != _HEADER:
            raise ProofError(
                f"The first line of the proof is {shown(head.decode().partition(chr(10))[0])} "
                f"where {_HEADER!r} is expected; give a .tlog-proof file of version 1."
            )
        extra = None
        if lines and lines[0].startswith(_EXTRA):
            encoded = lines.pop(0).removeprefix(_EXTRA)
            extra = decode_base64(encoded, "The extra line of the proof", ProofError)
        if not lines or not lines[0].startswith(_INDEX) or len(lines) > MAX_PATH_HASHES + 1:
            raise ProofError(
                "The proof has no index line where it belongs, or more hashes than any tree "
                "needs; get the original proof again."
            )
        index = decode_decimal(lines[0].removeprefix(_INDEX), "The index line of the proof", ProofError)
        path = tuple(decode_base64(line, "A hash of the proof", ProofError) for line in lines[1:])
        return cls(index, path, note, extra)

    def format(self) -> bytes:
        """Returns the `.tlog-proof` file."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(_EXTRA + encode_base64(self.extra))
        lines.append(f"{_INDEX}{self.index}")
        lines.extend(encode_base64(value) for value in self.path)
        head = "".join(f"{line}\n" for line in lines)
        return head.encode("ascii") + b"\n" + self.checkpoint_note

    def verify(self, leaf_hash: bytes, verifiers: Iterable[NoteVerifier]) -> Checkpoint:
        """Checks that a log with one of the given keys holds the leaf.

        The numbers are the steps of tlog-proof, "Verifying a tlog proof"; step 1, the leaf hash,
        is the caller's, and step 3, the witnesses, is `ledger.policy`'s.

        Args:
            leaf_hash: Hash of the leaf.
            verifiers: Keys of the logs that are trusted.

        Returns:
            The checkpoint under which the leaf was found.

        Raises:
            SignatureError: None of the keys signed the checkpoint, or a signature is false.
            ProofError: The path does not lead from the leaf to the checkpoint's root.
        """
        # 2. the checkpoint is by a log we accept
        checkpoint = open_checkpoint(self.checkpoint_note, verifiers)
        # 4. the path binds the leaf to the root of that checkpoint
        self.inclusion(checkpoint).verify(leaf_hash, checkpoint.root_hash)
        return checkpoint

    def inclusion(self, checkpoint: Checkpoint) -> InclusionProof:
        """Returns the inclusion proof, in the tree of a checkpoint that the caller has opened."""
        return InclusionProof(self.index, checkpoint.size, self.path)
