"""Generations that are on their way."""

from __future__ import annotations

from typing import Literal

from api.problems import Problem  # noqa: TC001 - pydantic reads it
from api.schemas.base import Answer
from api.schemas.recording import RecordingMade  # noqa: TC001 - pydantic reads it


class JobShown(Answer):
    """A generation that was asked for, and how far it is.

    Attributes:
        stage: What is being done, with ``done`` of ``total``.
        recording: What it came to, when the state is ``done``.
        problem: What went wrong, when the state is ``failed``.
    """

    job_id: str
    state: Literal["queued", "running", "done", "failed"]
    stage: str
    done: int
    total: int
    created: str
    recording: RecordingMade | None = None
    problem: Problem | None = None
