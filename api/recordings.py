"""Looking over the recordings of a home: all of them, a page at a time, or by a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.errors import UsageError
from api.schemas.recording import RecordingPage, RecordingShown
from api.schemas.verification import Identification, MatchShown
from fingerprint.audio import decode
from fingerprint.chroma import fingerprint
from fingerprint.errors import FingerprintError, InsufficientEvidenceError
from provenance import store

if TYPE_CHECKING:
    from pathlib import Path

    from api.home import Home

MAX_INDEX = 2**63 - 1
FOUND = "The clip sounds like this recording, or a part of it does. A re-played or re-sung copy is not found."
NOTHING = "No recording of this home sounds like the clip. A re-played copy is another recording, and is not found."


def page(home: Home, *, before: int | None = None, limit: int = 50) -> RecordingPage:
    """Return recordings, newest first, below a log index.

    Raises:
        UsageError: No log has such an index.
    """
    if before is not None and not 0 <= before <= MAX_INDEX:
        raise UsageError("A log index is a number from 0 to 2^63-1. List the newest recordings, and go on from there.")
    with home.reading() as connection:
        found = store.recordings(connection, before=before, limit=limit + 1)
    shown = [RecordingShown.of(each) for each in found[:limit]]
    return RecordingPage(recordings=shown, next=str(shown[-1].log_index) if len(found) > limit else "")


def identify(home: Home, clip: Path) -> Identification:
    """Find the recordings that a clip may be from.

    Raises:
        UsageError: The clip is no audio.
    """
    try:
        matches = home.index.identify(fingerprint(decode(clip)))
    except InsufficientEvidenceError as error:
        return Identification(matches=[], note=f"Insufficient evidence: {error}")
    except FingerprintError as error:
        raise UsageError(str(error)) from error
    shown = [
        MatchShown(
            recording_id=match.recording_id,
            score=round(match.score, 2),
            query_offset=round(match.query_offset, 3),
            reference_offset=round(match.reference_offset, 3),
            duration=round(match.duration, 3),
            bit_error_rate=round(match.bit_error_rate, 4),
            pitch_semitones=match.pitch_semitones,
            tempo_ratio=match.tempo_ratio,
            tier=match.tier,
        )
        for match in matches
    ]
    return Identification(matches=shown, note=FOUND if shown else NOTHING)
