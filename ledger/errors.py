"""What can go wrong in the ledger: one base class, and one name for each kind of fault.

Every message is one paragraph: what was wrong (with the value), where, and what to do next.
"""

_SHOWN_CHARACTERS = 60


class LedgerError(Exception):
    """Anything the ledger refuses or cannot do."""


class KeyRejectedError(LedgerError):
    """A public key that is malformed, of small order, or not in its one canonical encoding."""


class KeyFileError(LedgerError):
    """A private key file that cannot be read, is not private, or is not an Ed25519 key."""


class SignatureError(LedgerError):
    """A signature is missing, is by nobody we know, or does not verify."""


class NoteError(LedgerError):
    """Bytes that are not a C2SP signed note, or a verifier key that is not one."""


class CheckpointError(LedgerError):
    """A note text that is not a C2SP checkpoint."""


class ProofError(LedgerError):
    """A Merkle proof that is malformed, or that does not lead to the root it should."""


class TileError(LedgerError):
    """Bytes that are not a tile or a bundle of entries, or a path that names none."""


class PolicyError(LedgerError):
    """A trust policy that is malformed, or that a checkpoint does not satisfy."""


class RemoteError(LedgerError):
    """Somebody else's server cannot be reached, or does not answer as it should."""


class WitnessError(LedgerError):
    """Something that a witness refuses, or that a witness or its client cannot do."""


class AddCheckpointError(WitnessError):
    """A request to a witness, or its answer, that is not one of C2SP tlog-witness."""


class UnknownLogError(WitnessError):
    """A log that a witness does not watch, or has never cosigned for."""


class OldSizeError(WitnessError):
    """A request that does not start from the checkpoint that the witness cosigned last.

    Attributes:
        size: Tree size of that checkpoint; 0 where there is none.
    """

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class InconsistentCheckpointError(WitnessError):
    """A checkpoint that is not shown to extend the one that the witness cosigned last."""


class WitnessStateError(WitnessError):
    """What a witness remembers cannot be relied on, or its clock cannot; it cosigns nothing."""


class MonitorError(LedgerError):
    """What a monitor remembers is damaged or of another log, or the log is not as long as it is to begin."""


class ShrunkLogError(MonitorError):
    """A log that is followed is smaller than it was."""


class ForkedLogError(MonitorError):
    """A log that is followed does not extend what was seen of it."""


class EnvelopeError(LedgerError):
    """Bytes that are not a DSSE envelope in the one form that is stored."""


class EntryError(LedgerError):
    """An entry that the log does not take."""


class DuplicateEntryError(EntryError):
    """An entry whose very bytes are in the log already."""


class IdempotencyError(EntryError):
    """An idempotency key that was used before, for another append."""


class NotPublishedError(LedgerError):
    """An entry that no checkpoint covers yet."""


class NoSuchEntryError(LedgerError):
    """An index or a tree size that lies outside the log."""


class RolledBackError(LedgerError):
    """The log is older than, or contradicts, a checkpoint that was signed before."""


class WrongLogError(LedgerError):
    """A database, a key and a remembered checkpoint that are not of one log."""


class LogDamagedError(LedgerError):
    """The stored rows contradict each other: somebody or something changed the past."""


class DatabaseBusyError(LedgerError):
    """Another process kept the database locked for longer than we wait."""


class DatabaseUnavailableError(LedgerError):
    """The database cannot be opened, read or written: full, read-only, missing or damaged."""


class InDoubtError(DatabaseUnavailableError):
    """The database failed during a commit, and whether that was recorded is not known."""


class BrokenTransactionError(LedgerError):
    """A transaction whose database error was passed over: it can only be undone."""


class NewerDatabaseError(LedgerError):
    """The database was made by a newer release of this program."""


class TimeStampError(LedgerError):
    """Bytes that are not an RFC 3161 time stamp, or one that does not vouch for what it should."""


class TsaUnreachableError(LedgerError):
    """A time-stamping authority that cannot be reached, or that does not answer in time."""


class TsaRefusedError(LedgerError):
    """A time-stamping authority that answers with anything but a time stamp that holds."""


class PassphraseError(KeyFileError):
    """A passphrase that is wrong, unfit, or given for a key that is under none."""


class PassphraseNeededError(PassphraseError):
    """A key that is under a passphrase, where none was given."""


class KeyAgentError(LedgerError):
    """An agent that holds a key cannot be reached, or does not sign with it."""


class SuccessionError(LedgerError):
    """A checkpoint that is not signed by the key whose turn it was, or a successor that cannot be one."""


class CheckStoppedError(LedgerError):
    """A check of a log that came to no end."""


class RemoteTimeoutError(RemoteError):
    """Somebody else's server has not answered in time."""


class RemoteAnswerTooLongError(RemoteError):
    """Somebody else's server answers with more than is read of it."""


class DisagreeingTilesError(MonitorError):
    """The tiles of a log that is followed do not lead to the checkpoint that it gives with them."""


class QuorumError(PolicyError):
    """A checkpoint of a log that a policy trusts, which too few of its witnesses have cosigned so far."""


def shown(value: object) -> str:
    """Returns a value as a message may quote it: its `repr`, cut to one short line."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
