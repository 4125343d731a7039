"""Zip files of strangers, unpacked without surprises.

A zip reader looks for the directory at the end of a file, so that an archive may hide behind a piece of
music, which players play. Readers also disagree about names that occur twice. Accepted is only what
every reader unpacks alike: an archive from the first byte to the last, with plain names.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from provenance.errors import EvidenceError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

MAX_FILES = 10_000
"""Files and folders of one package."""
MAX_BYTES = 4 * 1024**3
"""What a zip file may unpack to."""
MAX_DIRECTORY_BYTES = 64 * 1024**2
"""The directory of a zip file; each entry of it costs several times its bytes."""
MAX_NAME = 1_000
"""Characters in the name of a file, with its folders."""
_STARTS = b"PK\x03\x04"
_ENDS = b"PK\x05\x06"
_END_BYTES = 22
_ENCRYPTED = 0x2041
"""Bits of a member's flags: encrypted, strongly encrypted, masked (PKWARE APPNOTE, 4.4.4)."""
_HAS_DESCRIPTOR = 0x0008
_DESCRIPTORS = {12, 16, 20, 24}
"""Bytes of the data descriptor that such a member ends with (APPNOTE, 4.3.9)."""
_LENGTHS_AT = 26
"""Where a member's header says how long its name and extra field are; they follow (APPNOTE, 4.3.7)."""
_PIECE = 1 << 20


class _Frugal(io.FileIO):
    """A file of which no more is read at once than a directory may have: the library reads that in one piece."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its directory says that it has {size} bytes")
        return super().read(-1 if size is None else size) or b""


_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(OSError, RuntimeError, ValueError, OverflowError),
)
"""What the library raises about files that are not whole."""


def is_archive(path: Path) -> bool:
    """Tell whether a file begins as a zip file; one that cannot be read does not."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_STARTS)) == _STARTS
    except OSError:
        return False


def unpack(path: Path, folder: Path) -> None:
    """Unpack a zip file, if every zip reader would unpack the same files.

    Args:
        path: The zip file.
        folder: An empty folder. It may hold a part of the files when an error is raised.

    Raises:
        EvidenceError: It is damaged, too large, more than an archive, or has members that are encrypted, doubled,
            no files, or named otherwise than by a plain path.
    """
    name = title(path)
    if not path.is_file():
        raise EvidenceError(f"{name} is neither a folder nor a zip file: it is no package.")
    try:
        with _Frugal(path) as file:
            _check_ends(file, name)
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_layout(file, members, archive.start_dir, name)
                _check_members(members, name)
                _check_names(members, name)
                _unpack(archive, members, folder, name)
    except _UNREADABLE as error:
        raise EvidenceError(f"{name} is not a whole zip file ({error}); ask for the package again.") from error


def is_canonical(name: str) -> bool:
    """Tell whether a name is the one way to write a path inside the package."""
    parts = name.split("/")
    controls = any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in name)
    return len(name) <= MAX_NAME and "\\" not in name and not controls and not {"", ".", ".."} & set(parts)


def title(path: Path) -> str:
    """The last part of a path as it was given, or of what it stands for, as ``.`` does."""
    return path.name if path.name not in {"", ".."} else path.resolve().name or str(path.resolve())


def shown(name: str) -> str:
    """A name for a message, without characters that a terminal would obey."""
    return name if name.isprintable() else ascii(name)


def _check_ends(file: BinaryIO, name: str) -> None:
    """Refuse anything before or behind the archive."""
    starts = file.read(len(_STARTS))
    if starts != _STARTS:
        raise EvidenceError(f"{name} is not a zip file from its first byte on: it is no package.")
    file.seek(max(0, file.seek(0, os.SEEK_END) - _END_BYTES))
    end = file.read()
    if not end.startswith(_ENDS) or not end.endswith(b"\0\0"):
        raise EvidenceError(
            f"{name} is not a whole zip file: it is cut short, or has a comment or other data behind its directory. "
            "Ask for the package again."
        )


def _check_layout(file: BinaryIO, members: list[zipfile.ZipInfo], directory: int, name: str) -> None:
    """Refuse bytes that belong to no member: some readers would find another archive in them."""
    position, gaps = 0, {0}
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset - position not in gaps:
            raise EvidenceError(f"{name} has data outside of its files; refused.")
        file.seek(member.header_offset + _LENGTHS_AT)
        lengths = struct.unpack("<HH", file.read(4))
        position = member.header_offset + _LENGTHS_AT + 4 + sum(lengths) + member.compress_size
        gaps = _DESCRIPTORS if member.flag_bits & _HAS_DESCRIPTOR else {0}
    if directory - position not in gaps or not members:
        raise EvidenceError(f"{name} has data outside of its files; refused.")


def _check_members(members: list[zipfile.ZipInfo], name: str) -> None:
    """Refuse members that are not plain files or folders, and what would not fit."""
    if len(members) > MAX_FILES or sum(member.file_size for member in members) > MAX_BYTES:
        raise _too_much(name)
    for member in members:
        where = f"{shown(member.orig_filename[:80])} in {name}"
        if not is_canonical(member.orig_filename.removesuffix("/")):
            raise EvidenceError(f"{where} is not a plain path, and might be written outside the package; refused.")
        if stat.S_IFMT(member.external_attr >> 16) not in {0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG}:
            raise EvidenceError(f"{where} is a link, or neither a file nor a folder; refused.")
        if member.flag_bits & _ENCRYPTED or member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise EvidenceError(f"{where} is encrypted, or compressed otherwise than by deflate; refused.")


def _check_names(members: list[zipfile.ZipInfo], name: str) -> None:
    """Refuse names that are one name to some systems; every name is canonical already."""
    listed: set[str] = set()
    spelled: dict[str, tuple[str, bool]] = {}
    for member in members:
        path = member.filename.removesuffix("/")
        where = f"{shown(path[:80])} in {name}"
        if path in listed:
            raise EvidenceError(f"{where} occurs twice; refused.")
        listed.add(path)
        for part in [path, *map(str, PurePosixPath(path).parents)][:-1]:
            as_folder = part != path or member.is_dir()
            if spelled.setdefault(_caseless(part), (part, as_folder)) != (part, as_folder):
                raise EvidenceError(f"{where} has the name of another file or folder on some systems; refused.")
        if len(spelled) > MAX_FILES:
            raise _too_much(name)


def _unpack(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path, name: str) -> None:
    written = 0
    for member in members:
        target = folder / member.filename
        if member.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member.filename) as source, target.open("xb") as copy:
            while piece := source.read(_PIECE):
                written += len(piece)
                if written > MAX_BYTES:
                    raise _too_much(name)
                copy.write(piece)


def _too_much(name: str) -> EvidenceError:
    return EvidenceError(f"{name} unpacks to more than {MAX_FILES} files or {MAX_BYTES} bytes; refused.")


def _caseless(name: str) -> str:
    """A canonical caseless form (Unicode, section 3.13, D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
