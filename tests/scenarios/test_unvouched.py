"""What nobody vouches for: manifests without evidence, and bytes that no signature covers, beside genuine ones."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fingerprint.audio import decode
from provenance import manifest
from provenance.assertion import LEDGER
from provenance.credential import Credential
from provenance.identity import file_digest
from tests.scenarios.forgery import MEDIA, draft_of, failing, report_of, unsigned

FORMATS = [
    pytest.param(ending, marks=pytest.mark.skipif(ending == ".m4a" and not shutil.which("ffmpeg"), reason="no ffmpeg"))
    for ending in MEDIA
]
C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


@pytest.fixture
def signed(studio, linernotes, tmp_path) -> Callable[[str], Path]:
    """The recording of the studio in a format."""

    def make(ending: str) -> Path:
        if ending == ".wav":
            return studio.wav
        path = tmp_path / f"genuine{ending}"
        done = linernotes(
            "generate", "an andante in G major", "--seconds", "10", "--seed", "3", "-o", path, home=studio.home
        )
        assert done.code == 0, done.err
        return path

    return make


def resign(genuine: Path, target: Path, forger: Credential, change: Callable[[dict], None]) -> Path:
    """Sign a genuine file's sound again, under a manifest that says the same but for a change."""
    draft = draft_of(report_of(genuine))
    definition = json.loads(draft.to_definition("urn:c2pa:3fae5cbb-9b6e-4c55-8c4c-4d2f3f1b7a52"))
    change(definition)
    manifest._sign(unsigned(decode(genuine), target), target, json.dumps(definition), forger, None)
    return target


def without_evidence(definition: dict) -> None:
    definition["assertions"] = [each for each in definition["assertions"] if each["label"] != LEDGER]


def with_soft_binding(code: str) -> Callable[[dict], None]:
    def change(definition: dict) -> None:
        [binding] = [each for each in definition["assertions"] if each["label"] == "c2pa.soft-binding"]
        binding["data"]["blocks"][0]["value"] = code

    return change


@pytest.mark.parametrize("ending", FORMATS)
def test_a_manifest_that_dropped_the_evidence_fails_under_a_policy(
    signed, linernotes, forger, policy, tmp_path, ending
) -> None:
    forged = resign(signed(ending), tmp_path / f"forged{ending}", forger, without_evidence)
    empty = tmp_path / "nowhere"
    assert failing(linernotes("verify", forged, "--policy", policy, "--json", home=empty)) == {
        "c2pa-ledger",
        "log-trust",
    }
    done = linernotes("verify", forged, "--json", home=empty)
    assert (done.code, done.json["verified"]) == (3, False)
    assert "carries no evidence of a log" in linernotes("verify", forged, home=empty).out


@pytest.mark.parametrize(
    "code",
    ["ISCC:AAAAAAAAAA", "ISCC:A", "ISCC:" + "A" * 500, "ISCC:KACYPXW445FTYNJ3CYSXHAFJMA2HUWULUNRFE3BLHRSCXYH2M5AEGQY"],
)
def test_a_soft_binding_that_is_no_audio_code_is_a_failed_check(
    studio, linernotes, forger, policy, tmp_path, code
) -> None:
    assert linernotes("export", studio.recording_id, "-o", tmp_path / "package", home=studio.home).code == 0
    stem = next((tmp_path / "package" / "data" / "stems").glob("*.flac"))
    forged = resign(stem, tmp_path / "forged.flac", forger, with_soft_binding(code))
    assert "c2pa-ledger" in failing(linernotes("verify", forged, "--policy", policy, "--json", home=tmp_path / "no"))


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg")
def test_no_byte_of_an_m4a_can_be_changed_or_added(signed, linernotes, policy, tmp_path) -> None:
    whole = signed(".m4a").read_bytes()
    forgeries = {
        "brand": whole[:8] + b"qt  " + whole[12:],
        "minor": whole[:12] + b"\xff" * 4 + whole[16:],
        "compatible": whole[:16] + b"HACKmp42" + whole[24:],
        "mfra": whole + box(b"mfra", box(b"free", b"Licensed to everybody. " * 99)),
        "uuid": whole + box(b"uuid", C2PA + bytes(4) + b"anything\0" + b"x" * 99),
        "ftyp": whole + box(b"ftyp", b"M4A " + b"anything" * 9),
        "endless": whole + b"\0\0\0\0ftyp" + b"anything",
        "trailing": whole + b"x",
    }
    for name, data in {"genuine": whole, **forgeries}.items():
        path = tmp_path / f"{name}.m4a"
        path.write_bytes(data)
        done = linernotes("verify", path, "--policy", policy, "--json", home=tmp_path / "nowhere")
        if name == "genuine":
            assert done.json["verified"] is True
        else:
            assert "c2pa-integrity" in failing(done), name


