"""May this be used so, there, then?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.base import Answer


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


class VerdictShown(Answer):
    """A signed verdict; it is evidence for a decision, not legal advice.

    Attributes:
        leaf_hash: Of the ``check`` entry that records it.
        found_by: How the recording was recognised, when it was asked for by a file.
        also: Other recordings the file may be; the verdict is the worst of all.
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
