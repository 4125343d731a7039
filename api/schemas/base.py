"""What all answers share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """An answer as the HTTP interface and ``--json`` give it: read-only, nothing undocumented."""

    model_config = ConfigDict(frozen=True, extra="forbid")
