"""Finding a recording and everything that led to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from api.errors import NothingThereError, UsageError
from fingerprint.audio import decode
from fingerprint.chroma import fingerprint
from fingerprint.digest import content_digest
from fingerprint.errors import FingerprintError, InsufficientEvidenceError
from generator.score import Score
from provenance import manifest, store
from provenance.errors import LineageError, ManifestError
from provenance.identity import file_digest, is_id
from provenance.lineage import Authorship, Step, authorship
from provenance.predicate import CorpusPredicate, EditPredicate, GenerationPredicate, ModelPredicate

if TYPE_CHECKING:
    from pathlib import Path

    from api.home import Home
    from provenance.store import Recording, Rendition

_UNHEARD_SECONDS = 1.0
"""At either end of a clip together, what a fingerprint may miss of a file that holds one recording only."""

FoundBy = Literal["id", "manifest", "content-digest", "fingerprint"]


@dataclass(frozen=True, slots=True)
class Found:
    """A recording, and how it was recognised.

    Attributes:
        others: Ids of further recordings with the same sound: the same seed twice is two recordings.
    """

    recording: Recording
    by: FoundBy
    others: tuple[str, ...] = ()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Every recording it may be, the likeliest first."""
        return (self.recording.recording_id, *self.others)


@dataclass(frozen=True, slots=True)
class History:
    """A recording with its whole past.

    Attributes:
        recordings: The generation's recording first, the recording itself last.
        steps: Statement and score of each of them.
        model: The model statement, and its leaf hash.
        corpus: The corpus statement, or None where the model's corpus is not on record.
    """

    recordings: tuple[Recording, ...]
    steps: tuple[Step, ...]
    model: ModelPredicate
    corpus: CorpusPredicate | None

    @property
    def generation(self) -> GenerationPredicate:
        """The statement in which a model made the first state."""
        predicate = self.steps[0].predicate
        if not isinstance(predicate, GenerationPredicate):
            raise LineageError("The history of this recording does not begin with a generation.")
        return predicate

    @property
    def edits(self) -> tuple[EditPredicate, ...]:
        """What people then did, in order."""
        return tuple(step.predicate for step in self.steps if isinstance(step.predicate, EditPredicate))

    def authorship(self) -> Authorship:
        """Follow every note from its origin to the final score."""
        return authorship(self.steps)


def recording(home: Home, recording_id: str) -> Recording:
    """Return a recording by its id.

    Raises:
        NothingThereError: There is none.
    """
    with home.reading() as session:
        found = store.find_recording(session, recording_id)
    if found is None:
        raise NothingThereError(
            f"There is no recording {recording_id[:80]!r} in {home.root}. List those there are with: linernotes show"
        )
    return found


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
    found = _by_manifest(home, path) or _by_content(home, path) or _by_fingerprint(home, path)
    if found is None:
        raise NothingThereError(
            f"{path} is no recording of {home.root}: no manifest in it, no equal sound and no similar fingerprint is "
            "known here. To read what the file says about itself: linernotes verify FILE"
        )
    return found


def history(home: Home, last: Recording) -> History:
    """Read a recording's past from the log and the stored scores.

    Raises:
        LineageError: A statement or score of the past is missing or contradicts the others.
    """
    chain = [last]
    while chain[0].parent_recording_id:
        chain.insert(0, recording(home, chain[0].parent_recording_id))
    steps = tuple(_step(home, each) for each in chain)
    first = steps[0].predicate
    if not isinstance(first, GenerationPredicate):
        raise LineageError(f"The history of {last.recording_id} does not begin with a generation.")
    model = home.statement(first.model).predicate
    if not isinstance(model, ModelPredicate):
        raise LineageError(f"The generation of {chain[0].recording_id} names {first.model}, which is no model.")
    corpus = home.statement(model.corpus).predicate if model.corpus else None
    if corpus is not None and not isinstance(corpus, CorpusPredicate):
        raise LineageError(f"The model {model.model_id} names {model.corpus}, which is no corpus.")
    return History(tuple(chain), steps, model, corpus)


def stored_score(home: Home, digest: str) -> Score:
    """Return a score that was kept with a recording."""
    return Score.from_document(json.loads(home.objects.read(digest)))


def renditions(home: Home, recording_id: str) -> list[Rendition]:
    """Return the signed files of a recording, oldest first."""
    with home.reading() as session:
        return store.renditions(session, recording_id)


def rendition_of(home: Home, recording_id: str, media_type: str, part: str = "mix") -> Rendition | None:
    """Return a recording's file of one format, if it was made."""
    return next((r for r in renditions(home, recording_id) if (r.media_type, r.part) == (media_type, part)), None)


def _step(home: Home, each: Recording) -> Step:
    predicate = home.statement(each.leaf_hash).predicate
    if not isinstance(predicate, GenerationPredicate | EditPredicate):
        raise LineageError(f"The entry {each.leaf_hash} of {each.recording_id} is neither a generation nor an edit.")
    stored = next(file for file in predicate.content.files if file.role == "score")
    return Step(each.leaf_hash, predicate, stored_score(home, stored.asset_digest))


def _by_manifest(home: Home, path: Path) -> Found | None:
    """A file is one of ours by its manifest only when it is, byte for byte, a file that was handed out."""
    try:
        report = manifest.read(path)
    except ManifestError:
        return None  # another format, or damaged: its sound may still be known
    if report is None or not report.intact:
        return None
    asset = file_digest(path)
    with home.reading() as session:
        match = store.recording_by_manifest(session, report.manifest_id)
        known = store.renditions(session, match.recording_id) if match else []
    if match is None or asset not in {rendition.asset_digest for rendition in known}:
        return None
    return Found(match, "manifest")


def _by_content(home: Home, path: Path) -> Found | None:
    try:
        found = content_digest(path)
    except FingerprintError as error:
        raise UsageError(str(error)) from error
    with home.reading() as session:
        matches = store.recordings_by_content(session, found)
    if not matches:
        return None
    return Found(matches[0], "content-digest", tuple(match.recording_id for match in matches[1:]))


def _by_fingerprint(home: Home, path: Path) -> Found | None:
    try:
        audio = decode(path)
        matches = home.index.identify(fingerprint(audio))
    except InsufficientEvidenceError:
        return None
    except FingerprintError as error:
        raise UsageError(str(error)) from error
    if not matches:
        return None
    ids = [match.recording_id for match in matches if match.duration >= audio.duration - _UNHEARD_SECONDS]
    if not ids:
        raise NothingThereError(
            f"{path} lasts {audio.duration:.0f} seconds, and only {matches[0].duration:.0f} of them are from the "
            f"recording {matches[0].recording_id}: what is said of that recording is not true of the whole file. Ask "
            "about the recording itself, by its id."
        )
    return Found(recording(home, ids[0]), "fingerprint", tuple(ids[1:]))
