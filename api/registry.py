"""What a home has on record besides recordings: parties, models, corpora."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.errors import UsageError
from api.registration import party_statement
from api.schemas.registry import (
    CorpusList,
    CorpusShown,
    Membership,
    ModelList,
    ModelShown,
    PartyList,
    PartyShown,
)
from licensing.party import parse_ipi, parse_isni
from provenance import store
from provenance.source_predicate import CorpusPredicate, ModelPredicate, PartyPredicate
from provenance.text import require_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.audit import Membership as Found
    from api.home import Home
    from provenance.disclosure import Opening
    from provenance.store import Registration

MAX_NAME = 500


def add_party(home: Home, name: str, *, kind: str = "person", isni: str = "", ipi: str = "") -> PartyShown:
    """Register a person or organisation; the name and numbers stay private.

    Raises:
        UsageError: The kind is unknown.
        TextError: The name is none: empty, too long, or with characters that no name has.
        LicensingError: The ISNI or IPI has a wrong check digit; the message suggests the right one.
    """
    if kind not in {"person", "organisation"}:
        raise UsageError(f"A party is a person or an organisation, not {kind[:40]!r}.")
    name = require_line(name, "The name of a party", most=MAX_NAME)
    statement, openings = party_statement(
        kind, name, isni=parse_isni(isni) if isni else "", ipi=parse_ipi(ipi) if ipi else ""
    )
    home.append([home.sign(statement, openings)])
    return next(party for party in parties(home).parties if party.party_id == statement.predicate.party_id)


def parties(home: Home) -> PartyList:
    """List the parties, with the names this home keeps for them."""
    with home.reading() as connection:
        found = store.registrations(connection, "party")
        names = {each.leaf_hash: store.openings(connection, each.leaf_hash) for each in found}
    return PartyList(parties=[_party(home, each, _name(names[each.leaf_hash])) for each in found])


def _name(openings: Mapping[str, Opening]) -> str:
    """The name of a party; empty where it was erased, or never known here."""
    return openings["name"].value if "name" in openings else ""


def models(home: Home) -> ModelList:
    """List the models on record."""
    with home.reading() as connection:
        found = store.registrations(connection, "model")
    return ModelList(models=[_model(home, each) for each in found])


def corpora(home: Home) -> CorpusList:
    """List the corpora on record."""
    with home.reading() as connection:
        found = store.registrations(connection, "corpus")
    return CorpusList(corpora=[_corpus(home, each) for each in found])


def membership_answer(found: Found) -> Membership:
    """Describe the outcome of a membership audit."""
    items = [item.model_dump(mode="json") for item in found.items]
    proofs = [proof.to_document() for proof in found.proofs]
    root = f"sha256:{found.proofs[0].root.hex()}" if found.proofs else found.corpus.roots.identifier
    return Membership(
        verdict=found.verdict,
        model=found.model_id,
        asked=found.asked,
        item=items[0] if items else None,
        items=items,
        proof=proofs[0] if proofs else None,
        proofs=proofs,
        candidates=list(dict.fromkeys(f"{item.composer}: {item.title}" for item in found.candidates)),
        corpus_root=root,
        corpus_id=found.corpus.id,
        leaf_hash=found.registration.leaf_hash,
        log_index=found.registration.log_index,
        note=found.note,
    )


def _party(home: Home, each: Registration, name: str) -> PartyShown:
    predicate = home.statement(each.leaf_hash).predicate
    assert isinstance(predicate, PartyPredicate)  # noqa: S101 - the registration says so
    return PartyShown(
        party_id=predicate.party_id,
        kind=predicate.kind,
        relation=predicate.relation,
        name=name,
        leaf_hash=each.leaf_hash,
        log_index=each.log_index,
    )


def _model(home: Home, each: Registration) -> ModelShown:
    predicate = home.statement(each.leaf_hash).predicate
    assert isinstance(predicate, ModelPredicate)  # noqa: S101 - the registration says so
    return ModelShown(
        model_id=predicate.model_id,
        weights_digest=predicate.weights_digest,
        weights_licence=predicate.weights_licence,
        output_licence=predicate.output_licence,
        corpus=predicate.corpus,
        leaf_hash=each.leaf_hash,
        log_index=each.log_index,
    )


def _corpus(home: Home, each: Registration) -> CorpusShown:
    predicate = home.statement(each.leaf_hash).predicate
    assert isinstance(predicate, CorpusPredicate)  # noqa: S101 - the registration says so
    return CorpusShown(
        corpus_id=predicate.corpus_id,
        title=predicate.title,
        items=predicate.items,
        licence=predicate.licence,
        roots=predicate.roots.model_dump(),
        manifest_digest=predicate.manifest_digest,
        leaf_hash=each.leaf_hash,
        log_index=each.log_index,
    )
