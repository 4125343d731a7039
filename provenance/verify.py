"""Checking evidence with nothing but the file: no database, no account, no network.

The checks are numbered, and reading this module is reading what verification means:

1. ``c2pa-integrity``: the C2PA manifest binds these very bytes.
2. ``c2pa-trust``: its signer is one of the reader's own trust anchors.
3. ``c2pa-ledger``: its signer's certificate is registered in the log, and it says what the statement says.
4. ``content-digest``: the sound is the sound the statement is about.
5. ``envelope-signature``: the statement is signed by a key registered earlier in the same log.
6. ``log-inclusion``: statement, key and certificate lie in the trees of the checkpoints they came with.
7. ``checkpoint-signature``: those checkpoints are signed by the log the key was registered in.
8. ``log-trust``: that log is one the reader's own policy accepts.
9. ``fingerprint``: the audio sounds as the statement says.

A key found in the evidence proves consistency, never trust: 2 and 8 can only pass against what the
reader brought along. Without 3, anybody could put genuine evidence under a manifest, and over a sound,
of their own.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fingerprint.audio import decode
from fingerprint.chroma import fingerprint
from fingerprint.digest import content_digest
from fingerprint.errors import FingerprintError
from fingerprint.iscc import audio_code, distance
from fingerprint.media import LOSSLESS
from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.envelope import Envelope, verify
from ledger.errors import LedgerError
from ledger.keys import Ed25519Verifier
from ledger.note import Note, NoteVerifier
from ledger.proof import TlogProof
from provenance.bundle import EvidenceBundle, Exhibit
from provenance.errors import EvidenceError, ProvenanceError
from provenance.identity import digest, digest_bytes, file_digest
from provenance.predicate import EditPredicate, GenerationPredicate, KeyPredicate, RenditionPredicate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fingerprint.audio import Audio
    from ledger.policy import Policy
    from provenance.assertion import LedgerEvidence, SourceType
    from provenance.manifest import ManifestReport
    from provenance.predicate import Content, Predicate
    from provenance.statement import Statement

Result = Literal["pass", "fail", "not-checked"]
CHECK_IDS = (
    "c2pa-integrity",
    "c2pa-trust",
    "c2pa-ledger",
    "content-digest",
    "envelope-signature",
    "log-inclusion",
    "checkpoint-signature",
    "log-trust",
    "fingerprint",
    "licence",
)
MIX = "mix"
MAX_ISCC_DISTANCE = 8
"""Bits of 64 by which a lossy copy's Audio-Code may differ (measured: ``docs/benchmarks.md``)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One numbered check.

    Attributes:
        id: One of :data:`CHECK_IDS`, or ``package-…`` and ``part:…`` for packages.
        detail: What was found, in a sentence; for ``not-checked``, why.
    """

    id: str
    result: Result
    detail: str


@dataclass(frozen=True, slots=True)
class Trust:
    """What the reader brings along.

    Attributes:
        policy: C2SP tlog-policy: which logs and witnesses are accepted.
        own_log: The verifier key of the reader's own home, accepted where there is no policy.
        anchors: PEM certificates from which a C2PA signer must descend.
        own_anchors: Those of the reader's own home, accepted where no anchors were given.
    """

    policy: Policy | None = None
    own_log: str = ""
    anchors: bytes | None = None
    own_anchors: bytes | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """The checks of one file, and the statement they are about.

    Attributes:
        checks: In the order of :data:`CHECK_IDS`, without ``licence``, which is for the layer above.
        statement: The generation or edit the file carries; None when it cannot be read.
        leaf_hash: Of that statement's entry; empty when it cannot be read.
        part: ``mix``, or the name of the stem that the file is.
    """

    checks: tuple[Check, ...]
    statement: Statement[Predicate] | None
    leaf_hash: str
    part: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a file carries: its entry, the key that signed it, and the certificate of its manifest.

    Attributes:
        entry: The generation or edit.
        key: The registration of the service key.
        signer: The registration of the C2PA signer's certificate.
    """

    entry: Exhibit
    key: Exhibit
    signer: Exhibit

    @classmethod
    def of(cls, ledger: LedgerEvidence) -> Evidence:
        """Take the assertion apart."""
        return cls(
            Exhibit(ledger.envelope, ledger.tlog_proof.encode()),
            Exhibit(ledger.key_envelope, ledger.key_tlog_proof.encode()),
            Exhibit(ledger.signer_envelope, ledger.signer_tlog_proof.encode()),
        )


