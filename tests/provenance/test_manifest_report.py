"""Reading manifests: whom to trust, what was altered, and what cannot be read at all.

Two engines that share no code judge every alteration: c2pa-python and encypher-c2pa.
"""

from __future__ import annotations

import base64
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.assertion import SoftwareAgent
from provenance.container import MAX_STORE_BYTES
from provenance.credential import create_test_credential, trust_anchor
from provenance.errors import CredentialError, ManifestError
from provenance.manifest import embed, read
from provenance.manifest_report import MALFORMED, UNREADABLE, UNSIGNED_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provenance.conftest import Studio

NO_FFMPEG = shutil.which("ffmpeg") is None
FORMATS = ["wav", "flac", "mp3", pytest.param("m4a", marks=pytest.mark.skipif(NO_FFMPEG, reason="ffmpeg makes m4a"))]


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_without_credentials_is_told_apart(studio: Studio, ending: str) -> None:
    assert read(studio.audio(ending)) is None


def test_assertions_the_signer_does_not_answer_for_are_not_believed(studio: Studio, tmp_path: Path) -> None:
    ledger = {"label": "org.linernotes.ledger", "data": studio.new.ledger.to_document()}
    studio.sign_by_hand(studio.by_hand(ledger), tmp_path / "gathered.wav")
    assert studio.report(tmp_path / "gathered.wav").ledger is None
    studio.sign_by_hand(studio.by_hand({**ledger, "created": True}), tmp_path / "created.wav")
    assert studio.report(tmp_path / "created.wav").ledger == studio.new.ledger


def test_two_ledger_assertions_are_one_too_many(studio: Studio, tmp_path: Path) -> None:
    ledger = {"label": "org.linernotes.ledger", "created": True, "data": studio.new.ledger.to_document()}
    studio.sign_by_hand(studio.by_hand(ledger, ledger), tmp_path / "two.wav")
    report = studio.report(tmp_path / "two.wav")
    assert (report.intact, report.ledger) == (False, None)
    assert [failure.code for failure in report.failures] == [MALFORMED]
    assert "2 assertions org.linernotes.ledger" in report.failures[0].explanation


@pytest.mark.parametrize(
    ("label", "data"),
    [
        ("org.linernotes.ledger", {"origin": "a"}),
        ("cawg.training-mining", {"entries": {"cawg.ai_training": {"use": "perhaps"}}}),
        ("c2pa.soft-binding", {"alg": "io.iscc.v0", "blocks": [{"scope": {}, "value": "no code"}]}),
    ],
)
def test_a_malformed_assertion_is_a_failure_and_the_rest_is_read(
    studio: Studio, tmp_path: Path, label: str, data: object
) -> None:
    assertion = {"label": label, "created": True, "data": data}
    studio.sign_by_hand(studio.by_hand(assertion), tmp_path / "malformed.wav")
    report = studio.report(tmp_path / "malformed.wav")
    assert [failure.code for failure in report.failures] == [MALFORMED]
    assert label in report.failures[0].explanation or "not an ISCC" in report.failures[0].explanation
    assert (report.ledger, report.training_mining, report.iscc) == (None, None, None)
    assert report.source_type == "composite"


def test_a_manifest_of_another_program_is_read_for_what_it_is(studio: Studio, tmp_path: Path) -> None:
    studio.sign_by_hand(studio.by_hand(), tmp_path / "other.wav")
    report = studio.report(tmp_path / "other.wav")
    assert report.intact
    assert report.agent == SoftwareAgent("another", "1")
    assert report.source_type == "composite"
    assert (report.ledger, report.iscc, report.training_mining, report.model, report.title) == (None,) * 5


def test_trust_is_apart_from_integrity(studio: Studio, tmp_path: Path) -> None:
    create_test_credential(tmp_path / "stranger")
    signed = studio.signed("wav")
    asked: list[tuple[bytes | None, bool | None]] = [
        (None, None),
        (studio.anchor, True),
        (trust_anchor(tmp_path / "stranger"), False),
        (trust_anchor(tmp_path / "stranger") + studio.anchor, True),
    ]
    for anchors, trusted in asked:
        report = studio.report(signed, anchors)
        assert (report.trusted, report.intact, report.failures) == (trusted, True, ())


def test_altered_audio_of_a_trusted_signer_is_not_intact(studio: Studio, tmp_path: Path) -> None:
    report = studio.report(studio.flipped(studio.signed("wav"), tmp_path, 4000), studio.anchor)
    assert (report.trusted, report.intact) == (True, False)


def test_a_forged_claim_is_nobodys(studio: Studio, tmp_path: Path) -> None:
    data = studio.signed("wav").read_bytes()
    report = studio.report(studio.flipped(studio.signed("wav"), tmp_path, data.index(b"Allegro")), studio.anchor)
    assert (report.trusted, report.intact) == (False, False)


