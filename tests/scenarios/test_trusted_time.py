"""Time stamps from the log to a package and back, with a real authority, and with none that answers."""

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import Response

from api.history import recording
from api.home import Home
from api.package import export
from api.rights import ask
from api.routes.log import read_health
from api.schemas.log import Health
from api.settings import load_settings
from provenance.bundle import EvidenceBundle
from provenance.package import EXPORT_EVIDENCE
from tests.conftest import Run, Studio
from tests.ledger.local_tsa import Certified, LocalTsa, closed_port, neighbour, served

WAIT = 20


@pytest.fixture
def tsa(tmp_path: Path) -> LocalTsa:
    return LocalTsa.make(tmp_path / "tsa")


@pytest.fixture
def roots(tsa: LocalTsa, tmp_path: Path) -> Path:
    path = tmp_path / "roots.pem"
    path.write_bytes(tsa.root.pem)
    return path


@pytest.fixture
def url(tsa: LocalTsa) -> Iterator[str]:
    with served(tsa.respond) as url:
        yield url


def configure(monkeypatch: pytest.MonkeyPatch, url: str, roots: Path, every: int = 1) -> None:
    monkeypatch.setenv("LINERNOTES_TSA_URL", url)
    monkeypatch.setenv("LINERNOTES_TSA_ROOTS", str(roots))
    monkeypatch.setenv("LINERNOTES_TSA_EVERY", str(every))


def checks(outcome) -> dict[str, str]:
    return {check["id"]: check["result"] for check in outcome.json["checks"]}


def test_a_package_carries_the_time(
    linernotes: Run, studio: Studio, url: str, roots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, url, roots)
    package = tmp_path / "package.zip"
    assert linernotes("export", studio.recording_id, "-o", package).code == 0
    for name in ("URL", "ROOTS", "EVERY"):
        monkeypatch.delenv(f"LINERNOTES_TSA_{name}")
    monkeypatch.setenv("LINERNOTES_HOME", str(tmp_path / "nobody"))  # a stranger, with nothing but the file
    done = linernotes("verify", package, "--tsa-roots", roots, "--json")
    assert checks(done)["timestamp"] == checks(done)["package-timestamp"] == "pass"
    without = linernotes("verify", package, "--json")
    assert without.code == 0
    assert checks(without)["timestamp"] == checks(without)["package-timestamp"] == "not-checked"
    other = tmp_path / "other.pem"
    other.write_bytes(Certified.make("Other Root", authority=True).pem)
    strange = linernotes("verify", package, "--tsa-roots", other, "--json")
    assert strange.code == 1
    assert checks(strange)["timestamp"] == checks(strange)["package-timestamp"] == "fail"


