"""A recording and everything that led to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.errors import NothingThereError
from api.key_exhibits import signers_of
from generator.score import Score
from provenance import store
from provenance.errors import LineageError
from provenance.lineage import Authorship, Step, authorship
from provenance.recording_predicate import EditPredicate, GenerationPredicate
from provenance.source_predicate import CorpusPredicate, ModelPredicate

if TYPE_CHECKING:
    from api.home import Home
    from provenance.keyring import Keyring
    from provenance.predicate import Role
    from provenance.store import Recording, Rendition


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature on a step.

    Attributes:
        keyid: Name of the key.
        role: As it is registered.
        party: Whose key it is; empty for the home's own.
        counts: Whether no revocation takes it away.
    """

    keyid: str
    role: Role
    party: str
    counts: bool


@dataclass(frozen=True, slots=True)
class History:
    """A recording with its whole past.

    Attributes:
        recordings: The generation's recording first, the recording itself last.
        steps: Statement and score of each of them.
        signatures: Of each of them.
        model: The model statement, and its leaf hash.
        corpus: The corpus statement, or None where the model's corpus is not on record.
    """

    recordings: tuple[Recording, ...]
    steps: tuple[Step, ...]
    signatures: tuple[tuple[Signature, ...], ...]
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
    with home.reading() as connection:
        found = store.find_recording(connection, recording_id)
    if found is None:
        raise NothingThereError(
            f"There is no recording {recording_id[:80]!r} in {home.root}. List those there are with: linernotes show"
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
    ring = home.ring.now()
    signatures = tuple(_signatures(home, ring, each) for each in chain)
    return History(tuple(chain), steps, signatures, model, corpus)


def stored_score(home: Home, digest: str) -> Score:
    """Return a score that was kept with a recording."""
    return Score.from_document(json.loads(home.objects.read(digest)))


def renditions(home: Home, recording_id: str) -> list[Rendition]:
    """Return the signed files of a recording, oldest first."""
    with home.reading() as connection:
        return store.renditions(connection, recording_id)


def rendition_of(home: Home, recording_id: str, media_type: str, part: str = "mix") -> Rendition | None:
    """Return a recording's file of one format, if it was made."""
    return next((r for r in renditions(home, recording_id) if (r.media_type, r.part) == (media_type, part)), None)


def _step(home: Home, each: Recording) -> Step:
    predicate = home.statement(each.leaf_hash).predicate
    if not isinstance(predicate, GenerationPredicate | EditPredicate):
        raise LineageError(f"The entry {each.leaf_hash} of {each.recording_id} is neither a generation nor an edit.")
    stored = next(file for file in predicate.content.files if file.role == "score")
    return Step(each.leaf_hash, predicate, stored_score(home, stored.asset_digest))


def _signatures(home: Home, ring: Keyring, each: Recording) -> tuple[Signature, ...]:
    terms = [ring.term(keyid) for keyid in signers_of(home.entry_bytes(each.leaf_hash))]
    return tuple(Signature(t.key.keyid, t.key.role, t.key.party, t.spares(each.log_index)) for t in terms)
