"""Recordings: what was made, what there is, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.base import Answer
from api.schemas.rights import ForeignManifestShown  # noqa: TC001 - pydantic resolves annotations at run time

if TYPE_CHECKING:
    from api.recording import Made
    from provenance.store import Recording, Rendition


class FileMade(Answer):
    """A file that was written for the user."""

    path: str
    media_type: str
    asset_digest: str


class ModelUsed(Answer):
    """The weights that made a recording."""

    id: str
    weights_digest: str


class ChangeCounts(Answer):
    """Notes by what an edit did to them."""

    kept: int
    pitch: int
    onset: int
    duration: int
    velocity: int
    voice: int
    added: int
    removed: int
    tempo: int


class RecordingMade(Answer):
    """The outcome of a generation or an edit.

    Attributes:
        changes: Only for edits.
        seconds: Length of the recording.
        left_out: What an edited file says in words, by kind, such as lyrics; nothing of it is kept.
    """

    recording_id: str
    leaf_hash: str
    log_index: int
    content_digest: str
    iscc: str
    seconds: float
    notes: int
    files: list[FileMade]
    model: ModelUsed
    unmatched_words: list[str]
    changes: ChangeCounts | None = None
    left_out: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, made: Made) -> RecordingMade:
        """Describe what was made."""
        content = made.content
        return cls(
            recording_id=made.recording_id,
            leaf_hash=made.leaf_hash,
            log_index=made.log_index,
            content_digest=content.content_digest,
            iscc=content.fingerprint.iscc,
            seconds=content.fingerprint.duration_ms / 1000,
            notes=content.notes,
            files=[
                FileMade(path=str(file.path), media_type=file.media_type, asset_digest=file.asset_digest)
                for file in made.files
            ],
            model=ModelUsed(id=made.model_id, weights_digest=made.weights_digest),
            unmatched_words=list(made.unmatched_words),
            changes=None if made.changes is None else ChangeCounts(**made.changes.model_dump()),
            left_out=list(made.left_out),
        )


class RenditionShown(Answer):
    """A signed file of a recording."""

    part: str
    media_type: str
    asset_digest: str
    content_digest: str
    manifest_id: str
    leaf_hash: str
    log_index: int

    @classmethod
    def of(cls, rendition: Rendition) -> RenditionShown:
        """Describe a rendition."""
        return cls(
            part=rendition.part,
            media_type=rendition.media_type,
            asset_digest=rendition.asset_digest,
            content_digest=rendition.content_digest,
            manifest_id=rendition.manifest_id,
            leaf_hash=rendition.leaf_hash,
            log_index=rendition.log_index,
        )


class RecordingShown(Answer):
    """One recording of the ledger.

    Attributes:
        found_by: How it was recognised, when it was asked for by a file.
        also: Ids of other recordings with the same or a similar sound.
        unlike: Why the file that was asked about is not shown to be this recording; empty where it is.
        foreign_manifest: Somebody else's manifest in that file.
        renditions: Only when one recording is shown.
    """

    recording_id: str
    kind: Literal["generation", "edit"]
    parent_recording_id: str
    leaf_hash: str
    log_index: int
    content_digest: str
    iscc: str
    seconds: float
    time: str
    found_by: Literal["id", "manifest", "content-digest", "fingerprint"] = "id"
    also: list[str] = Field(default_factory=list)
    unlike: str = ""
    foreign_manifest: ForeignManifestShown | None = None
    renditions: list[RenditionShown] = Field(default_factory=list)

    @classmethod
    def of(
        cls,
        recording: Recording,
        found_by: Literal["id", "manifest", "content-digest", "fingerprint"] = "id",
        also: tuple[str, ...] = (),
        renditions: tuple[Rendition, ...] = (),
    ) -> RecordingShown:
        """Describe a recording."""
        return cls(
            recording_id=recording.recording_id,
            kind="edit" if recording.kind == "edit" else "generation",
            parent_recording_id=recording.parent_recording_id,
            leaf_hash=recording.leaf_hash,
            log_index=recording.log_index,
            content_digest=recording.content_digest,
            iscc=recording.iscc,
            seconds=recording.duration_ms / 1000,
            time=recording.time,
            found_by=found_by,
            also=list(also),
            renditions=[RenditionShown.of(each) for each in renditions],
        )


class RecordingPage(Answer):
    """Recordings, newest first.

    Attributes:
        next: Cursor of the next page; empty at the end.
    """

    recordings: list[RecordingShown]
    next: str
