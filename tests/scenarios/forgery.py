"""What forgers do: genuine words and evidence, put into a manifest of their own, over any sound."""

from dataclasses import replace
from pathlib import Path

from fingerprint.audio import Audio, encode
from provenance import manifest
from provenance.assertion import SoftwareAgent
from provenance.manifest import ManifestDraft, ManifestReport
from tests.conftest import Outcome

MEDIA = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".m4a": "audio/mp4"}


def report_of(path: Path) -> ManifestReport:
    report = manifest.read(path)
    assert report is not None
    return report


def unsigned(audio: Audio, target: Path) -> Path:
    """The sound in the target's format, without a manifest."""
    path = target.with_name(f"bare{target.suffix}")
    encode(audio, path, media_type=MEDIA[target.suffix])
    return path


def draft_of(report: ManifestReport, **changes: object) -> ManifestDraft:
    """A manifest that says what a genuine one says, but for some changes."""
    draft = ManifestDraft(
        title=report.title,
        recording_id=report.recording_id,
        software_agent=SoftwareAgent("Liner Notes", "0.1.0"),
        source_type=report.source_type,
        iscc=report.iscc,
        training_mining=report.training_mining,
        ledger=report.ledger,
        model=report.model,
    )
    return replace(draft, **changes)


def failing(done: Outcome) -> set[str]:
    """The checks that failed, of a file that did not pass."""
    assert done.code == 1, (done.out, done.err)
    assert done.json["verified"] is False
    return {check["id"] for check in done.json["checks"] if check["result"] == "fail"}
