"""From a file or package to a report: what it says, and what of it holds, with nothing but the file.

Nothing here opens a database. What is accepted is the reader's own (``api.trust``); a home's own log and test
credential are accepted where that home is the reader's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from api.errors import NothingThereError, UsageError
from api.files import read_bounded
from fingerprint.errors import FingerprintError
from ledger.errors import LedgerError
from provenance import manifest
from provenance.attestation import log_trust, proven
from provenance.bundle import MAX_BUNDLE_BYTES, EvidenceBundle
from provenance.check import Check
from provenance.envelope_signature import envelope_signature
from provenance.errors import EvidenceError, ManifestError, ProvenanceError, UnsupportedMediaError
from provenance.keys_at_hand import KeysAtHand, log_vkey
from provenance.package import EXPORT_EVIDENCE, INFO, Package, is_package, opened
from provenance.recording_predicate import EditPredicate, GenerationPredicate
from provenance.stamped_time import timestamp
from provenance.trust import Trust
from provenance.use_predicate import CheckPredicate, ExportPredicate
from provenance.verify import MIX, Evidence, Verification, about_keys, verify_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provenance.bundle import StampedEntry
    from provenance.manifest import ManifestReport

EVIDENCE = "data/evidence.json"
VERDICT = "data/verdict.json"
CLOSURE = "data/closure.json"
_SHOWN_PROBLEMS = 5
_AUDIO = frozenset({".wav", ".flac", ".mp3", ".m4a"})


@dataclass(frozen=True, slots=True)
class Inspection:
    """The checks of one file or package.

    Attributes:
        recording_id: As the evidence names it; empty when it names none.
        checks: Numbered by their order.
        part: ``mix``, or the name of the stem that the file is.
        evident: Whether it carries evidence of a log; without, there is nothing to verify.
    """

    path: Path
    recording_id: str
    checks: tuple[Check, ...]
    part: str = MIX
    evident: bool = True

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return any(check.result == "fail" for check in self.checks)

    @property
    def verified(self) -> bool:
        """No check failed, and it carries evidence of a log."""
        return self.evident and not self.failed


def inspect(path: Path, trust: Trust, evidence: Path | None = None) -> Inspection:
    """Check an audio file or a package.

    Args:
        path: The file.
        trust: What is accepted.
        evidence: What travels beside a file, as ``log evidence`` writes it; when left out, the file beside it that is
            called as it is, with ``.evidence`` behind.

    Raises:
        NothingThereError: The file carries no credentials.
        UsageError: It is neither audio nor a package.
    """
    if not path.exists():
        raise UsageError(f"There is no file {path}.")
    if not path.is_file() and not path.is_dir():
        raise UsageError(f"{path} is neither a file nor a folder; give an audio file or a package.")
    try:
        if is_package(path):
            if evidence is not None:
                raise UsageError(f"{path} is a package, which holds its own evidence; leave {evidence} out.")
            with opened(path) as package:
                return _package(path, package, trust)
        verification = _file(path, trust, _evidence_beside(path) if evidence is None else _bundle(evidence))
    except (UnsupportedMediaError, ManifestError, EvidenceError) as error:
        raise UsageError(str(error)) from error
    licence = Check("licence", "not-checked", "a verdict travels in a package, not in a single file")
    return Inspection(
        path,
        _recording_id(verification),
        (*verification.checks, licence),
        verification.part,
        evident=bool(verification.leaf_hash),
    )


def _file(path: Path, trust: Trust, bundle: EvidenceBundle | None) -> Verification:
    report = manifest.read(path, trust.own_anchors if trust.anchors is None else trust.anchors)
    if report is None:
        raise NothingThereError(
            f"{path} carries no C2PA credentials: nothing in it can be checked. If it was made here, look it up by its "
            "sound: linernotes identify FILE"
        )
    return verify_file(path, report, trust, bundle)


def _package(path: Path, package: Package, trust: Trust) -> Inspection:
    """Check a package; whatever in it cannot be read has been altered, and is a check that failed."""
    problems = package.problems()
    whole = "; ".join(problems[:_SHOWN_PROBLEMS]) or "every file is as listed, and nothing else is there"
    checks = [Check("package-integrity", "fail" if problems else "pass", whole)]
    checks += _read("package-signature", lambda: _export_checks(package, trust))
    try:
        _, timestamps = _timestamps(_bundle_of(package, EXPORT_EVIDENCE))
        bundle = replace(_bundle_of(package, EVIDENCE), timestamps=timestamps)
        master, *others = _audio_files(package)
        verification = _file(master, trust, bundle)
    except (UsageError, NothingThereError, ProvenanceError, FingerprintError) as error:
        detail = f"the recording in the package cannot be checked: {_without(package.root, error)}"
        checks.append(Check("c2pa-integrity", "fail", detail))
        return Inspection(path, "", tuple(checks))
    checks += verification.checks
    checks.append(_belongs(package, master, trust, bundle, verification))
    checks += _read("licence", lambda: [_licence(package, bundle, verification, trust)])
    checks += [_part(package, each, trust, bundle, verification.leaf_hash) for each in others]
    return Inspection(path, _recording_id(verification), tuple(checks))


def _read(name: str, work: Callable[[], list[Check]]) -> list[Check]:
    try:
        return work()
    except (UsageError, ProvenanceError) as error:
        return [Check(name, "fail", str(error))]


def _without(root: Path, error: Exception) -> str:
    """A message about a file of a package, without the folder that the package was opened in."""
    return str(error).replace(f"{root}/", "")


def _export_checks(package: Package, trust: Trust) -> list[Check]:
    """The export statement covers the list of files, and is itself in the log."""
    bundle = _bundle_of(package, EXPORT_EVIDENCE)
    exports, registered = bundle.of_kind("export"), bundle.of_kind("key")
    if (len(exports), len(registered), len(bundle.exhibits)) != (1, 1, 2) or bundle.openings:
        return [Check("package-signature", "fail", f"{EXPORT_EVIDENCE} does not hold one export and one key statement")]
    [(export, statement)], keys = exports, KeysAtHand((registered[0][0],))
    predicate = statement.predicate
    if not isinstance(predicate, ExportPredicate) or predicate.package_digest != package.digest:
        signed = getattr(predicate, "package_digest", "unknown")
        detail = f"the signed list of files is {signed}, and this package's is {package.digest}"
        return [Check("package-signature", "fail", detail)]
    if not package.is_described(predicate.recording_id, predicate.time[:10]):
        detail = f"{INFO} does not say what the export statement says, or says more"
        return [Check("package-signature", "fail", detail)]
    failed = [f"{check.id}: {check.detail}" for check in proven(export, keys, Trust(keys=trust.keys))]
    signature = envelope_signature(export, keys, trust)
    trusted = log_trust(trust, keys, export)
    stamped = timestamp(trust, keys, export, replace(bundle, timestamps=_timestamps(bundle)[0]))
    return [
        Check("package-signature", "fail" if failed else "pass", "; ".join(failed) or signature.detail),
        Check("package-log-trust", trusted.result, trusted.detail),
        Check("package-timestamp", stamped.result, stamped.detail),
    ]


def _timestamps(beside: EvidenceBundle) -> tuple[tuple[StampedEntry, ...], tuple[StampedEntry, ...]]:
    """The time stamps of a package: those of the entries that are about it, and the others, of its recording."""
    about = {exhibit.leaf_hash for exhibit in beside.exhibits}
    own = tuple(each for each in beside.timestamps if each.leaf_hash in about)
    return own, tuple(each for each in beside.timestamps if each.leaf_hash not in about)


def _belongs(package: Package, master: Path, trust: Trust, bundle: EvidenceBundle, verification: Verification) -> Check:
    """The export is of this recording, by the log that recorded it."""
    name = "package-recording"
    try:
        exported = _bundle_of(package, EXPORT_EVIDENCE)
        [(_, export)], [(key, _)] = exported.of_kind("export"), exported.of_kind("key")
        report = manifest.read(master)
        same_log = report is not None and log_vkey(key) in _log_keys(report, trust, bundle)
    except (UsageError, ProvenanceError, LedgerError, ValueError) as error:
        return Check(name, "fail", f"the export statement cannot be read: {error}")
    if verification.part != MIX:
        return Check(name, "fail", f"the recording in the package is the part {verification.part} alone")
    if getattr(export.predicate, "of", "") != verification.leaf_hash:
        return Check(name, "fail", "the export statement is about another recording")
    if not same_log:
        return Check(name, "fail", "the package was made by another log than the recording")
    return Check(name, "pass", "the export is of this recording, by the log that recorded it")


def _part(package: Package, path: Path, trust: Trust, bundle: EvidenceBundle, leaf_hash: str) -> Check:
    """A further audio file of a package: one line for all of its checks."""
    name = f"part:{path.name}"
    try:
        verification = _file(path, trust, bundle)
    except (NothingThereError, ProvenanceError, FingerprintError) as error:
        return Check(name, "fail", _without(package.root, error))
    failed = [f"{check.id}: {check.detail}" for check in verification.checks if check.result == "fail"]
    if verification.leaf_hash != leaf_hash:
        failed.append("it belongs to another recording")
    passed = sum(check.result == "pass" for check in verification.checks)
    return Check(name, "fail" if failed else "pass", "; ".join(failed) or f"{passed} checks pass, none fails")


def _licence(package: Package, bundle: EvidenceBundle, verification: Verification, trust: Trust) -> Check:
    """The verdict is the one that was recorded, and today's rules still give it."""
    from api.rights import decided_again  # noqa: PLC0415 - only packages need the rules

    name = "licence"
    checks = [(e, s.predicate) for e, s in bundle.of_kind("check") if isinstance(s.predicate, CheckPredicate)]
    if len(checks) != 1:
        return Check(name, "not-checked", "no verdict came with the package")
    [(exhibit, predicate)] = checks
    if failed := proven(exhibit, KeysAtHand(tuple(about_keys(bundle))), trust):
        return Check(name, "fail", f"the entry that records the verdict does not hold: {failed[0].detail}")
    opening = bundle.opening(exhibit.leaf_hash, "verdict")
    verdict = _part_bytes(package, VERDICT)
    if opening is None or opening.commitment != predicate.verdict or opening.value.encode() != verdict:
        return Check(name, "fail", f"{VERDICT} is not the verdict that was recorded in the log")
    if predicate.of != verification.leaf_hash:
        return Check(name, "fail", "the verdict is about another recording")
    return Check(name, *decided_again(_part_bytes(package, CLOSURE), verdict))


