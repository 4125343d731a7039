"""Embedding manifests: what lands in a file, what is refused, and what never happens on the way."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import c2pa
import numpy as np
import pytest
import soundfile

from provenance import manifest
from provenance.credential import Credential, create_test_credential
from provenance.errors import CredentialError, ManifestError, UnsupportedMediaError
from provenance.identity import file_digest
from provenance.manifest import embed, read
from provenance.manifest_report import ManifestReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provenance.conftest import Studio

REPOSITORY = Path(__file__).parents[2]
NO_FFMPEG = shutil.which("ffmpeg") is None
FORMATS = ["wav", "flac", "mp3", pytest.param("m4a", marks=pytest.mark.skipif(NO_FFMPEG, reason="ffmpeg makes m4a"))]


@pytest.mark.parametrize("ending", FORMATS)
def test_what_is_embedded_is_read_back(studio: Studio, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"out.{ending}"
    embedded = embed(studio.audio(ending), target, studio.new, studio.credential)
    report = studio.report(target, studio.anchor)
    assert embedded.asset_digest == file_digest(target)
    assert embedded.manifest_bytes_size < 16_000
    assert report == ManifestReport(
        manifest_id=embedded.manifest_id,
        manifest_count=1,
        intact=True,
        failures=(),
        trusted=True,
        signer=report.signer,
        title=studio.new.title,
        agent=studio.new.software_agent,
        actions=studio.new.actions(),
        source_type=studio.new.source_type,
        recording_id=studio.new.recording_id,
        model=studio.new.model,
        iscc=studio.new.iscc,
        training_mining=studio.new.training_mining,
        ledger=studio.new.ledger,
        parents=(),
    )
    assert report.signer.issuer == "Liner Notes TEST credential - not trusted by anyone"
    assert report.signer.common_name == "Liner Notes TEST signer"
    assert report.signer.algorithm == "es256"
    assert report.signer.signed_at is None
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("ending", FORMATS)
def test_the_second_engine_accepts_it(studio: Studio, ending: str) -> None:
    report = studio.second_opinion(studio.signed(ending).read_bytes(), ending, studio.anchor)
    assert (report["integrity"], report["signature"], report["hard_binding"]) == ("valid", "valid", "match")
    assert report["trust"]["status"] == "valid_for_supplied_material"
    assert report["validation_results"]["failure"] == []
    assert report["network"] == {"enabled": False, "needed": [], "requests": []}


@pytest.mark.parametrize("ending", FORMATS)
def test_an_edit_names_its_parent_in_both_engines(studio: Studio, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"edit.{ending}"
    parent = studio.signed(ending)
    embed(studio.audio(ending), target, studio.edited, studio.credential, parent)
    report = studio.report(target, studio.anchor)
    assert (report.intact, report.trusted, report.manifest_count) == (True, True, 2)
    assert report.parents == (studio.report(parent).manifest_id,)
    assert [action.name for action in report.actions] == ["c2pa.opened", "c2pa.edited", "c2pa.edited"]
    assert [action.description for action in report.actions[1:]] == list(studio.edited.edits)
    assert report.source_type == "compositeWithTrainedAlgorithmicMedia"
    assert (report.recording_id, report.model) == (studio.edited.recording_id, None)
    opinion = studio.second_opinion(target.read_bytes(), ending, studio.anchor)
    assert (opinion["integrity"], opinion["trust"]["status"]) == ("valid", "valid_for_supplied_material")
    assert len(opinion["manifest_report"]["manifests"]) == 2


def test_edits_of_edits_keep_all_their_ancestors(studio: Studio, tmp_path: Path) -> None:
    parent = studio.signed("mp3")
    for number, ending in enumerate(["flac", "wav", "mp3", "wav"], start=2):
        target = tmp_path / f"{number}.{ending}"
        embed(studio.audio(ending), target, studio.edited, studio.credential, parent)
        report = studio.report(target, studio.anchor)
        assert (report.intact, report.trusted, report.manifest_count) == (True, True, number)
        assert report.parents == (studio.report(parent).manifest_id,)
        assert studio.second_opinion(target.read_bytes(), ending)["integrity"] == "valid"
        parent = target


@pytest.mark.parametrize("ending", FORMATS)
def test_the_signer_answers_for_every_assertion(studio: Studio, tmp_path: Path, ending: str) -> None:
    edit = tmp_path / f"edit.{ending}"
    embed(studio.audio(ending), edit, studio.edited, studio.credential, studio.signed(ending))
    wanted = {"c2pa.actions.v2", "c2pa.soft-binding", "cawg.training-mining", "org.linernotes.ledger"}
    binding = "c2pa.hash.bmff.v3" if ending == "m4a" else "c2pa.hash.data"
    for path, more in ((studio.signed(ending), set()), (edit, {"c2pa.ingredient.v3"})):
        claim = studio.claim(path)["claim"]
        created = {entry["url"].rpartition("/")[2] for entry in claim["created_assertions"]}
        assert created == wanted | {binding} | more
        assert not claim.get("gathered_assertions")


def test_nothing_personal_and_no_path_is_written(studio: Studio, tmp_path: Path) -> None:
    secret = tmp_path / "prompt by Jane Doe.wav"
    shutil.copy(studio.audio("wav"), secret)
    embed(secret, tmp_path / "a.wav", studio.new, studio.credential)
    embed(secret, tmp_path / "b.wav", studio.edited, studio.credential, tmp_path / "a.wav")
    data = (tmp_path / "b.wav").read_bytes()
    for word in (b"Jane", b"prompt", os.fsencode(tmp_path.name), b"thumbnail"):
        assert word not in data


def test_signed_audio_is_not_signed_again(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="carries credentials already"):
        embed(studio.signed("wav"), tmp_path / "a.wav", studio.new, studio.credential)


def test_a_parent_has_to_be_signed_and_unaltered(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="carries no credentials"):
        embed(studio.audio("wav"), tmp_path / "a.wav", studio.edited, studio.credential, studio.audio("wav"))
    altered = studio.flipped(studio.signed("wav"), tmp_path, 4000)
    with pytest.raises(ManifestError, match=r"was altered.*assertion\.dataHash\.mismatch"):
        embed(studio.audio("wav"), tmp_path / "a.wav", studio.edited, studio.credential, altered)


def test_draft_and_parent_have_to_agree(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="0 edits and a parent"):
        embed(studio.audio("wav"), tmp_path / "a.wav", studio.new, studio.credential, studio.signed("wav"))
    with pytest.raises(ManifestError, match="2 edits and no parent"):
        embed(studio.audio("wav"), tmp_path / "a.wav", studio.edited, studio.credential)


def test_other_formats_are_named(studio: Studio, tmp_path: Path) -> None:
    ogg = tmp_path / "a.wav"
    soundfile.write(ogg, np.zeros(4000), 8000, format="OGG")
    with pytest.raises(UnsupportedMediaError, match=r"a\.wav is an Ogg file.*wav, flac, mp3 or m4a"):
        embed(ogg, tmp_path / "b.wav", studio.new, studio.credential)
    with pytest.raises(UnsupportedMediaError, match="an Ogg file"):
        read(ogg)


@pytest.mark.parametrize("content", [b"", b"R", b"RIFF", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_what_is_no_audio_is_refused(studio: Studio, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    for attempt in (
        lambda: read(tmp_path / "a.wav"),
        lambda: embed(tmp_path / "a.wav", tmp_path / "b.wav", studio.new, studio.credential),
    ):
        with pytest.raises(UnsupportedMediaError):
            attempt()


@pytest.mark.parametrize("ending", [FORMATS[0], FORMATS[3]])
def test_a_stub_of_a_container_is_refused(studio: Studio, tmp_path: Path, ending: str) -> None:
    (tmp_path / "a").write_bytes(studio.audio(ending).read_bytes()[:12])
    with pytest.raises(ManifestError):
        embed(tmp_path / "a", tmp_path / "b", studio.new, studio.credential)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_missing_file_is_a_system_error(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nowhere.wav")
    with pytest.raises(FileNotFoundError):
        embed(tmp_path / "nowhere.wav", tmp_path / "b.wav", studio.new, studio.credential)


def test_a_certificate_the_engine_refuses_is_said_so(studio: Studio, tmp_path: Path) -> None:
    other = create_test_credential(tmp_path / "other")
    mixed = replace(studio.credential, private_key=other.private_key)
    with pytest.raises(CredentialError, match="refuses to sign"):
        embed(studio.audio("wav"), tmp_path / "b.wav", studio.new, mixed)
    broken = Credential(b"no certificate", other.private_key, "es256", is_test=True)
    with pytest.raises(CredentialError, match="refuses to sign"):
        embed(studio.audio("wav"), tmp_path / "b.wav", studio.new, broken)
    assert not (tmp_path / "b.wav").exists()


def test_a_folder_that_is_not_there_is_named(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"nowhere/b\.wav cannot be written: No such file"):
        embed(studio.audio("wav"), tmp_path / "nowhere" / "b.wav", studio.new, studio.credential)


def test_a_target_that_is_a_folder_is_named(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "b.wav").mkdir()
    with pytest.raises(ManifestError, match=r"b\.wav cannot be written: Is a directory"):
        embed(studio.audio("wav"), tmp_path / "b.wav", studio.new, studio.credential)
    assert os.listdir(tmp_path) == ["b.wav"]  # noqa: PTH208 - hidden files count


@pytest.mark.parametrize("room", [1, 5000, 13_000])
def test_a_full_disk_leaves_the_target_as_it_was(studio: Studio, tmp_path: Path, room: int) -> None:
    target = tmp_path / "b.wav"
    target.write_bytes(b"what was there")
    studio.audio("wav")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        with pytest.raises(ManifestError, match="cannot be written: File too large"):
            embed(studio.audio("wav"), target, studio.new, studio.credential)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert target.read_bytes() == b"what was there"
    assert os.listdir(tmp_path) == ["b.wav"]  # noqa: PTH208 - hidden files count


def test_a_disk_that_is_full_for_a_moment_is_said_so(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.FileIO):
        full = True

        def write(self, data: Any, /) -> int:
            if len(data) > 8192 and self.full:
                self.full = False
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data) or 0

    studio.audio("wav")
    monkeypatch.setattr(manifest, "_new_file", lambda path: Full(path, "x+b"))
    with pytest.raises(ManifestError, match="cannot be written: No space left on device"):
        embed(studio.audio("wav"), tmp_path / "b.wav", studio.new, studio.credential)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - hidden files count


def test_a_file_is_on_the_disk_before_it_has_its_name(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "b.wav"
    events: list[tuple[str, bool]] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        events.append((kind, target.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    embed(studio.audio("wav"), target, studio.new, studio.credential)
    assert events == [("file", False)]


def test_ctrl_c_leaves_nothing_half_done(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted = threading.Event()
    write = manifest._Target.write

    def interrupt(target: manifest._Target, data: bytes) -> int:
        if not interrupted.is_set():
            interrupted.set()
            signal.raise_signal(signal.SIGINT)
        return write(target, data)

    monkeypatch.setattr(manifest._Target, "write", interrupt)
    studio.audio("mp3")
    with pytest.raises(KeyboardInterrupt):
        embed(studio.audio("mp3"), tmp_path / "b.mp3", studio.new, studio.credential)
    assert interrupted.is_set()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - hidden files count


def setting_paths(section: dict[str, object], prefix: str = "") -> Iterator[str]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from setting_paths(value, f"{prefix}{key}.")
        else:
            yield prefix + key


USED = sorted(
    setting_paths(
        {
            "core": dict(manifest._OFFLINE_CORE),
            "verify": {**manifest._OFFLINE_CHECKS, **manifest._SIGNING_CHECKS, "verify_after_reading": False},
            "builder": dict(manifest._BUILDING),
            "trust": {"trust_anchors": ""},
        }
    )
)


def takes(path: str, value: object) -> bool:
    document: object = value
    for key in reversed(path.split(".")):
        document = {key: document}
    try:
        c2pa.Context.from_json(json.dumps(document)).close()
    except c2pa.C2paError:
        return False
    return True


@pytest.mark.parametrize("path", USED)
def test_the_library_knows_every_setting_that_is_used(path: str) -> None:
    """A known key refuses a value of an impossible type; an unknown one does not care."""
    assert not takes(path, {"impossible": [1]})
    assert takes(f"{path}_misspelt", {"impossible": [1]})


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/far.c2pa", asked
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_a_manifest_on_a_server_is_not_fetched(studio: Studio, tmp_path: Path, server: tuple[str, list[str]]) -> None:
    url, asked = server
    path = tmp_path / "remote.wav"
    studio.sign_by_hand(studio.by_hand(), path, remote_url=url)
    assert read(path) is None
    assert asked == []
    embed(path, tmp_path / "again.wav", studio.new, studio.credential)
    assert asked == []
    # Each of the two locks holds alone, and without them the engine does ask.
    core = json.dumps({"core": manifest._OFFLINE_CORE})
    checks = json.dumps({"verify": manifest._OFFLINE_CHECKS})
    for context, questions in ((core, 0), (checks, 0), ("{}", 1)):
        with path.open("rb") as file, c2pa.Context.from_json(context) as used, pytest.raises(c2pa.C2paError):
            c2pa.Reader("audio/wav", file, context=used)
        assert len(asked) == questions


def test_every_engine_call_is_offline(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[dict[str, Any]] = []
    make = c2pa.Context.from_json

    def record(text: str) -> c2pa.Context:
        used.append(json.loads(text))
        return make(text)

    parent = studio.signed("wav")
    monkeypatch.setattr(c2pa.Context, "from_json", record)
    embed(studio.audio("wav"), tmp_path / "b.wav", studio.edited, studio.credential, parent)
    read(tmp_path / "b.wav", studio.anchor)
    assert len(used) == 6, "parent: look, read; source: look, sign; result: look, read"
    for context in used:
        assert context["core"] == manifest._OFFLINE_CORE
        assert context["verify"].items() >= manifest._OFFLINE_CHECKS.items()


def test_free_space_in_an_m4a_is_hashed_too(studio: Studio) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("m4a is made with ffmpeg")
    exclusions = studio.claim(studio.signed("m4a"))["assertion_store"]["c2pa.hash.bmff.v3"]["exclusions"]
    assert {entry["xpath"] for entry in exclusions} == {"/uuid", "/ftyp", "/mfra"}


def test_it_works_after_a_fork(studio: Studio, tmp_path: Path) -> None:
    embed(studio.audio("wav"), tmp_path / "before.wav", studio.new, studio.credential)
    child = os.fork()
    if child == 0:
        try:
            embed(studio.audio("wav"), tmp_path / "child.wav", studio.new, studio.credential)
            os._exit(0 if studio.report(tmp_path / "child.wav").intact else 3)
        except BaseException:  # noqa: BLE001 - the child must not go on as a second pytest
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert studio.report(tmp_path / "child.wav", studio.anchor).trusted


def test_many_threads_can_embed_at_once(studio: Studio, tmp_path: Path) -> None:
    source = studio.audio("wav")
    outcomes: list[bool] = []

    def work(number: int) -> None:
        target = tmp_path / f"{number}.wav"
        embed(source, target, studio.new, studio.credential)
        outcomes.append(studio.report(target).intact)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 8


def test_importing_it_is_cheap() -> None:
    heavy = "torch sqlalchemy numpy pydantic cryptography soundfile"
    code = f"import sys, provenance.manifest; print(sorted(set(sys.modules) & set({heavy.split()!r})))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def test_only_this_module_knows_c2pa() -> None:
    packages = ("api", "licensing", "provenance", "ledger", "fingerprint", "generator")
    imports = re.compile(r"^\s*(import c2pa|from c2pa)\b", re.MULTILINE)
    sources = [path for package in packages for path in (REPOSITORY / package).rglob("*.py")]
    found = [path for path in sources if imports.search(path.read_text(encoding="utf-8"))]
    assert [path.relative_to(REPOSITORY).as_posix() for path in found] == ["provenance/manifest.py"]
