import hashlib
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance import package
from provenance.errors import EvidenceError
from provenance.package import Package


@pytest.fixture
def made(tmp_path) -> Package:
    root = tmp_path / "bag"
    for name, data in {"data/audio/take.wav": b"RIFF" * 100, "data/a b.txt": b"x", "data/ü.json": b"{}"}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    whole = package.begin(root)
    package.finish(whole, b"evidence", recording_id="r", date="2026-11-20")
    return whole


def test_a_package_is_a_valid_bag_to_the_reference_implementation(made: Package) -> None:
    """bagit-python is by the Library of Congress, which wrote RFC 8493."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bagit", "--validate", str(made.root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is valid" in done.stderr


def test_a_whole_package_has_no_problems(made: Package) -> None:
    assert made.problems() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_any_flipped_bit_in_any_file_is_a_problem(made: Package, data: st.DataObject) -> None:
    files = sorted(path for path in made.root.rglob("*") if path.is_file() and path.name != package.TAG_MANIFEST)
    path = data.draw(st.sampled_from(files))
    before = path.read_bytes()
    position = data.draw(st.integers(0, len(before) * 8 - 1))
    altered = bytearray(before)
    altered[position // 8] ^= 1 << position % 8
    path.write_bytes(altered)
    try:
        assert made.problems()
    except EvidenceError:
        pass
    finally:
        path.write_bytes(before)


def test_missing_and_added_files_are_problems(made: Package) -> None:
    (made.payload / "a b.txt").unlink()
    (made.payload / "new.txt").write_text("x")
    problems = " ".join(made.problems())
    assert "data/a b.txt is listed" in problems
    assert "data/new.txt is not listed" in problems


def test_a_zip_file_opens_to_the_same_package(made: Package, tmp_path) -> None:
    target = tmp_path / "bag.zip"
    package.write_zip(made, target)
    with package.opened(target) as found:
        assert found.problems() == []
        assert found.digest == made.digest
    again = tmp_path / "again" / "bag.zip"
    again.parent.mkdir()
    package.write_zip(made, again)
    assert again.read_bytes() == target.read_bytes()


def test_music_with_a_package_behind_it_is_no_package(made: Package, tmp_path) -> None:
    target = tmp_path / "bag.zip"
    package.write_zip(made, target)
    assert package.is_package(target)
    polyglot = tmp_path / "take.wav"
    polyglot.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + target.read_bytes())
    assert zipfile.is_zipfile(polyglot)
    assert not package.is_package(polyglot)
    with (
        pytest.raises(EvidenceError, match=r"take\.wav is not a zip file from its first byte"),
        package.opened(polyglot),
    ):
        pass


def test_a_folder_is_a_package_and_other_things_are_none(made: Package, tmp_path) -> None:
    assert package.is_package(made.root)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    assert not any(package.is_package(tmp_path / name) for name in ("pipe", "empty", "missing"))


def test_an_unlisted_file_in_any_folder_is_a_problem(made: Package) -> None:
    for name in ("extra/deep/er/x.wav", "data/audio/deep/y.wav", "z.txt", "tagmanifest-md5.txt"):
        (made.root / name).parent.mkdir(parents=True, exist_ok=True)
        (made.root / name).write_text("x")
    assert made.problems() == [
        "data/audio/deep/y.wav is not listed in manifest-sha256.txt",
        "extra/deep/er/x.wav is not listed in tagmanifest-sha256.txt",
        "tagmanifest-md5.txt is not listed in tagmanifest-sha256.txt",
        "z.txt is not listed in tagmanifest-sha256.txt",
        "extra/deep/er/x.wav does not belong beside the payload: nobody signed it",
        "tagmanifest-md5.txt does not belong beside the payload: nobody signed it",
        "z.txt does not belong beside the payload: nobody signed it",
    ]


def test_a_payload_file_that_only_the_unsigned_list_names_is_a_problem(made: Package) -> None:
    (made.payload / "new.txt").write_bytes(b"x")
    with (made.root / package.TAG_MANIFEST).open("a") as file:
        file.write(f"{hashlib.sha256(b'x').hexdigest()}  data/new.txt\n")
    assert "data/new.txt is not listed in manifest-sha256.txt" in made.problems()


def test_links_are_problems_and_are_not_followed(made: Package, tmp_path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.txt").write_bytes(b"x")
    (made.payload / "folder").symlink_to(outside, target_is_directory=True)
    (made.payload / "round").symlink_to(made.root, target_is_directory=True)
    (made.payload / "a b.txt").unlink()
    (made.payload / "a b.txt").symlink_to(outside / "x.txt")
    (made.root / "broken").symlink_to("nowhere")
    assert made.problems() == [
        "broken is a symbolic link; a package holds only files and folders",
        "data/a b.txt is a symbolic link; a package holds only files and folders",
        "data/folder is a symbolic link; a package holds only files and folders",
        "data/round is a symbolic link; a package holds only files and folders",
        "data/a b.txt is listed in manifest-sha256.txt and is missing",
    ]


def test_pipes_and_sockets_are_problems(made: Package, monkeypatch) -> None:
    os.mkfifo(made.payload / "pipe.wav")
    monkeypatch.chdir(made.root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        problems = made.problems()
    assert problems == [
        f"{name} is neither a file nor a folder; a package holds only files and folders"
        for name in ("data/pipe.wav", "socket")
    ]


@pytest.mark.parametrize("name", [package.MANIFEST, package.TAG_MANIFEST])
def test_a_list_that_is_no_file_is_refused(made: Package, name: str) -> None:
    (made.root / name).unlink()
    os.mkfifo(made.root / name)
    with pytest.raises(EvidenceError, match=f"{name} is not a file"):
        made.problems()


def test_a_name_that_a_terminal_would_obey_is_shown_escaped(made: Package) -> None:
    (made.payload / "\x1b[2Jx").touch()
    assert made.problems() == ["'data/\\x1b[2Jx' is not listed in manifest-sha256.txt"]


def test_a_folder_of_too_many_files_is_refused(made: Package, monkeypatch) -> None:
    monkeypatch.setattr(package, "MAX_FILES", 10)
    assert made.problems() == []
    (made.root / "one more").mkdir()
    with pytest.raises(EvidenceError, match="bag holds more than 10 files and folders"):
        made.problems()


def test_a_file_that_cannot_be_read_is_explained(made: Package, monkeypatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(package, "file_digest", refuse)
    with pytest.raises(EvidenceError, match=r"bag cannot be read .*Permission denied"):
        made.problems()


@pytest.mark.parametrize("given_path", [".", "..", "./"])
def test_a_folder_without_a_name_is_called_by_its_own(tmp_path, monkeypatch, given_path: str) -> None:
    inner = tmp_path / "some folder" / "x"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner if given_path == ".." else inner.parent)
    with pytest.raises(EvidenceError, match=r"^some folder holds no bagit\.txt"), package.opened(Path(given_path)):
        pass


def test_what_is_no_package_is_explained(tmp_path) -> None:
    with pytest.raises(EvidenceError, match=r"no bagit\.txt"), package.opened(tmp_path):
        pass
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("top/readme.txt", b"x")
    with pytest.raises(EvidenceError, match=r"^other\.zip holds no bagit\.txt"), package.opened(path):
        pass
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(EvidenceError, match="not a whole zip"), package.opened(path):
        pass


ZEROS = "0" * 64


@pytest.mark.parametrize(
    "line",
    [
        "zz data/a",
        *(
            f"{ZEROS}  {name}"
            for name in ("../a", "/a", "./data/a", "data/./a", "data//a", "data/", "data/../a", "a\\b")
        ),
        f"{ZEROS}  data/\x07",
        ZEROS,
        "",
    ],
)
def test_a_malformed_list_is_refused(tmp_path, line: str) -> None:
    path = tmp_path / "manifest-sha256.txt"
    path.write_text(line + "\n")
    with pytest.raises(EvidenceError, match="Line 1"):
        package.read_manifest(path)


def test_a_list_that_names_a_file_twice_is_refused(tmp_path) -> None:
    path = tmp_path / "manifest-sha256.txt"
    path.write_text(f"{ZEROS}  data/a\n{ZEROS}  data/a\n")
    with pytest.raises(EvidenceError, match="Line 2"):
        package.read_manifest(path)
