"""Checking evidence with nothing but the file: no database, no account, no network.

The checks are numbered, and reading this module is reading what verification means:

1. ``c2pa-integrity``: the C2PA manifest binds these very bytes.
2. ``c2pa-trust``: its signer is one of the reader's own trust anchors.
3. ``c2pa-ledger``: its signer's certificate is registered in the log, and it says what the statement says.
4. ``content-digest``: the sound is the sound the statement is about.
5. ``envelope-signature``: the statement is signed by a key registered earlier in the same log.
6. ``log-inclusion``: statement, key and certificate, and all that came beside, lie in the trees of their checkpoints.
7. ``checkpoint-signature``: those checkpoints are signed by the log the key was registered in.
8. ``log-trust``: that log is one the reader's own policy accepts, by the proofs in the file or others beside it.
9. ``fingerprint``: the audio sounds as the statement says.
10. ``timestamp``: a time-stamping authority saw a checkpoint that covers the statement, by the time it states.

A key found in the evidence proves consistency, never trust: 2, 8 and 10 can only pass against what the
reader brought along. Without 3, anybody could put genuine evidence under a manifest, and over a sound,
of their own. 5 to 8 and 10 are asked of every logged statement alike (``provenance.envelope_signature``,
``provenance.attestation``, ``provenance.stamped_time``); whether a key was revoked since is known to 3 and 5 only
where the reader brings evidence of keys (``provenance.key_evidence``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fingerprint.audio import decode
from fingerprint.chroma import fingerprint
from fingerprint.digest import content_digest
from fingerprint.errors import FingerprintError
from fingerprint.iscc import audio_code, distance
from fingerprint.media import LOSSLESS
from provenance.attestation import checkpoint_signature, log_inclusion, log_trust, proven
from provenance.bundle import EvidenceBundle, Exhibit
from provenance.check import Check, Result, checked
from provenance.envelope_signature import envelope_signature, signature_detail
from provenance.errors import EvidenceError
from provenance.identity import digest, file_digest
from provenance.key_predicate import KeyPredicate
from provenance.keys_at_hand import KeysAtHand
from provenance.recording_predicate import EditPredicate, GenerationPredicate, RenditionPredicate
from provenance.stamped_time import timestamp

if TYPE_CHECKING:
    from pathlib import Path

    from fingerprint.audio import Audio
    from provenance.assertion import LedgerEvidence, SourceType
    from provenance.manifest import ManifestReport
    from provenance.predicate import Predicate
    from provenance.recording_predicate import Content
    from provenance.statement import Statement
    from provenance.trust import Trust

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
    "timestamp",
    "licence",
)
MIX = "mix"
MAX_ISCC_DISTANCE = 8
"""Bits of 64 by which a lossy copy's Audio-Code may differ (measured: ``docs/benchmarks.md``)."""
_ABOUT_KEYS = frozenset({"key", "rotation"})


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
    """What a file carries: its entry, the certificate of its manifest, and the keys that signed both.

    Attributes:
        entry: The generation or edit.
        signer: The registration of the C2PA signer's certificate.
        keys: The registrations of the service keys, and the handovers of the log since.
    """

    entry: Exhibit
    signer: Exhibit
    keys: KeysAtHand

    @classmethod
    def of(cls, ledger: LedgerEvidence, bundle: EvidenceBundle | None = None) -> Evidence:
        """Take the assertion apart, and add the keys that came beside the file."""
        exhibits = [Exhibit(ledger.key_envelope, ledger.key_tlog_proof.encode())]
        exhibits += [Exhibit(each.envelope, each.tlog_proof.encode()) for each in ledger.further]
        return cls(
            Exhibit(ledger.envelope, ledger.tlog_proof.encode()),
            Exhibit(ledger.signer_envelope, ledger.signer_tlog_proof.encode()),
            KeysAtHand((*exhibits, *(about_keys(bundle) if bundle else ()))),
        )


def about_keys(bundle: EvidenceBundle) -> list[Exhibit]:
    """Return the statements of a bundle that register keys or hand the log over.

    Raises:
        EvidenceError: One of its statements cannot be read.
    """
    return [exhibit for exhibit in bundle.exhibits if exhibit.statement().kind in _ABOUT_KEYS]


