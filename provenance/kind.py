"""The kinds of events that the ledger records, each with its predicate."""

from provenance.key_predicate import KeyPredicate, RevocationPredicate, RotationPredicate
from provenance.predicate import TYPE_PREFIX, Predicate
from provenance.recording_predicate import EditPredicate, GenerationPredicate, RenditionPredicate
from provenance.source_predicate import CorpusPredicate, ModelPredicate, PartyPredicate
from provenance.use_predicate import CheckPredicate, ErasurePredicate, ExportPredicate

PREDICATES: dict[str, type[Predicate]] = {
    cls.KIND: cls
    for cls in (
        KeyPredicate,
        RotationPredicate,
        RevocationPredicate,
        PartyPredicate,
        CorpusPredicate,
        ModelPredicate,
        GenerationPredicate,
        EditPredicate,
        RenditionPredicate,
        CheckPredicate,
        ExportPredicate,
        ErasurePredicate,
    )
}
PREDICATE_TYPES = frozenset(f"{TYPE_PREFIX}{kind}/v1" for kind in PREDICATES)
