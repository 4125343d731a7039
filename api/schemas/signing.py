"""Keys made, statements signed, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.base import Answer
from api.schemas.recording import ChangeCounts, RecordingMade
from provenance.identity import digest

if TYPE_CHECKING:
    from api.store import EditDraft
    from provenance.recording_predicate import EditPredicate


class KeyMade(Answer):
    """A new key; its private half stays in its file."""

    keyid: str
    path: str
    registration: str


class Signed(Answer):
    """A signed statement in a file."""

    kind: str
    keyids: list[str]
    leaf_hash: str
    path: str


class StatementDrafted(Answer):
    """A statement in a file, to be signed by every one of some keys."""

    kind: str
    signers: list[str]
    statement_digest: str
    path: str


class Recorded(Answer):
    """An entry of the log."""

    kind: str
    leaf_hash: str
    log_index: int


class EditDraftShown(Answer):
    """An edit that was handed out to be signed.

    Attributes:
        state: ``recorded`` once the signature was taken.
        recording_id: The recording that it is, or will be.
        statement_digest: SHA-256 of the bytes to be signed.
        keyids: The keys that may sign for the party now; any one of them.
        expires: When it is forgotten.
        left_out: What the edited file says in words, by kind, such as lyrics; nothing of it is kept.
        recording: What the signature came to, when it is done.
    """

    draft_id: str
    state: Literal["waiting", "recorded"]
    recording_id: str
    parent_recording_id: str
    party: str
    role: str
    licence: str
    changes: ChangeCounts
    content_digest: str
    seconds: float
    notes: int
    statement_digest: str
    keyids: list[str]
    created: str
    expires: str
    left_out: list[str] = Field(default_factory=list)
    recording: RecordingMade | None = None

    @classmethod
    def of(
        cls, draft: EditDraft, predicate: EditPredicate, *, keyids: list[str], made: RecordingMade | None
    ) -> EditDraftShown:
        """Describe a draft."""
        content = predicate.content
        return cls(
            draft_id=draft.draft_id,
            state="waiting" if draft.state == "waiting" else "recorded",
            recording_id=predicate.recording_id,
            parent_recording_id=predicate.parent_recording_id,
            party=predicate.party_id,
            role=predicate.role,
            licence=predicate.licence,
            changes=ChangeCounts(**predicate.changes.model_dump()),
            content_digest=content.content_digest,
            seconds=content.fingerprint.duration_ms / 1000,
            notes=content.notes,
            statement_digest=digest(draft.payload),
            keyids=keyids,
            created=draft.created,
            expires=draft.expires,
            left_out=list(draft.left_out),
            recording=made,
        )


class RecordedList(Answer):
    """Entries of the log, in their order."""

    entries: list[Recorded]


class KeyEvidenceWritten(Answer):
    """What a log says about its keys, in a file.

    Attributes:
        statements: How many statements about keys there are.
        tree_size: As of how many entries.
        cosigned: Whether the checkpoint has the cosignatures of the witnesses' quorum.
    """

    path: str
    statements: int
    tree_size: int
    cosigned: bool


class EndingShown(Answer):
    """What ended a key."""

    from_index: int
    log_index: int
    by: str
    reason: str
    successor: str


class KeyTerm(Answer):
    """The entries in which a key's signatures count: from its registration to the one before ``stop``."""

    keyid: str
    role: Literal["log", "service", "party", "c2pa", "witness", "owner"]
    party: str
    log_index: int
    leaf_hash: str
    stop: int | None
    ending: EndingShown | None
