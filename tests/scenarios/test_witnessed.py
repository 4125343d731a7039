"""Readers whose policy asks for witnesses: a file, a package and a monitor are told that a quorum looked on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from api.home import Home
from api.registry import add_party
from api.settings import load_settings
from api.witness import open_cosigner
from ledger.cosignature import with_signatures
from ledger.note import Note, NoteVerifier, Signature
from ledger.proof import TlogProof
from provenance.bundle import EvidenceBundle, Exhibit
from tests.api.conftest import serving
from tests.api.test_witness import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Outcome, Run, Studio


@dataclass(frozen=True)
class Witnessed:
    """A studio whose log a real witness watches.

    Attributes:
        asked: The policy of the studio, which names where the witness is.
        reader: That of somebody who asks for the witness's cosignature.
        nobody: A home of somebody else.
    """

    studio: Studio
    asked: Path
    reader: Path
    nobody: Path

    @property
    def beside(self) -> Path:
        return self.studio.wav.with_name(f"{self.studio.wav.name}.evidence")


@pytest.fixture
def witnessed(studio: Studio, tmp_path: Path) -> Iterator[Witnessed]:
    log = NoteVerifier.parse((studio.home / "keys" / "log.vkey").read_text().strip())
    process = Process(tmp_path / "witness", log)
    lines = f"log {log.vkey}\nwitness w {process.verifier.vkey}"
    asked, reader = tmp_path / "asked", tmp_path / "reader"
    asked.write_text(f"{lines} {process.url}\nquorum w\n")
    reader.write_text(f"{lines}\nquorum w\n")
    yield Witnessed(studio, asked, reader, tmp_path / "nobody")
    process.stop()


def checks(outcome: Outcome) -> dict[str, str]:
    return {check["id"]: check["result"] for check in outcome.json["checks"]}


def said(outcome: Outcome, name: str) -> str:
    return next(check["detail"] for check in outcome.json["checks"] if check["id"] == name)


@pytest.fixture
def verify(linernotes: Run, witnessed: Witnessed) -> Callable[..., Outcome]:
    """Verify as a stranger with a policy; the studio's home is there again afterwards."""

    def run(path: Path, policy: Path | None = None) -> Outcome:
        arguments = ("verify", path, "--policy", policy or witnessed.reader, "--json")
        try:
            return linernotes(*arguments, home=witnessed.nobody)
        finally:
            linernotes("--version", home=witnessed.studio.home)

    return run


@pytest.fixture
def evident(linernotes: Run, witnessed: Witnessed) -> Witnessed:
    """The witness has cosigned, and the evidence of the file lies beside it."""
    assert linernotes("log", "witness", "submit", "--policy", witnessed.asked).code == 0
    assert linernotes("log", "evidence", witnessed.studio.wav).code == 0
    return witnessed


def test_evidence_beside_a_file_reaches_the_quorum(linernotes: Run, witnessed: Witnessed, verify) -> None:
    wav = witnessed.studio.wav
    alone = verify(wav)
    assert alone.code == 1
    assert checks(alone)["log-trust"] == "fail"
    assert "linernotes log evidence" in said(alone, "log-trust")
    assert linernotes("log", "evidence", wav).code == 0
    assert checks(verify(wav))["log-trust"] == "fail", "no witness has seen anything yet"
    assert linernotes("log", "witness", "submit", "--policy", witnessed.asked).code == 0
    assert linernotes("log", "evidence", wav).code == 0
    done = verify(wav)
    assert done.code == 0, done.out
    assert checks(done)["log-trust"] == "pass"


def test_evidence_that_lies_elsewhere_is_named(evident: Witnessed, linernotes: Run, tmp_path: Path) -> None:
    elsewhere = evident.beside.rename(tmp_path / "evidence")
    arguments = ("verify", evident.studio.wav, "--policy", evident.reader, "--json")
    assert checks(linernotes(*arguments, home=evident.nobody))["log-trust"] == "fail"
    assert checks(linernotes(*arguments, "--evidence", elsewhere, home=evident.nobody))["log-trust"] == "pass"
    for useless in (tmp_path / "nothing", evident.reader):
        assert linernotes(*arguments, "--evidence", useless, home=evident.nobody).code == 2


