"""Genuine evidence, put to false use: each forgery is consistent in itself and fails all the same."""

import base64
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rfc8785

from api.home import Home
from api.settings import load_settings
from fingerprint.audio import Audio, decode, encode
from fingerprint.digest import content_digest
from generator.card import BUILT_IN
from generator.midi import read_midi, write_midi
from provenance import manifest
from provenance.assertion import MiningPermission, TrainingMining
from provenance.bundle import EvidenceBundle, Exhibit
from provenance.credential import Credential
from provenance.identity import file_digest
from provenance.manifest import ManifestReport
from tests.conftest import Outcome
from tests.scenarios.forgery import draft_of, failing, report_of, unsigned

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg")


@pytest.fixture
def restricted(studio, linernotes, tmp_path) -> Path:
    """A recording by weights for non-commercial use."""
    weights = tmp_path / "weights"
    shutil.copytree(BUILT_IN, weights)
    card = json.loads((weights / "model-card.json").read_text())
    (weights / "model-card.json").write_text(json.dumps(card | {"id": "brought-1"}))
    linernotes("model", "register", weights, "--licence", "CC-BY-NC-4.0", "--output-licence", "CC0-1.0")
    path = tmp_path / "restricted.wav"
    options = ("--bars", 6, "--seed", 5, "--model", "brought-1", "-o", path)
    done = linernotes("generate", "a busy allegro in G major", *options)
    assert done.code == 0, done.err
    return path


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


def resign(report: ManifestReport, audio: Audio, target: Path, forger: Credential, **changes: object) -> Path:
    """Put a genuine file's words and evidence under the forger's own manifest, over any sound."""
    words = {"training_mining": TrainingMining.uniform(MiningPermission("allowed"))} | changes
    manifest.embed(unsigned(audio, target), target, draft_of(report, **words), forger)
    return target


def with_a_tone(audio: Audio) -> Audio:
    samples = audio.samples.copy()
    second = audio.sample_rate
    tone = (8000 * np.sin(2 * np.pi * 700 * np.arange(2 * second) / second)).astype(samples.dtype)
    samples[second : 3 * second] = tone[:, None]
    return Audio(samples, audio.sample_rate)


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


def ask(linernotes, path: Path) -> Outcome:
    return linernotes("check", path, "--use", "commercial-release", "--territory", "DE", "--json")


def held(done) -> set[str]:
    assert (done.code, done.json["verdict"]) == (11, "HOLD"), (done.out, done.err)
    return {reason["code"] for reason in done.json["reasons"] if reason["result"] == "HOLD"}


def mixed(target: Path, *parts: np.ndarray) -> Path:
    total = sum(part.astype(np.float64) for part in parts)
    encode(Audio(np.clip(total, -32_767, 32_767).astype(np.int16), 44_100), target, media_type="audio/wav")
    return target


@needs_ffmpeg
@pytest.mark.parametrize("genuine_first", [True, False])
def test_an_m4a_with_a_second_track_is_no_recording(studio, linernotes, tmp_path, *, genuine_first: bool) -> None:
    """Whichever of its tracks a player takes, a verdict on the other would be about something else."""
    linernotes("generate", "x", "--bars", 3, "--seed", 2, "-o", tmp_path / "a.m4a")
    sine = ("-f", "lavfi", "-i", "sine=frequency=440:duration=5")
    order = ("-map", "1:a", "-map", "0:a") if genuine_first else ("-map", "0:a", "-map", "1:a")
    kept, other = ("0", "1") if genuine_first else ("1", "0")
    coding = (f"-c:a:{kept}", "copy", f"-c:a:{other}", "aac", f"-disposition:a:{other}", "default")
    two = tmp_path / "two.m4a"
    run("ffmpeg", "-v", "error", *sine, "-i", tmp_path / "a.m4a", *order, *coding, two)
    done = ask(linernotes, two)
    assert (done.code, "2 audio tracks" in done.err) == (2, True)


