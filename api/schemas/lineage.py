"""Who made what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.base import Answer
from api.schemas.rights import ForeignManifestShown  # noqa: TC001 - pydantic resolves annotations at run time


class SignatureShown(Answer):
    """A signature on a statement, which the log took because it held.

    Attributes:
        party: Whose own key it is; empty for a key of the home.
        counts: Whether no revocation takes it away.
    """

    keyid: str
    role: Literal["log", "service", "party", "c2pa", "witness", "owner"]
    party: str
    counts: bool


class LineageNode(Answer):
    """A thing in a recording's past.

    Attributes:
        signed_by: Of a generation or an edit: where a party's own key is not among them, the home alone says who
            the person was.
    """

    id: str
    kind: Literal["recording", "generation", "edit", "model", "corpus", "party"]
    label: str
    leaf_hash: str
    signed_by: list[SignatureShown] = Field(default_factory=list)


class LineageEdge(Answer):
    """How one node follows from another: ``source`` was used for, or made, ``target``."""

    source: str
    target: str
    relation: Literal["made", "used", "trained-on", "derived-from", "edited-by"]


class ContributionShown(Answer):
    """What one maker has in a recording: ``party`` or ``model`` is set, never both.

    Attributes:
        notes: Notes this maker answers for.
        share: ``notes`` of all notes, a decimal with four places.
        ai_contribution: DDEX AiContribution of the contributor.
    """

    party: str | None = None
    model: str | None = None
    role: str
    notes: int
    share: str
    ai_contribution: Literal["All", "None"]


class NoteOrigin(Answer):
    """Where one note comes from; makers are party or model ids."""

    voice: str
    onset: int
    duration: int
    pitch: int
    kind: Literal["model", "person", "person-changed-from-model"]
    pitch_by: str
    onset_by: str
    duration_by: str
    voice_by: str


class Lineage(Answer):
    """The graph behind a recording.

    Attributes:
        contains_ai: DDEX ContainsAI, derived from the origins of the notes.
        notes: The origin of every note, when asked for.
        statement: What kind of evidence this is.
        unlike: Why the file that was asked about is not shown to be this recording; empty where it is.
        foreign_manifest: Somebody else's manifest in that file.
    """

    recording_id: str
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    contributions: list[ContributionShown]
    contains_ai: Literal["All", "Partly", "None"]
    origins: dict[str, int]
    notes: list[NoteOrigin] = Field(default_factory=list)
    statement: str
    unlike: str = ""
    foreign_manifest: ForeignManifestShown | None = None