def test_evidence_goes_along_over_http(evident: Witnessed, linernotes: Run) -> None:
    made = linernotes("token", "create", "--name", "reader", "--scope", "read", "--json", home=evident.studio.home)
    token = made.json["token"]
    sent = {"file": evident.studio.wav.read_bytes(), "policy": evident.reader.read_bytes()}
    with serving(Home(load_settings())) as url, httpx.Client(base_url=url, timeout=60) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        results = []
        for more in ({}, {"evidence": evident.beside.read_bytes()}):
            files = {name: ("take.wav", data) for name, data in (sent | more).items()}
            found = client.post("/v1/verifications", files=files).raise_for_status().json()["checks"]
            results += [each["result"] for each in found if each["id"] == "log-trust"]
    assert results == ["fail", "pass"]


def test_evidence_is_cosigned_on_the_way_out_where_witnesses_are_configured(
    linernotes: Run, witnessed: Witnessed, verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINERNOTES_WITNESS_POLICY", str(witnessed.asked))
    assert linernotes("log", "evidence", witnessed.studio.wav).code == 0
    assert verify(witnessed.studio.wav).code == 0


def test_a_package_reaches_the_quorum(
    linernotes: Run, witnessed: Witnessed, verify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before.zip", tmp_path / "after.zip"
    assert linernotes("export", witnessed.studio.recording_id, "-o", before).code == 0
    missed = verify(before)
    assert missed.code == 1
    assert {name for name, result in checks(missed).items() if result == "fail"} >= {"log-trust", "package-log-trust"}
    monkeypatch.setenv("LINERNOTES_WITNESS_POLICY", str(witnessed.asked))
    assert linernotes("export", witnessed.studio.recording_id, "-o", after).code == 0
    done = verify(after)
    assert done.code == 0, done.out
    found = checks(done)
    assert (found["log-trust"], found["package-log-trust"], found["licence"]) == ("pass", "pass", "pass")
    assert [result for name, result in found.items() if name.startswith("part:")] == ["pass"] * sum(
        name.startswith("part:") for name in found
    )


def test_an_export_does_without_witnesses_that_are_away(
    linernotes: Run, witnessed: Witnessed, verify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    away = tmp_path / "away"
    away.write_text(witnessed.asked.read_text().rpartition(" http")[0] + " http://127.0.0.1:9\nquorum w\n")
    monkeypatch.setenv("LINERNOTES_WITNESS_POLICY", str(away))
    assert linernotes("export", witnessed.studio.recording_id, "-o", tmp_path / "package").code == 0
    assert "without cosignatures" in caplog.text
    assert checks(verify(tmp_path / "package"))["package-log-trust"] == "fail"
    away.write_text("nonsense")
    assert linernotes("export", witnessed.studio.recording_id, "-o", tmp_path / "other").code == 2
    away.unlink()
    assert linernotes("log", "evidence", witnessed.studio.wav).code == 2


def test_a_monitor_follows_what_the_quorum_saw(
    linernotes: Run, witnessed: Witnessed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINERNOTES_WITNESS_POLICY", str(witnessed.asked))
    assert linernotes("log", "witness", "submit", "--policy", witnessed.asked).code == 0
    home = Home(load_settings())
    size = home.log.size()
    add_party(home, "Somebody")  # nobody has cosigned this yet
    with_cosignature = (witnessed.studio.home / "cosigned-checkpoint").read_text()
    assert linernotes("log", "checkpoint").out == with_cosignature
    for _ in range(2):  # before and after the witness has seen what came to it
        with serving(home) as url:
            asked = ("log", "monitor", url, "--policy", witnessed.reader, "--memory", tmp_path / "memory", "--json")
            done = linernotes(*asked)
        assert done.code == 0, done.err
        assert done.json["tree_size"] in {size, size + 1}
        assert linernotes("log", "witness", "submit", "--policy", witnessed.asked).code == 0
    assert done.json["tree_size"] == size + 1
    home.close()


def test_without_witnesses_configured_the_newest_checkpoint_is_served(linernotes: Run, witnessed: Witnessed) -> None:
    assert linernotes("log", "witness", "submit", "--policy", witnessed.asked).code == 0
    cosigned = (witnessed.studio.home / "cosigned-checkpoint").read_text()
    assert linernotes("log", "checkpoint").out == cosigned, "it is the newest"
    home = Home(load_settings())
    add_party(home, "Somebody")
    assert linernotes("log", "checkpoint").out == home.log.checkpoint().decode() != cosigned
    home.close()


def test_one_witness_is_no_quorum_of_two(evident: Witnessed, verify, tmp_path: Path) -> None:
    second = open_cosigner(tmp_path / "second", "witness.example/second").vkey
    two = tmp_path / "two"
    head = evident.reader.read_text().replace("quorum w\n", "")
    two.write_text(f"{head}witness second {second}\ngroup both 2 w second\nquorum both\n")
    done = verify(evident.studio.wav, two)
    assert done.code == 1
    assert "does not reach the quorum" in said(done, "log-trust")
    two.write_text(two.read_text().replace("both 2", "both 1"))
    assert verify(evident.studio.wav, two).code == 0


def rewritten(path: Path, change) -> None:
    """Change every proof in a file of evidence."""
    bundle = EvidenceBundle.parse(path.read_bytes())
    exhibits = tuple(Exhibit(each.envelope, change(TlogProof.parse(each.tlog_proof))) for each in bundle.exhibits)
    path.write_bytes(EvidenceBundle(exhibits, bundle.openings, bundle.timestamps).to_bytes())


def test_a_false_cosignature_counts_for_nothing(evident: Witnessed, verify) -> None:
    def falsified(proof: TlogProof) -> bytes:
        note = Note.parse(proof.checkpoint_note)
        witness = note.signatures[-1]
        false = Signature(witness.name, witness.key_id, witness.signature[:-1] + bytes([witness.signature[-1] ^ 1]))
        return TlogProof(proof.index, proof.path, with_signatures(note, [false]).format()).format()

    rewritten(evident.beside, falsified)
    done = verify(evident.studio.wav)
    assert done.code == 1
    assert checks(done)["log-trust"] == "fail"


def test_a_false_cosignature_is_told_even_where_no_quorum_is_asked_for(evident: Witnessed, verify) -> None:
    evident.reader.write_text(evident.reader.read_text().replace("quorum w", "quorum none"))
    assert verify(evident.studio.wav).code == 0
    test_a_false_cosignature_counts_for_nothing(evident, verify)


def test_cosigned_proofs_of_other_entries_count_for_nothing(evident: Witnessed, verify) -> None:
    """A checkpoint that witnesses have seen says nothing about an entry that is not shown to lie under it."""
    bundle = EvidenceBundle.parse(evident.beside.read_bytes())
    proofs = [each.tlog_proof for each in bundle.exhibits]
    moved = (Exhibit(e.envelope, p) for e, p in zip(bundle.exhibits, proofs[1:] + proofs[:1], strict=True))
    evident.beside.write_bytes(EvidenceBundle(tuple(moved)).to_bytes())
    done = verify(evident.studio.wav)
    assert done.code == 1
    assert checks(done)["log-inclusion"] == "fail"
    assert "evidence beside the file" in said(done, "log-inclusion")


@pytest.mark.parametrize("entry", range(3))
def test_damaged_evidence_beside_a_file_is_told(evident: Witnessed, verify, entry: int) -> None:
    """Wherever a byte of a proof is changed; also for a reader who asks for no witnesses."""
    whole = json.loads(evident.beside.read_bytes())
    assert len(whole["entries"]) > entry
    text = whole["entries"][entry]["tlog_proof"]
    evident.reader.write_text(evident.reader.read_text().replace("quorum w", "quorum none"))
    for at in range(0, len(text), 97):
        other = "A" if text[at] != "A" else "B"
        whole["entries"][entry]["tlog_proof"] = text[:at] + other + text[at + 1 :]
        evident.beside.write_text(json.dumps(whole))
        done = verify(evident.studio.wav)
        damaged_cosigner = text.rfind("\n—") < at  # by an unknown key then, which readers pass over (C2SP signed-note)
        assert done.code != 0 or damaged_cosigner, (at, text[at - 20 : at + 20])
