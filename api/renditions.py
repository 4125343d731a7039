"""The other formats of a recording, sealed when somebody first asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.errors import NothingThereError
from api.history import rendition_of
from api.seal import MASTER, Part, rendition, seal
from fingerprint.audio import decode
from fingerprint.digest import pcm_digest
from provenance.errors import DamagedObjectError
from provenance.identity import Digest
from provenance.store import Rendition

if TYPE_CHECKING:
    from pathlib import Path

    from api.home import Home
    from fingerprint.media import MediaType
    from provenance.store import Recording


def ensure_rendition(home: Home, made: Recording, media_type: MediaType) -> Rendition:
    """Return the signed file of a recording in one format; encode, seal and record it if there is none yet.

    Args:
        home: Where the recording is.
        made: The recording.
        media_type: Which format.

    Raises:
        NothingThereError: The recording has no signed file at all: its making was interrupted.
        DamagedObjectError: A stored file is missing, or is not the one that was stored.
        MissingProgramError: m4a needs ffmpeg, which is not installed.
    """
    known = rendition_of(home, made.recording_id, media_type)
    if known is not None:
        return known
    audio = decode(_master(home, made.recording_id))
    if Digest(pcm_digest(audio)) != made.content_digest:
        raise DamagedObjectError(
            f"The stored master of the recording {made.recording_id} is not the sound that was recorded. Restore the "
            "home's files from their backup; linernotes log fsck names those that were altered."
        )
    part = Part("mix", audio, made.content_digest, made.iscc)
    draft = home.draft(made.leaf_hash)
    entry = home.exhibit(made.leaf_hash)
    parent = _master(home, made.parent_recording_id) if made.parent_recording_id else None
    with home.objects.staging() as folder:
        sealed = seal(home, folder, draft, entry, part, media_type, parent)
    recorded = rendition(home, draft, sealed)
    [receipt] = home.append([recorded])
    return Rendition(
        leaf_hash=recorded.leaf_hash,
        log_index=receipt.index,
        recording_id=made.recording_id,
        part=sealed.part,
        media_type=sealed.media_type,
        asset_digest=sealed.asset_digest,
        content_digest=sealed.content_digest,
        manifest_id=sealed.manifest_id,
    )


def _master(home: Home, recording_id: str) -> Path:
    found = rendition_of(home, recording_id, MASTER)
    if found is None:
        raise NothingThereError(
            f"The recording {recording_id} has no signed file: its making was interrupted. Make it again."
        )
    return home.objects.path(found.asset_digest)
