"""What a file's manifest says and whether it holds, read from the engine's own report.

Sources: C2PA 2.4 (10 claims, 15 validation). Plain data in, plain data out; ``provenance.manifest`` calls it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from provenance.assertion import (
    ACTIONS,
    INGREDIENT,
    LEDGER,
    SOFT_BINDING,
    TRAINING_MINING,
    Action,
    LedgerEvidence,
    ModelReference,
    SoftwareAgent,
    TrainingMining,
    iscc_of,
    mapping,
    optional_text,
    text,
)
from provenance.container import M4A, CarrierError, require_bare_mp4, store_excluded_from_hash, store_in_mp4
from provenance.errors import ManifestError
from provenance.jumbf import find_fault, signing_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from provenance.assertion import Document
    from provenance.identity import Digest

UNSIGNED_BYTES: Final = "org.linernotes.unsignedBytes.altered"
"""The failure code for a changed byte that no hash or signature of C2PA covers."""

UNREADABLE: Final = "org.linernotes.manifest.unreadable"
"""The failure code for credentials that are damaged beyond reading."""

MALFORMED: Final = "org.linernotes.assertion.malformed"
"""The failure code for an assertion that does not follow its specification."""

_TRUSTED: Final = "signingCredential.trusted"
_UNTRUSTED: Final = "signingCredential.untrusted"
_SIGNED: Final = "claimSignature.validated"
_SOUND_STATES: Final = frozenset({"Valid", "Trusted"})
_DATA_HASH: Final = "c2pa.hash.data"
_HARD_BINDING: Final = "c2pa.hash."
_BMFF_HASH: Final = "c2pa.hash.bmff"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Failure:
    """One check that did not hold.

    Attributes:
        code: Status code of C2PA 2.4 (15.2.2), or one of ours (``org.linernotes.``).
        explanation: In words.
        where: JUMBF URI of the part concerned; empty when it is the file as a whole.
    """

    code: str
    explanation: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class SignerIdentity:
    """Who signed, as the certificate says it. It proves nothing without trust anchors.

    Attributes:
        common_name: Name of the certificate's subject.
        issuer: Organisation on the certificate.
        algorithm: Signature algorithm, such as ``es256``.
        signed_at: Time by a time-stamping authority, when there is a stamp.
        certificate: SHA-256 of the certificate itself (DER), or None where the signature does not hold it.
    """

    common_name: str | None
    issuer: str | None
    algorithm: str | None
    signed_at: str | None
    certificate: Digest | None


@dataclass(frozen=True, slots=True)
class ManifestReport:
    """What a file's active manifest says and whether it holds.

    Only *created* assertions count, those that the signer answers for (C2PA 2.4, 10.2).

    Attributes:
        manifest_id: Name of the active manifest; empty when the credentials cannot be read.
        manifest_count: How many manifests the store holds, ancestors included.
        intact: Whether the signature, all assertions, the audio and the ancestors are unchanged.
        failures: What did not hold; empty exactly when intact.
        trusted: Whether the certificate chains to the trust anchors and the signature is its
            own; None when no anchors were given.
        signer: Who signed.
        title: Title of the recording.
        agent: The program that wrote the manifest.
        actions: What was done, in order.
        source_type: How the sound came to be: that of the last action that says so.
        recording_id: Our id, when the manifest is ours.
        model: The weights, when an action names them.
        iscc: Soft binding to the ISO 24138 Audio-Code.
        training_mining: What miners may do.
        ledger: Evidence of the log entry.
        parents: Names of the manifests of the recordings this one was made from.
    """

    manifest_id: str
    manifest_count: int
    intact: bool
    failures: tuple[Failure, ...]
    trusted: bool | None
    signer: SignerIdentity
    title: str | None
    agent: SoftwareAgent | None
    actions: tuple[Action, ...]
    source_type: str | None
    recording_id: str | None
    model: ModelReference | None
    iscc: str | None
    training_mining: TrainingMining | None
    ledger: LedgerEvidence | None
    parents: tuple[str, ...]


def report_from(document: object, file: BinaryIO, media_type: str, *, anchored: bool) -> ManifestReport:
    """Read the engine's detailed report and check what the engine does not.

    Args:
        document: The report, as parsed JSON.
        file: The file it is about.
        media_type: The file's format.
        anchored: Whether the engine was given trust anchors.
    """
    try:
        return _report(document, file, media_type, anchored=anchored)
    except ManifestError as error:
        return unreadable(str(error), anchored=anchored)


def unreadable(explanation: str, *, anchored: bool) -> ManifestReport:
    """Return the report on credentials that are there and cannot be read."""
    return ManifestReport(
        manifest_id="",
        manifest_count=0,
        intact=False,
        failures=(Failure(UNREADABLE, explanation),),
        trusted=False if anchored else None,
        signer=SignerIdentity(None, None, None, None, None),
        title=None,
        agent=None,
        actions=(),
        source_type=None,
        recording_id=None,
        model=None,
        iscc=None,
        training_mining=None,
        ledger=None,
        parents=(),
    )


def _report(document: object, file: BinaryIO, media_type: str, *, anchored: bool) -> ManifestReport:
    what = "The manifest store"
    store = mapping(document, what)
    manifest_id = text(store, "active_manifest", what)
    manifests = mapping(store.get("manifests"), what)
    active = mapping(manifests.get(manifest_id), what)
    claim = mapping(active.get("claim"), what)
    assertion_store = mapping(active.get("assertion_store"), what)
    results = mapping(store.get("validation_results"), what)

    said = _Said(_created(claim, assertion_store))
    actions = said.all(_actions) or ()
    iscc = said.all(_isccs)
    training_mining = said.one(TRAINING_MINING, TrainingMining.from_document)
    ledger = said.one(LEDGER, LedgerEvidence.from_document)
    parents = said.all(_parents) or ()

    codes = {success.code for success in _statuses(results, "activeManifest", "success")}
    raw, fault = _raw_store(file, media_type, assertion_store, ours=ledger is not None)
    failures = (*_failures(results, fault), *said.faults)
    if not failures and store.get("validation_state") not in _SOUND_STATES:
        failures = (Failure("general.error", f"the engine calls the manifest {store.get('validation_state')}"),)
    return ManifestReport(
        manifest_id=manifest_id,
        manifest_count=len(manifests),
        intact=not failures,
        failures=failures,
        trusted={_TRUSTED, _SIGNED} <= codes if anchored else None,
        signer=_signer(mapping(active.get("signature", {}), what), raw, manifest_id),
        title=optional_text(claim, "dc:title", what),
        agent=_generator(claim),
        actions=actions,
        source_type=next((a.source_type for a in reversed(actions) if a.source_type is not None), None),
        recording_id=next((a.recording_id for a in actions if a.recording_id is not None), None),
        model=next((a.model for a in actions if a.model is not None), None),
        iscc=iscc[0] if iscc else None,
        training_mining=training_mining,
        ledger=ledger,
        parents=parents,
    )


class _Said:
    """The assertions the signer answers for; what is malformed among them is a fault, not an error."""

    def __init__(self, assertions: Mapping[str, object]) -> None:
        self._assertions = assertions
        self.faults: list[Failure] = []

    def all(self, parse: Callable[[Mapping[str, object]], Iterator[Result]]) -> tuple[Result, ...] | None:
        """Read all assertions of a kind, or nothing when one of them is malformed."""
        try:
            return tuple(parse(self._assertions))
        except ManifestError as error:
            self.faults.append(Failure(MALFORMED, str(error)))
            return None

    def one(self, label: str, parse: Callable[[object], Result]) -> Result | None:
        """Read the one assertion of a kind, when there is one."""
        documents = list(_labelled(self._assertions, label))
        if len(documents) > 1:
            self.faults.append(Failure(MALFORMED, f"there are {len(documents)} assertions {label}, where one may be"))
            return None
        found = self.all(lambda _: map(parse, documents))
        return found[0] if found else None


def _created(claim: Document, assertion_store: Document) -> dict[str, object]:
    """Return the assertions the signer answers for, by label; before claim version 2 that is all of them."""
    what = "The claim"
    listed = claim.get("created_assertions")
    if not isinstance(listed, list):
        return dict(assertion_store)
    labels = [text(mapping(entry, what), "url", what).rpartition("/")[2] for entry in listed]
    return {label: assertion_store[label] for label in labels if label in assertion_store}


def _labelled(assertions: Mapping[str, object], label: str) -> Iterator[object]:
    """Yield the assertions of one kind; further ones of a kind are numbered (``label__2``)."""
    for name, document in assertions.items():
        if name.partition("__")[0] == label:
            yield document


def _actions(assertions: Mapping[str, object]) -> Iterator[Action]:
    what = "The actions of the manifest"
    for label in ("c2pa.actions", ACTIONS):
        for document in _labelled(assertions, label):
            listed = mapping(document, what).get("actions")
            if not isinstance(listed, list):
                raise ManifestError(f"{what} are not a list.")
            yield from map(Action.from_document, listed)


def _isccs(assertions: Mapping[str, object]) -> Iterator[str]:
    return filter(None, map(iscc_of, _labelled(assertions, SOFT_BINDING)))


def _parents(assertions: Mapping[str, object]) -> Iterator[str]:
    what = "An ingredient of the manifest"
    for label in ("c2pa.ingredient", "c2pa.ingredient.v2", INGREDIENT):
        for document in _labelled(assertions, label):
            ingredient = mapping(document, what)
            manifest = ingredient.get("activeManifest", ingredient.get("c2pa_manifest"))
            if ingredient.get("relationship") == "parentOf" and manifest is not None:
                yield text(mapping(manifest, what), "url", what).rpartition("/")[2]


def _failures(results: Document, fault: str | None) -> Iterator[Failure]:
    what = "The validation results"
    yield from _statuses(results, "activeManifest", "failure")
    deltas = results.get("ingredientDeltas", [])
    for delta in deltas if isinstance(deltas, list) else []:
        yield from _statuses(mapping(delta, what), "validationDeltas", "failure")
    if fault is not None:
        yield Failure(UNSIGNED_BYTES, fault)


def _raw_store(
    file: BinaryIO, media_type: str, assertion_store: Document, *, ours: bool
) -> tuple[bytes | None, str | None]:
    """Return the raw store, and what is wrong with those bytes of it and its container that nothing covers."""
    try:
        store = _store_bytes(file, media_type, assertion_store)
        if ours and media_type == M4A:
            require_bare_mp4(file)
    except CarrierError as error:
        return None, str(error)
    return store, None if store is None else find_fault(store, ours=ours)


def _statuses(results: Document, part: str, kind: str) -> Iterator[Failure]:
    """Yield the engine's findings of one kind. Distrust of a signer is no finding about integrity."""
    what = "The validation results"
    listed = mapping(results.get(part, {}), what).get(kind, [])
    for entry in listed if isinstance(listed, list) else []:
        status = mapping(entry, what)
        code = text(status, "code", what)
        if code != _UNTRUSTED:
            explanation = optional_text(status, "explanation", what) or code
            yield Failure(code, explanation, optional_text(status, "url", what) or "")


