"""Sealing: encode, embed the evidence, keep, record, and only then hand out."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from io import BufferedReader
from typing import TYPE_CHECKING

from api.errors import UsageError
from api.key_exhibits import keys_of, signers_of
from fingerprint.audio import encode
from fingerprint.digest import content_digest
from fingerprint.media import LOSSLESS, MediaType
from fingerprint.wav import WavStream
from provenance import manifest
from provenance.assertion import (
    LedgerEvidence,
    LoggedStatement,
    MiningPermission,
    ModelReference,
    SoftwareAgent,
    TrainingMining,
)
from provenance.identity import Digest
from provenance.manifest import ManifestDraft
from provenance.recording_predicate import EditPredicate, GenerationPredicate, RenditionPredicate
from provenance.statement import Statement, Subject, header
from provenance.verify import source_type_of

if TYPE_CHECKING:
    from pathlib import Path

    from api.home import Draft, Home
    from fingerprint.audio import Audio
    from provenance.bundle import Exhibit

ENDINGS: dict[MediaType, str] = {"audio/wav": ".wav", "audio/flac": ".flac", "audio/mpeg": ".mp3", "audio/mp4": ".m4a"}
FORMATS = {ending: media_type for media_type, ending in ENDINGS.items()}
MASTER: MediaType = "audio/wav"
MINING = TrainingMining.uniform(MiningPermission("notAllowed"))
"""The maker of a recording has not said that others may mine it; silence is not permission."""


@dataclass(frozen=True, slots=True)
class Part:
    """A sound to be sealed.

    Attributes:
        name: ``mix``, or the name of a stem.
        audio: Its samples.
        content_digest: Digest of those samples.
        iscc: Its Audio-Code.
    """

    name: str
    audio: Audio
    content_digest: Digest
    iscc: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signed file in the object store, ready to be recorded and then handed out.

    Attributes:
        content_digest: Of the sound in this file.
        asset_digest: Of the file's bytes; also its name in the store.
        encoded_from: Content digest of the take that a lossy file was encoded from, else empty.
    """

    part: str
    media_type: MediaType
    content_digest: Digest
    encoded_from: str
    asset_digest: Digest
    size: int
    manifest_id: str


def format_of(output: Path) -> MediaType:
    """Return the media type that a file's ending asks for.

    Raises:
        UsageError: No format has that ending, or the file cannot be written there.
    """
    media_type = FORMATS.get(output.suffix.lower())
    if media_type is None:
        raise UsageError(
            f"The ending of {output.name!r} names no format that can be written. Use one of {', '.join(FORMATS)}."
        )
    if output.is_dir() or not output.parent.is_dir() or not os.access(output.parent, os.W_OK):
        raise UsageError(f"{output} cannot be written: {output.parent} is not a folder that you may write to.")
    return media_type


def seal(
    home: Home,
    folder: Path,
    draft: Draft,
    entry: Exhibit,
    part: Part,
    media_type: MediaType,
    parent: Path | None = None,
) -> Sealed:
    """Encode a sound, embed the evidence of its entry, and put the signed file into the store.

    Args:
        home: Whose credential signs.
        folder: Where to work, on the file system of the store.
        draft: The generation or edit, already in the log.
        entry: Its entry, with its proof.
        part: What to seal.
        media_type: In which format.
        parent: The signed file that was edited; it becomes the parent ingredient.
    """
    signed = folder / f"signed{ENDINGS[media_type]}"
    words = _manifest_draft(home, draft, entry, part)
    if media_type == MASTER:  # read out of memory; the bare master is never written
        plain, own = BufferedReader(WavStream(part.audio)), part.content_digest
        embedded = manifest.embed(plain, signed, words, home.credential, parent)
    else:
        encoded = folder / f"bare{ENDINGS[media_type]}"
        encode(part.audio, encoded, media_type=media_type)
        own = part.content_digest if media_type in LOSSLESS else Digest(content_digest(encoded))
        embedded = manifest.embed(encoded, signed, words, home.credential, parent)
    size = signed.stat().st_size
    return Sealed(
        part=part.name,
        media_type=media_type,
        content_digest=own,
        encoded_from="" if own == part.content_digest else part.content_digest,
        asset_digest=home.objects.put(signed, embedded.asset_digest, durable=True),
        size=size,
        manifest_id=embedded.manifest_id,
    )


def rendition(home: Home, draft: Draft, sealed: Sealed) -> Draft:
    """Return the signed statement that records a sealed file."""
    predicate = RenditionPredicate.model_validate(
        header(RenditionPredicate)
        | {
            "recording_id": made_by(draft).recording_id,
            "of": draft.leaf_hash,
            "part": sealed.part,
            "media_type": sealed.media_type,
            "asset_digest": sealed.asset_digest,
            "bytes": sealed.size,
            "content_digest": sealed.content_digest,
            "encoded_from": sealed.encoded_from,
            "manifest_id": sealed.manifest_id,
        }
    )
    return home.sign(Statement((Subject(predicate.recording_id, sealed.asset_digest),), predicate))


def hand_out(home: Home, digest: str, target: Path) -> None:
    """Copy a stored file to where the user wants it, whole or not at all.

    Raises:
        UsageError: It cannot be written there.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.copyfile(home.objects.path(digest), partial)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(
            f"{target} cannot be written: {error.strerror}. The recording itself is safe in the ledger; export it "
            "once there is room."
        ) from error


def made_by(draft: Draft) -> GenerationPredicate | EditPredicate:
    """Return the generation or edit that a draft states."""
    predicate = draft.statement.predicate
    if not isinstance(predicate, GenerationPredicate | EditPredicate):
        raise TypeError(f"only generations and edits have sound to seal, not a {predicate.KIND}")
    return predicate


def _manifest_draft(home: Home, draft: Draft, entry: Exhibit, part: Part) -> ManifestDraft:
    made = made_by(draft)
    signer = home.signer_exhibit
    key, *further = keys_of(home, (*sorted(draft.signers), *signers_of(signer.envelope)))
    return ManifestDraft(
        title=f"Recording {made.recording_id}" if part.name == "mix" else f"{part.name}, recording {made.recording_id}",
        recording_id=made.recording_id,
        software_agent=SoftwareAgent(made.software.name, made.software.version),
        source_type=source_type_of(made),
        iscc=part.iscc,
        training_mining=MINING,
        model=None if isinstance(made, EditPredicate) else ModelReference(made.model_id, Digest(made.weights_digest)),
        edits=(_in_words(made),) if isinstance(made, EditPredicate) else (),
        ledger=LedgerEvidence(
            origin=home.log.origin,
            leaf_hash=draft.leaf_hash,
            envelope=entry.envelope,
            tlog_proof=entry.tlog_proof.decode(),
            key_envelope=key.envelope,
            key_tlog_proof=key.tlog_proof.decode(),
            signer_envelope=signer.envelope,
            signer_tlog_proof=signer.tlog_proof.decode(),
            further=tuple(LoggedStatement(each.envelope, each.tlog_proof.decode()) for each in further),
        ),
    )


def _in_words(edit: EditPredicate) -> str:
    counts = edit.changes.model_dump(exclude={"kept"})
    changed = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return f"Notes edited by a person ({edit.role}): {changed}"
