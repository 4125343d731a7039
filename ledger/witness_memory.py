"""What a witness remembers of one log: the checkpoint that it cosigned last, in a file.

The file is the checkpoint itself with the log's signature and the witness's own, as the witness
publishes it. So a changed file is noticed by the same signature that others rely on.
"""

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from ledger.checkpoint import Checkpoint
from ledger.cosignature import cosigned_at
from ledger.durability import replace
from ledger.errors import CheckpointError, NoteError, SignatureError, WitnessStateError
from ledger.lock import alone
from ledger.note import MAX_NOTE_BYTES, Note, NoteVerifier, open_note

_MODE = 0o600


def origin_hash(origin: str) -> str:
    """Returns the name under which a witness publishes a log: hex SHA-256 of its origin."""
    return hashlib.sha256(origin.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint that the witness has cosigned.

    Attributes:
        note: The checkpoint with the log's signature and the witness's.
        checkpoint: What it states.
        seconds: POSIX time of the cosignature.
    """

    note: bytes
    checkpoint: Checkpoint
    seconds: int


@dataclass(frozen=True, slots=True)
class WitnessMemory:
    """The memory of one log.

    Attributes:
        folder: Folder of the files, one for each log; it has to exist.
        origin: The log.
        witness: The witness's own key.
        path: The file, whose name is safe whatever the origin is.
    """

    folder: Path
    origin: str
    witness: NoteVerifier
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.folder / origin_hash(self.origin))

    def alone(self) -> AbstractContextManager[None]:
        """Keeps every other thread and process from cosigning for this log meanwhile.

        Raises:
            OSError: The folder cannot be written to.
        """
        return alone(self.path)

    def read(self) -> Cosigned | None:
        """Returns what was cosigned last, or None when nothing ever was.

        Raises:
            WitnessStateError: The file cannot be read, or is not what this witness wrote.
        """
        try:
            with self.path.open("rb") as file:
                note = file.read(MAX_NOTE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise WitnessStateError(
                f"The file {self.path} remembers what was cosigned last for {self.origin} but cannot be read: "
                f"{fault.strerror}. Make it readable; nothing is cosigned for that log before."
            ) from fault
        return self._understood(note)

    def write(self, note: Note) -> None:
        """Remembers a checkpoint, and returns when it is on the disk; only while `alone`.

        Args:
            note: The checkpoint with the log's signature and the witness's.

        Raises:
            WitnessStateError: The note could not be read back: it is not one that the witness cosigned.
            OSError: It cannot be written; the file then holds the old note or the new.
        """
        data = note.format()
        self._understood(data)
        replace(self.path, data, mode=_MODE)

    def clear_drafts(self) -> None:
        """Removes what a killed process left half-written; only while `alone`."""
        for draft in self.folder.glob(f".{self.path.name}.*"):
            if draft.suffix != ".lock":
                draft.unlink(missing_ok=True)

    def _understood(self, note: bytes) -> Cosigned:
        try:
            opened = open_note(note, [self.witness])
            checkpoint = Checkpoint.parse(opened.text)
            seconds = max(cosigned_at(signature) for signature in opened.signatures)
        except (NoteError, CheckpointError, SignatureError) as fault:
            raise self._damaged(str(fault)) from fault
        if checkpoint.origin != self.origin:
            raise self._damaged(f"It is a checkpoint of {checkpoint.origin}.")
        return Cosigned(note, checkpoint, seconds)

    def _damaged(self, why: str) -> WitnessStateError:
        return WitnessStateError(
            f"The file {self.path} should hold the checkpoint of {self.origin} that the witness {self.witness.name} "
            f"cosigned last, but does not: {why} Nothing is cosigned for that log before the newest copy of the file "
            "is back, with the key that goes with it. An older copy, or none, would let the log fork unseen: where "
            "the file is lost, begin a new witness with a new key, and tell those who rely on the old one."
        )
