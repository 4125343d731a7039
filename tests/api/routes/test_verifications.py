"""Verification over HTTP."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from api.key_exhibits import write_key_evidence
from api.key_statements import registration_statement
from api.signing import signed
from api.submission import Intake
from ledger.keys import Ed25519Signer
from ledger.policy import MAX_POLICY_BYTES
from ledger.timestamp import MAX_ROOTS_BYTES
from provenance.anchor import MAX_ANCHOR_BYTES
from provenance.bundle import MAX_BUNDLE_BYTES
from tests.api.conftest import MAX_UPLOAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]

LONGEST = {
    "policy": MAX_POLICY_BYTES,
    "trust_anchors": MAX_ANCHOR_BYTES,
    "tsa_roots": MAX_ROOTS_BYTES,
    "evidence": 2**20,
    "keys": MAX_BUNDLE_BYTES,
}
STRANGER = "example.com/log+c3b1f8d8+AY8t7sWcmGOZ6GRvOi9vRzFpfUCDlW2ouI5ZqmkCVwpf"


@pytest.fixture(scope="module")
def audio(everything: httpx.Client, recording_id: str) -> bytes:
    return everything.get(f"/v1/recordings/{recording_id}/audio").content


def _verify(client: httpx.Client, data: bytes, **others: bytes) -> httpx.Response:
    files = {"file": ("take/../my take.wav", data)} | {name: (name, each) for name, each in others.items()}
    return client.post("/v1/verifications", files=files)


def _results(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 200, response.text
    return {check["id"]: check["result"] for check in response.json()["checks"]}


def test_a_file_of_this_home(everything: httpx.Client, audio: bytes, recording_id: str) -> None:
    response = _verify(everything, audio)
    results = _results(response)
    assert response.json()["recording_id"] == recording_id
    assert response.json()["path"] == "my take.wav"
    assert response.json()["verified"] is True
    assert results.pop("licence") == results.pop("timestamp") == "not-checked"
    assert set(results.values()) == {"pass"}


def test_a_file_with_an_altered_byte(everything: httpx.Client, audio: bytes) -> None:
    altered = bytearray(audio)
    altered[2000] ^= 1
    response = _verify(everything, bytes(altered))
    results = _results(response)
    assert response.json()["verified"] is False
    assert (results["c2pa-integrity"], results["content-digest"]) == ("fail", "fail")
    assert "/staging/" not in response.text


def test_by_a_policy_of_ones_own(home: Home, everything: httpx.Client, audio: bytes) -> None:
    own = f"log {home.log_vkey}\nquorum none\n".encode()
    assert _results(_verify(everything, audio, policy=own))["log-trust"] == "pass"


def test_a_policy_that_is_none(everything: httpx.Client, audio: bytes, problem: Problem) -> None:
    found = problem(_verify(everything, audio, policy=b"trust everybody\n"), 422)
    assert "The uploaded policy is not a tlog-policy" in str(found["detail"])


def test_a_policy_that_is_far_too_large(everything: httpx.Client, audio: bytes, problem: Problem) -> None:
    problem(_verify(everything, audio, policy=b"#" * (2**20 + 1)), 413)


@pytest.mark.parametrize(("part", "longest"), LONGEST.items())
def test_each_part_is_as_long_as_its_format_allows(
    everything: httpx.Client, audio: bytes, problem: Problem, part: str, longest: int
) -> None:
    """What the error says, and what the description of the interface says, is the bound itself."""
    document = everything.get("/openapi.json").json()
    body = document["paths"]["/v1/verifications"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert body["schema"]["properties"][part]["description"].endswith(f"; at most {longest} bytes")
    if longest < MAX_UPLOAD_BYTES - len(audio):
        found = problem(_verify(everything, audio, **{part: b"#" * (longest + 1)}), 413)
        assert f"'{part}' has {longest + 1} bytes, and at most {longest} are taken" in str(found["detail"])


def test_the_keys_of_a_log_that_has_had_many(
    home: Home, everything: httpx.Client, audio: bytes, tmp_path: Path
) -> None:
    """Honest evidence of five hundred keys has more than a megabyte."""
    intake = Intake(home)
    for _ in range(2):
        keys = [Ed25519Signer.generate() for _ in range(250)]
        statements = [(registration_statement("witness", key.verifier, home.log_vkey).to_bytes(), key) for key in keys]
        intake.submit([signed(statement, key, home.service) for statement, key in statements])
    write_key_evidence(home, tmp_path / "keys")
    evidence = (tmp_path / "keys").read_bytes()
    assert 2**20 < len(evidence) < MAX_UPLOAD_BYTES - len(audio)
    response = _verify(everything, audio, keys=evidence)
    results = _results(response)
    assert response.json()["verified"] is True
    assert results["envelope-signature"] == results["checkpoint-signature"] == "pass"
    assert f"as of {home.log.size()} entries of the log" in response.text


def test_a_package_that_would_fill_the_disk(home: Home, everything: httpx.Client, problem: Problem) -> None:
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/bagit.txt", b"\0" * (home.settings.max_upload_bytes + 1))
    assert "unpacks to" in str(problem(_verify(everything, bomb.getvalue()), 422)["detail"])


def test_anchors_that_are_none(everything: httpx.Client, audio: bytes, problem: Problem) -> None:
    problem(_verify(everything, audio, trust_anchors=b"no certificates"), 422)
    found = problem(_verify(everything, audio, tsa_roots=b"no certificates"), 422)
    assert "not certificates in PEM" in str(found["detail"])
    assert "/staging/" not in str(found)


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n" + b"\0" * 500, b"PK\x05\x06" + b"\0" * 18, b"RIFF\x24\0\0\0WAVEfmt "]
)
def test_what_is_neither_audio_nor_a_package(everything: httpx.Client, problem: Problem, data: bytes) -> None:
    found = problem(_verify(everything, data), 422)
    assert "/staging/" not in str(found)
    assert "/tmp" not in str(found)  # noqa: S108 - looked for, not written to


def test_a_file_without_credentials(everything: httpx.Client, recording_id: str, problem: Problem) -> None:
    midi = everything.get(f"/v1/recordings/{recording_id}/midi").content
    problem(_verify(everything, midi), 422)
