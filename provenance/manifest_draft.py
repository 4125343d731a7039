"""What a manifest is to say about a recording, and the definition the C2PA engine signs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from provenance.assertion import (
    ACTIONS,
    LEDGER,
    SOFT_BINDING,
    TRAINING_MINING,
    Action,
    SourceType,
    require_iscc,
    soft_binding_document,
)
from provenance.errors import ManifestError

if TYPE_CHECKING:
    from provenance.assertion import LedgerEvidence, ModelReference, SoftwareAgent, TrainingMining

PARENT: Final = "parent"
"""Label by which the opened parent is known while a manifest is being written."""


@dataclass(frozen=True, slots=True)
class ManifestDraft:
    """What a manifest is to say about a recording. No names of persons and no prompts belong in it.

    Attributes:
        title: Title of the recording; published with the file.
        recording_id: The recording's id.
        software_agent: The program that made the file.
        source_type: How the sound came to be.
        iscc: The recording's ISO 24138 Audio-Code.
        training_mining: What miners may do; all four permissions have to be given.
        ledger: Where the recording's statement stands in the log, and the proof.
        model: The weights used; None for an edit in which no model took part.
        edits: For an edit of a parent recording, what was done to it, one description each;
            empty for a new recording.
    """

    title: str
    recording_id: str
    software_agent: SoftwareAgent
    source_type: SourceType
    iscc: str
    training_mining: TrainingMining
    ledger: LedgerEvidence
    model: ModelReference | None = None
    edits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_iscc(self.iscc)
        if self.source_type not in get_args(SourceType):
            raise ManifestError(
                f"{self.source_type!r} is not a digital source type; use one of {', '.join(get_args(SourceType))}."
            )
        for permission in self.training_mining.permissions():
            if permission is None or permission.effective_use != permission.use:
                raise ManifestError(
                    "A manifest has to say all four training and mining permissions, and of a constrained one where "
                    f"its constraint is written. One of them is {permission}."
                )

    def actions(self) -> tuple[Action, ...]:
        """Return what was done, in order: created, or opened and edited."""
        if not self.edits:
            return (
                Action(
                    "c2pa.created",
                    source_type=self.source_type,
                    agent=self.software_agent,
                    model=self.model,
                    recording_id=self.recording_id,
                ),
            )
        opened = Action("c2pa.opened", recording_id=self.recording_id, ingredient=PARENT)
        edited = (
            Action("c2pa.edited", edit, source_type=self.source_type, agent=self.software_agent, model=self.model)
            for edit in self.edits
        )
        return (opened, *edited)

    def to_definition(self, manifest_id: str) -> str:
        """Return the definition, as JSON, of the manifest of that name."""
        assertions = {
            ACTIONS: {"actions": [action.to_document() for action in self.actions()]},
            SOFT_BINDING: soft_binding_document(self.iscc),
            TRAINING_MINING: self.training_mining.to_document(),
            LEDGER: self.ledger.to_document(),
        }
        agent = self.software_agent
        return json.dumps(
            {
                "label": manifest_id,
                "title": self.title,
                "claim_generator_info": [{"name": agent.name, "version": agent.version}],
                "assertions": [{"label": label, "data": data} for label, data in assertions.items()],
            }
        )