def _audio_files(package: Package) -> list[Path]:
    """The mix first; the other parts by name."""
    found = sorted(path for path in package.payload.rglob("*") if path.suffix in _AUDIO)
    for path in found:
        _require_own(package, path)
    mixes = [path for path in found if path.parent.name == "audio"]
    if not mixes:
        raise EvidenceError("The package holds no audio in data/audio: it was not made by linernotes export.")
    return mixes + [path for path in found if path not in mixes]


def _require_own(package: Package, path: Path) -> None:
    """A package is read only where it is made of its own files: a link could lead anywhere."""
    inside = [path, *path.parents[: len(path.relative_to(package.root).parts) - 1]]
    if any(each.is_symlink() for each in inside) or not path.is_file():
        raise EvidenceError(
            f"{path.relative_to(package.root)} is missing from the package, or is not a file of its own."
        )


def _evidence_beside(path: Path) -> EvidenceBundle | None:
    beside = path.with_name(path.name + ".evidence")
    return _bundle(beside) if beside.is_file() else None


def _bundle_of(package: Package, name: str) -> EvidenceBundle:
    return EvidenceBundle.parse(_part_bytes(package, name))


def _part_bytes(package: Package, name: str) -> bytes:
    _require_own(package, package.root / name)
    return read_bounded(package.root / name, MAX_BUNDLE_BYTES)


def _bundle(path: Path) -> EvidenceBundle:
    return EvidenceBundle.parse(read_bounded(path, MAX_BUNDLE_BYTES))


def _recording_id(verification: Verification) -> str:
    predicate = verification.statement.predicate if verification.statement else None
    return predicate.recording_id if isinstance(predicate, GenerationPredicate | EditPredicate) else ""


def _log_keys(report: ManifestReport, trust: Trust, bundle: EvidenceBundle) -> set[str]:
    """The keys of the log that recorded a file: the one it had then, and those it was handed over to."""
    if report.ledger is None:
        return set()
    evidence = Evidence.of(report.ledger, bundle)
    return {tenure.verifier.vkey for tenure in evidence.keys.log_of(trust, evidence.entry).tenures}
