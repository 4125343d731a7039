"""Statements that put something on record: a key, a party, a corpus, a model."""

from __future__ import annotations

import base64
from importlib.metadata import version
from typing import TYPE_CHECKING

import rfc8785

from provenance.disclosure import Opening, commit
from provenance.identity import Digest, digest, new_id
from provenance.key_predicate import KeyPredicate
from provenance.recording_predicate import Software
from provenance.source_predicate import CorpusPredicate, ModelPredicate, PartyPredicate, WeightFile
from provenance.statement import Statement, Subject, header

if TYPE_CHECKING:
    from generator.model import ModelCard
    from provenance.corpus import CorpusManifest
    from provenance.credential import Credential
    from provenance.predicate import Predicate

SOFTWARE = Software(name="Liner Notes", version=version("linernotes"))
BUILT_IN_OUTPUT_LICENCE = "CC0-1.0"
"""What the makers of the built-in model grant in its output: they claim nothing."""


def party_statement(
    kind: str, name: str, *, relation: str = "contributor", isni: str = "", ipi: str = ""
) -> tuple[Statement[PartyPredicate], dict[str, Opening]]:
    """Return the statement of a new party, and the openings of what it keeps private."""
    openings = {"name": commit(name)}
    openings |= {field: commit(value) for field, value in (("isni", isni), ("ipi", ipi)) if value}
    predicate = PartyPredicate.model_validate(
        header(PartyPredicate)
        | {"party_id": new_id(), "kind": kind, "relation": relation}
        | {field: opening.commitment for field, opening in openings.items()}
    )
    return Statement(_itself(predicate.party_id, predicate), predicate), openings


def corpus_statement(manifest: CorpusManifest) -> Statement[CorpusPredicate]:
    """Return the statement that puts a corpus on record."""
    predicate = CorpusPredicate.model_validate(
        header(CorpusPredicate)
        | {
            "corpus_id": manifest.id,
            "title": manifest.title,
            "source": manifest.source,
            "licence": manifest.licence,
            "items": len(manifest.items),
            "roots": manifest.roots,
            "manifest_digest": manifest.digest,
        }
    )
    return Statement((Subject(manifest.id, manifest.digest),), predicate)


def model_statement(
    card: ModelCard,
    corpus: str,
    manifest: CorpusManifest | None,
    weights_licence: str,
    output_licence: str,
) -> Statement[ModelPredicate]:
    """Return the statement that puts a model on record."""
    predicate = ModelPredicate.model_validate(
        header(ModelPredicate)
        | {
            "model_id": card.id,
            "architecture": _in_words(card),
            "files": tuple(WeightFile(name=f.name, digest=f.digest, bytes=f.bytes) for f in card.files),
            "weights_digest": card.weights_digest,
            "card_digest": digest(rfc8785.dumps(card.to_document())),
            "corpus": corpus,
            "roots": None if manifest is None else manifest.roots,
            "weights_licence": weights_licence,
            "output_licence": output_licence,
        }
    )
    return Statement((Subject(card.id, Digest(card.weights_digest)),), predicate)


def certificate_statement(credential: Credential, log_vkey: str) -> Statement[KeyPredicate]:
    """Return the statement that puts the certificate of a C2PA signer on record."""
    keyid = digest(credential.certificate)
    predicate = KeyPredicate.model_validate(
        header(KeyPredicate)
        | {
            "role": "c2pa",
            "algorithm": "x509",
            "keyid": keyid,
            "public_key": base64.b64encode(credential.certificate).decode(),
            "log_vkey": log_vkey,
        }
    )
    return Statement((Subject(keyid, keyid),), predicate)


def _in_words(card: ModelCard) -> str:
    shape = card.architecture
    return (
        f"{shape.kind}: decoder of {shape.layers} layers, width {shape.width}, {shape.heads} heads, "
        f"{card.parameters} parameters"
    )


def _itself(name: str, predicate: Predicate) -> tuple[Subject, ...]:
    """A thing that exists only as its statement is identified by the statement's own content."""
    return (Subject(name, digest(predicate.model_dump_json().encode())),)
