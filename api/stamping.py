"""Time stamps of the log as people see them: what each says, whether it holds, and the files to check it with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from api.errors import UsageError
from api.schemas.stamp import StampList, StampShown
from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError
from ledger.note import Note
from ledger.timestamp import TimeStamp, stamped_bytes, verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ledger.timestamp import TsaRoots


@dataclass(frozen=True, slots=True)
class KeptStamp:
    """A time stamp with the checkpoint that it is of.

    Attributes:
        checkpoint: The signed note, as it is stored.
        token: The RFC 3161 token.
        taken_at: When it was kept, by our own clock.
    """

    checkpoint: bytes
    token: bytes
    taken_at: str

    @property
    def size(self) -> int:
        """Tree size of the checkpoint."""
        return Checkpoint.parse(Note.parse(self.checkpoint).text).size


class StampedLog(Protocol):
    """A log whose checkpoints are stamped."""

    @property
    def roots(self) -> TsaRoots | None:
        """The authorities that are trusted for the time, where any were configured."""
        ...

    def stamp_newest(self) -> KeptStamp:
        """Has the newest checkpoint stamped now, and keeps the stamp; one that has a stamp is not stamped again.

        Raises:
            UsageError: No authority is configured.
            TsaUnreachableError: It cannot be reached, or does not answer in time.
            TsaRefusedError: It answers with anything but a time stamp that holds.
        """
        ...

    def kept_stamps(self, newest: int) -> Sequence[KeptStamp]:
        """Returns so many of the newest stamps, the newest first."""
        ...

    def checkpoints_since_stamp(self) -> int:
        """Returns how many checkpoints were signed after the newest that was stamped."""
        ...


def stamp_now(log: StampedLog) -> StampShown:
    """Have the newest checkpoint stamped, and show the stamp."""
    return _shown(log.stamp_newest(), log.roots)


def stamps(log: StampedLog, newest: int, folder: Path | None = None) -> StampList:
    """Show the newest stamps of a log, and whether they hold.

    Args:
        log: Whose.
        newest: How many, at most.
        folder: Where to write each stamp with its checkpoint, so that ``openssl ts -verify`` can check it.

    Raises:
        UsageError: The files cannot be written.
    """
    kept = log.kept_stamps(newest)
    try:
        shown = [_shown(each, log.roots, _written(each, folder) if folder else ()) for each in kept]
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be written: {error.strerror}.") from error
    return StampList(stamps=shown, checkpoints_since=log.checkpoints_since_stamp())


def _shown(kept: KeptStamp, roots: TsaRoots | None, files: Sequence[Path] = ()) -> StampShown:
    said, result, detail = _checked(kept, roots)
    return StampShown(
        tree_size=kept.size,
        gen_time=said.gen_time if said else "",
        authority=said.authority if said else "",
        serial=str(said.serial) if said else "",
        policy=said.policy if said else "",
        message_digest=f"sha256:{said.message_digest.hex()}" if said else "",
        taken_at=kept.taken_at,
        result=result,
        detail=detail,
        files=[str(path) for path in files],
    )


def _checked(
    kept: KeptStamp, roots: TsaRoots | None
) -> tuple[TimeStamp | None, Literal["pass", "fail", "not-checked"], str]:
    said = None
    try:
        said = TimeStamp.parse(kept.token)
        if roots is None:
            return said, "not-checked", "no time-stamping roots are configured (LINERNOTES_TSA_ROOTS)"
        verify(kept.token, stamped_bytes(kept.checkpoint), roots)
    except LedgerError as error:
        return said, "fail", str(error)
    return said, "pass", f"the log had signed this checkpoint by {said.gen_time}"


def _written(kept: KeptStamp, folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, token = folder / f"checkpoint-{kept.size}", folder / f"checkpoint-{kept.size}.tst"
    checkpoint.write_bytes(stamped_bytes(kept.checkpoint))
    token.write_bytes(kept.token)
    return checkpoint, token
