"""May this be used so, there, then?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.base import Answer

if TYPE_CHECKING:
    from api.recognition import ForeignManifest


class ReasonShown(Answer):
    """Why: the node it rests on is the last of ``path``, which begins at the recording."""

    code: str
    result: Literal["ALLOW", "DENY", "HOLD"]
    path: list[str]
    text: str
    source: str


class DutyShown(Answer):
    """What must be done when the recording is used."""

    code: str
    path: list[str]
    text: str


class ForeignManifestShown(Answer):
    """An intact manifest in the file, which was not handed out here; nothing that it says has been checked.

    Attributes:
        log: Name of the log it carries evidence of; empty where it carries none.
        recording_id: What the recording is called there; empty where it does not say.
        signer: Name on the certificate that signed it.
    """

    manifest_id: str
    log: str
    recording_id: str
    signer: str

    @classmethod
    def of(cls, foreign: ForeignManifest | None) -> ForeignManifestShown | None:
        """Describe somebody else's manifest, where there is one."""
        if foreign is None:
            return None
        return cls(
            manifest_id=foreign.manifest_id,
            log=foreign.log,
            recording_id=foreign.recording_id,
            signer=foreign.signer,
        )

    def in_words(self) -> str:
        """Say whose manifest it is."""
        whose = f"of the log {self.log}" if self.log else "of no log"
        return f"an intact manifest {whose}, signed by {self.signer or 'nobody who is named'}"


class VerdictShown(Answer):
    """A signed verdict; it is evidence for a decision, not legal advice.

    Attributes:
        leaf_hash: Of the ``check`` entry that records it.
        found_by: How the recording was recognised, when it was asked for by a file.
        also: Other recordings the file may be, or holds a part of; the verdict is the worst of all.
        foreign_manifest: Somebody else's manifest in the file that was asked about.
    """

    recording_id: str
    verdict: Literal["ALLOW", "DENY", "HOLD"]
    use: str
    territory: str
    date: str
    known_as_of: str
    reasons: list[ReasonShown]
    duties: list[DutyShown]
    policy_version: str
    tree_size: int
    tree_root: str
    leaf_hash: str
    log_index: int
    found_by: Literal["id", "manifest", "content-digest", "fingerprint"] = "id"
    also: list[str] = Field(default_factory=list)
    foreign_manifest: ForeignManifestShown | None = None
