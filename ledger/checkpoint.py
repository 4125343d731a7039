"""C2SP tlog-checkpoint v1.0.0: a signed note that states a log's size and root."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from ledger.encoding import MAX_NUMBER, decode_base64, decode_decimal, encode_base64
from ledger.errors import CheckpointError, SignatureError, shown
from ledger.merkle import HASH_BYTES
from ledger.note import Note, NoteSigner, NoteVerifier, SignatureType, open_note, sign

MAX_EXTENSIONS = 16
_MANDATORY_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log's tree.

    Attributes:
        origin: Identity of the log, such as `example.com/log42`.
        size: Leaves in the tree.
        root_hash: 32 bytes: the RFC 6962 root at that size.
        extensions: Further lines, opaque; our own checkpoints have none.

    Raises:
        CheckpointError: The parts cannot be written as a checkpoint.
    """

    origin: str
    size: int
    root_hash: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.extensions) > MAX_EXTENSIONS:
            raise CheckpointError(
                f"A checkpoint with {len(self.extensions)} extension lines has more than the "
                f"{MAX_EXTENSIONS} that are read; ask the log for one without."
            )
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line:
                raise CheckpointError(
                    f"The origin or extension line {shown(line)} of a checkpoint is empty or more "
                    "than one line; get the original checkpoint again."
                )
        if not 0 <= self.size <= MAX_NUMBER:
            raise CheckpointError(
                f"A checkpoint states the tree size {self.size}, which is not between 0 and "
                "2^63-1; get the original checkpoint again."
            )
        if len(self.root_hash) != HASH_BYTES:
            raise CheckpointError(
                f"A checkpoint states a root of {len(self.root_hash)} bytes where SHA-256 gives "
                f"{HASH_BYTES}; get the original checkpoint again."
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a note text.

        Args:
            text: The text of the note, with its last newline.

        Returns:
            The checkpoint, of which `format` gives the same text.

        Raises:
            CheckpointError: The text is not a checkpoint.
        """
        lines = text.split("\n")
        if lines.pop() or len(lines) < _MANDATORY_LINES:
            raise CheckpointError(
                f"The text {shown(text)} is not a checkpoint: it needs a line each for origin, "
                "tree size and root, all ending in a newline. Get the original checkpoint again."
            )
        origin, size, root_hash, *extensions = lines
        return cls(
            origin,
            decode_decimal(size, "The tree size of the checkpoint", CheckpointError),
            decode_base64(root_hash, "The root hash of the checkpoint", CheckpointError),
            tuple(extensions),
        )

    def format(self) -> str:
        """Returns the note text."""
        lines = (self.origin, str(self.size), encode_base64(self.root_hash), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> bytes:
    """Signs a checkpoint; only `ledger.log` may decide that one should be signed.

    Args:
        checkpoint: What to state.
        signer: The log's key, whose name is the checkpoint's origin.

    Returns:
        The signed note.

    Raises:
        CheckpointError: The key's name is not the origin.
    """
    if signer.name != checkpoint.origin:
        raise CheckpointError(
            f"The key {shown(signer.name)} cannot sign for the log {shown(checkpoint.origin)}; use the key of that log."
        )
    return sign(checkpoint.format(), signer).format()


def open_checkpoint(data: bytes, verifiers: Iterable[NoteVerifier]) -> Checkpoint:
    """Reads a signed checkpoint and checks that its own log signed it.

    Args:
        data: The signed note.
        verifiers: Keys that are trusted: of logs, and of witnesses if there are any.

    Returns:
        The checkpoint.

    Raises:
        NoteError: The bytes are not a signed note.
        CheckpointError: The note is not a checkpoint.
        SignatureError: A signature by a known key does not verify, or no known key of the log
            that the checkpoint names signed it.
    """
    known = tuple(verifiers)
    return signed_checkpoint(open_note(data, known), known)


def signed_checkpoint(note: Note, verifiers: Iterable[NoteVerifier]) -> Checkpoint:
    """Reads the checkpoint in a note that `open_note` gave, as `open_checkpoint` does.

    Args:
        note: The note, with its verified signatures alone.
        verifiers: Keys that are trusted.

    Returns:
        The checkpoint.

    Raises:
        CheckpointError: The note is not a checkpoint.
        SignatureError: No known key of the log that the checkpoint names signed it.
    """
    checkpoint = Checkpoint.parse(note.text)
    signed_by = {(signature.name, signature.key_id) for signature in note.signatures}
    if not any(
        verifier.name == checkpoint.origin
        and verifier.signature_type is SignatureType.ED25519
        and (verifier.name, verifier.key_id) in signed_by
        for verifier in verifiers
    ):
        raise SignatureError(
            f"The checkpoint names the log {shown(checkpoint.origin)}, but no trusted key of that "
            "name signed it; do not rely on it, and ask the operator of the log."
        )
    return checkpoint
