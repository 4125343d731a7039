"""The add-checkpoint call of C2SP tlog-witness: what a log sends, and what a witness sends back.

old <size of the checkpoint that the witness cosigned last>
<base64 hash of the consistency proof>...

<signed checkpoint>
"""

from dataclasses import dataclass, field
from typing import Self

from ledger.checkpoint import Checkpoint
from ledger.cosignature import cosigned_at
from ledger.encoding import decode_base64, decode_decimal, encode_base64
from ledger.errors import AddCheckpointError, CheckpointError, NoteError, SignatureError, shown
from ledger.merkle import HASH_BYTES, MAX_PATH_HASHES
from ledger.note import MAX_NOTE_BYTES, Note, NoteVerifier, Signature, open_note

_MAX_HEAD_BYTES = 4096
MAX_REQUEST_BYTES = _MAX_HEAD_BYTES + MAX_NOTE_BYTES
MAX_ANSWER_BYTES = 64 * 1024
SIZE_TYPE = "text/x.tlog.size"
"""Media type of the answer that states the size a request has to start from."""

_OLD = "old "


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign a checkpoint.

    Attributes:
        old_size: Leaves of the tree that the witness is thought to have cosigned last.
        proof: Consistency proof from there; at most 63 hashes.
        note: The checkpoint with its signatures, none of which is checked here.
        checkpoint: What the note states.

    Raises:
        AddCheckpointError: The note is not a checkpoint, the old size lies beyond it, or the
            proof cannot be written.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.proof) > MAX_PATH_HASHES or any(len(value) != HASH_BYTES for value in self.proof):
            raise AddCheckpointError(
                f"The request gives a consistency proof of {len(self.proof)} lines, where at most {MAX_PATH_HASHES} "
                f"are read and each is a hash of {HASH_BYTES} bytes; ask the log for the proof again."
            )
        try:
            checkpoint = Checkpoint.parse(self.note.text)
        except CheckpointError as fault:
            raise AddCheckpointError(f"The request holds no checkpoint: {fault}") from fault
        if not 0 <= self.old_size <= checkpoint.size:
            raise AddCheckpointError(
                f"The request starts from the old size {self.old_size}, but its checkpoint states the size "
                f"{checkpoint.size}: a log only grows. Send the newest checkpoint."
            )
        object.__setattr__(self, "checkpoint", checkpoint)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Reads the body of a request.

        Args:
            data: The whole body, at most `MAX_REQUEST_BYTES`.

        Returns:
            The request, of which `format` gives the same bytes.

        Raises:
            AddCheckpointError: The bytes are not such a request.
        """
        head, separator, note = data.partition(b"\n\n")
        if not separator or len(head) > _MAX_HEAD_BYTES:
            raise AddCheckpointError(
                f"The {len(data)} bytes have no empty line between the proof and the checkpoint, or too much before "
                "it; send an old size line, the proof, an empty line and the checkpoint."
            )
        try:
            first, *proof = head.decode("ascii").split("\n")
        except UnicodeDecodeError as fault:
            raise AddCheckpointError(
                f"The request holds the byte 0x{head[fault.start]:02x} before its checkpoint, which is not ASCII; "
                "send the old size and the proof as text."
            ) from fault
        if not first.startswith(_OLD):
            raise AddCheckpointError(f"The first line of the request is {shown(first)}, not 'old' and a size.")
        old_size = decode_decimal(first.removeprefix(_OLD), "The old size", AddCheckpointError)
        path = tuple(decode_base64(line, "A line of the proof", AddCheckpointError) for line in proof)
        try:
            return cls(old_size, path, Note.parse(note))
        except NoteError as fault:
            raise AddCheckpointError(f"The request holds no signed checkpoint: {fault}") from fault

    def format(self) -> bytes:
        """Returns the body of the request."""
        lines = [f"{_OLD}{self.old_size}", *(encode_base64(value) for value in self.proof)]
        head = "".join(f"{line}\n" for line in lines)
        return head.encode("ascii") + b"\n" + self.note.format()


def format_size(size: int) -> bytes:
    """Returns the answer that states which size a request has to start from."""
    return b"%d\n" % size


def parse_size(data: bytes) -> int:
    """Reads the answer that states which size a request has to start from.

    Raises:
        AddCheckpointError: It is not a size and a newline.
    """
    text = data.decode("latin-1")
    if not text.endswith("\n"):
        raise AddCheckpointError(f"The witness answered {shown(text)}, not a tree size and a newline.")
    return decode_decimal(text[:-1], "The tree size that the witness answered", AddCheckpointError)


def parse_cosignature(data: bytes, text: str, witness: NoteVerifier) -> Signature:
    """Reads the cosignature of a witness out of its answer, and checks it over the checkpoint sent.

    Args:
        data: Signature lines; those by other keys are ignored.
        text: Note text of the checkpoint that was sent.
        witness: The key that the witness is known by.

    Returns:
        The cosignature; the latest, when the witness gave several.

    Raises:
        AddCheckpointError: The answer is not signature lines.
        SignatureError: None is by this key over this checkpoint, one is false, or it states no time.
    """
    try:
        opened = open_note(f"{text}\n".encode() + data, [witness])
    except NoteError as fault:
        raise AddCheckpointError(f"The answer of the witness is not signature lines: {fault}") from fault
    if opened.text != text:  # an empty line in the answer would move the end of the text
        raise SignatureError(
            f"The witness {shown(witness.name)} answered with a text of its own, signed, and not with signature lines "
            "over the checkpoint; do not rely on it, and tell its operator."
        )
    return max(opened.signatures, key=cosigned_at)
