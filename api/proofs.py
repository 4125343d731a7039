"""What others can check the log with: its checkpoint, and inclusion proofs as files.

Where the settings name witnesses, readers' policies may ask for them; so what readers are given is under a checkpoint
that the quorum cosigned, wherever there is one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from api.entry_index import entry_index
from api.errors import NothingThereError, UsageError
from api.key_exhibits import certificates, keys_along
from api.schemas.log import ProofWritten
from api.witnessing import read_policy, submit_newest
from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError
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
    from ledger.policy import Policy
    from provenance.store import Rendition

WITNESS_DEADLINE_SECONDS: Final = 10.0
"""How long witnesses are waited for each time that evidence is to go out."""
_SUBMISSIONS = 3
_log = logging.getLogger("linernotes")


def served_checkpoint(home: Home) -> bytes:
    """Return the signed checkpoint for readers of the log, with the cosignatures there are for it.

    It is the newest; but where the settings name witnesses, the newest that their quorum cosigned, once there is one:
    what no witness has seen does not convince a reader whose policy asks for them, and has to wait for them (C2SP
    tlog-witness).

    Raises:
        LogDamagedError: The cosigned checkpoint that is kept is damaged.
    """
    newest, cosigned = home.log.checkpoint(), home.cosigned.read()
    if cosigned is None:
        return newest
    same = Note.parse(cosigned).text == Note.parse(newest).text
    return cosigned if same or home.settings.witness_policy is not None else newest


def witnesses_of(home: Home) -> Policy | None:
    """Return the policy of the settings that says who cosigns the home's checkpoints, where there is one.

    Raises:
        UsageError: It cannot be read, or names no witness that can be asked.
    """
    path = home.settings.witness_policy
    try:
        return read_policy(path) if path else None
    except OSError as error:
        raise UsageError(f"The policy of witnesses {path} cannot be read: {error.strerror}.") from error


def have_witnessed(home: Home) -> None:
    """Have the witnesses of the settings cosign a checkpoint of all entries there are.

    Nothing is done where the settings name none. When the quorum is not reached, that is logged, and the evidence
    goes out with what there is.

    Raises:
        UsageError: The policy of the settings cannot be read, or names no witness that can be asked.
        NotPublishedError: No checkpoint came to cover the entries.
    """
    size, policy = home.log.size(), witnesses_of(home)
    if policy is None or _cosigned_size(home) >= size:
        return
    home.log.tlog_proof(size - 1)  # until a checkpoint covers it
    for _ in range(_SUBMISSIONS):
        missing, overtaken = _submitted(home, policy)
        if _cosigned_size(home) >= size:
            return
        if not overtaken:
            break
    _log.warning("The evidence goes out without cosignatures for its newest entries: %s", missing)


def _submitted(home: Home, policy: Policy) -> tuple[str, bool]:
    """Submit the newest checkpoint; say what is missing, and whether that is because another process was faster."""
    try:
        answer = submit_newest(home, policy, WITNESS_DEADLINE_SECONDS)
    except (LedgerError, OSError) as error:
        return str(error), False
    return answer.detail, any(each.result == "overtaken" for each in answer.witnesses)


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
    """Write what a file cannot carry about itself: the entry that was made when it was finished, and newer proofs.

    With it a lossy file's content digest can be checked too, and witnesses count that saw the log after the file was
    finished. ``verify FILE`` reads ``FILE.evidence`` when it lies beside the file.

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
        have_witnessed(home)
        leaves = (found.leaf_hash, *_carried(home, found), *certificates(home))
        keys = keys_along(home, *leaves)
        exhibits = dict.fromkeys((*keys, *(home.exhibit(leaf) for leaf in leaves)))
        output.write_bytes(EvidenceBundle(tuple(exhibits), timestamps=_timestamps(home, found)).to_bytes())
    except OSError as error:
        raise UsageError(f"{error.filename or file} cannot be used: {error.strerror}.") from error
    return found.leaf_hash


def _timestamps(home: Home, found: Rendition) -> tuple[StampedEntry, ...]:
    """By when what the file is a rendition of had been made, where an authority vouches for it."""
    stamped = (home.stamped(leaf) for leaf in _carried(home, found))
    return tuple(each for each in stamped if each)


def _carried(home: Home, found: Rendition) -> tuple[str, ...]:
    """Leaf hash of what the file is a rendition of: the entry in its manifest."""
    rendition = home.statement(found.leaf_hash).predicate
    return (rendition.of,) if isinstance(rendition, RenditionPredicate) else ()


def _cosigned_size(home: Home) -> int:
    note = home.cosigned.read()
    return 0 if note is None else Checkpoint.parse(Note.parse(note).text).size


def _entry(home: Home, name: str) -> Entry:
    try:
        leaf = digest_bytes(name)
    except ValueError:
        return home.log.entry(_index(name))
    found = home.log.entry_by_leaf(leaf)
    if found is None:
        raise UnknownRecordingError(f"The log of this home has no entry with the leaf hash {name}.")
    return found


def _index(name: str) -> int:
    try:
        return entry_index(name)
    except UsageError as error:
        raise UsageError(f"{name[:80]!r} is neither an index nor a leaf hash of the log.") from error
