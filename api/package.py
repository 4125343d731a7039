"""Exporting: one signed package with everything a stranger needs to check a recording."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import rfc8785

from api.errors import UsageError
from api.files import require_usable
from api.history import history, rendition_of
from api.inspection import CLOSURE, EVIDENCE, VERDICT
from api.key_exhibits import certificates, keys_along
from api.lineage import lineage_of
from api.proofs import have_witnessed, witnesses_of
from api.rights import check, closure_document
from api.seal import ENDINGS, MASTER, Part, hand_out, rendition, seal
from fingerprint.audio import decode
from fingerprint.chroma import fingerprint
from fingerprint.digest import pcm_digest
from fingerprint.errors import InsufficientEvidenceError
from fingerprint.iscc import audio_code
from provenance import package, store
from provenance.bundle import DisclosedOpening, EvidenceBundle
from provenance.identity import Digest
from provenance.statement import Statement, Subject, header
from provenance.use_predicate import ExportPredicate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from api.history import History
    from api.home import Draft, Home
    from api.recording import Progress
    from api.rights import Checked, Question
    from provenance.package import Package
    from provenance.recording_predicate import File
    from provenance.store import Recording

As = Literal["package", "midi", "stems"]

README = """This package holds a recording with the evidence of where it comes from.

audio/         the recording, with its C2PA manifest
stems/         its voices, each with a manifest of its own
midi/          its notes
lineage.json   who made what, note by note in sum
verdict.json   what may be done with it, as decided on the day of the export
closure.json   the facts that decision rests on
evidence.json  the signed entries of the ledger, with inclusion proofs

With Liner Notes:  linernotes verify PACKAGE [--policy FILE]
Without: the files are listed in manifest-sha256.txt (BagIt, RFC 8493); the list is signed by the export
statement in export.evidence (DSSE, in-toto), whose proof is a C2SP tlog-proof (RFC 6962).
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """A package that lies where the user asked for it.

    Attributes:
        digest: Of its list of files, which the export statement signs; empty for ``midi`` and ``stems``.
    """

    path: Path
    recording_id: str
    digest: str
    leaf_hash: str
    log_index: int
    verdict: str
    files: tuple[str, ...]


def export(home: Home, recording: Recording, target: Path, question: Question, progress: Progress) -> Exported:
    """Check a recording's rights, gather its evidence, and write a signed package.

    Args:
        home: Where the recording is.
        recording: What to export.
        target: A folder that does not exist yet, or a file ending in ``.zip``.
        question: What the verdict in the package answers.
        progress: Told of each stage.

    Raises:
        UsageError: The target exists already or cannot be written, or the policy of the settings names no witness.
    """
    _require_free(target)
    witnesses_of(home)  # before anything is recorded
    past = history(home, recording)
    if home.time.covering(recording.log_index) is None:  # asked while the package is made
        home.time.submit(home.log.checkpoint(), now=True)
    checked = check(home, recording, question)
    with home.objects.staging() as folder:
        root = folder / "package"
        stems = _sealed_stems(home, folder, past, progress)
        progress("gathering evidence", 0, 1)
        _write_payload(home, root, past, recording, checked, stems)
        whole = package.begin(root)
        package_digest = whole.digest
        draft = _statement(home, recording, whole, checked)
        [receipt] = home.append([draft])
        evidence = _export_evidence(home, recording, draft, receipt.index)
        made = draft.statement.predicate
        package.finish(whole, evidence.to_bytes(), recording_id=recording.recording_id, date=made.time[:10])
        files = tuple(str(p.relative_to(root)) for p in sorted(root.rglob("*")) if p.is_file())
        progress("writing", 0, 1)
        _place(whole, folder, target)
    return Exported(
        target, recording.recording_id, package_digest, draft.leaf_hash, receipt.index, checked.verdict.result, files
    )


def export_midi(home: Home, recording: Recording, target: Path) -> Exported:
    """Hand out a recording's notes as a MIDI file."""
    past = history(home, recording)
    [midi] = _files(past, "midi")
    hand_out(home, midi.asset_digest, target)
    return Exported(target, recording.recording_id, "", recording.leaf_hash, recording.log_index, "", (target.name,))


def export_stems(home: Home, recording: Recording, target: Path, progress: Progress) -> Exported:
    """Hand out a recording's voices as signed files in a folder."""
    _require_free(target)
    with home.objects.staging() as folder:
        stems = _sealed_stems(home, folder, history(home, recording), progress)
    target.mkdir()
    for name, digest in stems:
        hand_out(home, digest, target / name)
    names = tuple(name for name, _ in stems)
    return Exported(target, recording.recording_id, "", recording.leaf_hash, recording.log_index, "", names)


