"""Which recording a file is, and when it is only like one."""

import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from api import recognition
from api.errors import NothingThereError, UsageError
from api.home import Home
from api.recognition import Found, find
from api.settings import load_settings
from fingerprint.audio import Audio, decode, encode
from fingerprint.digest import content_digest
from provenance import store

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg")


@pytest.fixture
def home(studio) -> Home:
    return Home(load_settings())


@pytest.fixture
def music(studio) -> Audio:
    return decode(studio.wav)


def found(home: Home, path: Path) -> Found:
    return find(home, str(path), path)


def written(path: Path, samples: np.ndarray, rate: int = 44_100, media_type: str = "audio/wav") -> Path:
    encode(Audio(np.clip(np.rint(samples), -32_767, 32_767).astype(np.int16), rate), path, media_type=media_type)
    return path


def test_by_id(home, studio) -> None:
    assert find(home, studio.recording_id, None).by == "id"
    with pytest.raises(UsageError, match="neither the id"):
        find(home, "nothing", None)


def test_by_manifest_only_when_it_is_the_file_that_was_handed_out(home, studio, tmp_path) -> None:
    handed_out = found(home, studio.wav)
    assert (handed_out.by, handed_out.foreign, handed_out.unlike) == ("manifest", None, "")
    altered = tmp_path / "altered.wav"
    altered.write_bytes(studio.wav.read_bytes()[:-2] + b"\1\1")  # where the manifest lies
    assert found(home, altered).by == "content-digest"


def test_by_its_exact_sound(home, studio, music, tmp_path) -> None:
    bare = written(tmp_path / "bare.flac", music.samples, media_type="audio/flac")
    same = found(home, bare)
    assert (same.by, same.recording.recording_id, same.unlike) == ("content-digest", studio.recording_id, "")
    assert same.asset_digest.startswith("sha256:")


def test_a_good_copy_is_the_recording(home, studio, music, tmp_path) -> None:
    for name, samples in (("softer.wav", music.samples * 0.3), ("later.wav", music.samples[20_000:])):
        copy = found(home, written(tmp_path / name, samples))
        assert (copy.by, copy.recording.recording_id, copy.unlike) == ("fingerprint", studio.recording_id, "")
    mp3 = found(home, written(tmp_path / "copy.mp3", music.samples, media_type="audio/mpeg"))
    assert (mp3.by, mp3.unlike) == ("fingerprint", "")


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_a_copy_with_something_added_is_only_like_it(home, studio, music, tmp_path, share: float) -> None:
    loud = np.sqrt(np.square(music.samples, dtype=np.float64).mean())
    noise = np.random.default_rng(1).normal(0, share * loud, music.samples.shape)
    like = found(home, written(tmp_path / "mash.wav", music.samples + noise))
    assert (like.by, like.recording.recording_id) == ("fingerprint", studio.recording_id)
    assert "what is left of the file" in like.unlike


def test_without_its_master_nothing_is_shown(home, music, tmp_path) -> None:
    copy = written(tmp_path / "softer.wav", music.samples * 0.5)
    for kept in home.objects.root.rglob("*"):
        if kept.is_file() and kept.stat().st_size > 500_000:
            kept.chmod(0o600)
            kept.unlink()
    assert "its master is not among the stored files" in found(home, copy).unlike


def test_a_recording_that_was_never_sealed_cannot_be_shown(home, music, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(recognition, "rendition_of", lambda *_: None)
    assert "its master is not among" in found(home, written(tmp_path / "softer.wav", music.samples * 0.5)).unlike


def test_more_than_the_recording_is_no_recording(home, music, tmp_path) -> None:
    longer = np.concatenate([np.random.default_rng(1).normal(0, 3000, (400_000, 2)), music.samples])
    with pytest.raises(NothingThereError, match="not true of the whole file"):
        found(home, written(tmp_path / "longer.wav", longer))


def test_silence_and_strangers_are_nothing(home, tmp_path) -> None:
    random = np.random.default_rng(2)
    for name, samples in (("silence", np.zeros((300_000, 2))), ("noise", random.normal(0, 3000, (300_000, 2)))):
        with pytest.raises(NothingThereError, match="is no recording of"):
            found(home, written(tmp_path / f"{name}.wav", samples))


def test_a_digest_of_lossy_frames_is_not_believed_unheard(home, studio, music, tmp_path, monkeypatch) -> None:
    """Whatever the digest of a lossy file may be made to say, what is decoded must be the recording too."""
    same = written(tmp_path / "same.mp3", music.samples, media_type="audio/mpeg")
    other = written(tmp_path / "other.mp3", music.samples[::-1], media_type="audio/mpeg")
    with home.reading() as connection:
        digest = store.find_recording(connection, studio.recording_id).content_digest
    monkeypatch.setattr(recognition, "content_digest", lambda *_: digest)
    assert found(home, same).by == "content-digest"
    with pytest.raises(NothingThereError):
        found(home, other)
    shorter = written(tmp_path / "shorter.mp3", music.samples[:-30_000], media_type="audio/mpeg")
    assert found(home, shorter).by == "fingerprint"


@needs_ffmpeg
def test_an_m4a_that_was_packed_anew_is_found_by_its_frames(linernotes, studio, tmp_path) -> None:
    made = linernotes("generate", "an adagio", "--seconds", 7, "--seed", 5, "-o", tmp_path / "a.m4a", "--json")
    anew = tmp_path / "anew.m4a"
    command = ("ffmpeg", "-v", "error", "-i", tmp_path / "a.m4a", "-c", "copy", "-metadata", "title=A", anew)
    subprocess.run(command, check=True)
    packed = found(Home(load_settings()), anew)
    assert (packed.by, packed.recording.recording_id) == ("content-digest", made.json["recording_id"])


def test_every_copy_of_what_it_sounds_like_is_named(linernotes, studio, music, tmp_path) -> None:
    """The same seed twice is two recordings, and they may be under different terms."""
    twice = [
        linernotes("generate", "x", "--bars", 4, "--seed", 8, "-o", tmp_path / f"{n}.wav", "--json").json[
            "recording_id"
        ]
        for n in range(2)
    ]
    copy = written(tmp_path / "copy.wav", decode(tmp_path / "0.wav").samples * 0.5)
    assert sorted(found(Home(load_settings()), copy).candidates) == sorted(twice)


def test_the_page_about_recognition_is_true(studio, music, tmp_path, monkeypatch, capsys) -> None:
    page = Path(__file__).parents[2] / "docs" / "recognition.md"
    [code] = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    written(tmp_path / "take.wav", music.samples)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, page.name, "exec"), {})  # noqa: S102 - our own document
    assert capsys.readouterr().out.strip() == content_digest(tmp_path / "take.wav")


@pytest.mark.parametrize("text", ["", "a\nb", "a\x1b[31mb", "\ud800", "a\u202eb", "x" * 201])
def test_what_a_stranger_calls_itself_is_not_repeated_blindly(text: str) -> None:
    assert recognition._told(text) == "(a name that cannot be written)"


def test_what_is_left_is_said_in_decibels() -> None:
    assert recognition._unlike(-24.0) == recognition._unlike(-math.inf) == ""
    assert "has -23.9 dB" in recognition._unlike(-23.9)
    assert "+4.0 dB" in recognition._unlike(4)
    assert "nothing in common" in recognition._unlike(math.inf)
