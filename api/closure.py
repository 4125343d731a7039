"""The lineage closure of a recording: everything a verdict is computed from, and its wire form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from licensing.closure import (
    Closure,
    Contribution,
    Corpus,
    CorpusItem,
    Edge,
    File,
    Generation,
    Model,
    Node,
    Recording,
)
from licensing.licence import understand
from provenance.identity import Digest
from provenance.openscore import shipped_manifest

if TYPE_CHECKING:
    from api.history import History
    from licensing.document import Json
    from provenance.corpus import CorpusManifest


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _File(_Wire):
    kind: Literal["file"] = "file"
    id: str
    unlike: str
    other_log: str


class _Recording(_Wire):
    kind: Literal["recording"] = "recording"
    id: str
    made_at: str


class _Generation(_Wire):
    kind: Literal["generation"] = "generation"
    id: str
    generated_at: str


class _Model(_Wire):
    kind: Literal["model"] = "model"
    id: str
    name: str
    weights_licence: str | None
    output_terms: str | None


class _Item(_Wire):
    id: str
    title: str
    composer: str
    born: int | None
    died: int | None
    encoding_licence: str | None
    first_published: int | None


class _Corpus(_Wire):
    kind: Literal["corpus"] = "corpus"
    id: str
    name: str
    items: list[_Item]


class _Contribution(_Wire):
    kind: Literal["contribution"] = "contribution"
    id: str
    party: str
    role: str
    licence: str | None


_Node = Annotated[
    _File | _Recording | _Generation | _Model | _Corpus | _Contribution,
    Field(discriminator="kind"),
]


class ClosureDocument(_Wire):
    """A closure as it travels in a package."""

    root: str
    nodes: list[_Node]
    edges: list[tuple[str, str]]
    ledger_size: int
    ledger_root: str


def closure_of(past: History, tree_size: int, tree_root: Digest, file: File | None = None) -> Closure:
    """Gather everything a recording came from.

    Args:
        past: The recording with its history.
        tree_size: Entries of the log it was read from.
        tree_root: Root of the log's tree at that size.
        file: The file that is asked about, where it may be something else than the recording.
    """
    first, generation, model = past.recordings[0], past.steps[0].statement, past.model
    nodes: list[Node] = [
        Generation(generation, past.generation.time),
        Model(model.model_id, model.model_id, _expression(model.weights_licence), _expression(model.output_licence)),
    ]
    edges = [Edge(first.recording_id, generation), Edge(generation, model.model_id)]
    manifest = _manifest(past)
    if manifest is not None:
        nodes.append(_corpus(manifest))
        edges.append(Edge(model.model_id, manifest.id))
    nodes += [Recording(each.recording_id, each.time) for each in past.recordings]
    for each, edit in zip(past.recordings[1:], past.edits, strict=True):
        nodes.append(Contribution(each.leaf_hash, edit.party_id, edit.role, licence=_expression(edit.licence)))
        edges += [Edge(each.recording_id, edit.parent_recording_id), Edge(each.recording_id, each.leaf_hash)]
    root = past.recordings[-1].recording_id
    if file is not None:
        nodes.append(file)
        edges.append(Edge(file.id, root))
        root = file.id
    return Closure(
        root=root,
        nodes=tuple(nodes),
        edges=tuple(edges),
        ledger_size=tree_size,
        ledger_root=tree_root,
    )


def closure_document(closure: Closure) -> dict[str, Json]:
    """Return a closure as JSON without floats."""
    document = ClosureDocument(
        root=closure.root,
        nodes=[_written(node) for node in closure.nodes],
        edges=[(edge.made, edge.source) for edge in closure.edges],
        ledger_size=closure.ledger_size,
        ledger_root=closure.ledger_root or "",
    )
    plain: dict[str, Json] = document.model_dump(mode="json")
    return plain


def closure_from_document(data: bytes) -> Closure:
    """Read a closure.

    Raises:
        ValueError: The document is malformed.
        ClosureError: It is not a whole lineage.
    """
    document = ClosureDocument.model_validate_json(data)
    return Closure(
        root=document.root,
        nodes=tuple(_read(node) for node in document.nodes),
        edges=tuple(Edge(made, source) for made, source in document.edges),
        ledger_size=document.ledger_size,
        ledger_root=Digest(document.ledger_root) if document.ledger_root else None,
    )


def _expression(found: str) -> str | None:
    """Return a licence as understood; None where none was recorded."""
    return understand(found).expression if found else None


def _manifest(past: History) -> CorpusManifest | None:
    """The items behind the model: known only for corpora whose manifest this program carries."""
    shipped = shipped_manifest()
    return shipped if past.corpus is not None and past.corpus.manifest_digest == shipped.digest else None


def _corpus(manifest: CorpusManifest) -> Corpus:
    items = tuple(
        CorpusItem(
            id=item.identifier,
            title=item.title,
            composer=item.composer,
            born=item.born,
            died=item.died,
            encoding_licence=_expression(item.licence),
            first_published=item.first_published,
        )
        for item in manifest.items
    )
    return Corpus(manifest.id, manifest.title, items)


def _written(node: Node) -> _Node:
    match node:
        case File():
            return _File(id=node.id, unlike=node.unlike, other_log=node.other_log)
        case Recording():
            return _Recording(id=node.id, made_at=node.made_at)
        case Generation():
            return _Generation(id=node.id, generated_at=node.generated_at)
        case Model():
            return _Model(
                id=node.id, name=node.name, weights_licence=node.weights_licence, output_terms=node.output_terms
            )
        case Corpus():
            items = [_Item(**{name: getattr(item, name) for name in _Item.model_fields}) for item in node.items]
            return _Corpus(id=node.id, name=node.name, items=items)
        case Contribution():
            return _Contribution(id=node.id, party=node.party, role=node.role, licence=node.licence)


def _read(node: _Node) -> Node:
    match node:
        case _File():
            return File(node.id, node.unlike, node.other_log)
        case _Recording():
            return Recording(node.id, node.made_at)
        case _Generation():
            return Generation(node.id, node.generated_at)
        case _Model():
            return Model(node.id, node.name, node.weights_licence, node.output_terms)
        case _Corpus():
            return Corpus(node.id, node.name, tuple(CorpusItem(**item.model_dump()) for item in node.items))
        case _Contribution():
            return Contribution(node.id, node.party, node.role, licence=node.licence)
