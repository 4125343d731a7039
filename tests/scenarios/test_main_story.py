"""The main job, end to end, through the command line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fingerprint.audio import Audio, decode, encode
from generator.midi import read_midi, write_midi
from generator.score import Score

CONTRACT_IDS = [
    "c2pa-integrity",
    "c2pa-trust",
    "c2pa-ledger",
    "content-digest",
    "envelope-signature",
    "log-inclusion",
    "checkpoint-signature",
    "log-trust",
    "fingerprint",
    "timestamp",
    "licence",
]


def repitched(score: Score, count: int = 3) -> Score:
    """The busiest voice with its first notes a tone higher."""
    voices = list(score.voices)
    index = max(range(len(voices)), key=lambda i: len(voices[i].notes))
    notes = voices[index].notes
    changed = tuple(replace(note, pitch=note.pitch + 2) for note in notes[:count])
    voices[index] = replace(voices[index], notes=tuple(sorted(changed + notes[count:])))
    return replace(score, voices=tuple(voices))


@pytest.fixture
def changed(studio) -> Path:
    path = studio.root / "changed.mid"
    write_midi(repitched(read_midi(studio.midi)), path)
    return path


def test_generate_answers_with_the_keys_of_the_contract(studio, linernotes) -> None:
    made = linernotes(
        "generate",
        "a slow serenade in A minor zorgle",
        "--bars",
        4,
        "--seed",
        3,
        "-o",
        studio.root / "x.flac",
        "--json",
    )
    assert made.code == 0, made.err
    answer = made.json
    assert {"recording_id", "leaf_hash", "log_index", "content_digest", "files", "model", "unmatched_words"} <= set(
        answer
    )
    assert [file["media_type"] for file in answer["files"]] == ["audio/flac", "audio/midi"]
    assert all(Path(file["path"]).is_file() for file in answer["files"])
    assert "zorgle" in answer["unmatched_words"]
    assert set(answer["model"]) == {"id", "weights_digest"}


def test_the_same_seed_twice_is_two_recordings_of_one_sound(studio, linernotes) -> None:
    made = [
        linernotes("generate", "an adagio", "--bars", 3, "--seed", 5, "-o", studio.root / f"{n}.wav", "--json").json
        for n in (1, 2)
    ]
    assert made[0]["recording_id"] != made[1]["recording_id"]
    assert made[0]["content_digest"] == made[1]["content_digest"]
    shown = linernotes("show", studio.root / "1.wav", "--json").json
    assert shown["recording_id"] == made[0]["recording_id"]


def test_one_file_verifies_on_an_empty_machine(studio, linernotes, tmp_path) -> None:
    done = linernotes("verify", studio.wav, "--json", home=tmp_path / "empty")
    assert done.code == 0
    checks = {check["id"]: check for check in done.json["checks"]}
    assert list(checks) == CONTRACT_IDS
    assert {name for name, check in checks.items() if check["result"] != "pass"} == {
        "c2pa-trust",
        "log-trust",
        "timestamp",
        "licence",
    }
    assert all(check["detail"] for check in checks.values())
    assert "+" in checks["log-trust"]["detail"], "the log's key is printed"
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("ending", [".mp3", ".flac"])
def test_evidence_beside_a_file_completes_its_checks(studio, linernotes, policy, tmp_path, ending: str) -> None:
    path = tmp_path / f"take{ending}"
    linernotes("generate", "an adagio", "--bars", 3, "--seed", 5, "-o", path)
    empty = tmp_path / "empty"
    before = linernotes("verify", path, "--policy", policy, "--json", home=empty)
    result = {check["id"]: check["result"] for check in before.json["checks"]}["content-digest"]
    assert result == ("not-checked" if ending == ".mp3" else "pass")
    assert linernotes("log", "evidence", path, home=studio.home).code == 0
    after = linernotes("verify", path, "--policy", policy, "--json", home=empty)
    assert {check["id"]: check["result"] for check in after.json["checks"]}["content-digest"] == "pass"
    stranger = linernotes("log", "evidence", studio.midi, home=studio.home)
    assert stranger.code == 3


def test_with_a_policy_and_anchors_the_trust_checks_pass(studio, linernotes, policy, tmp_path) -> None:
    anchors = studio.home / "keys" / "c2pa" / "anchor.pem"
    done = linernotes(
        "verify", studio.wav, "--policy", policy, "--trust-anchors", anchors, "--json", home=tmp_path / "empty"
    )
    results = {check["id"]: check["result"] for check in done.json["checks"]}
    assert results == dict.fromkeys(CONTRACT_IDS, "pass") | dict.fromkeys(("timestamp", "licence"), "not-checked")


def test_three_repitched_notes_are_exactly_three(studio, linernotes, changed) -> None:
    done = linernotes(
        "edit", studio.recording_id, "--file", changed, "--role", "Arranger", "-o", studio.root / "edited.wav", "--json"
    )
    assert done.code == 0, done.err
    assert done.json["changes"]["pitch"] == 3
    assert sum(done.json["changes"].values()) == done.json["notes"]
    lineage = linernotes("lineage", done.json["recording_id"], "--notes", "--json").json
    assert {node["kind"] for node in lineage["nodes"]} == {
        "recording",
        "generation",
        "edit",
        "model",
        "corpus",
        "party",
    }
    people = [c for c in lineage["contributions"] if c["party"]]
    models = [c for c in lineage["contributions"] if c["model"]]
    assert [(c["role"], c["notes"]) for c in people] == [("Arranger", 3)]
    assert models[0]["notes"] == done.json["notes"] - 3
    assert lineage["contains_ai"] == "Partly"
    assert lineage["origins"] == {"model": done.json["notes"] - 3, "person-changed-from-model": 3}
    assert sum(note["kind"] != "model" for note in lineage["notes"]) == 3


def test_a_users_own_midi_file_is_never_written_over(studio, linernotes, changed) -> None:
    before = changed.read_bytes()
    done = linernotes("edit", studio.recording_id, "--file", changed, "-o", changed.with_suffix(".flac"), "--json")
    assert [file["media_type"] for file in done.json["files"]] == ["audio/flac"]
    assert changed.read_bytes() == before


def test_an_edit_by_another_person_waits_for_their_terms(studio, linernotes, changed) -> None:
    party = linernotes("party", "add", "--name", "Ada Lovelace", "--json").json["party_id"]
    edited = linernotes(
        "edit", studio.recording_id, "--file", changed, "--party", party, "-o", studio.root / "e.wav", "--json"
    ).json["recording_id"]
    held = linernotes("check", edited, "--use", "commercial-release", "--territory", "DE", "--json")
    assert (held.code, held.json["verdict"]) == (11, "HOLD")
    assert any(party in reason["text"] and "grant" in reason["text"] for reason in held.json["reasons"])
    free = linernotes(
        "edit",
        studio.recording_id,
        "--file",
        changed,
        "--party",
        party,
        "--licence",
        "CC0-1.0",
        "-o",
        studio.root / "f.wav",
        "--json",
    ).json["recording_id"]
    assert linernotes("check", free, "--use", "commercial-release", "--territory", "DE").code == 0


def test_allow_in_germany_hold_in_mexico_and_in_the_united_states(studio, linernotes) -> None:
    ask = ("check", studio.recording_id, "--use", "commercial-release", "--json", "--territory")
    germany, mexico, states = (linernotes(*ask, territory) for territory in ("DE", "MX", "US"))
    assert (germany.code, germany.json["verdict"]) == (0, "ALLOW")
    assert (mexico.code, mexico.json["verdict"]) == (11, "HOLD")
    [reason] = [r for r in mexico.json["reasons"] if r["result"] == "HOLD"]
    for name, year in (("Beach", 1944), ("Smyth", 1944), ("Bartók", 1945), ("Strauss", 1949), ("Moeran", 1950)):
        assert name in reason["text"]
        assert str(year) in reason["text"]
    assert reason["path"][0] == studio.recording_id
    assert reason["path"][-1] == "openscore-string-quartets"
    assert (states.code, states.json["verdict"]) == (11, "HOLD")
    assert any("publi" in reason["text"] for reason in states.json["reasons"] if reason["result"] == "HOLD")
    assert {"verdict", "reasons", "duties", "policy_version"} <= set(germany.json)


def test_a_recording_is_found_by_manifest_sound_and_fingerprint(studio, linernotes) -> None:
    audio = decode(studio.wav)
    bare, lossy = studio.root / "bare.flac", studio.root / "lossy.mp3"
    encode(audio, bare, media_type="audio/flac")
    encode(audio, lossy, media_type="audio/mpeg")
    found = {path: linernotes("show", path, "--json").json for path in (studio.wav, bare, lossy)}
    assert [shown["found_by"] for shown in found.values()] == ["manifest", "content-digest", "fingerprint"]
    assert {shown["recording_id"] for shown in found.values()} == {studio.recording_id}


def test_ten_seconds_of_mp3_are_recognised(studio, linernotes) -> None:
    audio = decode(studio.wav)
    start = audio.sample_rate
    clip = studio.root / "clip.mp3"
    encode(
        Audio(audio.samples[start : start + 10 * audio.sample_rate], audio.sample_rate), clip, media_type="audio/mpeg"
    )
    done = linernotes("identify", clip, "--json")
    assert done.code == 0
    assert done.json["matches"][0]["recording_id"] == studio.recording_id
    assert abs(done.json["matches"][0]["reference_offset"] - done.json["matches"][0]["query_offset"] - 1.0) < 0.5
    assert {"score", "query_offset", "reference_offset", "duration", "tier"} <= set(done.json["matches"][0])


def test_a_package_verifies_on_an_empty_machine(studio, linernotes, policy, tmp_path) -> None:
    package = studio.root / "package"
    made = linernotes("export", studio.recording_id, "-o", package, "--territory", "MX", "--json")
    assert made.code == 0, made.err
    assert made.json["verdict"] == "HOLD"
    done = linernotes("verify", package, "--policy", policy, "--json", home=tmp_path / "empty")
    results = {check["id"]: check["result"] for check in done.json["checks"]}
    assert done.code == 0
    assert set(results.values()) == {"pass", "not-checked"}
    unchecked = {name for name, result in results.items() if result == "not-checked"}
    assert unchecked == {"c2pa-trust", "timestamp", "package-timestamp"}
    assert results["licence"] == results["package-signature"] == results["package-log-trust"] == "pass"


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("data/lineage.json", "package-integrity"),
        ("data/verdict.json", "package-integrity"),
        ("manifest-sha256.txt", "package-signature"),
    ],
)
def test_an_altered_package_fails(studio, linernotes, tmp_path, name: str, check: str) -> None:
    package = studio.root / "package"
    linernotes("export", studio.recording_id, "-o", package)
    file = package / name
    file.write_bytes(file.read_bytes().replace(b"a", b"b", 1))
    done = linernotes("verify", package, "--json", home=tmp_path / "empty")
    assert done.code == 1
    assert {c["id"]: c["result"] for c in done.json["checks"]}[check] == "fail"


def test_what_a_forger_signed_anew_fails_under_the_policy(studio, linernotes, policy, tmp_path) -> None:
    """The forger has our software and a home of their own: everything is consistent, nothing is trusted."""
    forged_home = tmp_path / "forger"
    linernotes("generate", "an allegro", "--bars", 3, "--seed", 1, "-o", tmp_path / "forged.wav", home=forged_home)
    recording = linernotes("show", tmp_path / "forged.wav", "--json").json["recording_id"]
    linernotes("export", recording, "-o", tmp_path / "forged.zip")
    empty = tmp_path / "empty"
    assert linernotes("verify", tmp_path / "forged.wav", home=empty).code == 0
    for path in (tmp_path / "forged.wav", tmp_path / "forged.zip"):
        done = linernotes("verify", path, "--policy", policy, "--json", home=empty)
        assert done.code == 1
        assert {c["id"]: c["result"] for c in done.json["checks"]}["log-trust"] == "fail"


def test_membership_is_answered_with_a_proof(studio, linernotes) -> None:
    yes = linernotes("audit", "membership", "--composer", "smyth", "--json").json
    assert (yes["verdict"], yes["item"]["composer"], yes["proof"]["present"]) == ("yes", "Ethel Smyth", True)
    assert yes["corpus_root"] == yes["proof"]["root"]
    assert yes["log_index"] == 2
    no = linernotes("audit", "membership", "--composer", "Stravinsky", "--json").json
    assert (no["verdict"], no["item"]) == ("no", None)
    unsure = linernotes("audit", "membership", "--composer", "Dvorack", "--json").json
    assert unsure["verdict"] == "cannot-tell"
    assert unsure["candidates"]
    stranger = linernotes("audit", "membership", "--file", studio.midi, "--json").json
    assert stranger["verdict"] == "cannot-tell"


def test_the_ledger_is_whole_and_rebuilds_to_the_same_rows(studio, linernotes, changed) -> None:
    linernotes("edit", studio.recording_id, "--file", changed, "-o", studio.root / "e.wav")
    linernotes("check", studio.recording_id, "--use", "sync", "--territory", "FR")
    report = linernotes("log", "fsck", "--json")
    assert report.code == 0
    assert report.json["problems"] == report.json["warnings"] == []
    assert "the same as before" in linernotes("db", "rebuild").out


def test_private_values_are_nowhere_in_the_log(studio, linernotes) -> None:
    prompt = "a waltz for my secret friend Eleonora"
    linernotes("generate", prompt, "--bars", 3, "--seed", 1, "-o", studio.root / "p.wav")
    linernotes("party", "add", "--name", "Eleonora Duse")
    from api.home import Home
    from api.settings import load_settings

    home = Home(load_settings())
    entries = b"".join(entry.data for entry in home.log.entries())
    payloads = b"".join(
        __import__("base64").b64decode(json.loads(entry.data)["payload"]) for entry in home.log.entries()
    )
    assert b"Eleonora" not in entries + payloads + (studio.root / "p.wav").read_bytes()
    assert b"hmac-sha256:" in payloads
