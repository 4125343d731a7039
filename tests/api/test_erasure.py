"""Erased is erased: the bytes are nowhere that this software wrote, and every proof stays valid."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import api.recording
from api.erasure import erase
from api.errors import NothingThereError, UsageError
from api.home import Home
from api.integrity import fsck, rebuild
from api.jobs import Call, Jobs
from api.recording import generate
from api.registry import add_party, parties
from api.settings import Settings
from generator.request import GenerationRequest
from ledger.proof import TlogProof
from ledger.scrub import Scrubbed, is_owed, scrub
from provenance import store
from provenance.identity import digest_bytes
from provenance.recording_predicate import File
from tests.api.editing import transposed

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.content import Kept

PROMPT = "a calm adagio, XylophoneQuincunx, foggy"
NAME = "Zacharias Quetzalcoatl Featherstonehaugh"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(Settings(home=tmp_path / "home", device="cpu"))


def holding(folder: Path, *values: bytes) -> list[str]:
    """The files below a folder in which one of the values stands, in UTF-8 or UTF-16."""
    wanted = [*values, *(value.decode().encode("utf-16-le") for value in values)]
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(value in path.read_bytes() for value in wanted)
    ]


def test_an_erased_prompt_is_nowhere(home: Home) -> None:
    made = generate(home, GenerationRequest(PROMPT, seed=5, seconds=5))
    with home.reading() as connection:
        salt = store.openings(connection, made.leaf_hash)["prompt"].salt
    assert holding(home.root, b"XylophoneQuincunx")
    proof = home.proof(made.log_index)
    erased = erase(home, made.recording_id)
    assert [(each.leaf_hash, each.field) for each in erased.erased] == [
        (made.leaf_hash, "prompt"),
        (made.leaf_hash, "unmatched_words"),
    ]
    assert erased.left_to_do == []
    home.engine.dispose()
    assert holding(home.root, b"XylophoneQuincunx") == []
    assert not [path for path in home.root.rglob("*") if path.is_file() and salt in path.read_bytes()]
    # the record stands: the proof from before, one from now, the check of everything, and the folded tables
    leaf = digest_bytes(made.leaf_hash)
    for each in (proof, home.proof(made.log_index)):
        TlogProof.parse(each.format()).verify(leaf, [home.log.verifier])
    report = fsck(home)
    assert report.problems == ()
    assert not [warning for warning in report.warnings if "opening" in warning.where]
    assert rebuild(home)[1]
    assert home.statement(home.log.entry(erased.erased[0].log_index).leaf_hash.hex()).kind == "erasure"


def test_no_guess_of_an_erased_prompt_can_be_tested_by_the_call_that_asked_for_it(home: Home) -> None:
    request, call = GenerationRequest(PROMPT, seed=5, seconds=5), Call("token", "order-17", PROMPT.encode())
    other = Call("token", "order-18", b"other")
    running = Jobs(home)
    running.start()
    job, kept = running.submit(request, call), running.submit(replace(request, seed=6), other)
    while (shown := running.show(running.find(kept.job_id))).state not in {"done", "failed"}:
        time.sleep(0.05)
    running.stop()
    made = running.show(running.find(job.job_id)).recording
    assert shown.recording is not None
    assert made is not None
    assert running.submit(request, call).job_id == job.job_id
    fingerprints = call.fingerprint.split(":")[1:]
    assert holding(home.root, *(each.encode() for each in fingerprints))
    erase(home, made.recording_id)
    home.engine.dispose()
    assert holding(home.root, *(each.encode() for each in fingerprints)) == []
    assert running.submit(replace(request, seed=6), other).job_id == kept.job_id


def test_one_of_many_values_of_every_size(home: Home) -> None:
    """Rows are moved between pages as others come and go: no old copy may stay behind."""
    names = [f"{NAME} {number} {'x' * (number * 37 % 400)}" for number in range(60)]
    made = [add_party(home, name).party_id for name in names]
    for number in range(0, 60, 7):
        erase(home, made[number])
    assert holding(home.root, *(names[number].encode() for number in range(0, 60, 7))) == []
    assert holding(home.root, names[1].encode())
    assert {party.name for party in parties(home).parties} == {"", *(n for i, n in enumerate(names) if i % 7)}


def test_one_field_alone(home: Home) -> None:
    party = add_party(home, NAME, isni="0000000121032683", ipi="00014107338")
    assert [each.field for each in erase(home, party.party_id, ["isni"]).erased] == ["isni"]
    with home.reading() as connection:
        assert set(store.openings(connection, party.leaf_hash)) == {"name", "ipi"}
    with pytest.raises(UsageError, match="Nothing private called 'isni' is held about it; there is ipi, name"):
        erase(home, party.party_id, ["isni"])
    assert {each.field for each in erase(home, party.leaf_hash).erased} == {"name", "ipi"}
    with pytest.raises(NothingThereError, match="erased before"):
        erase(home, party.party_id)


@pytest.mark.parametrize("name", ["nobody", "", "sha256:" + "0" * 64, "x" * 10_000])
def test_what_is_not_there(home: Home, name: str) -> None:
    size = home.log.size()
    with pytest.raises(NothingThereError):
        erase(home, name)
    assert home.log.size() == size


def test_an_opening_that_came_back_is_a_problem_and_one_that_went_a_warning(home: Home) -> None:
    party = add_party(home, NAME)
    other = add_party(home, "Other")
    with home.reading() as connection:
        openings = store.openings(connection, party.leaf_hash)
    erase(home, party.party_id)
    with home.writing() as connection:
        store.add_openings(connection, [(digest_of(party.leaf_hash), openings)])
        store.delete_openings(connection, other.leaf_hash, ["name"])
    report = fsck(home)
    assert [(problem.what, problem.where) for problem in report.problems] == [
        ("an entry of the log says that it was erased; erase it again", f"opening of name of {party.leaf_hash}")
    ]
    assert [warning.where for warning in report.warnings] == [f"opening of name of {other.leaf_hash}"]


def digest_of(text: str):  # noqa: ANN201 - a digest
    from provenance.identity import digest_from_text

    return digest_from_text(text)


def test_a_reader_in_the_way_is_waited_for_and_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from ledger.errors import DatabaseBusyError
    from ledger.scrub import scrub

    monkeypatch.setattr("ledger.scrub.PATIENCE_SECONDS", 0.3)
    party = add_party(home, NAME)
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN');"
        "c.execute('SELECT count(*) FROM entry').fetchone(); print('reading', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(home.root / "linernotes.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        with pytest.raises(DatabaseBusyError, match="linernotes db scrub"):
            erase(home, party.party_id)
        reader.communicate("\n")
    scrub(home.engine, ())
    assert holding(home.root, NAME.encode()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
import api.erasure
from api.home import Home
from api.settings import Settings
api.erasure.scrub = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
api.erasure.erase(Home(Settings(home=Path(sys.argv[1]), device="cpu")), sys.argv[2])
"""


