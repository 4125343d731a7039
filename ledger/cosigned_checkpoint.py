"""The newest checkpoint of a log that its witnesses cosigned, kept by the log for its readers.

A proof against this checkpoint satisfies a policy that asks for witnesses; one against a newer
checkpoint, which no witness has seen yet, does not. What the file holds is public, and where it is
lost the witnesses give it again.
"""

from dataclasses import dataclass
from pathlib import Path

from ledger.checkpoint import Checkpoint
from ledger.cosignature import with_signatures
from ledger.durability import replace
from ledger.errors import CheckpointError, LogDamagedError, NoteError
from ledger.lock import alone
from ledger.note import MAX_NOTE_BYTES, Note

_MODE = 0o644


@dataclass(frozen=True, slots=True)
class CosignedCheckpoint:
    """A file that holds one checkpoint with cosignatures.

    Attributes:
        path: The file; its folder has to exist.
    """

    path: Path

    def read(self) -> bytes | None:
        """Returns the signed note, or None when there is none.

        Raises:
            LogDamagedError: The file is not a checkpoint.
            OSError: It cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_NOTE_BYTES + 1)
        except FileNotFoundError:
            return None
        try:
            _size(Note.parse(data))
        except (NoteError, CheckpointError) as fault:
            raise LogDamagedError(
                f"The file {self.path} should hold the newest checkpoint that witnesses cosigned, but does not: "
                f"{fault} Remove the file, and ask the witnesses again with `linernotes log witness submit`."
            ) from fault
        return data

    def keep(self, note: bytes) -> None:
        """Keeps a cosigned checkpoint, unless a larger one is kept already.

        Further cosignatures of the one that is kept are added to it.

        Args:
            note: The checkpoint with its signatures, which the caller has verified.

        Raises:
            NoteError: It is not a signed note.
            CheckpointError: The note is not a checkpoint.
            LogDamagedError: The file that is there is not a checkpoint.
            OSError: The file cannot be written.
        """
        kept = Note.parse(note)
        size = _size(kept)
        with alone(self.path):
            data = self.read()
            before = Note.parse(data) if data is not None else None
            if before is not None and _size(before) > size:
                return
            if before is not None and before.text == kept.text:
                kept = with_signatures(before, kept.signatures)
            replace(self.path, kept.format(), mode=_MODE)


def _size(note: Note) -> int:
    return Checkpoint.parse(note.text).size
