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
_RECORDING = frozenset(("generation", "edit"))
LINKED: dict[str, dict[str, frozenset[str]]] = {
    "key": {},
    "rotation": {"registration": frozenset(("key",))},
    "revocation": {"registration": frozenset(("key",))},
    "party": {},
    "corpus": {},
    "model": {"corpus": frozenset(("corpus",)), "parent": frozenset(("model",))},
    "generation": {"model": frozenset(("model",))},
    "edit": {"parent": _RECORDING, "party": frozenset(("party",))},
    "rendition": {"of": _RECORDING},
    "check": {"of": _RECORDING},
    "export": {"of": _RECORDING, "check": frozenset(("check",))},
    "erasure": {"of": frozenset(("party", "generation", "check"))},
}
"""Of each kind, its members that name another entry, and the kinds of entries that each of them may name."""
PREDICATE_TYPES = frozenset(f"{TYPE_PREFIX}{kind}/v1" for kind in PREDICATES)