def verify_file(path: Path, report: ManifestReport, trust: Trust, bundle: EvidenceBundle | None = None) -> Verification:
    """Run the nine checks on one audio file.

    Args:
        path: The file.
        report: What :func:`provenance.manifest.read` found in it.
        trust: The reader's own policy and anchors.
        bundle: Evidence that came with the file, for what a file cannot carry about itself.
    """
    checks = [_integrity(report), _signer_trust(report, trust)]
    if report.ledger is None:
        reason = "the file carries no org.linernotes.ledger assertion that can be read: nothing ties it to a log"
        checks += [Check(name, "not-checked", reason) for name in CHECK_IDS[2:9]]
        return Verification(tuple(checks), None, "", MIX)
    evidence = Evidence.of(report.ledger)
    statement = _statement(evidence.entry)
    checks.append(_checked("c2pa-ledger", lambda: _ledger_detail(report, report.ledger, evidence, statement)))
    content, sound, part = _sound(path, report, evidence, statement, trust, bundle)
    everything = (evidence.entry, evidence.signer)
    checks += [
        content,
        envelope_signature(evidence.entry, evidence.key),
        log_inclusion(evidence.key, *everything),
        checkpoint_signature(evidence.key, *everything),
        log_trust(trust, evidence.key, *everything),
        sound,
    ]
    return Verification(tuple(checks), statement, evidence.entry.leaf_hash, part)


def source_type_of(predicate: GenerationPredicate | EditPredicate) -> SourceType:
    """Return the IPTC digital source type that a manifest about this statement has."""
    if isinstance(predicate, EditPredicate):
        return "compositeWithTrainedAlgorithmicMedia"
    return "trainedAlgorithmicMedia"


def envelope_signature(entry: Exhibit, key: Exhibit) -> Check:
    """Check 5: the statement is signed by a service key that was registered before it."""
    return _checked("envelope-signature", lambda: _signature_detail(entry, key))


def log_inclusion(key: Exhibit, *entries: Exhibit) -> Check:
    """Check 6: the inclusion proofs of key and entries lead to the roots they came with."""
    return _checked("log-inclusion", lambda: _inclusion_detail(key, entries))


def checkpoint_signature(key: Exhibit, *entries: Exhibit) -> Check:
    """Check 7: all checkpoints are signed by the log that the key statement names."""
    return _checked("checkpoint-signature", lambda: _checkpoint_detail(key, entries))


def log_trust(trust: Trust, key: Exhibit, *entries: Exhibit) -> Check:
    """Check 8: the reader's policy, or the reader's own log, accepts all checkpoints."""
    if trust.policy is None and not trust.own_log:
        return Check("log-trust", "not-checked", f"no policy was given; the log says it is {_log_vkey(key)}")
    if trust.policy is None and _log_vkey(key) != trust.own_log:
        detail = f"no policy was given, and it is not this home's own log; the log says it is {_log_vkey(key)}"
        return Check("log-trust", "not-checked", detail)
    return _checked("log-trust", lambda: _trust_detail(trust, key, entries))


def proven(entry: Exhibit, key: Exhibit, trust: Trust) -> list[Check]:
    """Run checks 5 to 8 on an entry that travels beside a file, and return those that failed."""
    checks = (
        envelope_signature(entry, key),
        log_inclusion(key, entry),
        checkpoint_signature(key, entry),
        log_trust(trust, key, entry),
    )
    return [check for check in checks if check.result == "fail"]


def registered_key(exhibit: Exhibit) -> tuple[KeyPredicate, Ed25519Verifier]:
    """Return the key that a ``key`` statement registers, after checking its proof of possession.

    Raises:
        EvidenceError: It is not such a statement, or is not signed with the key itself.
    """
    predicate = exhibit.statement().predicate
    if not isinstance(predicate, KeyPredicate) or predicate.algorithm != "ed25519":
        raise EvidenceError("the entry that should register the signing key is not an Ed25519 key statement")
    try:
        verifier = Ed25519Verifier(base64.b64decode(predicate.public_key, validate=True))
        verify(Envelope.parse(exhibit.envelope), verifier)
    except (LedgerError, binascii.Error) as error:
        raise EvidenceError(f"the key statement is not signed by the key it registers: {error}") from error
    if verifier.keyid != predicate.keyid:
        raise EvidenceError(f"the key statement names {predicate.keyid}, but registers {verifier.keyid}")
    return predicate, verifier