@needs_ffmpeg
def test_an_m4a_for_another_decoder_is_not_found_by_its_frames(studio, linernotes, tmp_path) -> None:
    linernotes("generate", "x", "--bars", 3, "--seed", 2, "-o", tmp_path / "a.m4a")
    run("ffmpeg", "-v", "error", "-i", tmp_path / "a.m4a", "-c", "copy", tmp_path / "bare.m4a")
    assert ask(linernotes, tmp_path / "bare.m4a").json["found_by"] == "content-digest"
    data = bytearray((tmp_path / "bare.m4a").read_bytes())
    at = data.index(b"\x05\x80\x80\x80", data.index(b"esds")) + 5
    assert data[at : at + 2] == b"\x12\x10"  # AAC-LC, 44.1 kHz, stereo
    data[at : at + 2] = b"\x13\x90"  # 22.05 kHz
    (tmp_path / "other.m4a").write_bytes(data)
    assert ask(linernotes, tmp_path / "other.m4a").code in {2, 3}


@needs_ffmpeg
def test_a_flac_that_goes_on_behind_its_end_is_no_recording(studio, linernotes, tmp_path) -> None:
    encode(decode(studio.wav), tmp_path / "a.flac", media_type="audio/flac")
    assert ask(linernotes, tmp_path / "a.flac").json["found_by"] == "content-digest"
    encode(Audio(np.full((200_000, 2), 77, np.int16), 44_100), tmp_path / "more.flac", media_type="audio/flac")
    longer = tmp_path / "longer.flac"
    longer.write_bytes((tmp_path / "a.flac").read_bytes() + (tmp_path / "more.flac").read_bytes())
    done = ask(linernotes, longer)
    assert (done.code, "more sound behind" in done.err) == (2, True)


@pytest.mark.parametrize(("share", "codes"), [(0.7, {3, 10, 11}), (0.5, {3, 10, 11}), (0.1, {10, 11})])
def test_a_mash_up_with_a_restricted_recording_is_not_allowed(
    studio, linernotes, restricted, tmp_path, share: float, codes: set[int]
) -> None:
    allowed, denied = decode(studio.wav).samples, decode(restricted).samples
    count = min(len(allowed), len(denied))
    done = ask(linernotes, mixed(tmp_path / "mash.wav", allowed[:count], denied[:count] * share))
    assert done.code in codes


def test_a_faint_mash_up_is_held_and_says_why(studio, linernotes, restricted, tmp_path) -> None:
    allowed, denied = decode(studio.wav).samples, decode(restricted).samples
    count = min(len(allowed), len(denied))
    mash = mixed(tmp_path / "mash.wav", allowed[:count], denied[:count] * 0.1)
    done = ask(linernotes, mash)
    assert held(done) == {"identity-not-shown"}
    [reason] = [reason for reason in done.json["reasons"] if reason["code"] == "identity-not-shown"]
    assert f"sounds like the recording {studio.recording_id} and is not shown to be it" in reason["text"]
    assert reason["path"] == [file_digest(mash), studio.recording_id]
    told = linernotes("check", mash, "--use", "sync", "--territory", "DE").out
    assert f"The file sounds like recording {studio.recording_id}" in told


def test_what_sounds_like_a_denied_recording_is_denied(studio, linernotes, restricted, tmp_path) -> None:
    samples = decode(restricted).samples
    noise = np.random.default_rng(6).normal(0, 300, samples.shape)
    done = ask(linernotes, mixed(tmp_path / "mash.wav", samples, noise))
    assert (done.code, done.json["verdict"]) == (10, "DENY")
    assert {"identity-not-shown", "weights-prohibited"} <= {reason["code"] for reason in done.json["reasons"]}


@pytest.mark.parametrize("kind", ["noise", "cymbals", "two seconds"])
def test_whatever_was_added_to_a_recording_its_verdict_is_not_that_of_the_file(
    studio, linernotes, tmp_path, kind: str
) -> None:
    music = decode(studio.wav).samples
    random = np.random.default_rng(7).normal(0, 0.2 * music.std(), music.shape)
    if kind == "cymbals":
        random = np.diff(random, 2, axis=0, append=np.zeros((2, 2)))
    if kind == "two seconds":
        random[2 * 44_100 :] = 0
    assert "identity-not-shown" in held(ask(linernotes, mixed(tmp_path / "mix.wav", music, random)))


