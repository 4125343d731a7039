"""A witness: it cosigns a log's checkpoint only when that extends the last one it cosigned.

What a witness is asked and answers is C2SP tlog-witness; see `ledger.add_checkpoint`. How the
errors below become HTTP statuses is the business of whoever serves it.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ledger.add_checkpoint import AddCheckpoint
from ledger.checkpoint import Checkpoint
from ledger.cosignature import Cosigner, with_signatures
from ledger.errors import (
    InconsistentCheckpointError,
    OldSizeError,
    ProofError,
    UnknownLogError,
    WitnessError,
    WitnessStateError,
    shown,
)
from ledger.merkle import EMPTY_ROOT, verify_consistency
from ledger.note import Note, NoteVerifier, SignatureType, open_note
from ledger.witness_memory import Cosigned, WitnessMemory, origin_hash

_CLOCK_TOLERANCE_SECONDS = 60
_LOGGER = logging.getLogger(__name__)


class Witness:
    """A witness of some logs.

    Several threads and processes may share one folder; for each log they take turns.

    Args:
        cosigner: The witness's key.
        logs: Keys of the logs it watches; a key's name is the log's origin, which may have several.
        folder: Where it remembers what it cosigned, one file for each log; has to exist.
        clock: Gives POSIX seconds.

    Raises:
        WitnessError: There is no log, or a key is not one that a log signs with.
        WitnessStateError: What it remembers of a log is damaged.
        OSError: The folder cannot be written to.
    """

    def __init__(
        self,
        cosigner: Cosigner,
        logs: Iterable[NoteVerifier],
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cosigner = cosigner
        self._clock = clock
        self._logs = _by_origin(logs)
        self._memories = {origin: WitnessMemory(folder, origin, cosigner.verifier) for origin in self._logs}
        self._published = {origin_hash(origin): memory for origin, memory in self._memories.items()}
        for memory in self._memories.values():
            with memory.alone():
                memory.read()
                memory.clear_drafts()

    @property
    def verifier(self) -> NoteVerifier:
        """What the cosignatures are checked with."""
        return self._cosigner.verifier

    @property
    def origins(self) -> tuple[str, ...]:
        """The logs that are watched."""
        return tuple(self._logs)

    def add_checkpoint(self, body: bytes) -> bytes:
        """Cosigns a checkpoint, if it may (tlog-witness, "add-checkpoint").

        Args:
            body: The request, at most `ledger.add_checkpoint.MAX_REQUEST_BYTES`.

        Returns:
            One signature line. By then the checkpoint is remembered on the disk.

        Raises:
            AddCheckpointError: The request is malformed, or its old size lies beyond its checkpoint.
            UnknownLogError: The log is not watched.
            SignatureError: The log did not sign the checkpoint with a key that is known here.
            OldSizeError: The request starts from another size than the one cosigned last.
            InconsistentCheckpointError: The checkpoint is not shown to extend that one.
            WitnessStateError: What is remembered is damaged, or the clock went back.
            OSError: The checkpoint cannot be remembered, and is not cosigned.
        """
        request = AddCheckpoint.parse(body)
        signed = self._signed(request.note, request.checkpoint)
        memory = self._memories[request.checkpoint.origin]
        with memory.alone():
            last = memory.read()
            _require_extension(request, last.checkpoint if last else None)
            cosignature = self._cosigner.cosign(signed.text, self._now(last))
            memory.write(with_signatures(signed, [cosignature]))
        return cosignature.format().encode()

    def checkpoint(self, name: str) -> bytes:
        """Returns the newest checkpoint that was cosigned (tlog-witness, "Monitor Retrieval").

        Args:
            name: The log, as `origin_hash` names it.

        Raises:
            UnknownLogError: The log is not watched, or was never cosigned for.
            WitnessStateError: What is remembered is damaged.
        """
        memory = self._published.get(name)
        last = memory.read() if memory else None
        if last is None:
            raise UnknownLogError(
                f"This witness has cosigned nothing for a log {shown(name)}; ask by the hex SHA-256 of the log's "
                "origin, in lower case, or after the log has been here."
            )
        return last.note

    def _signed(self, note: Note, checkpoint: Checkpoint) -> Note:
        """Returns the note with the verified signatures of its log alone."""
        known = self._logs.get(checkpoint.origin)
        if known is None:
            raise UnknownLogError(
                f"This witness does not watch the log {shown(checkpoint.origin)}; ask its operator to add the log's "
                "verifier key."
            )
        return open_note(note.format(), known)

    def _now(self, last: Cosigned | None) -> int:
        """The time of a cosignature: never before the one that was given last."""
        now = int(self._clock())
        earliest = last.seconds if last else 1
        if now + _CLOCK_TOLERANCE_SECONDS < earliest:
            raise WitnessStateError(
                f"The clock shows {now} seconds since 1970, but a cosignature was given at {earliest}: the clock is "
                "wrong, or was then. Set it; a witness that is ahead has to wait, for it cannot unsay a time."
            )
        return max(now, earliest)


def _by_origin(logs: Iterable[NoteVerifier]) -> Mapping[str, tuple[NoteVerifier, ...]]:
    known: dict[str, tuple[NoteVerifier, ...]] = {}
    for log in logs:
        if log.signature_type is not SignatureType.ED25519:
            raise WitnessError(
                f"The key {shown(log.vkey)} is not one that a log signs with (Ed25519, 0x01); give the verifier key "
                "that the log publishes."
            )
        known[log.name] = (*known.get(log.name, ()), log)
    if not known:
        raise WitnessError("A witness of no log has nothing to do; give the verifier key of at least one.")
    return known


def _require_extension(request: AddCheckpoint, last: Checkpoint | None) -> None:
    """Applies the checks of tlog-witness on sizes, roots and proof, in its order."""
    new, size = request.checkpoint, last.size if last else 0
    if request.old_size != size:
        raise OldSizeError(
            f"The request starts from size {request.old_size}, but the checkpoint of {shown(new.origin)} that was "
            f"cosigned last has size {size}; send the proof from there.",
            size,
        )
    if new.size == 0 and new.root_hash != EMPTY_ROOT:
        raise InconsistentCheckpointError(
            f"The checkpoint states size 0 with the root {new.root_hash.hex()}, but the empty tree has the root "
            f"{EMPTY_ROOT.hex()}; the log is broken."
        )
    if last is None or last.size == 0:
        if request.proof:
            raise InconsistentCheckpointError(
                f"The request gives a proof of {len(request.proof)} hashes from size 0, where none is needed and none "
                "is taken; send it without."
            )
        return
    if new.size == last.size and new.root_hash != last.root_hash:  # the one case that is proof by itself
        _LOGGER.error("The log forked: cosigned was %r, and now it signed %r.", last.format(), request.note.format())
    try:
        verify_consistency(last.size, new.size, last.root_hash, new.root_hash, request.proof)
    except ProofError as fault:
        raise InconsistentCheckpointError(f"The checkpoint is not shown to extend the last one: {fault}") from fault
