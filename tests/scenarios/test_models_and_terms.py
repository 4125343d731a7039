"""Other models, other credentials, other copies of a score: what the record says of them."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from generator.card import BUILT_IN
from provenance import manifest
from provenance.credential import create_test_credential

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("LINERNOTES_CORPUS", ROOT / "../shared/corpus/openscore-string-quartets"))
needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"no copy of OpenScore/StringQuartets @2c723a5b in {CORPUS} (LINERNOTES_CORPUS)"
)


@pytest.fixture
def brought_model(tmp_path) -> Path:
    """A folder of weights as a user would bring it: ours, under a card of their own."""
    folder = tmp_path / "weights"
    shutil.copytree(BUILT_IN, folder)
    card = json.loads((folder / "model-card.json").read_text())
    (folder / "model-card.json").write_text(json.dumps(card | {"id": "brought-1"}))
    return folder


def test_weights_for_non_commercial_use_are_denied_for_a_release(studio, linernotes, brought_model) -> None:
    registered = linernotes("model", "register", brought_model, "--licence", "CC-BY-NC-4.0", "--json")
    assert registered.code == 0, registered.err
    made = linernotes(
        "generate",
        "an adagio",
        "--bars",
        3,
        "--seed",
        1,
        "--model",
        "brought-1",
        "-o",
        studio.root / "nc.wav",
        "--json",
    ).json
    assert made["model"]["id"] == "brought-1"
    denied = linernotes("check", made["recording_id"], "--use", "commercial-release", "--territory", "DE", "--json")
    assert (denied.code, denied.json["verdict"]) == (10, "DENY")
    [reason] = [reason for reason in denied.json["reasons"] if reason["result"] == "DENY"]
    assert "NC" in reason["text"] or "non-commercial" in reason["text"].lower()
    assert reason["path"][0] == made["recording_id"]
    assert reason["path"][-1] == "brought-1"


def test_weights_of_unknown_terms_are_never_allowed(studio, linernotes, brought_model) -> None:
    linernotes("model", "register", brought_model, "--licence", "do what you like, within reason")
    made = linernotes(
        "generate", "an adagio", "--bars", 3, "--seed", 1, "--model", "brought-1", "-o", studio.root / "u.wav", "--json"
    ).json
    for use in ("commercial-release", "non-commercial"):
        assert linernotes("check", made["recording_id"], "--use", use, "--territory", "DE").code == 11


def test_altered_weights_are_refused(studio, linernotes, brought_model) -> None:
    linernotes("model", "register", brought_model)
    [weights] = brought_model.glob("*.safetensors")
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    done = linernotes("generate", "x", "--bars", 3, "--model", "brought-1", "-o", studio.root / "x.wav")
    assert done.code == 2
    assert weights.name in done.err
    assert not (studio.root / "x.wav").exists()
    again = linernotes("model", "register", brought_model)
    assert again.code == 2


def test_a_users_own_certificate_signs(studio, linernotes, tmp_path, monkeypatch) -> None:
    own = tmp_path / "own"
    create_test_credential(own)  # stands for a chain that a user bought: another authority than the home's
    monkeypatch.setenv("LINERNOTES_C2PA_CHAIN", str(own / "chain.pem"))
    monkeypatch.setenv("LINERNOTES_C2PA_KEY", str(own / "key.pem"))
    made = linernotes("generate", "x", "--bars", 3, "--seed", 1, "-o", studio.root / "own.wav")
    assert made.code == 0, made.err
    report = manifest.read(studio.root / "own.wav", (own / "anchor.pem").read_bytes())
    assert report is not None
    assert report.trusted
    wrong = tmp_path / "wrong.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    from cryptography.hazmat.primitives import serialization

    wrong.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    wrong.chmod(0o600)
    monkeypatch.setenv("LINERNOTES_C2PA_KEY", str(wrong))
    refused = linernotes("generate", "x", "--bars", 3, "--seed", 1, "-o", studio.root / "wrong.wav")
    assert refused.code == 2
    assert "key" in refused.err
    assert not (studio.root / "wrong.wav").exists()


@needs_corpus
def test_a_score_is_found_by_its_music_however_it_was_saved(studio, linernotes, tmp_path) -> None:
    source = min(CORPUS.glob("scores/**/*.mxl"), key=lambda path: path.stat().st_size)
    zipped, plain = tmp_path / "zipped.mxl", tmp_path / "plain.musicxml"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(zipped, "w", zipfile.ZIP_STORED) as new:
        for name in reversed(old.namelist()):
            new.writestr(name, old.read(name))
            if name.endswith(".xml") and "META-INF" not in name:
                plain.write_bytes(old.read(name))
    answers = {
        path: linernotes("audit", "membership", "--file", path, "--json").json for path in (source, zipped, plain)
    }
    assert {answer["verdict"] for answer in answers.values()} == {"yes"}
    assert len({answer["item"]["identifier"] for answer in answers.values()}) == 1
    assert answers[source]["proof"]["key"] == "file"
    assert answers[zipped]["proof"]["key"] == answers[plain]["proof"]["key"] == "content"


def test_a_score_that_is_not_in_the_corpus_is_proven_absent(studio, linernotes, tmp_path) -> None:
    score = tmp_path / "own.musicxml"
    score.write_text(
        '<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>x</part-name></score-part></part-list>'
        '<part id="P1"><measure number="1"><attributes><divisions>1</divisions><time><beats>4</beats>'
        "<beat-type>4</beat-type></time></attributes><note><pitch><step>C</step><octave>4</octave></pitch>"
        "<duration>4</duration></note></measure></part></score-partwise>"
    )
    answer = linernotes("audit", "membership", "--file", score, "--json").json
    assert answer["verdict"] == "no"
    assert [proof["key"] for proof in answer["proofs"]] == ["file", "content"]
    assert not any(proof["present"] for proof in answer["proofs"])