@pytest.mark.parametrize("header", [b"\x66sigTst", b"\x67sigTst2", b"\x65rVals", b"\x67x5chain", b"\x18\x21"])
def test_nothing_can_be_written_beside_the_signature(signed, linernotes, policy, tmp_path, header) -> None:
    whole = signed(".wav").read_bytes()
    at = whole.rindex(b"\x63pad\x59")
    length = int.from_bytes(whole[at + 5 : at + 7])
    text = (b"Licensed to everybody. " * length)[: length + 7 - len(header) - 3]
    forged = tmp_path / "forged.wav"
    forged.write_bytes(whole[:at] + header + b"\x59" + len(text).to_bytes(2) + text + whole[at + 7 + length :])
    assert forged.stat().st_size == len(whole)
    assert "c2pa-integrity" in failing(linernotes("verify", forged, "--policy", policy, "--json", home=tmp_path / "n"))


@pytest.fixture
def package(studio, linernotes, tmp_path) -> Path:
    target = tmp_path / "package"
    assert linernotes("export", studio.recording_id, "-o", target, home=studio.home).code == 0
    return target


def relist(package: Path) -> None:
    """List what lies beside the payload again, as anybody can."""
    beside = sorted(path for path in package.rglob("*") if path.is_file() and package / "data" not in path.parents)
    lines = [
        f"{file_digest(path).removeprefix('sha256:')}  {path.relative_to(package)}\n"
        for path in beside
        if path.name != "tagmanifest-sha256.txt"
    ]
    (package / "tagmanifest-sha256.txt").write_text("".join(lines))


def other_description(package: Path) -> None:
    info = package / "bag-info.txt"
    info.write_text(info.read_text().replace("A recording", "Composed by Jane Doe, no AI used, a recording"))


def more_description(package: Path) -> None:
    info = package / "bag-info.txt"
    info.write_text(info.read_text() + "Rights: all granted, worldwide\n")


def other_date(package: Path) -> None:
    info = package / "bag-info.txt"
    info.write_text("Bagging-Date: 1999-01-01\n" + info.read_text().partition("\n")[2])


def other_declaration(package: Path) -> None:
    (package / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n\n")


def a_licence(package: Path) -> None:
    (package / "LICENCE.txt").write_text("ALLOW: everything. Signed, Jane Doe\n")


def another_master(package: Path) -> None:
    (package / "audio").mkdir()
    shutil.copy(next((package / "data" / "audio").iterdir()), package / "audio" / "THE-MASTER.wav")


def an_opening(package: Path) -> None:
    document = json.loads((package / "data" / "evidence.json").read_bytes())
    evidence = json.loads((package / "export.evidence").read_bytes())
    evidence["openings"] = document["openings"]
    (package / "export.evidence").write_text(json.dumps(evidence))


CHANGES = (other_description, more_description, other_date, other_declaration, a_licence, another_master, an_opening)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_nothing_can_be_said_beside_the_payload(package, linernotes, policy, tmp_path, change, form) -> None:
    change(package)
    relist(package)
    target = package
    if form == "zip":
        target = tmp_path / "package.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for path in sorted(package.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(tmp_path))
    done = linernotes("verify", target, "--policy", policy, "--json", home=tmp_path / "nowhere")
    assert failing(done) & {"package-integrity", "package-signature"}


def test_a_package_that_is_only_listed_again_is_whole(package, linernotes, policy, tmp_path) -> None:
    relist(package)
    done = linernotes("verify", package, "--policy", policy, "--json", home=tmp_path / "nowhere")
    assert done.json["verified"] is True, done.out
