"""The keys of one log, one after the other: which of them has to have signed which checkpoint.

The entry at index i says that a new key follows (what it says is for others to read). Then

- the old key signs the checkpoints of trees of up to i entries,
- both sign the one of i + 1 entries, in which the entry is the newest, and
- the new key alone signs all later ones.

So the old key's last act is to vouch for a tree that names its successor, and whoever trusted the
old key has reason to trust the new one. A thief of the old key can sign nothing later.

Where a succession is kept as a file, there is one line for each key, the first one first:

    <smallest size that it signs> <vkey>
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.encoding import MAX_NUMBER
from ledger.errors import KeyRejectedError, NoteError, SuccessionError, shown
from ledger.note import Note, NoteSigner, NoteVerifier, SignatureType, open_note

MAX_TENURES = 1000
MAX_SUCCESSION_BYTES = MAX_TENURES * 4096
"""Of a succession that is kept as a file."""
_LINE = re.compile(r"(0|[1-9][0-9]{0,18}) (\S{1,1000})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tenure:
    """When a key of a log came into office.

    Attributes:
        verifier: The key.
        first_size: Smallest tree whose checkpoint it signs; 0 for the first key of a log.
    """

    verifier: NoteVerifier
    first_size: int


@dataclass(frozen=True, slots=True)
class Succession:
    """All keys that a log has had, the first one first.

    Attributes:
        tenures: At least one, in the order in which they came into office.

    Raises:
        SuccessionError: The keys are not those of one log, one comes twice, or they are out of order.
    """

    tenures: tuple[Tenure, ...]

    def __post_init__(self) -> None:
        if not self.tenures or self.tenures[0].first_size != 0:
            raise SuccessionError("The succession of a log's keys begins with the key that signs from size 0 on.")
        if len(self.tenures) != len({tenure.verifier.key_id for tenure in self.tenures}):
            raise SuccessionError(
                f"In the log {shown(self.origin)} a key follows that it had before, or that has the ID of one that it "
                "had; make a new one."
            )
        for before, after in pairwise(self.tenures):
            if not before.first_size < after.first_size <= MAX_NUMBER:
                raise SuccessionError(
                    f"A key that signs from size {after.first_size} on cannot follow one that signs from size "
                    f"{before.first_size} on."
                )
        for tenure in self.tenures:
            if tenure.verifier.name != self.origin or tenure.verifier.signature_type is not SignatureType.ED25519:
                raise SuccessionError(
                    f"The key {shown(tenure.verifier.vkey)} cannot be one of the log {shown(self.origin)}: it has "
                    "another name, or signs in another way."
                )

    @classmethod
    def of(cls, verifier: NoteVerifier) -> Self:
        """Begins with a log's first key."""
        return cls((Tenure(verifier, 0),))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Reads a succession as `format` writes it.

        Raises:
            SuccessionError: It is not one.
        """
        lines = data.decode("utf-8", "replace").split("\n", MAX_TENURES)
        if lines.pop() or not lines:
            raise SuccessionError(
                f"A succession of a log's keys is 1 to {MAX_TENURES} lines, each with its line break; {shown(data)} is "
                "not."
            )
        return cls(tuple(_tenure(line) for line in lines))

    def format(self) -> bytes:
        """Returns the succession as it is kept in a file."""
        return "".join(f"{tenure.first_size} {tenure.verifier.vkey}\n" for tenure in self.tenures).encode()

    @property
    def origin(self) -> str:
        """The log's name, which all its keys have."""
        return self.tenures[0].verifier.name

    @property
    def current(self) -> NoteVerifier:
        """The key that signs now."""
        return self.tenures[-1].verifier

    def extended(self, verifier: NoteVerifier, index: int) -> Self:
        """Returns the succession after one more key.

        Args:
            verifier: The new key.
            index: Of the entry that says that it follows.

        Raises:
            SuccessionError: It cannot follow.
        """
        return type(self)((*self.tenures, Tenure(verifier, index + 1)))

    def signers(self, size: int) -> tuple[NoteVerifier, ...]:
        """Returns the keys that have to have signed the checkpoint of a size: one, or both of a handover."""
        last = max(place for place, tenure in enumerate(self.tenures) if tenure.first_size <= size)
        handover = last > 0 and self.tenures[last].first_size == size
        return tuple(tenure.verifier for tenure in self.tenures[last - 1 if handover else last : last + 1])

    def open(self, data: bytes) -> Checkpoint:
        """Reads a signed checkpoint and checks that those signed it whose turn it was.

        Signatures by others, witnesses among them, are left to others.

        Args:
            data: The signed note.

        Returns:
            The checkpoint.

        Raises:
            NoteError: The bytes are not a signed note.
            CheckpointError: The note is not a checkpoint.
            SignatureError: No key of this log signed it, or a signature by one does not verify.
            SuccessionError: It is of another log, or was signed by a key whose turn it was not.
        """
        note = open_note(data, [tenure.verifier for tenure in self.tenures])
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != self.origin:
            raise SuccessionError(
                f"A checkpoint of {shown(checkpoint.origin)} is none of the log {shown(self.origin)}."
            )
        for verifier in self.signers(checkpoint.size):
            if not any(signature.key_id == verifier.key_id for signature in note.signatures):
                raise SuccessionError(
                    f"The checkpoint of size {checkpoint.size} of the log {shown(self.origin)} has to be signed by the "
                    f"key {verifier.vkey}, and is not: it was signed by a key before or after its time. Do not rely on "
                    "it, and ask the operator of the log."
                )
        return checkpoint

    def require_newest(self, data: bytes) -> None:
        """Finds out, before the current key signs again, whether the log was handed over to a key not known here.

        A process that slept through a handover would accept its checkpoint, since its own key signed it too.

        Args:
            data: The newest checkpoint.

        Raises:
            NoteError: The bytes are not a signed note.
            SuccessionError: A key of the log's name signed it that is not one of these.
        """
        known = {tenure.verifier.key_id for tenure in self.tenures}
        for signature in Note.parse(data).signatures:
            if signature.name == self.origin and signature.key_id not in known:
                raise SuccessionError(
                    f"The newest checkpoint of the log {shown(self.origin)} is signed by the key "
                    f"{signature.key_id:08x}, which this process does not know: the log was handed over to it. Open "
                    "the log again; nothing is signed before."
                )


def _tenure(line: str) -> Tenure:
    match = _LINE.fullmatch(line)
    try:
        if match is not None:
            return Tenure(NoteVerifier.parse(match[2]), int(match[1]))
    except (NoteError, KeyRejectedError) as fault:
        raise SuccessionError(f"The line {shown(line)} does not name a key of a log: {fault}") from fault
    raise SuccessionError(f"The line {shown(line)} is not the smallest size that a key signs, a space, and its vkey.")


def sign_handover(checkpoint: Checkpoint, old: NoteSigner, new: NoteSigner) -> bytes:
    """Signs the checkpoint with which one key of a log hands over to the next.

    Args:
        checkpoint: Of the tree in which the entry that names the new key is the newest.
        old: The key that signs for the last time.
        new: The key that signs for the first time.

    Returns:
        The signed note, with both signatures, the old key's first.

    Raises:
        CheckpointError: One of the keys is not of the checkpoint's log.
        SuccessionError: Both are one key.
    """
    if old.verifier.public_key == new.verifier.public_key:
        raise SuccessionError(f"The key {old.vkey} cannot follow itself; make a new one.")
    first, second = (Note.parse(sign_checkpoint(checkpoint, signer)) for signer in (old, new))
    return Note(first.text, (*first.signatures, *second.signatures)).format()
