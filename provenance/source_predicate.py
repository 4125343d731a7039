"""Predicates about what recordings come from: people, what a model learned from, and the model."""

from typing import Annotated, ClassVar, Literal

from pydantic import FailFast

from provenance.disclosure import Commitment
from provenance.document import Count, Document, Identifier, LeafHash, Text
from provenance.identity import DigestText
from provenance.predicate import Known, Predicate


class PartyPredicate(Predicate):
    """A person or organisation that may hold rights or contribute.

    Attributes:
        party_id: A pseudonym; the name is a commitment.
        relation: ``owner`` when the party runs this home, else ``contributor``.
        isni: Commitment to the ISNI, or empty when none was given.
        ipi: Commitment to the IPI name number, or empty when none was given.
    """

    KIND: ClassVar[str] = "party"
    KNOWN: ClassVar[dict[str, Known]] = dict.fromkeys(("kind", "relation", "name", "isni", "ipi"), "declared")

    party_id: Identifier
    kind: Literal["person", "organisation"]
    relation: Literal["owner", "contributor"]
    name: Commitment
    isni: Commitment | Literal[""] = ""
    ipi: Commitment | Literal[""] = ""


class Roots(Document):
    """Merkle roots over a corpus's items, sorted by each of the three keys."""

    identifier: DigestText
    file: DigestText
    content: DigestText


class CorpusPredicate(Predicate):
    """The named items a model learned from, as three Merkle roots."""

    KIND: ClassVar[str] = "corpus"
    KNOWN: ClassVar[dict[str, Known]] = {
        "title": "declared",
        "source": "declared",
        "licence": "declared",
        "items": "measured",
        "roots": "measured",
        "manifest_digest": "measured",
    }

    corpus_id: Identifier
    title: Text
    source: Text
    licence: Identifier
    items: Count
    roots: Roots
    manifest_digest: DigestText


class WeightFile(Document):
    """One file of a model's weights."""

    name: Identifier
    digest: DigestText
    bytes: Count


class ModelPredicate(Predicate):
    """Weights that can generate, what they learned from, and on what terms they may be used.

    Attributes:
        corpus: Leaf hash of the corpus statement; empty when the corpus is not on record.
        roots: The corpus's roots as the model card names them; absent with the corpus.
        weights_licence: SPDX expression of the weights.
        output_licence: SPDX expression of what the model's maker grants in its output.
    """

    KIND: ClassVar[str] = "model"
    KNOWN: ClassVar[dict[str, Known]] = {
        "files": "measured",
        "weights_digest": "measured",
        "card_digest": "measured",
        "architecture": "declared",
        "corpus": "declared",
        "weights_licence": "declared",
        "output_licence": "declared",
    }

    model_id: Identifier
    architecture: Text
    files: Annotated[tuple[WeightFile, ...], FailFast()]
    weights_digest: DigestText
    card_digest: DigestText
    corpus: LeafHash | Literal[""]
    roots: Roots | None
    weights_licence: Identifier
    output_licence: Identifier
    parent: LeafHash | Literal[""] = ""
