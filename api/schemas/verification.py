"""Is this file or package genuine, and which recording is this clip from?"""

from __future__ import annotations

from typing import Literal

from api.schemas.base import Answer


class CheckResult(Answer):
    """One numbered check."""

    id: str
    result: Literal["pass", "fail", "not-checked"]
    detail: str


class VerificationReport(Answer):
    """The numbered checks of one file or package.

    Attributes:
        recording_id: As the evidence names it; empty when it names none.
        verified: No check failed. Checks that were not made are no failures: read them.
    """

    path: str
    recording_id: str
    verified: bool
    checks: list[CheckResult]


class MatchShown(Answer):
    """A recording that a clip was recognised in.

    Attributes:
        score: −log10 of the false matches to be expected.
        query_offset: Seconds into the clip.
        reference_offset: Seconds into the recording.
        duration: Seconds that agree.
        tier: Which of the recognisers found it.
    """

    recording_id: str
    score: float
    query_offset: float
    reference_offset: float
    duration: float
    bit_error_rate: float
    pitch_semitones: float
    tempo_ratio: float
    tier: int


class Identification(Answer):
    """The recordings a clip may be from, best first; the same recording only, never a re-played copy."""

    matches: list[MatchShown]
    note: str
