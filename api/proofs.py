"""Inclusion proofs as files that others can check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.errors import NothingThereError, UsageError
from api.key_exhibits import keys_along
from api.schemas.log import ProofWritten
from ledger.checkpoint import Checkpoint
from ledger.note import Note
from provenance import store
from provenance.bundle import EvidenceBundle, StampedEntry
from provenance.errors import UnknownRecordingError
from provenance.identity import digest_bytes, file_digest
from provenance.recording_predicate import RenditionPredicate

if TYPE_CHECKING:
    from pathlib import Path

    from api.home import Home
    from ledger.entry import Entry
    from provenance.store import Rendition


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
    proof = home.proof(entry.index)
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


def write_evidence(home: Home, file: Path, output: Path) -> str:
    """Write what a file cannot carry about itself: the entry that was made when it was finished.

    With it a lossy file's content digest can be checked too. ``verify FILE`` reads ``FILE.evidence`` when it
    lies beside the file.

    Raises:
        NothingThereError: The file was not handed out by this home.
        UsageError: A file cannot be read or written.
    """
    try:
        asset = file_digest(file)
        with home.reading() as connection:
            found = store.rendition_by_asset(connection, asset)
        if found is None:
            raise NothingThereError(f"{file} was not handed out by {home.root}: no entry is about exactly these bytes.")
        timestamps = _timestamps(home, found)
        keys = keys_along(home, found.leaf_hash, *(each.leaf_hash for each in timestamps))
        output.write_bytes(EvidenceBundle((*keys, home.exhibit(found.leaf_hash)), timestamps=timestamps).to_bytes())
    except OSError as error:
        raise UsageError(f"{error.filename or file} cannot be used: {error.strerror}.") from error
    return found.leaf_hash


def _timestamps(home: Home, found: Rendition) -> tuple[StampedEntry, ...]:
    """By when what the file is a rendition of had been made, where an authority vouches for it."""
    rendition = home.statement(found.leaf_hash).predicate
    stamped = home.stamped(rendition.of) if isinstance(rendition, RenditionPredicate) else None
    return (stamped,) if stamped else ()


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