def test_a_parent_by_an_untrusted_signer_does_not_change_who_signed(studio: Studio, tmp_path: Path) -> None:
    stranger = create_test_credential(tmp_path / "stranger")
    embed(studio.audio("wav"), tmp_path / "theirs.wav", studio.new, stranger)
    embed(studio.audio("wav"), tmp_path / "ours.wav", studio.edited, studio.credential, tmp_path / "theirs.wav")
    report = studio.report(tmp_path / "ours.wav", studio.anchor)
    assert (report.trusted, report.intact) == (True, True)


@pytest.mark.parametrize(
    "anchors",
    [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", b"-----BEGIN PUBLIC KEY-----"],
)
def test_trust_anchors_that_are_none_are_refused(studio: Studio, anchors: bytes) -> None:
    with pytest.raises(CredentialError, match="not certificates in PEM"):
        read(studio.signed("wav"), anchors)
    with pytest.raises(CredentialError, match="not certificates in PEM"):
        read(studio.signed("wav"), studio.anchor + anchors + b"-----BEGIN CERTIFICATE-----\n")


def test_too_many_trust_anchors_are_refused(studio: Studio) -> None:
    with pytest.raises(CredentialError, match="bytes, more than"):
        read(studio.signed("wav"), studio.anchor * 10_000)


def places(studio: Studio, path: Path) -> dict[str, tuple[int, set[str]]]:
    """Byte positions in a signed file, each with the failure codes it may lead to."""
    data = path.read_bytes()
    store = data.index(b"jumb") - 4
    binding = {"assertion.bmffHash.mismatch"} if path.suffix == ".m4a" else {"assertion.dataHash.mismatch"}
    assertion = {"assertion.hashedURI.mismatch"}
    claim = {"claimSignature.mismatch"}
    cose = data.index(b"c2pa.signature\0", store + 100) + 60
    sound = {".wav": 200, ".m4a": data.find(b"mdat") + 400}
    return {
        "audio": (sound.get(path.suffix, len(data) - 200), binding),
        "last byte outside the manifest": (
            data.index(b"C2PA") - 1 if path.suffix == ".wav" else len(data) - 1,
            binding,
        ),
        "action": (data.index(b"c2pa.created"), {"assertion.action.malformed", *assertion}),
        "model": (data.index(b"quartet-1"), assertion),
        "soft binding": (data.index(b"ISCC:") + 20, assertion),
        "training and mining": (data.index(b"label.example"), assertion),
        "ledger origin": (data.index(b"linernotes.example/log"), assertion),
        "ledger envelope": (data.index(base64.b64encode(studio.new.ledger.envelope)[:40]) + 30, assertion),
        "claim title": (data.index(b"Allegro"), claim),
        "claimed hash": (data.index(b"\x58\x20", data.index(b"created_assertions")) + 9, claim | assertion),
        "certificate": (data.index(b"TEST signer", cose), claim | {"signingCredential.invalid"}),
        "padding": (data.index(bytes(64), cose) + 20, {UNSIGNED_BYTES}),
        "signature": (signature_position(data, cose), claim),
        "box length": (store, {UNSIGNED_BYTES}),
        "store label": (data.index(b"\x03c2pa\0", store) + 1, {UNSIGNED_BYTES}),
        "assertion store label": (data.index(b"c2pa.assertions\0", store) + 5, {UNSIGNED_BYTES}),
        "signature label": (data.index(b"c2pa.signature\0", store) + 5, {UNSIGNED_BYTES}),
    }


def signature_position(data: bytes, cose: int) -> int:
    return data.index(b"\xf6\x58\x40", cose) + 30


def second_refuses(studio: Studio, data: bytes, ending: str) -> bool:
    try:
        return bool(studio.second_opinion(data, ending)["integrity"] != "valid")
    except ValueError:  # the container itself cannot be read
        return True


def first_refuses(path: Path) -> bool:
    """Tell whether our reading does not call a file intact."""
    report = read(path)
    return report is None or not report.intact


@pytest.mark.parametrize("ending", FORMATS)
def test_every_altered_place_is_named_by_its_code(studio: Studio, tmp_path: Path, ending: str) -> None:
    for place, (position, codes) in places(studio, studio.signed(ending)).items():
        report = studio.report(studio.flipped(studio.signed(ending), tmp_path, position))
        found = {failure.code for failure in report.failures}
        assert not report.intact, place
        assert found <= codes, place
        assert found, place
        assert all(failure.explanation for failure in report.failures)


@pytest.mark.parametrize("ending", FORMATS)
def test_the_second_engine_refuses_every_altered_place(studio: Studio, tmp_path: Path, ending: str) -> None:
    for place, (position, _) in places(studio, studio.signed(ending)).items():
        data = studio.flipped(studio.signed(ending), tmp_path, position).read_bytes()
        # The padding is in no hash and no signature, and C2PA does not ask that it be looked at.
        assert second_refuses(studio, data, ending) == (place != "padding"), place


@pytest.mark.parametrize("ending", FORMATS)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_no_altered_bit_is_overlooked(studio: Studio, tmp_path: Path, ending: str, data: st.DataObject) -> None:
    signed = studio.signed(ending)
    whole = signed.read_bytes()
    store = whole.index(b"jumb") - 4
    inside = st.integers(store - 20, store + 7000)  # where most of the meaning is
    position = data.draw(inside | st.integers(0, len(whole) - 1)) % len(whole)
    path = studio.flipped(signed, tmp_path, position, 1 << data.draw(st.integers(0, 7)))
    try:
        refused = first_refuses(path)
    except ManifestError:
        refused = position < 44 or ending == "m4a"  # the container itself
    assert refused


@pytest.mark.parametrize("ending", FORMATS)
def test_longer_and_shorter_files_are_refused(studio: Studio, tmp_path: Path, ending: str) -> None:
    whole = studio.signed(ending).read_bytes()
    for name, data in {"cut": whole[:-300], "longer": whole + b"\0" * 8}.items():
        path = tmp_path / f"{name}.{ending}"
        path.write_bytes(data)
        assert first_refuses(path), name
        assert second_refuses(studio, data, ending), name


def test_a_manifest_moved_to_other_audio_is_refused(studio: Studio, tmp_path: Path) -> None:
    data = studio.signed("wav").read_bytes()
    chunk = data.index(b"C2PA")
    other = tmp_path / "other.wav"
    soundfile.write(other, np.zeros(6000, dtype=np.int16), 8000)
    moved = other.read_bytes() + data[chunk:]
    other.write_bytes(moved[:4] + (len(moved) - 8).to_bytes(4, "little") + moved[8:])
    report = studio.report(other)
    assert [failure.code for failure in report.failures] == ["assertion.dataHash.mismatch"]


def with_chunk(path: Path, content: bytes) -> Path:
    """Add a C2PA chunk to a wav file."""
    data = path.read_bytes() + b"C2PA" + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)
    data = data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]
    target = path.with_name("chunk.wav")
    target.write_bytes(data)
    return target


