"""Genuine evidence, put to false use: each forgery is consistent in itself and fails all the same."""

import base64
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rfc8785

from api.home import Home
from api.settings import load_settings
from fingerprint.audio import Audio, decode, encode
from fingerprint.digest import content_digest
from generator.midi import read_midi, write_midi
from provenance import manifest
from provenance.assertion import MiningPermission, SoftwareAgent, TrainingMining
from provenance.bundle import EvidenceBundle, Exhibit
from provenance.credential import Credential, create_test_credential
from provenance.identity import file_digest
from provenance.manifest import ManifestDraft, ManifestReport

MEDIA = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac"}


@pytest.fixture
def forger(tmp_path) -> Credential:
    """Somebody with our software and a certificate of their own."""
    return create_test_credential(tmp_path / "forger")


@pytest.fixture
def policy(studio) -> Path:
    path = studio.root / "policy"
    path.write_text(f"log {(studio.home / 'keys' / 'log.vkey').read_text().strip()}\nquorum none\n")
    return path


def report_of(path: Path) -> ManifestReport:
    report = manifest.read(path)
    assert report is not None
    return report


def resign(report: ManifestReport, audio: Audio, target: Path, forger: Credential, **changes: object) -> Path:
    """Put a genuine file's words and evidence under the forger's own manifest, over any sound."""
    bare = target.with_name(f"bare{target.suffix}")
    encode(audio, bare, media_type=MEDIA[target.suffix])
    words = {
        "title": report.title,
        "recording_id": report.recording_id,
        "software_agent": SoftwareAgent("Liner Notes", "0.1.0"),
        "source_type": report.source_type,
        "iscc": report.iscc,
        "training_mining": TrainingMining.uniform(MiningPermission("allowed")),
        "ledger": report.ledger,
        "model": report.model,
    }
    manifest.embed(bare, target, ManifestDraft(**words | changes), forger)
    return target


def with_a_tone(audio: Audio) -> Audio:
    samples = audio.samples.copy()
    second = audio.sample_rate
    tone = (8000 * np.sin(2 * np.pi * 700 * np.arange(2 * second) / second)).astype(samples.dtype)
    samples[second : 3 * second] = tone[:, None]
    return Audio(samples, audio.sample_rate)


def failing(done) -> set[str]:
    assert done.code == 1, (done.out, done.err)
    return {check["id"] for check in done.json["checks"] if check["result"] == "fail"}


@pytest.mark.parametrize("ending", [".wav", ".mp3", ".flac"])
@pytest.mark.parametrize("trusting", [True, False])
def test_altered_sound_under_genuine_evidence_fails(
    studio, linernotes, forger, policy, tmp_path, ending: str, *, trusting: bool
) -> None:
    forged = resign(report_of(studio.wav), with_a_tone(decode(studio.wav)), tmp_path / f"forged{ending}", forger)
    arguments = ["verify", forged, "--json"] + (["--policy", policy] if trusting else [])
    assert "c2pa-ledger" in failing(linernotes(*arguments, home=tmp_path / "empty"))


def test_the_same_sound_under_other_words_fails(studio, linernotes, forger, policy, tmp_path) -> None:
    forged = resign(
        report_of(studio.wav),
        decode(studio.wav),
        tmp_path / "human.wav",
        forger,
        source_type="digitalCreation",
        title="Composed by hand",
    )
    found = failing(linernotes("verify", forged, "--policy", policy, "--json", home=tmp_path / "empty"))
    assert found == {"c2pa-ledger"}


def test_even_the_right_signer_cannot_contradict_the_log(studio, linernotes, policy, tmp_path) -> None:
    credential = Home(load_settings()).credential
    forged = resign(report_of(studio.wav), decode(studio.wav), tmp_path / "x.wav", credential, recording_id="another")
    done = linernotes("verify", forged, "--policy", policy, "--json", home=tmp_path / "empty")
    assert failing(done) == {"c2pa-ledger"}
    assert "recording id" in done.out


def test_evidence_of_another_recording_fails(studio, linernotes, forger, policy, tmp_path) -> None:
    linernotes("generate", "an adagio", "--bars", 3, "--seed", 9, "-o", tmp_path / "other.wav")
    other = decode(tmp_path / "other.wav")
    forged = resign(report_of(studio.wav), other, tmp_path / "spliced.wav", forger)
    found = failing(linernotes("verify", forged, "--policy", policy, "--json", home=tmp_path / "empty"))
    assert {"c2pa-ledger", "content-digest", "fingerprint"} <= found


