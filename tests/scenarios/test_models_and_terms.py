"""Other models, other credentials, other copies of a score: what the record says of them."""

import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from api.home import Home
from api.settings import Settings
from generator.card import BUILT_IN
from generator.midi import read_midi, write_midi
from ledger.envelope import Envelope
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


def _log(home: Path) -> bytes:
    """The whole public log, as its payloads."""
    opened = Home(Settings(home=home, device="cpu"))
    try:
        envelopes = [Envelope.parse(entry.data) for entry in opened.log.entries(0, opened.log.size())]
        return b"\n".join(envelope.payload for envelope in envelopes)
    finally:
        opened.engine.dispose()


def _generated(linernotes, studio) -> str:
    made = linernotes(
        "generate", "an adagio", "--bars", 3, "--seed", 1, "--model", "brought-1", "-o", studio.root / "b.wav", "--json"
    )
    assert made.code == 0, made.err
    return made.json["recording_id"]


def _relicensed(folder: Path, licence: str) -> None:
    card = json.loads((folder / "model-card.json").read_text())
    (folder / "model-card.json").write_text(json.dumps(card | {"licence": licence}))


def test_free_text_about_a_model_stays_out_of_the_log(studio, linernotes, brought_model) -> None:
    _relicensed(brought_model, "on the card: ring Ada first")
    registered = linernotes(
        "model", "register", brought_model, "--licence", "ask Ada, 030 901820", "--output-licence", "ask Ben", "--json"
    )
    assert registered.code == 0, registered.err
    for text in ("'on the card: ring Ada first'", "'ask Ada, 030 901820'", "'ask Ben'"):
        assert f"the licence {text} is not understood. It is recorded as unknown" in registered.err
    assert "HOLD" in registered.err
    assert registered.json["weights_licence"] == registered.json["output_licence"] == "LicenseRef-unknown"
    log = _log(studio.home)
    assert b"brought-1" in log
    assert not [word for word in (b"Ada", b"901820", b"Ben") if word in log]
    recording = _generated(linernotes, studio)
    assert linernotes("check", recording, "--use", "non-commercial", "--territory", "DE").code == 11


@pytest.mark.parametrize(
    ("card", "given", "recorded", "code"),
    [
        ("CC-BY-NC-4.0", "CC0-1.0", "CC-BY-NC-4.0 AND CC0-1.0", 10),
        ("CC0-1.0", "CC-BY-NC-4.0", "CC0-1.0 AND CC-BY-NC-4.0", 10),
        ("CC-BY-NC-4.0", "", "CC-BY-NC-4.0", 10),
        ("CC-BY-NC-4.0 OR MIT", "CC0-1.0", "(CC-BY-NC-4.0 OR MIT) AND CC0-1.0", 0),
        ("CC0-1.0", "as you like", "CC0-1.0 AND LicenseRef-unknown", 11),
        ("CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0", 0),
    ],
)
def test_the_card_and_the_one_who_brings_it_both_bind(
    studio, linernotes, brought_model, card, given, recorded, code
) -> None:
    _relicensed(brought_model, card)
    options = ["--licence", given] if given else []
    registered = linernotes("model", "register", brought_model, *options, "--output-licence", "CC0-1.0", "--json")
    assert registered.code == 0, registered.err
    assert registered.json["weights_licence"] == recorded
    checked = linernotes(
        "check", _generated(linernotes, studio), "--use", "commercial-release", "--territory", "DE", "--json"
    )
    reasons = [reason for reason in checked.json["reasons"] if reason["path"][-1] == "brought-1"]
    assert {10: "DENY", 11: "HOLD", 0: "ALLOW"}[code] in {reason["result"] for reason in reasons}
    assert checked.code == code, checked.json


def test_a_licence_too_long_for_the_log_is_refused(studio, linernotes, brought_model) -> None:
    many = " AND ".join(f"LicenseRef-number-{number}" for number in range(20))
    refused = linernotes("model", "register", brought_model, "--licence", many)
    assert (refused.code, "up to 200 are recorded" in refused.err) == (2, True)


def _changed_notes(studio) -> Path:
    score = read_midi(studio.midi)
    first, *rest = score.voices
    notes = (replace(first.notes[0], pitch=first.notes[0].pitch + 1), *first.notes[1:])
    path = studio.root / "changed.mid"
    write_midi(replace(score, voices=(replace(first, notes=tuple(sorted(notes))), *rest)), path)
    return path


def test_free_text_about_an_edit_stays_out_of_the_log(studio, linernotes) -> None:
    edit = ("edit", studio.recording_id, "--file", _changed_notes(studio), "-o", studio.root / "e.wav", "--json")
    refused = linernotes(*edit, "--role", "Wizard")
    assert refused.code == 2
    assert "'Wizard' is not a role" in refused.err
    assert "Adapter, Arranger," in refused.err
    assert "Did you mean Arranger?" in linernotes(*edit, "--role", "aranger").err
    assert not (studio.root / "e.wav").exists()
    someone = linernotes("party", "add", "--name", "Ada Example", "--json").json["party_id"]
    made = linernotes(*edit, "--role", "Arranger", "--licence", "ask Ada, 030 901820", "--party", someone)
    assert made.code == 0, made.err
    assert "the licence 'ask Ada, 030 901820' is not understood" in made.err
    log = _log(studio.home)
    assert b'"licence":"LicenseRef-unknown"' in log
    assert not [word for word in (b"Wizard", b"aranger", b"Ada", b"901820") if word in log]
    checked = linernotes("check", made.json["recording_id"], "--use", "commercial-release", "--territory", "DE")
    assert checked.code == 11


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