def assert_unreadable(studio: Studio, path: Path) -> None:
    for anchors, trusted in ((None, None), (studio.anchor, False)):
        report = studio.report(path, anchors)
        assert [failure.code for failure in report.failures] == [UNREADABLE]
        assert (report.intact, report.trusted, report.manifest_id, report.ledger) == (False, trusted, "", None)


@pytest.mark.parametrize("content", [b"\0", b"nonsense", bytes(5000), b"\0\0\0\x08jumb" * 400])
def test_nonsense_for_a_manifest_is_refused(studio: Studio, content: bytes) -> None:
    assert_unreadable(studio, with_chunk(studio.audio("wav"), content))


def test_boxes_nested_without_end_are_refused(studio: Studio) -> None:
    nested = b""
    for _ in range(2000):
        nested = (len(nested) + 8).to_bytes(4) + b"jumb" + nested
    assert_unreadable(studio, with_chunk(studio.audio("wav"), nested))


def test_credentials_in_a_damaged_container_are_unreadable(studio: Studio, tmp_path: Path) -> None:
    data = studio.signed("wav").read_bytes()
    path = tmp_path / "damaged.wav"
    path.write_bytes(data[:16] + b"\xff\xff" + data[18:])
    assert first_refuses(path)


def test_a_damaged_container_without_credentials_is_said_to_be_damaged(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "damaged.wav"
    path.write_bytes(studio.audio("wav").read_bytes()[:12])
    with pytest.raises(ManifestError, match="is damaged"):
        read(path)


def test_a_huge_manifest_is_not_read(studio: Studio) -> None:
    path = with_chunk(studio.audio("wav"), bytes(MAX_STORE_BYTES))
    try:
        with pytest.raises(ManifestError, match=f"more than {MAX_STORE_BYTES} bytes"):
            read(path)
    finally:
        path.unlink()


def test_a_huge_id3_tag_is_not_read(tmp_path: Path) -> None:
    size = 200 * 2**20
    header = b"ID3\x04\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    path = tmp_path / "tag.mp3"
    with path.open("wb") as file:
        file.write(header + b"APIC" + bytes(size - 10 >> shift & 127 for shift in (21, 14, 7, 0)) + b"\0\0")
        file.truncate(size + 1000)
    with pytest.raises(ManifestError, match="more than"):
        read(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=300), at=st.integers(0, 20_000))
def test_garbage_in_a_signed_file_never_escapes_as_another_error(
    studio: Studio, tmp_path: Path, garbage: bytes, at: int
) -> None:
    whole = studio.signed("wav").read_bytes()
    path = tmp_path / "garbage.wav"
    path.write_bytes(whole[:at] + garbage + whole[at + len(garbage) :])
    try:
        report = read(path)
    except ManifestError:
        return
    assert report is None or not report.intact or path.read_bytes() == whole