def _integrity(report: ManifestReport) -> Check:
    if report.intact:
        return Check("c2pa-integrity", "pass", f"manifest {report.manifest_id} binds these bytes")
    failures = "; ".join(f"{failure.code}: {failure.explanation}" for failure in report.failures)
    return Check("c2pa-integrity", "fail", failures)


def _signer_trust(report: ManifestReport, trust: Trust) -> Check:
    signer = f"{report.signer.common_name or 'nobody named'} ({report.signer.issuer or 'no organisation'})"
    if report.trusted:
        whose = "the given anchors vouch" if trust.anchors is not None else "this home's own authority vouches"
        return Check("c2pa-trust", "pass", f"signed by {signer}, for whom {whose}")
    if trust.anchors is None:
        return Check("c2pa-trust", "not-checked", f"no trust anchors were given; the certificate says {signer}")
    return Check("c2pa-trust", "fail", f"signed by {signer}, for whom no given anchor vouches")


def _statement(entry: Exhibit) -> Statement[Predicate] | None:
    try:
        return entry.statement()
    except EvidenceError:
        return None  # check 4 reports what is wrong with it


def _ledger_detail(
    report: ManifestReport, ledger: LedgerEvidence | None, evidence: Evidence, statement: Statement[Predicate] | None
) -> str:
    """The manifest's signer is registered in the log, and its words are those of the logged statement."""
    registered = evidence.signer.statement().predicate
    if not isinstance(registered, KeyPredicate) or (registered.role, registered.algorithm) != ("c2pa", "x509"):
        raise EvidenceError("the entry that should register the manifest's certificate is not a c2pa key statement")
    _signature_detail(evidence.signer, evidence.key)
    if report.signer.certificate != registered.keyid:
        raise EvidenceError(
            f"the manifest is signed with the certificate {report.signer.certificate}, and the log registered "
            f"{registered.keyid}: somebody else signed this file"
        )
    if statement is None or not isinstance(statement.predicate, GenerationPredicate | EditPredicate):
        raise EvidenceError("the entry in the manifest is not a generation or an edit")
    made = statement.predicate
    model = (made.model_id, made.weights_digest) if isinstance(made, GenerationPredicate) else None
    stated = {
        "leaf hash": (ledger and ledger.leaf_hash, evidence.entry.leaf_hash),
        "log origin": (ledger and ledger.origin, _origin(evidence.entry)),
        "recording id": (report.recording_id, made.recording_id),
        "source type": (report.source_type, source_type_of(made)),
        "model": (report.model and (report.model.id, report.model.weights_digest), model),
    }
    for name, (said, logged) in stated.items():
        if said != logged:
            raise EvidenceError(f"the manifest's {name} is {said}, and the logged statement's is {logged}")
    return f"signed with the certificate {registered.keyid} that the log registered, and saying what the log says"


def _sound(
    path: Path,
    report: ManifestReport,
    evidence: Evidence,
    statement: Statement[Predicate] | None,
    trust: Trust,
    bundle: EvidenceBundle | None,
) -> tuple[Check, Check, str]:
    """Checks 4 and 9, and which part it is; hear the file; one that cannot be heard was altered."""
    if statement is None or not isinstance(statement.predicate, GenerationPredicate | EditPredicate):
        nothing = "the entry in the manifest is not a generation or an edit"
        return Check("content-digest", "fail", nothing), Check("fingerprint", "fail", nothing), MIX
    try:
        audio = decode(path)
        found = content_digest(path, audio)
    except FingerprintError as error:
        return (
            Check("content-digest", "fail", str(error)),
            Check("fingerprint", "not-checked", "it cannot be heard"),
            MIX,
        )
    rendition = _rendition(path, evidence, trust, bundle)
    heard = _Heard(audio, found, statement.predicate.content, rendition, report.iscc or "")
    return _content(heard), _fingerprint(heard), heard.part


