import copy
import os
import stat
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance import archive
from provenance.errors import EvidenceError

GOOD = {"top/bagit.txt": b"BagIt", "top/data/a.txt": b"a" * 1000, "top/data/\u00fc.txt": b""}


def write_zip(path: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names that occur twice
        for name, data in members:
            made.writestr(name, data)
    return path


def unpacked(path: Path, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    archive.unpack(path, folder)
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def refused(path: Path, folder: Path, message: str) -> None:
    folder.mkdir(exist_ok=True)
    with pytest.raises(EvidenceError, match=message):
        archive.unpack(path, folder)


@pytest.fixture
def good(tmp_path) -> Path:
    return write_zip(tmp_path / "good.zip", list(GOOD.items()))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_was_packed_is_unpacked(tmp_path, compression: int) -> None:
    path = write_zip(tmp_path / "good.zip", [("top/", b""), ("top/data/", b""), *GOOD.items()], compression)
    assert archive.is_archive(path)
    assert unpacked(path, tmp_path / "out") == GOOD


def test_data_before_the_archive_is_refused(good: Path, tmp_path) -> None:
    whole = good.read_bytes()
    good.write_bytes(b"RIFF\x24\x00\x00\x00WAVE" + whole)
    assert not archive.is_archive(good)
    refused(good, tmp_path / "out", "not a zip file from its first byte")
    good.write_bytes(b"PK\x03\x04" + whole)
    refused(good, tmp_path / "out", "data outside of its files")


@pytest.mark.parametrize("behind", [b"\0", b"\0" * 100, b"ID3", b"PK\x05\x06" + bytes(17)])
def test_data_behind_the_archive_is_refused(good: Path, tmp_path, behind: bytes) -> None:
    good.write_bytes(good.read_bytes() + behind)
    refused(good, tmp_path / "out", "not a whole zip file")


def test_data_between_the_files_is_refused(good: Path, tmp_path) -> None:
    with zipfile.ZipFile(good, "a") as made:
        made.fp.seek(made.start_dir)
        made.fp.write(b"hidden")
        made.start_dir += 6
        made.writestr("top/more.txt", b"x")
    with zipfile.ZipFile(good) as made:
        assert made.testzip() is None
    refused(good, tmp_path / "out", "data outside of its files")


def test_an_archive_that_was_written_to_a_pipe_is_unpacked(tmp_path) -> None:
    """Its members end with data descriptors."""
    target = tmp_path / "piped.zip"
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe, zipfile.ZipFile(pipe, "w") as made:
        for name, data in GOOD.items():
            made.writestr(name, data)
    with os.fdopen(reader, "rb") as pipe:
        target.write_bytes(pipe.read())
    assert unpacked(target, tmp_path / "out") == GOOD


def test_an_archive_behind_an_archive_is_refused(good: Path, tmp_path) -> None:
    good.write_bytes(good.read_bytes() * 2)
    refused(good, tmp_path / "out", "data outside of its files")


@pytest.mark.parametrize("comment", [b"hello", b"PK\x05\x06" + bytes(18), bytes(22)])
def test_a_comment_is_refused(good: Path, tmp_path, comment: bytes) -> None:
    with zipfile.ZipFile(good, "a") as made:
        made.comment = comment
    refused(good, tmp_path / "out", "not a whole zip file|data outside")


def test_an_archive_that_announces_a_comment_and_has_none_is_refused(good: Path, tmp_path) -> None:
    good.write_bytes(good.read_bytes()[:-2] + b"\x05\0")
    refused(good, tmp_path / "out", "not a whole zip file: it is cut short")
    good.write_bytes(good.read_bytes()[:-2] + b"\0\x05")
    refused(good, tmp_path / "out", "not a whole zip file: it is cut short")


def test_a_truncated_archive_is_refused(good: Path, tmp_path) -> None:
    whole = good.read_bytes()
    for length in range(4, len(whole)):
        good.write_bytes(whole[:length])
        refused(good, tmp_path / "out", "not a whole zip file")


def test_what_is_no_file_is_refused(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "missing"):
        assert not archive.is_archive(tmp_path / name)
        refused(tmp_path / name, tmp_path / "out", f"{name} is neither")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "a\\..\\x",
        "top/./x",
        "./x",
        "top//x",
        "top/..",
        ".",
        "top/x//",
        "a\x07",
        "a\u2028",
        "x" * 1001,
    ],
)
def test_names_that_are_not_plain_are_refused(tmp_path, name: str) -> None:
    path = write_zip(tmp_path / "evil.zip", [("top/bagit.txt", b""), (name, b"x")])
    refused(path, tmp_path / "out", "not a plain path")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_name_that_ends_early_is_refused(tmp_path) -> None:
    """Python reads a name up to its first NUL; others do not."""
    path = write_zip(tmp_path / "evil.zip", [("top/a.txt#.exe", b"x")])
    path.write_bytes(path.read_bytes().replace(b"#", b"\0"))
    refused(path, tmp_path / "out", "not a plain path")


