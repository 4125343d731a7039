"""A BagIt package (RFC 8493) of one recording, as a folder or as one zip file.

``data/`` holds what was exported. ``manifest-sha256.txt`` lists every file of it, and the digest of that
list is what the export statement signs; the statement itself lies beside the payload, in
``export.evidence``, because a list cannot contain its own signature.
"""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from provenance.errors import EvidenceError
from provenance.identity import Digest, file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
EXPORT_EVIDENCE = "export.evidence"
MAX_FILES = 10_000
MAX_BYTES = 16 * 1024**3
_LINE = re.compile(r"([0-9a-f]{64}) [ *]?(data/[^\r\n]+|[^\r\n]+)")


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
        """Compare every file with the two lists (RFC 8493, section 3).

        Returns:
            One sentence for each file that is missing, altered or not listed; nothing when whole.
        """
        found = self._compare(MANIFEST, {p for p in self.payload.rglob("*") if p.is_file()})
        tags = {p for p in self.root.iterdir() if p.is_file() and p.name != TAG_MANIFEST}
        return found + self._compare(TAG_MANIFEST, tags)

    def _compare(self, manifest: str, present: set[Path]) -> list[str]:
        listed = read_manifest(self.root / manifest)
        problems: list[str] = []
        for name, wanted in sorted(listed.items()):
            path = self.root / name
            if path not in present:
                problems.append(f"{name} is listed in {manifest} and is missing")
            elif file_digest(path) != wanted:
                problems.append(f"{name} was altered: it is not the file that {manifest} lists")
        names = {str(PurePosixPath(path.relative_to(self.root))) for path in present}
        return problems + [f"{name} is not listed in {manifest}" for name in sorted(names - listed.keys())]


def begin(root: Path, *, description: str, recording_id: str, date: str) -> Package:
    """Write the lists of a folder whose ``data/`` is complete; the export can then be signed.

    Args:
        root: The folder; its ``data/`` holds the payload.
        description: One sentence for ``bag-info.txt``.
        recording_id: Goes into ``External-Identifier``.
        date: ``YYYY-MM-DD``.
    """
    package = Package(root)
    files = sorted(p for p in package.payload.rglob("*") if p.is_file())
    size = sum(path.stat().st_size for path in files)
    info = (
        f"Bagging-Date: {date}\nBagging-Software: Liner Notes\nExternal-Description: {description}\n"
        f"External-Identifier: {recording_id}\nPayload-Oxum: {size}.{len(files)}\n"
    )
    (root / "bagit.txt").write_text(DECLARATION, encoding="utf-8")
    (root / "bag-info.txt").write_text(info, encoding="utf-8")
    _write_manifest(root, MANIFEST, files)
    return package


def finish(package: Package, evidence: bytes) -> None:
    """Add the evidence of the export statement and close the package."""
    (package.root / EXPORT_EVIDENCE).write_bytes(evidence)
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
    if path.is_dir():
        yield _found(path)
        return
    with TemporaryDirectory(prefix="linernotes-") as folder:
        _extract(path, Path(folder))
        tops = list(Path(folder).iterdir())
        yield _found(tops[0] if len(tops) == 1 and tops[0].is_dir() else Path(folder))


def is_package(path: Path) -> bool:
    """Tell whether a path is a package rather than an audio file."""
    return path.is_dir() or zipfile.is_zipfile(path)


def read_manifest(path: Path) -> dict[str, Digest]:
    """Read a BagIt manifest.

    Raises:
        EvidenceError: It is missing, or a line of it is malformed or leaves the package.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceError(
            f"{path.name} is missing from the package or cannot be read; this is no package."
        ) from error
    listed: dict[str, Digest] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or _leaves(match[2]) or match[2] in listed:
            raise EvidenceError(f"Line {number} of {path.name} is not a digest and a file name of its own.")
        listed[match[2]] = Digest("sha256:" + match[1])
    return listed


def _found(root: Path) -> Package:
    if not (root / "bagit.txt").is_file():
        raise EvidenceError(f"{root.name} holds no bagit.txt: it is not a package made by linernotes export.")
    return Package(root)


def _extract(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_FILES or sum(m.file_size for m in members) > MAX_BYTES:
                raise EvidenceError(
                    f"{path.name} unpacks to more than {MAX_FILES} files or {MAX_BYTES} bytes; refused."
                )
            for member in members:
                if _leaves(member.filename) or stat.S_ISLNK(member.external_attr >> 16):
                    raise EvidenceError(
                        f"{member.filename[:80]!r} in {path.name} would be written outside it; refused."
                    )
                archive.extract(member, folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise EvidenceError(f"{path.name} is not a whole zip file ({error}); ask for the package again.") from error


def _leaves(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name.startswith("/") or "\\" in name or ".." in parts or not parts


def _write_manifest(root: Path, name: str, files: list[Path]) -> None:
    lines = [
        f"{file_digest(path).removeprefix('sha256:')}  {PurePosixPath(path.relative_to(root))}\n" for path in files
    ]
    (root / name).write_text("".join(lines), encoding="utf-8")