def test_a_file_is_followed_by_its_time(
    linernotes: Run, studio: Studio, url: str, roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks(linernotes("verify", studio.wav, "--json"))["timestamp"] == "not-checked"
    configure(monkeypatch, url, roots)
    assert linernotes("log", "stamp").code == 0
    assert linernotes("log", "evidence", studio.wav).code == 0
    assert checks(linernotes("verify", studio.wav, "--json"))["timestamp"] == "pass"
    beside = studio.wav.with_name(studio.wav.name + ".evidence")
    bundle = json.loads(beside.read_bytes())
    token = bundle["timestamps"][0]["token"]
    bundle["timestamps"][0]["token"] = token[:200] + ("A" if token[200] != "A" else "B") + token[201:]
    beside.write_text(json.dumps(bundle))
    assert checks(linernotes("verify", studio.wav, "--json"))["timestamp"] == "fail"


def test_a_stamp_of_something_else_fails_whether_or_not_anybody_is_trusted_for_the_time(
    linernotes: Run, studio: Studio, url: str, roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which entry and which checkpoint a stamp is about can be told without roots; who made it cannot."""
    configure(monkeypatch, url, roots)
    assert linernotes("log", "stamp").code == 0
    assert linernotes("log", "evidence", studio.wav).code == 0
    beside = studio.wav.with_name(studio.wav.name + ".evidence")
    whole = json.loads(beside.read_bytes())
    [stamp] = whole["timestamps"]
    assert linernotes("party", "add", "--name", "Ada").code == 0
    assert linernotes("log", "proof", stamp["leaf_hash"], "-o", studio.root / "newer").code == 0
    others = {each.leaf_hash for each in EvidenceBundle.parse(beside.read_bytes()).exhibits} - {stamp["leaf_hash"]}
    lies = [
        {"leaf_hash": "sha256:" + "0" * 64},
        {"leaf_hash": f"{stamp['leaf_hash'][:-1]}{'0' if stamp['leaf_hash'][-1] != '0' else '1'}"},
        {"leaf_hash": min(others)},
        {"tlog_proof": (studio.root / "newer").read_text()},
    ]

    def told(*stamps: dict[str, str]) -> tuple[int, str, str]:
        beside.write_text(json.dumps({**whole, "timestamps": list(stamps)}))
        done = linernotes("verify", studio.wav, "--json")
        [check] = [each for each in done.json["checks"] if each["id"] == "timestamp"]
        return done.code, check["result"], check["detail"]

    for trusting, sound in ((True, "pass"), (False, "not-checked")):
        if not trusting:
            monkeypatch.delenv("LINERNOTES_TSA_ROOTS")
            monkeypatch.delenv("LINERNOTES_TSA_URL")
        assert told(stamp)[:2] == (0, sound)
        for lie in lies:
            for stamps in ([stamp | lie], [stamp, stamp | lie], [stamp | lie, stamp]):
                code, result, detail = told(*stamps)
                assert (code, result) == (1, "fail"), (trusting, lie)
                assert "belongs to another file" in detail or "made for something else" in detail


@pytest.mark.parametrize("which", ["recording", "export"])
def test_a_stamp_of_something_else_in_a_package(
    linernotes: Run, studio: Studio, url: str, roots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    configure(monkeypatch, url, roots)
    package = tmp_path / "package"
    assert linernotes("export", studio.recording_id, "-o", package).code == 0
    sound = checks(linernotes("verify", package, "--json"))
    assert sound["timestamp"] == sound["package-timestamp"] == "pass"
    path = package / EXPORT_EVIDENCE
    bundle = EvidenceBundle.parse(path.read_bytes())
    [(export, _)] = bundle.of_kind("export")
    of_export, of_recording = sorted(bundle.timestamps, key=lambda each: each.leaf_hash != export.leaf_hash)
    chosen = of_export if which == "export" else of_recording
    [key] = [exhibit for exhibit in bundle.exhibits if exhibit != export]
    for leaf in ("sha256:" + "0" * 64, key.leaf_hash, *({of_export.leaf_hash} - {chosen.leaf_hash})):
        stamps = tuple(replace(each, leaf_hash=leaf) if each is chosen else each for each in bundle.timestamps)
        path.write_bytes(replace(bundle, timestamps=stamps).to_bytes())
        done = checks(linernotes("verify", package, "--json"))
        assert "fail" in {done["timestamp"], done["package-timestamp"]}, leaf


def test_stamps_are_kept_and_listed(
    linernotes: Run, studio: Studio, url: str, roots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = linernotes("log", "stamp")
    assert (refused.code, refused.out) == (2, "")
    assert "LINERNOTES_TSA_URL" in refused.err
    configure(monkeypatch, url, roots)
    first = linernotes("log", "stamp", "--json").json
    assert first["result"] == "pass"
    assert linernotes("log", "stamp", "--json").json == first  # it has one
    listed = linernotes("log", "stamps", "--json", "-o", tmp_path / "out").json
    assert listed["checkpoints_since"] == 0
    [stamp] = listed["stamps"]
    checkpoint, token = stamp["files"]
    assert linernotes("log", "checkpoint").out.encode() == Path(checkpoint).read_bytes()
    command = ("openssl", "ts", "-verify", "-data", checkpoint, "-in", token, "-token_in", "-CAfile", roots)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert linernotes("log", "fsck").code == 0


@pytest.mark.parametrize("kind", ["silent", "dead"])
def test_an_authority_that_is_away_delays_nothing(
    kind: str, linernotes: Run, studio: Studio, roots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is there while the silent one is still being asked the first question."""
    away = neighbour() if kind == "silent" else nullcontext(closed_port())
    with ExitStack() as after, away as url:
        configure(monkeypatch, url, roots)
        home = Home(load_settings())
        after.callback(home.engine.dispose)
        after.callback(home.time.close, WAIT)
        question = ask(home, "commercial-release", "DE", None, None)
        export(home, recording(home, studio.recording_id), tmp_path / "package", question, lambda *_: None)
        assert home.time.report.size is None
        if kind == "silent":
            assert home.time.report.state == "idle"
    answer = linernotes("verify", tmp_path / "package", "--json")
    assert answer.code == 0
    assert checks(answer)["timestamp"] == checks(answer)["package-timestamp"] == "not-checked"
    assert linernotes("log", "stamps", "--json").json["checkpoints_since"] > 0
    refused = linernotes("log", "stamp")
    assert refused.code == 2
    assert "cannot be reached" in refused.err


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("URL", "ftp://tsa.example/", "not of the form"),
        ("ROOTS", "/nowhere.pem", "cannot be read"),
        ("ROOTS", None, "LINERNOTES_TSA_ROOTS is not"),
        ("EVERY", "0", "tsa_every"),
    ],
)
def test_what_is_configured_wrongly_is_said_at_once(
    name: str,
    value: str | None,
    why: str,
    linernotes: Run,
    studio: Studio,
    url: str,
    roots: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(monkeypatch, url, roots)
    if value is None:
        monkeypatch.delenv(f"LINERNOTES_TSA_{name}")
    else:
        monkeypatch.setenv(f"LINERNOTES_TSA_{name}", value)
    refused = linernotes("log", "checkpoint")
    assert refused.code == 2
    assert why in refused.err


def test_health_tells_of_an_authority_that_is_away(
    studio: Studio, roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def health() -> Health:
        return read_health(SimpleNamespace(home=home), Response())

    home = Home(load_settings())
    assert health().timestamps == "off"
    home.engine.dispose()
    configure(monkeypatch, closed_port(), roots)
    home = Home(load_settings())
    assert health().timestamps == "idle"
    home.time.submit(home.log.checkpoint(), now=True)
    told = home.time._stamper._changed
    with told:
        assert told.wait_for(lambda: home.time.report.state != "idle", WAIT)
    assert health().timestamps == "unreachable"
    assert health().timestamps_since.endswith("Z")
    home.time.close(WAIT)
    home.engine.dispose()


def test_fsck_looks_at_the_stamps(
    linernotes: Run, studio: Studio, url: str, roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, url, roots)
    assert linernotes("log", "stamp").code == 0
    raw = sqlite3.connect(studio.home / "linernotes.db", isolation_level=None)
    [(size, token)] = raw.execute("SELECT size, token FROM timestamp").fetchall()
    for statement in (
        "UPDATE timestamp SET token = x'00'",
        "DELETE FROM timestamp",
        "INSERT OR REPLACE INTO timestamp SELECT size, x'00', 'now' FROM timestamp",
        "INSERT INTO timestamp SELECT size, x'00', 'now' FROM timestamp",
        "INSERT INTO timestamp VALUES (1000000, x'', 'now')",
        "INSERT INTO timestamp VALUES (-1, x'00', 'now')",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(statement)
    triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        raw.execute(f"DROP TRIGGER {name}")
    raw.execute("UPDATE timestamp SET token = ?", (token[:-1] + bytes([token[-1] ^ 1]),))
    raw.execute("INSERT INTO timestamp VALUES (1000, ?, 'now')", (token,))
    for _, sql in triggers:
        raw.execute(sql)
    raw.close()
    found = linernotes("log", "fsck", "--json")
    assert found.code == 1
    assert {problem["where"] for problem in found.json["problems"]} == {f"timestamp {size}", "timestamp 1000"}
    for name in ("URL", "ROOTS"):
        monkeypatch.delenv(f"LINERNOTES_TSA_{name}")
    found = linernotes("log", "fsck", "--json").json["problems"]
    assert [(problem["where"], problem["what"].split(":")[0]) for problem in found] == [
        ("timestamp 1000", "It was kept at 'now', which is no time"),
        ("timestamp 1000", "It is of a checkpoint that is not there."),
    ]
