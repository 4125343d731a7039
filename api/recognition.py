"""Which recording a file is: by its manifest, else by its exact sound, else by what it sounds like.

Only the first two, and a sound that is shown to be the recording and nothing else (`fingerprint.likeness`), say what
a file is. What merely sounds like a recording may be that recording with something added, and is found as such.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from api.errors import NothingThereError, UsageError
from api.history import recording, rendition_of
from api.seal import MASTER
from fingerprint import match
from fingerprint.audio import decode
from fingerprint.chroma import fingerprint
from fingerprint.digest import content_digest
from fingerprint.errors import FingerprintError, InsufficientEvidenceError
from fingerprint.likeness import SHOWN_BELOW, remainder
from fingerprint.media import LOSSLESS
from provenance import manifest, store
from provenance.errors import ManifestError, ProvenanceError, TextError
from provenance.identity import file_digest, is_id
from provenance.text import require_line

if TYPE_CHECKING:
    from pathlib import Path

    from api.home import Home
    from fingerprint.audio import Audio
    from fingerprint.chroma import Fingerprint
    from fingerprint.match import Match
    from provenance.manifest import ManifestReport
    from provenance.store import Recording

FoundBy = Literal["id", "manifest", "content-digest", "fingerprint"]

_UNHEARD_SECONDS: Final = 1.0
"""At either end of a clip together, what a fingerprint may miss of a file that holds one recording only."""
_MOST_COMPARED: Final = 4
"""Different sounds that a file is compared with, the likeliest first; each takes seconds."""
_MOST_TOLD: Final = 200
"""Characters of what a manifest of somebody else says of itself."""


@dataclass(frozen=True, slots=True)
class ForeignManifest:
    """An intact manifest in a file that was not handed out here; nothing that it says has been checked.

    Attributes:
        log: Name of the log it carries evidence of; empty where it carries none.
        recording_id: What the recording is called there; empty where it does not say.
        signer: Name on the certificate that signed it; empty where there is none.
    """

    manifest_id: str
    log: str
    recording_id: str
    signer: str


@dataclass(frozen=True, slots=True)
class Found:
    """A recording, and how it was recognised.

    Attributes:
        others: Ids of further recordings with the same sound, or of which the file holds a part: the same seed
            twice is two recordings, and an edit keeps most of what it was made from.
        asset_digest: Of the file; empty when the recording was asked for by its id.
        unlike: Why the file is not shown to be the recording that it sounds like; empty where it is.
        foreign: Somebody else's manifest in the file.
    """

    recording: Recording
    by: FoundBy
    others: tuple[str, ...] = ()
    asset_digest: str = ""
    unlike: str = ""
    foreign: ForeignManifest | None = None

    @property
    def candidates(self) -> tuple[str, ...]:
        """Every recording it may be, the likeliest first."""
        return (self.recording.recording_id, *self.others)


@dataclass(frozen=True, slots=True)
class _Compared:
    """A recording, and what is left of a file when it is taken away: decibels, infinity where there is no telling."""

    recording: Recording
    left: float


def find(home: Home, name: str, path: Path | None) -> Found:
    """Find a recording by id, or by an audio file: its manifest, else its sound, else its fingerprint.

    Args:
        home: Where to look.
        name: What the user typed.
        path: The same as a path, when there is such a file.

    Raises:
        NothingThereError: Nothing in this home matches.
        UsageError: The name is neither an id nor a file.
    """
    if path is None:
        if not is_id(name):
            raise UsageError(f"{name[:200]!r} is neither the id of a recording nor a file that exists.")
        return Found(recording(home, name), "id")
    report, asset = _intact_manifest(path), file_digest(path)
    if report is not None and (ours := _by_manifest(home, report, asset)):
        return ours
    found = _by_sound(home, path)
    if found is None:
        raise NothingThereError(
            f"{path} is no recording of {home.root}: no manifest in it, no equal sound and no similar fingerprint is "
            "known here. To read what the file says about itself: linernotes verify FILE"
        )
    return replace(found, asset_digest=asset, foreign=None if report is None else _foreign(report))


def _intact_manifest(path: Path) -> ManifestReport | None:
    try:
        report = manifest.read(path)
    except ManifestError:
        return None  # another format, or damaged: its sound may still be known
    return report if report is not None and report.intact else None


def _by_manifest(home: Home, report: ManifestReport, asset: str) -> Found | None:
    """A file is one of ours by its manifest only when it is, byte for byte, a file that was handed out."""
    with home.reading() as connection:
        named = store.recording_by_manifest(connection, report.manifest_id)
        known = store.renditions(connection, named.recording_id) if named else []
    if named is None or asset not in {rendition.asset_digest for rendition in known}:
        return None
    return Found(named, "manifest", asset_digest=asset)


def _foreign(report: ManifestReport) -> ForeignManifest:
    return ForeignManifest(
        manifest_id=_told(report.manifest_id),
        log=_told(report.ledger.origin) if report.ledger else "",
        recording_id=_told(report.recording_id) if report.recording_id else "",
        signer=_told(report.signer.common_name) if report.signer.common_name else "",
    )


def _told(text: str) -> str:
    """A stranger's words as far as they can be shown and recorded."""
    try:
        return require_line(text, "A name", most=_MOST_TOLD)
    except TextError:
        return "(a name that cannot be written)"