def test_a_forged_evidence_file_vouches_for_nothing(studio, linernotes, forger, policy, tmp_path) -> None:
    """A rendition statement about the forged bytes, under an old signature and a nonsense proof."""
    forged = resign(report_of(studio.wav), with_a_tone(decode(studio.wav)), tmp_path / "forged.wav", forger)
    home = Home(load_settings())
    [genuine] = [entry for entry in home.log.entries() if b"rendition" in _payload(entry.data)]
    envelope = json.loads(genuine.data)
    payload = json.loads(_payload(genuine.data))
    payload["predicate"] |= {"asset_digest": file_digest(forged), "content_digest": content_digest(forged)}
    payload["subject"][0]["digest"]["sha256"] = file_digest(forged).removeprefix("sha256:")
    envelope["payload"] = base64.b64encode(rfc8785.dumps(payload)).decode()
    proof = home.log.tlog_proof(genuine.index).format()
    bundle = EvidenceBundle((Exhibit(rfc8785.dumps(envelope), proof),))
    forged.with_name("forged.wav.evidence").write_bytes(bundle.to_bytes())
    found = failing(linernotes("verify", forged, "--policy", policy, "--json", home=tmp_path / "empty"))
    assert {"c2pa-ledger", "content-digest"} <= found


def _payload(envelope: bytes) -> bytes:
    return base64.b64decode(json.loads(envelope)["payload"])


def test_audio_with_a_package_behind_it_is_audio(studio, linernotes, policy, tmp_path) -> None:
    linernotes("export", studio.recording_id, "-o", tmp_path / "genuine.zip")
    noise = tmp_path / "noise.wav"
    encode(Audio(np.zeros((44_100 * 6, 2), np.int16) + 5, 44_100), noise, media_type="audio/wav")
    polyglot = tmp_path / "polyglot.wav"
    polyglot.write_bytes(noise.read_bytes() + (tmp_path / "genuine.zip").read_bytes())
    assert linernotes("verify", polyglot, "--policy", policy, home=tmp_path / "empty").code in {1, 2, 3}


def test_a_package_around_another_recording_fails(studio, linernotes, policy, tmp_path) -> None:
    made = linernotes("generate", "x", "--bars", 3, "--seed", 9, "-o", tmp_path / "other.wav", "--json").json
    linernotes("export", studio.recording_id, "-o", tmp_path / "one")
    linernotes("export", made["recording_id"], "-o", tmp_path / "two")
    shutil.copy(tmp_path / "two" / "export.evidence", tmp_path / "one" / "export.evidence")
    done = linernotes("verify", tmp_path / "one", "--policy", policy, "--json", home=tmp_path / "empty")
    assert {"package-integrity", "package-signature", "package-recording"} <= failing(done)


def test_a_package_that_lost_its_manifest_is_a_failed_check(studio, linernotes, tmp_path) -> None:
    linernotes("export", studio.recording_id, "-o", tmp_path / "package")
    [master] = (tmp_path / "package" / "data" / "audio").iterdir()
    encode(decode(studio.wav), master, media_type="audio/wav")
    done = linernotes("verify", tmp_path / "package", "--json", home=tmp_path / "empty")
    assert {"package-integrity", "c2pa-integrity"} <= failing(done)
    assert str(tmp_path) not in json.dumps(done.json["checks"])


@pytest.mark.parametrize("position", [0.3, 0.5, 0.7, 0.9])
def test_an_altered_byte_of_flac_is_a_failed_check(studio, linernotes, tmp_path, position: float) -> None:
    linernotes("generate", "x", "--bars", 3, "--seed", 2, "-o", tmp_path / "a.flac")
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[int(len(data) * position)] ^= 4
    (tmp_path / "a.flac").write_bytes(data)
    done = linernotes("verify", tmp_path / "a.flac", "--json", home=tmp_path / "empty")
    assert {"c2pa-integrity", "content-digest"} <= failing(done)