def test_an_honest_copy_keeps_its_verdict(studio, linernotes, tmp_path) -> None:
    audio = decode(studio.wav)
    encode(audio, tmp_path / "copy.mp3", media_type="audio/mpeg")
    softer = mixed(tmp_path / "softer.wav", audio.samples * 0.4)
    shorter = mixed(tmp_path / "shorter.wav", audio.samples[30_000:-30_000])
    for copy in (tmp_path / "copy.mp3", softer, shorter):
        done = ask(linernotes, copy)
        assert (done.code, done.json["found_by"], done.json["foreign_manifest"]) == (0, "fingerprint", None)
        assert done.json["reasons"][0]["path"][0] == studio.recording_id


def test_a_file_of_another_house_is_held_and_says_whose_it_is(studio, linernotes, tmp_path) -> None:
    """The same model and seed give the same sound in another home, under that home's manifest."""
    arguments = ("generate", "an adagio", "--bars", 4, "--seed", 21)
    own = linernotes(*arguments, "-o", tmp_path / "own.wav", "--json", home=studio.home).json
    foreign = linernotes(*arguments, "-o", tmp_path / "foreign.wav", "--json", home=tmp_path / "other").json
    assert own["content_digest"] == foreign["content_digest"]
    linernotes("key", "list", home=studio.home)
    done = ask(linernotes, tmp_path / "foreign.wav")
    assert held(done) == {"other-log"}
    assert (done.json["recording_id"], done.json["found_by"]) == (own["recording_id"], "content-digest")
    origin = (tmp_path / "other" / "keys" / "log-origin").read_text().strip()
    report = report_of(tmp_path / "foreign.wav")
    assert done.json["foreign_manifest"] == {
        "manifest_id": report.manifest_id,
        "log": origin,
        "recording_id": foreign["recording_id"],
        "signer": report.signer.common_name,
    }
    for command in ("show", "lineage"):
        answer = linernotes(command, tmp_path / "foreign.wav", "--json")
        assert (answer.code, answer.json["recording_id"]) == (0, own["recording_id"])
        assert answer.json["foreign_manifest"] == done.json["foreign_manifest"]
        for said in (answer, linernotes(command, tmp_path / "foreign.wav")):
            assert f"foreign.wav was not handed out here: it carries an intact manifest of the log {origin}" in said.err
            assert "is not shown" not in said.err
    told = linernotes("check", tmp_path / "foreign.wav", "--use", "sync", "--territory", "DE").out
    assert f"it carries an intact manifest of the log {origin}" in " ".join(told.split())
    encode(decode(tmp_path / "foreign.wav"), tmp_path / "bare.wav", media_type="audio/wav")
    bare = ask(linernotes, tmp_path / "bare.wav")
    assert (bare.code, bare.json["foreign_manifest"]) == (0, None)
    assert ask(linernotes, tmp_path / "own.wav").json["foreign_manifest"] is None


@pytest.mark.parametrize("command", ["show", "lineage"])
def test_what_is_said_of_a_recording_is_said_with_a_warning_where_the_file_is_not_shown_to_be_it(
    studio, linernotes, tmp_path, command: str
) -> None:
    music = decode(studio.wav).samples
    noise = np.random.default_rng(7).normal(0, 0.2 * music.std(), music.shape)
    mix = mixed(tmp_path / "mix.wav", music, noise)
    done = linernotes(command, mix, "--json")
    assert (done.code, done.json["recording_id"], done.json["foreign_manifest"]) == (0, studio.recording_id, None)
    assert "noise of an encoder" in done.json["unlike"]
    warning = f"mix.wav sounds like a recording, and is not shown to be it and nothing else: {done.json['unlike']}"
    for said in (done, linernotes(command, mix)):
        assert warning in said.err
        assert f"of the recording {studio.recording_id}, and not of the file" in said.err
    for own in (studio.wav, studio.recording_id):
        done = linernotes(command, own, "--json")
        assert (done.code, done.err, done.json["unlike"], done.json["foreign_manifest"]) == (0, "", "", None)


def test_our_own_evidence_under_a_strangers_manifest_is_not_our_file(studio, linernotes, forger, tmp_path) -> None:
    forged = resign(report_of(studio.wav), decode(studio.wav), tmp_path / "forged.wav", forger, title="By hand")
    done = ask(linernotes, forged)
    assert held(done) == {"other-log"}
    assert done.json["foreign_manifest"]["signer"] == report_of(forged).signer.common_name


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