def _by_sound(home: Home, path: Path) -> Found | None:
    try:
        audio = decode(path)
        heard = fingerprint(audio)
        return _by_content(home, content_digest(path, audio), audio, heard) or _by_fingerprint(home, path, audio, heard)
    except InsufficientEvidenceError:
        return None
    except FingerprintError as error:
        raise UsageError(str(error)) from error


def _by_content(home: Home, digest: str, audio: Audio, heard: Fingerprint) -> Found | None:
    """A recording with this very sound. Lossy sound is decoded, and must be heard to be the recording too."""
    with home.reading() as connection:
        matches = store.recordings_by_content(connection, digest)
    if audio.media_type not in LOSSLESS:
        matches = [each for each in matches if _is_heard(home, each, heard)]
    if not matches:
        return None
    return Found(matches[0], "content-digest", tuple(each.recording_id for each in matches[1:]))


def _is_heard(home: Home, each: Recording, heard: Fingerprint) -> bool:
    known = home.index.stored(each.recording_id)
    return known is not None and match.agree(heard, known)


def _by_fingerprint(home: Home, path: Path, audio: Audio, heard: Fingerprint) -> Found | None:
    """What the file sounds like from end to end, and whatever else any part of it sounds like."""
    matches = home.index.identify(heard, limit=None)
    if not matches:
        return None
    whole = [each for each in matches if each.duration >= audio.duration - _UNHEARD_SECONDS]
    if not whole:
        raise NothingThereError(
            f"{path} lasts {audio.duration:.0f} seconds, and only {matches[0].duration:.0f} of them are from the "
            f"recording {matches[0].recording_id}: what is said of that recording is not true of the whole file. Ask "
            "about the recording itself, by its id."
        )
    likest = _likest(home, audio, whole)
    alike = dict.fromkeys(copy for each in matches for copy in _copies(home, each.recording_id))
    others = tuple(each for each in alike if each != likest.recording.recording_id)
    return Found(likest.recording, "fingerprint", others, unlike=_unlike(likest.left))


def _likest(home: Home, audio: Audio, matches: list[Match]) -> _Compared:
    """The recording of which least is left; of equals the likeliest."""
    sounds: dict[str, tuple[Recording, Match]] = {}
    for each in matches:
        known = recording(home, each.recording_id)
        sounds.setdefault(known.content_digest, (known, each))
    compared = [_compare(home, audio, *sound) for sound in list(sounds.values())[:_MOST_COMPARED]]
    return min(compared, key=lambda each: each.left)


def _compare(home: Home, audio: Audio, known: Recording, found: Match) -> _Compared:
    master = rendition_of(home, known.recording_id, MASTER)
    if master is None:
        return _Compared(known, math.inf)
    try:
        stored = decode(home.objects.path(master.asset_digest))
    except (ProvenanceError, FingerprintError):
        return _Compared(known, math.inf)
    return _Compared(known, remainder(audio, stored, found.reference_offset - found.query_offset))


def _unlike(left: float) -> str:
    if left <= SHOWN_BELOW:
        return ""
    if math.isinf(left):
        return "its master is not among the stored files, or has nothing in common with it"
    return (
        f"at its worst moment, what is left of the file when the recording is taken away has {left:+.1f} dB of the "
        f"recording's power, and up to {SHOWN_BELOW:+.0f} dB would be the noise of an encoder"
    )


def _copies(home: Home, recording_id: str) -> list[str]:
    """The recording, and all others with the same sound."""
    with home.reading() as connection:
        same = store.recordings_by_content(connection, recording(home, recording_id).content_digest)
    return [recording_id, *(each.recording_id for each in same)]
