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
    whole = package.begin(root, description="A test", recording_id="r", date="2026-11-20")
    package.finish(whole, b"evidence")
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


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil"])
def test_a_member_that_would_leave_the_folder_is_refused(tmp_path, name: str) -> None:
    path = write_zip(tmp_path / "evil.zip", {"top/bagit.txt": b"", name: b"x"})
    with pytest.raises(EvidenceError, match="outside"), package.opened(path):
        pass


def test_a_link_in_a_zip_file_is_refused(tmp_path) -> None:
    path = tmp_path / "link.zip"
    info = zipfile.ZipInfo("top/bagit.txt")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(EvidenceError, match="outside"), package.opened(path):
        pass


def test_an_archive_of_absurd_size_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(package, "MAX_BYTES", 100)
    path = write_zip(tmp_path / "bomb.zip", {"top/bagit.txt": bytes(1000)})
    with pytest.raises(EvidenceError, match="unpacks to more"), package.opened(path):
        pass


def test_what_is_no_package_is_explained(tmp_path) -> None:
    with pytest.raises(EvidenceError, match=r"no bagit\.txt"), package.opened(tmp_path):
        pass
    path = write_zip(tmp_path / "other.zip", {"readme.txt": b"x"})
    with pytest.raises(EvidenceError, match=r"no bagit\.txt"), package.opened(path):
        pass
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(EvidenceError, match="not a whole zip"), package.opened(path):
        pass


@pytest.mark.parametrize("line", ["zz data/a", "0" * 64 + "  ../a", "0" * 64 + "  /a", "0" * 64, ""])
def test_a_malformed_list_is_refused(tmp_path, line: str) -> None:
    path = tmp_path / "manifest-sha256.txt"
    path.write_text(line + "\n")
    with pytest.raises(EvidenceError, match="Line 1"):
        package.read_manifest(path)