def verify_file(path: Path, report: ManifestReport, trust: Trust, bundle: EvidenceBundle | None = None) -> Verification:
    """Run the ten checks on one audio file.

    Args:
        path: The file.
        report: What :func:`provenance.manifest.read` found in it.
        trust: The reader's own policy and anchors.
        bundle: Evidence that came with the file, for what a file cannot carry about itself.
    """
    checks = [_integrity(report), _signer_trust(report, trust)]
    if report.ledger is None:
        return Verification((*checks, *_unevidenced(trust)), None, "", MIX)
    evidence = Evidence.of(report.ledger, bundle)
    statement = _statement(evidence.entry)
    rendition = _rendition(path, evidence, trust, bundle)
    finished = rendition[0].proof().index if rendition else None
    checks.append(checked("c2pa-ledger", lambda: _ledger_detail(report, evidence, statement, trust, finished)))
    content, sound, part = _sound(path, report, statement, rendition[1] if rendition else None)
    everything, beside = (evidence.entry, evidence.signer), bundle.exhibits if bundle else ()
    checks += [
        content,
        envelope_signature(evidence.entry, evidence.keys, trust),
        log_inclusion(evidence.keys, *everything, beside=beside),
        checkpoint_signature(evidence.keys, trust, *everything, beside=beside),
        log_trust(trust, evidence.keys, *everything, beside=beside),
        sound,
        timestamp(trust, evidence.keys, evidence.entry, bundle),
    ]
    return Verification(tuple(checks), statement, evidence.entry.leaf_hash, part)


def source_type_of(predicate: GenerationPredicate | EditPredicate) -> SourceType:
    """Return the IPTC digital source type that a manifest about this statement has."""
    if isinstance(predicate, EditPredicate):
        return "compositeWithTrainedAlgorithmicMedia"
    return "trainedAlgorithmicMedia"


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


def _unevidenced(trust: Trust) -> list[Check]:
    """Checks 3 to 10 of a file that nothing ties to a log: whoever names the logs to accept does not accept it."""
    reason = "the file carries no org.linernotes.ledger assertion that can be read: nothing ties it to a log"
    asked = {"c2pa-ledger", "log-trust"} if trust.policy is not None else set()
    return [
        Check(name, "fail", f"{reason}, and the given policy asks for one")
        if name in asked
        else Check(name, "not-checked", reason)
        for name in CHECK_IDS[2:10]
    ]


def _statement(entry: Exhibit) -> Statement[Predicate] | None:
    try:
        return entry.statement()
    except EvidenceError:
        return None  # check 4 reports what is wrong with it


def _ledger_detail(
    report: ManifestReport,
    evidence: Evidence,
    statement: Statement[Predicate] | None,
    trust: Trust,
    finished: int | None,
) -> str:
    """The manifest's signer is registered in the log, and its words are those of the logged statement."""
    registered = evidence.signer.statement().predicate
    if not isinstance(registered, KeyPredicate) or (registered.role, registered.algorithm) != ("c2pa", "x509"):
        raise EvidenceError("the entry that should register the manifest's certificate is not a c2pa key statement")
    signature_detail(evidence.signer, evidence.keys, trust)
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
        "leaf hash": (report.ledger and report.ledger.leaf_hash, evidence.entry.leaf_hash),
        "log origin": (report.ledger and report.ledger.origin, evidence.entry.checkpoint().origin),
        "recording id": (report.recording_id, made.recording_id),
        "source type": (report.source_type, source_type_of(made)),
        "model": (report.model and (report.model.id, report.model.weights_digest), model),
    }
    for name, (said, logged) in stated.items():
        if said != logged:
            raise EvidenceError(f"the manifest's {name} is {said}, and the logged statement's is {logged}")
    found = f"signed with the certificate {registered.keyid} that the log registered, and saying what the log says"
    if trust.keys is None:
        return found
    return f"{found}; {trust.keys.certificate_judged(registered.keyid, finished)}"


def _sound(
    path: Path, report: ManifestReport, statement: Statement[Predicate] | None, rendition: RenditionPredicate | None
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
    heard = _Heard(audio, found, statement.predicate.content, rendition, report.iscc or "")
    return _content(heard), _fingerprint(heard), heard.part


def _rendition(
    path: Path, evidence: Evidence, trust: Trust, bundle: EvidenceBundle | None
) -> tuple[Exhibit, RenditionPredicate] | None:
    """Return the entry about this very file, if it came along and is as good as the file's own entry."""
    if bundle is None:
        return None
    asset = file_digest(path)
    for exhibit, statement in bundle.of_kind("rendition"):
        predicate = statement.predicate
        if (
            isinstance(predicate, RenditionPredicate)
            and (predicate.asset_digest, predicate.of) == (asset, evidence.entry.leaf_hash)
            and not proven(exhibit, evidence.keys, trust)
        ):
            return exhibit, predicate
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
    try:
        bits = distance(code, stated)
    except FingerprintError as error:
        return Check(name, "fail", f"what is stated cannot be compared with {code}: {error}")
    result: Result = "pass" if bits <= MAX_ISCC_DISTANCE else "fail"
    return Check(name, result, f"{code} differs from the stated {stated} in {bits} of 64 bits")