def _rendition(
    path: Path, evidence: Evidence, trust: Trust, bundle: EvidenceBundle | None
) -> RenditionPredicate | None:
    """Return the entry about this very file, if it came along and is as good as the file's own entry."""
    if bundle is None:
        return None
    asset = file_digest(path)
    for exhibit, statement in bundle.of_kind("rendition"):
        predicate = statement.predicate
        if (
            isinstance(predicate, RenditionPredicate)
            and (predicate.asset_digest, predicate.of) == (asset, evidence.entry.leaf_hash)
            and not proven(exhibit, evidence.key, trust)
        ):
            return predicate
    return None


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was found in the file, beside what was stated about it."""

    audio: Audio
    content_digest: str
    stated: Content
    rendition: RenditionPredicate | None
    soft_binding: str

    @property
    def part(self) -> str:
        """``mix``, or the name of the stem that the file is."""
        stems = (
            file.name
            for file in self.stated.files
            if file.role == "stem" and file.content_digest == self.content_digest
        )
        return next(stems, MIX)


def _content(heard: _Heard) -> Check:
    name = "content-digest"
    if heard.audio.media_type in LOSSLESS:
        stated = heard.stated.content_digest
    elif heard.rendition is not None:
        stated = heard.rendition.content_digest
    else:
        detail = (
            "a lossy file has a digest of its own, which stands in its rendition entry; that entry travels in a "
            "package or an evidence file, and none that is proven came with this file"
        )
        return Check(name, "not-checked", detail)
    if heard.content_digest == stated:
        return Check(name, "pass", f"the sound is {heard.content_digest}")
    if heard.part != MIX:
        detail = f"the sound is {heard.content_digest}: the part {heard.part} alone, not the whole recording"
        return Check(name, "pass", detail)
    return Check(name, "fail", f"the sound is {heard.content_digest}, and the statement is about {stated}")


def _fingerprint(heard: _Heard) -> Check:
    name = "fingerprint"
    try:
        found = fingerprint(heard.audio)
        code = audio_code(found)
    except FingerprintError as error:
        return Check(name, "not-checked", f"the audio cannot be fingerprinted: {error}")
    if digest(found.to_bytes()) == heard.stated.fingerprint.digest:
        return Check(name, "pass", f"identical to the recorded one, {code}")
    stated = heard.soft_binding if heard.part != MIX else heard.stated.fingerprint.iscc
    bits = distance(code, stated)
    result: Result = "pass" if bits <= MAX_ISCC_DISTANCE else "fail"
    return Check(name, result, f"{code} differs from the stated {stated} in {bits} of 64 bits")


def _signature_detail(entry: Exhibit, key: Exhibit) -> str:
    predicate, verifier = registered_key(key)
    if predicate.role != "service":
        raise EvidenceError(f"the statement is signed with a key registered as {predicate.role}, not as service")
    verify(Envelope.parse(entry.envelope), verifier)
    if _proof(key).index >= _proof(entry).index:
        raise EvidenceError("the signing key was registered after the statement it signed")
    return f"signed by {predicate.keyid}, registered at index {_proof(key).index}"


def _inclusion_detail(key: Exhibit, entries: tuple[Exhibit, ...]) -> str:
    for exhibit in (key, *entries):
        proof = _proof(exhibit)
        checkpoint = _checkpoint(proof)
        proof.inclusion(checkpoint).verify(digest_bytes(exhibit.leaf_hash), checkpoint.root_hash)
    entry = entries[0]
    return f"entry {_proof(entry).index} of {_checkpoint(_proof(entry)).size}, leaf {entry.leaf_hash}"


def _checkpoint_detail(key: Exhibit, entries: tuple[Exhibit, ...]) -> str:
    verifier = NoteVerifier.parse(_log_vkey(key))
    for exhibit in (key, *entries):
        origin = open_checkpoint(_proof(exhibit).checkpoint_note, [verifier]).origin
        if origin != verifier.name:
            raise EvidenceError(f"the checkpoint is of {origin}, and its signer is called {verifier.name}")
    return f"signed by {verifier.vkey}"


def _trust_detail(trust: Trust, key: Exhibit, entries: tuple[Exhibit, ...]) -> str:
    for exhibit in (key, *entries):
        note = _proof(exhibit).checkpoint_note
        if trust.policy is not None:
            trust.policy.check(note)
        else:
            open_checkpoint(note, [NoteVerifier.parse(trust.own_log)])
    return "the given policy accepts the log" if trust.policy is not None else "it is this home's own log"


def _origin(entry: Exhibit) -> str:
    return _checkpoint(_proof(entry)).origin


def _proof(exhibit: Exhibit) -> TlogProof:
    return TlogProof.parse(exhibit.tlog_proof)


def _checkpoint(proof: TlogProof) -> Checkpoint:
    return Checkpoint.parse(Note.parse(proof.checkpoint_note).text)


def _log_vkey(key: Exhibit) -> str:
    try:
        predicate = key.statement().predicate
    except EvidenceError:
        return "unreadable"
    return predicate.log_vkey if isinstance(predicate, KeyPredicate) else "not named"


def _checked(name: str, work: Callable[[], str]) -> Check:
    try:
        return Check(name, "pass", work())
    except (LedgerError, ProvenanceError) as error:
        return Check(name, "fail", str(error))