@pytest.fixture
def killed(home: Home) -> str:
    """A party that was erased by a process that was killed before it had rewritten the file."""
    party = add_party(home, NAME).party_id  # a process that goes on keeps the file from being tidied up
    done = subprocess.run([sys.executable, "-W", "error", "-c", KILLED, str(home.root), party], check=False)
    assert done.returncode == -signal.SIGKILL
    assert holding(home.root, NAME.encode())
    return party


def test_the_next_start_finishes_what_was_interrupted(home: Home, killed: str) -> None:
    again = Home(home.settings)
    assert holding(home.root, NAME.encode()) == []
    assert fsck(again).warnings == ()
    with pytest.raises(NothingThereError, match=r"erased before\.$"):
        erase(again, killed)
    again.close()


def test_while_somebody_is_in_the_way_it_is_named(
    home: Home, killed: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("api.erasure._START_SECONDS", 0.1)
    with sqlite3.connect(home.root / "linernotes.db", isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entry").fetchone()
        add_party(home, "another state")
        waiting = Home(home.settings)
        assert "An erasure was not completed; the next start tries again." in caplog.text
        [warning] = fsck(waiting).warnings
        assert (warning.where, "may still be in the files of the database" in warning.what) == ("database", True)
        with pytest.raises(NothingThereError, match=r"erased before\. What was erased last may still be in the files"):
            erase(waiting, killed)
        reader.execute("ROLLBACK")
    reader.close()
    assert scrub(waiting.engine, ()).done
    assert fsck(waiting).warnings == ()
    waiting.close()
    assert holding(home.root, NAME.encode()) == []


def test_what_an_earlier_release_left_is_finished_too(home: Home, killed: str) -> None:
    """It did not mark the file."""
    with home.writing() as connection:
        connection.exec_driver_sql("PRAGMA user_version = 0")
    Home(home.settings).close()
    assert killed
    assert holding(home.root, NAME.encode()) == []
    assert is_owed(home.engine) is False


def test_a_home_that_erased_nothing_is_not_rewritten(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.erasure.scrub", lambda *_: 1 / 0)
    add_party(home, NAME)
    Home(home.settings).close()


def test_a_draft_that_was_withdrawn_marks_the_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.erasure._waiting", lambda *_: ["draft"])
    monkeypatch.setattr("api.erasure.remove_edit_draft", lambda *_: True)
    monkeypatch.setattr("api.erasure.scrub", lambda *_: Scrubbed(done=False))
    erase(home, "nobody")
    assert is_owed(home.engine)


def test_a_file_that_an_earlier_release_kept_as_it_was_handed_in_is_named(
    studio, linernotes: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stored under the role `source`, and what it says in words stays until somebody deletes it."""
    edited = transposed(studio.midi, tmp_path / "edited.mid")
    keep = api.recording.keep

    def keep_it_too(home: Home, *arguments: object, **options: object) -> Kept:
        kept = keep(home, *arguments, **options)
        digest = home.objects.put_bytes(edited.read_bytes() + NAME.encode())
        source = File(role="source", name="edited.mid", media_type="audio/midi", asset_digest=digest)
        return replace(kept, files=(*kept.files, source))

    monkeypatch.setattr("api.recording.keep", keep_it_too)
    told = linernotes("edit", studio.recording_id, "--file", edited, "-o", tmp_path / "out.wav", "--json")
    made = told.json["recording_id"]
    [kept] = holding(studio.home, NAME.encode())
    for _ in range(2):
        done = linernotes("erase", made)
        said = done.out + done.err
        assert "its role is `source`" in said
        assert str(Path(kept).relative_to(studio.home)) in said
    assert not any("source" in each for each in linernotes("erase", studio.recording_id, "--json").json["left_to_do"])
    Path(kept).unlink()
    assert "source" not in linernotes("erase", made).err
    [problem] = json.loads(linernotes("log", "fsck", "--json").out)["problems"]
    assert "is missing" in problem["what"]


def test_its_help_tells_of_such_files(linernotes: Callable[..., object]) -> None:
    assert "role is source" in " ".join(linernotes("erase", "--help").out.split())


def test_from_the_command_line(studio, linernotes: Callable[..., object]) -> None:
    done = linernotes("erase", studio.recording_id, "--field", "prompt", "--json")
    assert done.code == 0, done.err
    assert [each["field"] for each in done.json["erased"]] == ["prompt"]
    assert linernotes("erase", studio.recording_id, "--field", "prompt").code == 2
    shown = linernotes("erase", studio.recording_id)
    assert "unmatched_words" in shown.out
    assert "cannot be recalled" in shown.out
    assert linernotes("erase", studio.recording_id).code == 3
    assert linernotes("db", "scrub").code == 0
    assert json.loads(linernotes("log", "fsck", "--json").out)["problems"] == []