def _store_bytes(file: BinaryIO, media_type: str, assertion_store: Document) -> bytes | None:
    """Return the raw store, or None where it is bound to the file in a way that is not ours."""
    bindings = [label for label in assertion_store if label.startswith(_HARD_BINDING)]
    if len(bindings) != 1:
        return None
    if media_type == M4A:
        return store_in_mp4(file) if bindings[0].startswith(_BMFF_HASH) else None
    if bindings[0] != _DATA_HASH:
        return None
    exclusions = mapping(assertion_store[_DATA_HASH], _DATA_HASH).get("exclusions")
    if not isinstance(exclusions, list) or len(exclusions) != 1:
        raise CarrierError("the audio hash does not leave out exactly one range, the manifest it is in")
    only = mapping(exclusions[0], _DATA_HASH)
    start, length = only.get("start"), only.get("length")
    if not isinstance(start, int) or not isinstance(length, int) or start < 0 or length < 0:
        raise CarrierError("the audio hash leaves out a range that is none")
    return store_excluded_from_hash(file, media_type, start, length)


def _signer(signature: Document, store: bytes | None, manifest_id: str) -> SignerIdentity:
    what = "The signature"
    certificate = None if store is None else signing_certificate(store, manifest_id)
    digest: Digest | None = None
    if certificate is not None:
        digest = "sha256:" + hashlib.sha256(certificate).hexdigest()  # type: ignore[assignment] # its module costs 0.1 s to import
    return SignerIdentity(
        common_name=optional_text(signature, "common_name", what),
        issuer=optional_text(signature, "issuer", what),
        algorithm=optional_text(signature, "alg", what),
        signed_at=optional_text(signature, "time", what),
        certificate=digest,
    )


def _generator(claim: Document) -> SoftwareAgent | None:
    what = "The claim generator"
    info = claim.get("claim_generator_info")
    if isinstance(info, list):
        info = info[0] if info else None
    if info is None:
        return None
    members = mapping(info, what)
    return SoftwareAgent(text(members, "name", what), optional_text(members, "version", what) or "")