def test_a_borrowed_manifest_finds_no_recording(studio, linernotes, forger, tmp_path) -> None:
    """What a manifest says names a recording only when the file is the one that was handed out."""
    noise = Audio((np.random.default_rng(3).normal(0, 3000, (44_100 * 8, 2))).astype(np.int16), 44_100)
    pirate = resign(report_of(studio.wav), noise, tmp_path / "pirate.wav", forger)
    assert linernotes("show", pirate).code == 3
    assert linernotes("check", pirate, "--use", "commercial-release", "--territory", "DE").code == 3
    altered = tmp_path / "altered.wav"
    data = bytearray(studio.wav.read_bytes())
    data[200_000:600_000] = bytes(400_000)
    altered.write_bytes(data)
    shown = linernotes("show", altered, "--json")
    assert shown.code == 3 or shown.json["found_by"] == "fingerprint"


def test_a_file_that_only_contains_a_recording_is_not_that_recording(studio, linernotes, tmp_path) -> None:
    audio = decode(studio.wav)
    noise = np.random.default_rng(5).normal(0, 3000, (20 * audio.sample_rate, 2)).astype(np.int16)
    mash = tmp_path / "mash.wav"
    encode(Audio(np.concatenate([noise, audio.samples]), audio.sample_rate), mash, media_type="audio/wav")
    for command in (("show",), ("check", "--use", "commercial-release", "--territory", "DE")):
        done = linernotes(command[0], mash, *command[1:])
        assert done.code == 3
        assert "not true of the whole file" in done.err


def test_a_stem_is_called_a_stem(studio, linernotes, policy, tmp_path) -> None:
    linernotes("export", studio.recording_id, "-o", tmp_path / "stems", "--as", "stems")
    stem = tmp_path / "stems" / "viola.flac"
    done = linernotes("verify", stem, "--policy", policy, home=tmp_path / "empty")
    assert done.code == 0
    told = " ".join(done.out.split())
    assert "only viola.flac" in told
    assert "not the whole recording" in told


def test_a_second_store_and_a_second_range_are_noticed(studio, forger, tmp_path, linernotes, policy) -> None:
    """A decoy: the genuine store appended to a forged file, so that a careless reader finds it first."""
    genuine = studio.wav.read_bytes()
    at = genuine.index(b"C2PA", 12)
    chunk = genuine[at : at + 8 + int.from_bytes(genuine[at + 4 : at + 8], "little")]
    forged = resign(report_of(studio.wav), with_a_tone(decode(studio.wav)), tmp_path / "forged.wav", forger)
    forged.write_bytes(forged.read_bytes() + chunk + b"\0" * (len(chunk) % 2))
    found = failing(linernotes("verify", forged, "--policy", policy, "--json", home=tmp_path / "empty"))
    assert {"c2pa-integrity", "c2pa-ledger"} <= found


def test_an_excerpt_of_a_restricted_edit_gets_the_worst_verdict(studio, linernotes, tmp_path) -> None:
    score = read_midi(studio.midi)
    last = score.voices[3].notes[-1]
    cello = replace(score.voices[3], notes=(*score.voices[3].notes[:-1], replace(last, pitch=last.pitch + 2)))
    write_midi(replace(score, voices=(*score.voices[:3], cello)), tmp_path / "changed.mid")
    party = linernotes("party", "add", "--name", "Bob", "--json").json["party_id"]
    edited = linernotes(
        "edit",
        studio.recording_id,
        "--file",
        tmp_path / "changed.mid",
        "--party",
        party,
        "--licence",
        "CC-BY-NC-4.0",
        "-o",
        tmp_path / "edited.wav",
        "--json",
    ).json["recording_id"]
    audio = decode(tmp_path / "edited.wav")
    clip = tmp_path / "clip.mp3"
    encode(Audio(audio.samples[: 10 * audio.sample_rate], audio.sample_rate), clip, media_type="audio/mpeg")
    done = linernotes("check", clip, "--use", "commercial-release", "--territory", "DE", "--json")
    assert (done.code, done.json["verdict"], done.json["found_by"]) == (10, "DENY", "fingerprint")
    assert {done.json["recording_id"], *done.json["also"]} == {edited, studio.recording_id}


@pytest.mark.parametrize("name", ["export.evidence", "data/evidence.json", "data/verdict.json", "data/audio"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_package_of_links_and_pipes_is_a_failed_check(studio, linernotes, tmp_path, name: str, kind: str) -> None:
    package = tmp_path / "package"
    linernotes("export", studio.recording_id, "-o", package)
    moved = tmp_path / "elsewhere"
    (package / name).rename(moved)
    if kind == "link":
        (package / name).symlink_to(moved)
    else:
        os.mkfifo(package / name)
    assert "package-integrity" in failing(linernotes("verify", package, "--json", home=tmp_path / "empty"))
