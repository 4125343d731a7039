"""A BagIt package (RFC 8493) of one recording, as a folder or as one zip file.

``data/`` holds what was exported. ``manifest-sha256.txt`` lists every file of it, and the digest of that
list is what the export statement signs; the statement itself lies beside the payload, in
``export.evidence``, because a list cannot contain its own signature. Nothing else may lie beside the
payload but what BagIt asks for, and every byte of that follows from the payload and the statement.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from provenance.archive import MAX_FILES, is_archive, is_canonical, shown, title, unpack
from provenance.errors import EvidenceError
from provenance.identity import Digest, file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
EXPORT_EVIDENCE = "export.evidence"
INFO = "bag-info.txt"
DESCRIPTION = "A recording with its provenance, by Liner Notes"
_BESIDE_PAYLOAD = frozenset({"bagit.txt", INFO, MANIFEST, TAG_MANIFEST, EXPORT_EVIDENCE})
MAX_MANIFEST_BYTES = 64 * 1024**2
_LINE = re.compile(r"([0-9a-f]{64}) [ *]?([^\r\n]+)")


@dataclass(frozen=True, slots=True)
class Package:
    """A package on disk.

    Attributes:
        root: The folder that holds ``bagit.txt``.
    """

    root: Path

    @property
    def payload(self) -> Path:
        """The folder of exported files."""
        return self.root / "data"

    @property
    def digest(self) -> Digest:
        """SHA-256 of the list of payload files: what the export statement is about."""
        return file_digest(self.root / MANIFEST)

    def problems(self) -> list[str]:
        """Compare everything in the package with the two lists (RFC 8493, section 3).

        Links are never followed; whatever is neither a file nor a folder is a problem.

        Returns:
            One sentence for each thing that is missing, altered, not listed, or no file; nothing when whole.

        Raises:
            EvidenceError: A list is missing or malformed, or the package holds more than `MAX_FILES` or cannot be read.
        """
        try:
            return self._problems()
        except OSError as error:
            raise EvidenceError(f"{title(self.root)} cannot be read ({error}); ask for the package again.") from error

    def _problems(self) -> list[str]:
        files, problems = _walk(self.root)
        payload = {name for name in files if name.startswith("data/")}
        problems += self._compare(MANIFEST, payload)
        problems += self._compare(TAG_MANIFEST, files - payload - {TAG_MANIFEST})
        strangers = sorted(files - payload - _BESIDE_PAYLOAD)
        problems += [f"{shown(name)} does not belong beside the payload: nobody signed it" for name in strangers]
        if not self._reads("bagit.txt", DECLARATION):
            problems.append("bagit.txt is not the declaration of BagIt 1.0")
        return problems

    def is_described(self, recording_id: str, date: str) -> bool:
        """Tell whether ``bag-info.txt`` says what it must about this payload, and nothing else.

        Args:
            recording_id: Of the export statement.
            date: Of the export statement, ``YYYY-MM-DD``.
        """
        return self._reads(INFO, _info(self, recording_id, date))

    def _reads(self, name: str, wanted: str) -> bool:
        expected = wanted.encode()
        try:
            with (self.root / name).open("rb") as file:
                return file.read(len(expected) + 1) == expected
        except OSError:
            return False

    def _compare(self, manifest: str, present: AbstractSet[str]) -> list[str]:
        listed = read_manifest(self.root / manifest)
        problems: list[str] = []
        for name, wanted in sorted(listed.items()):
            if name not in present:
                problems.append(f"{shown(name)} is listed in {manifest} and is missing")
            elif file_digest(self.root / name) != wanted:
                problems.append(f"{shown(name)} was altered: it is not the file that {manifest} lists")
        return problems + [f"{shown(name)} is not listed in {manifest}" for name in sorted(present - listed.keys())]


def begin(root: Path) -> Package:
    """List a folder whose ``data/`` is complete; the export can then be signed.

    Args:
        root: The folder; its ``data/`` holds the payload.
    """
    package = Package(root)
    _write_manifest(root, MANIFEST, _payload_files(package))
    return package


def finish(package: Package, evidence: bytes, *, recording_id: str, date: str) -> None:
    """Add the evidence of the export statement, say what the package is, and close it.

    Args:
        package: What `begin` gave.
        evidence: The export statement with its proof.
        recording_id: Of that statement.
        date: Of that statement, ``YYYY-MM-DD``.
    """
    (package.root / EXPORT_EVIDENCE).write_bytes(evidence)
    (package.root / "bagit.txt").write_text(DECLARATION, encoding="utf-8")
    (package.root / INFO).write_text(_info(package, recording_id, date), encoding="utf-8")
    _write_manifest(package.root, TAG_MANIFEST, sorted(p for p in package.root.iterdir() if p.is_file()))


def write_zip(package: Package, target: Path) -> None:
    """Write the package as one zip file with a single top folder and fixed times."""
    top = target.stem
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(p for p in package.root.rglob("*") if p.is_file()):
            name = f"{top}/{PurePosixPath(path.relative_to(package.root))}"
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            with path.open("rb") as source, archive.open(info, "w") as member:
                shutil.copyfileobj(source, member, 1 << 20)


@contextmanager
def opened(path: Path) -> Iterator[Package]:
    """Open a package folder or zip file for reading.

    Raises:
        EvidenceError: It is neither, or a zip file that no exporter of ours makes.
    """
    name = title(path)
    if path.is_dir():
        yield _found(path, name)
        return
    with TemporaryDirectory(prefix="linernotes-") as folder:
        unpack(path, Path(folder))
        tops = list(Path(folder).iterdir())
        yield _found(tops[0] if len(tops) == 1 and tops[0].is_dir() else Path(folder), name)


def is_package(path: Path) -> bool:
    """Tell whether a path is a package rather than an audio file: a folder, or a file that begins as a zip file."""
    return path.is_dir() or is_archive(path)


def read_manifest(path: Path) -> dict[str, Digest]:
    """Read a BagIt manifest.

    Raises:
        EvidenceError: It is missing or no file, or a line of it is malformed, or names a file twice or otherwise
            than by its plain path in the package.
    """
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_MANIFEST_BYTES:
            raise EvidenceError(
                f"{path.name} is not a file of at most {MAX_MANIFEST_BYTES} bytes; this is no package of ours."
            )
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceError(
            f"{path.name} is missing from the package or cannot be read; this is no package."
        ) from error
    listed: dict[str, Digest] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or not is_canonical(match[2]) or match[2] in listed:
            raise EvidenceError(f"Line {number} of {path.name} is not a digest and a file name of its own.")
        listed[match[2]] = Digest("sha256:" + match[1])
    return listed


def _info(package: Package, recording_id: str, date: str) -> str:
    files = _payload_files(package)
    size = sum(path.lstat().st_size for path in files)
    return (
        f"Bagging-Date: {date}\nBagging-Software: Liner Notes\nExternal-Description: {DESCRIPTION}\n"
        f"External-Identifier: {recording_id}\nPayload-Oxum: {size}.{len(files)}\n"
    )


def _payload_files(package: Package) -> list[Path]:
    return sorted(path for path in package.payload.rglob("*") if path.is_file())


def _found(root: Path, name: str) -> Package:
    if not (root / "bagit.txt").is_file():
        raise EvidenceError(f"{name} holds no bagit.txt: it is not a package made by linernotes export.")
    return Package(root)


def _walk(root: Path) -> tuple[set[str], list[str]]:
    """The names of all files below a folder, and a sentence for each thing that is neither file nor folder."""
    files: set[str] = set()
    problems: list[str] = []
    folders = [""]
    count = 0
    while folders:
        folder = folders.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                count += 1
                if count > MAX_FILES:
                    raise EvidenceError(f"{title(root)} holds more than {MAX_FILES} files and folders; refused.")
                name = folder + entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(name + "/")
                elif entry.is_file(follow_symlinks=False):
                    files.add(name)
                else:
                    kind = "a symbolic link" if entry.is_symlink() else "neither a file nor a folder"
                    problems.append(f"{shown(name)} is {kind}; a package holds only files and folders")
    return files, sorted(problems)


def _write_manifest(root: Path, name: str, files: list[Path]) -> None:
    lines = [
        f"{file_digest(path).removeprefix('sha256:')}  {PurePosixPath(path.relative_to(root))}\n" for path in files
    ]
    (root / name).write_text("".join(lines), encoding="utf-8")
