"""Inclusion proofs as files that others can check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.errors import UsageError
from api.schemas.log import ProofWritten
from ledger.checkpoint import Checkpoint
from ledger.note import Note
from provenance.errors import UnknownRecordingError
from provenance.identity import digest_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from api.home import Home
    from ledger.entry import Entry


def write_proof(home: Home, name: str, output: Path) -> ProofWritten:
    """Write the ``.tlog-proof`` of an entry.

    Args:
        home: Whose log.
        name: Index, or leaf hash with or without ``sha256:``.
        output: The file to write.

    Raises:
        UsageError: The name is neither, or the file cannot be written.
        NoSuchEntryError: The log has no such index.
        UnknownRecordingError: The log has no such leaf.
    """
    entry = _entry(home, name)
    proof = home.log.tlog_proof(entry.index)
    try:
        output.write_bytes(proof.format())
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from error
    size = Checkpoint.parse(Note.parse(proof.checkpoint_note).text).size
    return ProofWritten(
        path=str(output), log_index=entry.index, leaf_hash="sha256:" + entry.leaf_hash.hex(), tree_size=size
    )


def write_entry(home: Home, name: str, output: Path) -> str:
    """Write the stored bytes of an entry, and return its leaf hash.

    Raises:
        UsageError: The name is neither an index nor a leaf hash, or the file cannot be written.
        NoSuchEntryError: The log has no such index.
        UnknownRecordingError: The log has no such leaf.
    """
    found = _entry(home, name)
    try:
        output.write_bytes(found.data)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from error
    return "sha256:" + found.leaf_hash.hex()


def _entry(home: Home, name: str) -> Entry:
    if name.isascii() and name.isdigit() and len(name) < 19:  # noqa: PLR2004 - the digits of 2^63
        return home.log.entry(int(name))
    try:
        leaf = digest_bytes(name)
    except ValueError as error:
        raise UsageError(f"{name[:80]!r} is neither an index nor a leaf hash of the log.") from error
    found = home.log.entry_by_leaf(leaf)
    if found is None:
        raise UnknownRecordingError(f"The log of this home has no entry with the leaf hash {name}.")
    return found