@pytest.mark.parametrize("evil_first", [True, False])
def test_a_name_that_occurs_twice_is_refused(tmp_path, *, evil_first: bool) -> None:
    twice = [("top/data/a.txt", b"evil"), ("top/data/a.txt", b"good")]
    path = write_zip(tmp_path / "twice.zip", twice if evil_first else twice[::-1])
    refused(path, tmp_path / "out", "top/data/a.txt in twice.zip occurs twice")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("top/a.txt", "top/A.TXT"),
        ("top/\u00fc", "top/u\u0308"),
        ("top/stra\u00dfe", "top/STRASSE"),
        ("top/a/x", "top/A/y"),
        ("top/a", "top/a/b"),
        ("top/a/b", "top/a"),
        ("top/a/", "top/A"),
        ("top/\u00e9/x", "Top/e\u0301/y"),
    ],
)
def test_names_that_are_one_name_to_some_systems_are_refused(tmp_path, first: str, second: str) -> None:
    path = write_zip(tmp_path / "like.zip", [(first, b""), (second, b"")])
    refused(path, tmp_path / "out", "has the name of another")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK, stat.S_IFDIR])
def test_members_that_are_no_files_are_refused(tmp_path, kind: int) -> None:
    info = zipfile.ZipInfo("top/bagit.txt")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as made:
        made.writestr(info, "/etc/passwd")
    refused(tmp_path / "link.zip", tmp_path / "out", "top/bagit.txt in link.zip is a link")


@pytest.mark.parametrize("bit", [0x01, 0x40, 0x2000])
def test_an_encrypted_member_is_refused(good: Path, tmp_path, bit: int) -> None:
    data = bytearray(good.read_bytes())
    flags = data.index(b"PK\x01\x02") + 8
    data[flags : flags + 2] = (int.from_bytes(data[flags : flags + 2], "little") | bit).to_bytes(2, "little")
    good.write_bytes(data)
    refused(good, tmp_path / "out", "is encrypted")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(tmp_path, compression: int) -> None:
    path = write_zip(tmp_path / "other.zip", [("top/a", b"a")], compression)
    refused(path, tmp_path / "out", "compressed otherwise")


def test_an_archive_that_says_it_is_too_large_is_refused_unread(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 999)
    path = write_zip(tmp_path / "bomb.zip", [("top/a", bytes(1000))])
    refused(path, tmp_path / "out", "bomb.zip unpacks to more than")
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    archive.unpack(path, tmp_path / "out")


def test_unpacking_stops_when_the_declared_sizes_lie(tmp_path, monkeypatch) -> None:
    """Python's own reader never gives more than was declared; this must not rest on that."""
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    monkeypatch.setattr(archive, "_PIECE", 100)
    path = write_zip(tmp_path / "bomb.zip", [("top/a", bytes(600)), ("top/b", bytes(100_000))])
    honest = zipfile.ZipFile.infolist

    def lying(self: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        members = [copy.copy(member) for member in honest(self)]
        for member in members:
            member.file_size = 1
        return members

    monkeypatch.setattr(zipfile.ZipFile, "infolist", lying)
    refused(path, tmp_path / "out", "unpacks to more than")
    assert sum(each.stat().st_size for each in (tmp_path / "out/top").iterdir()) == 1000


def test_an_archive_of_too_many_files_or_folders_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 4)
    refused(write_zip(tmp_path / "a.zip", [(str(n), b"") for n in range(5)]), tmp_path / "out", "more than 4 files")
    refused(write_zip(tmp_path / "b.zip", [("1/2/3/4/5", b"")]), tmp_path / "out", "more than 4 files")
    archive.unpack(write_zip(tmp_path / "c.zip", [("1/2/3/4", b"")]), tmp_path / "out")


def test_a_directory_of_absurd_size_is_not_read(good: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(archive, "MAX_DIRECTORY_BYTES", 100)
    refused(good, tmp_path / "out", "its directory says that it has")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.data())
def test_any_altered_byte_is_refused_or_changes_no_content(good: Path, tmp_path_factory, data: st.DataObject) -> None:
    altered = bytearray(good.read_bytes())
    altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("altered")
    path = folder / "altered.zip"
    path.write_bytes(altered)
    try:
        found = unpacked(path, folder / "out")
    except EvidenceError:
        return
    assert sorted(found.values()) == sorted(GOOD.values())


@given(st.text())
def test_a_canonical_name_is_what_a_path_makes_of_it(name: str) -> None:
    if archive.is_canonical(name):
        assert str(Path(name)) == name
        assert not Path(name).is_absolute()
        assert ".." not in Path(name).parts
