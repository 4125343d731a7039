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


class PolicyError(LedgerError):
    """A trust policy that is malformed, or that a checkpoint does not satisfy."""


class EnvelopeError(LedgerError):
    """Bytes that are not a DSSE envelope in the one form that is stored."""


class EntryError(LedgerError):
    """An entry that the log does not take."""


class DuplicateEntryError(EntryError):
    """An entry whose very bytes are in the log already."""


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


class NewerDatabaseError(LedgerError):
    """The database was made by a newer release of this program."""


def shown(value: object) -> str:
    """Returns a value as a message may quote it: its `repr`, cut to one short line."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
