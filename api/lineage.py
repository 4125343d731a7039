"""The lineage of a recording as an answer: nodes, edges, contributions, and a picture in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from api.schemas.lineage import ContributionShown, Lineage, LineageEdge, LineageNode, NoteOrigin, SignatureShown
from provenance.recording_predicate import EditPredicate

if TYPE_CHECKING:
    from api.history import History, Signature
    from provenance.lineage import Authorship, Contribution

STATEMENT = (
    "Measured by comparing the stored scores note by note; who a person is was declared, and who signed with a key of "
    "their own is said beside the edit. This is evidence, not legal advice."
)


def lineage_of(past: History, *, notes: bool = False) -> Lineage:
    """Describe who made what in a recording.

    Args:
        past: The recording with its history.
        notes: Whether to list the origin of every note.
    """
    found = past.authorship()
    return Lineage(
        recording_id=past.recordings[-1].recording_id,
        nodes=_nodes(past),
        edges=_edges(past),
        contributions=[_contribution(each) for each in found.contributions],
        contains_ai=found.contains_ai,
        origins=dict(Counter(origin.kind for origin in found.origins.values())),
        notes=_notes(past, found) if notes else [],
        statement=STATEMENT,
    )


def _nodes(past: History) -> list[LineageNode]:
    model, corpus = past.model, past.corpus
    nodes = [LineageNode(id=model.model_id, kind="model", label=model.architecture, leaf_hash=past.generation.model)]
    if corpus is not None:
        label = f"{corpus.title}, {corpus.items} items, {corpus.licence}"
        nodes.append(LineageNode(id=corpus.corpus_id, kind="corpus", label=label, leaf_hash=model.corpus))
    for each, step, signatures in zip(past.recordings, past.steps, past.signatures, strict=True):
        edit = step.predicate if isinstance(step.predicate, EditPredicate) else None
        if edit is not None:
            nodes.append(LineageNode(id=edit.party_id, kind="party", label=edit.role, leaf_hash=edit.party))
        nodes.append(
            LineageNode(
                id=each.leaf_hash,
                kind="edit" if edit else "generation",
                label=each.time,
                leaf_hash=each.leaf_hash,
                signed_by=[_signature(signature) for signature in signatures],
            )
        )
        nodes.append(
            LineageNode(id=each.recording_id, kind="recording", label=each.content_digest, leaf_hash=each.leaf_hash)
        )
    return list({node.id: node for node in nodes}.values())


def _edges(past: History) -> list[LineageEdge]:
    edges: list[LineageEdge] = []
    if past.corpus is not None:
        edges.append(LineageEdge(source=past.corpus.corpus_id, target=past.model.model_id, relation="trained-on"))
    edges.append(LineageEdge(source=past.model.model_id, target=past.recordings[0].leaf_hash, relation="used"))
    for each, step in zip(past.recordings, past.steps, strict=True):
        if isinstance(step.predicate, EditPredicate):
            edit = step.predicate
            edges.append(LineageEdge(source=edit.parent_recording_id, target=each.leaf_hash, relation="derived-from"))
            edges.append(LineageEdge(source=edit.party_id, target=each.leaf_hash, relation="edited-by"))
        edges.append(LineageEdge(source=each.leaf_hash, target=each.recording_id, relation="made"))
    return edges


def _signature(each: Signature) -> SignatureShown:
    return SignatureShown(keyid=each.keyid, role=each.role, party=each.party, counts=each.counts)


def _contribution(each: Contribution) -> ContributionShown:
    maker = each.maker
    is_model = maker.kind == "model"
    return ContributionShown(
        party=None if is_model else maker.id,
        model=maker.id if is_model else None,
        role=maker.role,
        notes=each.notes,
        share=str(each.share),
        ai_contribution="All" if is_model else "None",
    )


def _notes(past: History, found: Authorship) -> list[NoteOrigin]:
    voices = past.steps[-1].score.voices
    return [
        NoteOrigin(
            voice=voices[placed.voice].name,
            onset=placed.note.onset,
            duration=placed.note.duration,
            pitch=placed.note.pitch,
            kind=origin.kind,
            pitch_by=origin.pitch.id,
            onset_by=origin.onset.id,
            duration_by=origin.duration.id,
            voice_by=origin.voice.id,
        )
        for placed, origin in sorted(found.origins.items())
    ]
