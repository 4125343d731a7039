"""C2SP tlog-cosignature v1: what a witness adds to a checkpoint.

A cosignature says that, as of its time, this was the largest tree that the witness had seen of
this log, and that it extends every earlier one that the witness had seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.encoding import MAX_NUMBER
from ledger.errors import SignatureError, shown
from ledger.note import NamedKey, Note, Signature, SignatureType, cosignature_message

_TIMESTAMP_BYTES = 8


@dataclass(frozen=True, slots=True)
class Cosigner(NamedKey):
    """A key that cosigns checkpoints; it may be used for nothing else.

    Its name should be a URL without the scheme that identifies the witness.
    """

    SIGNATURE_TYPE = SignatureType.COSIGNATURE

    def cosign(self, text: str, seconds: int) -> Signature:
        """Cosigns a checkpoint; only `ledger.witness` may decide that one should be.

        Args:
            text: The note text of the checkpoint.
            seconds: POSIX time of now, at least 1 (tlog-witness: it "MUST NOT be zero").

        Returns:
            The signature line.

        Raises:
            SignatureError: The time is not one that a cosignature can state.
        """
        _require_time(seconds, self.name)
        message = cosignature_message(text, seconds)
        stamp = seconds.to_bytes(_TIMESTAMP_BYTES, "big")
        return Signature(self.name, self.verifier.key_id, stamp + self.key.sign(message))


def cosigned_at(cosignature: Signature) -> int:
    """Returns the POSIX time that a cosignature states.

    Raises:
        SignatureError: It states none, or one that no witness may state.
    """
    seconds = int.from_bytes(cosignature.signature[:_TIMESTAMP_BYTES], "big")
    _require_time(seconds, cosignature.name)
    return seconds


def with_signatures(note: Note, more: Iterable[Signature]) -> Note:
    """Returns a note with further signatures; a key's new one takes the place of its old one.

    Args:
        note: The note.
        more: Signatures over its text.

    Raises:
        NoteError: They are more than a note may hold.
    """
    latest = {(signature.name, signature.key_id): signature for signature in (*note.signatures, *more)}
    return Note(note.text, tuple(latest.values()))


def _require_time(seconds: int, name: str) -> None:
    if not 1 <= seconds <= MAX_NUMBER:
        raise SignatureError(
            f"A cosignature of {shown(name)} states the time {seconds}, which is not between 1 and 2^63-1 seconds "
            "since 1970; set the clock of the witness, and ask for a new one."
        )