def _sealed_stems(home: Home, folder: Path, past: History, progress: Progress) -> list[tuple[str, str]]:
    """Seal the stems that were not sealed before; a silent one has no fingerprint and is left out."""
    last = past.recordings[-1]
    draft = home.draft(last.leaf_hash)
    entry = home.exhibit(last.leaf_hash)
    stems = _files(past, "stem")
    found: list[tuple[str, str]] = []
    made: list[Draft] = []
    for position, stem in enumerate(stems):
        progress("sealing stems", position, len(stems))
        known = rendition_of(home, last.recording_id, "audio/flac", stem.name)
        if known is None:
            part = _stem(home, stem)
            if part is None:
                continue
            parent = _parent_file(home, past)
            sealed = seal(home, folder, draft, entry, part, "audio/flac", parent)
            made.append(rendition(home, draft, sealed))
            found.append((stem.name, sealed.asset_digest))
        else:
            found.append((stem.name, known.asset_digest))
    if made:
        home.append(made)
    return found


def _stem(home: Home, stem: File) -> Part | None:
    audio = decode(home.objects.path(stem.asset_digest))
    try:
        code = audio_code(fingerprint(audio))
    except InsufficientEvidenceError:
        return None
    return Part(stem.name, audio, Digest(pcm_digest(audio)), code)


def _parent_file(home: Home, past: History) -> Path | None:
    if len(past.recordings) == 1:
        return None
    parent = rendition_of(home, past.recordings[-2].recording_id, MASTER)
    return home.objects.path(parent.asset_digest) if parent else None


def _write_payload(
    home: Home, root: Path, past: History, recording: Recording, checked: Checked, stems: Sequence[tuple[str, str]]
) -> None:
    data = root / "data"
    for name in ("audio", "stems", "midi"):
        (data / name).mkdir(parents=True)
    master = rendition_of(home, recording.recording_id, MASTER)
    if master is None:
        raise UsageError(f"The recording {recording.recording_id} was never sealed; its making was interrupted.")
    hand_out(home, master.asset_digest, data / "audio" / f"{recording.recording_id}{ENDINGS[MASTER]}")
    for name, digest in stems:
        hand_out(home, digest, data / "stems" / name)
    [midi] = _files(past, "midi")
    hand_out(home, midi.asset_digest, data / "midi" / midi.name)
    lineage = lineage_of(past).model_dump(mode="json")
    (data / "lineage.json").write_bytes(rfc8785.dumps(lineage))
    (root / VERDICT).write_text(checked.opening.value, encoding="utf-8")
    (root / CLOSURE).write_bytes(rfc8785.dumps(closure_document(checked.closure)))
    (root / EVIDENCE).write_bytes(_evidence(home, past, checked).to_bytes())
    (data / "README.txt").write_text(README, encoding="utf-8")


def _evidence(home: Home, past: History, checked: Checked) -> EvidenceBundle:
    """Every statement of the recording's past, with its proof."""
    leaves = [home.signer_exhibit.leaf_hash, *certificates(home), past.generation.model]
    model = past.model
    leaves += [model.corpus] if model.corpus else []
    with home.reading() as connection:
        for each in past.recordings:
            leaves += [
                leaf for leaf, _, kind in store.leaves_about(connection, each.recording_id) if kind not in _LEFT_OUT
            ]
    leaves += [edit.party for edit in past.edits]
    leaves.append(checked.leaf_hash)
    opening = DisclosedOpening(Digest(checked.leaf_hash), "verdict", checked.opening)
    have_witnessed(home)
    exhibits = (home.exhibit(leaf) for leaf in dict.fromkeys(leaves))
    return EvidenceBundle((*keys_along(home, *leaves), *exhibits), (opening,))


def _export_evidence(home: Home, recording: Recording, draft: Draft, index: int) -> EvidenceBundle:
    """The export statement with its proof, and by when it and the recording had been made."""
    have_witnessed(home)
    exhibits = (home.exhibit(home.service_key_leaf), home.exhibit(draft.leaf_hash))
    home.time.submit(home.log.checkpoint(), now=True)
    home.time.wait_for(index + 1)
    stamped = (home.stamped(leaf) for leaf in (recording.leaf_hash, draft.leaf_hash))
    return EvidenceBundle(exhibits, timestamps=tuple(each for each in stamped if each is not None))


_LEFT_OUT = frozenset({"check", "export"})
"""What else was asked about a recording, and who was given it before, is no part of its provenance."""


def _statement(home: Home, recording: Recording, whole: Package, checked: Checked) -> Draft:
    predicate = ExportPredicate.model_validate(
        header(ExportPredicate)
        | {
            "recording_id": recording.recording_id,
            "of": recording.leaf_hash,
            "package_digest": whole.digest,
            "files": sum(path.is_file() for path in whole.payload.rglob("*")),
            "check": checked.leaf_hash,
        }
    )
    return home.sign(Statement((Subject(recording.recording_id, whole.digest),), predicate))


def _files(past: History, role: str) -> list[File]:
    return [file for file in past.steps[-1].predicate.content.files if file.role == role]


def _require_free(target: Path) -> None:
    require_usable(target)
    if target.exists():
        raise UsageError(f"{target} exists already. Choose another name, or remove it: a package is never added to.")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target} cannot be written: {target.absolute().parent} is not a folder.")


def _place(whole: Package, folder: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    try:
        if target.suffix == ".zip":
            package.write_zip(whole, folder / target.name)
            shutil.copyfile(folder / target.name, partial)
        else:
            shutil.copytree(whole.root, partial)
        partial.rename(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)
        raise UsageError(f"{target} cannot be written: {error.strerror}. Free some room and export again.") from error
