"""A composer signs an edit with a key of her own: beside the home, and over HTTP, where the key never goes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from api import tokens
from api.home import Home
from api.settings import Settings
from api.signing import open_key
from tests.api.conftest import serving
from tests.api.editing import transposed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Outcome, Run, Studio


@pytest.fixture
def run(linernotes: Run, studio: Studio) -> Run:
    def run(*arguments: object, home: Path = studio.home) -> Outcome:
        done = linernotes(*arguments, home=home)
        assert done.code == 0, (done.out, done.err)
        return done

    return run


@pytest.fixture
def ada(run: Run, studio: Studio, tmp_path: Path) -> str:
    """Id of a party with the key ada.pem."""
    party = str(run("party", "add", "--name", "Ada", "--json").json["party_id"])
    log, key = (studio.home / "keys" / "log.vkey").read_text().strip(), tmp_path / "ada.pem"
    run("key", "new", "--party", party, "--log", log, "-o", key, "--registration", tmp_path / "ada.key")
    run("key", "register", tmp_path / "ada.key", "--party", party)
    return party


def keyid_in(folder: Path) -> str:
    return open_key(str(folder / "ada.pem")).keyid


def detail(done: Outcome, name: str) -> str:
    return str(next(check["detail"] for check in done.json["checks"] if check["id"] == name))


def drawn(done: Outcome) -> str:
    """The tree on one line, however it was broken."""
    return " ".join(done.out.replace("│", " ").split())


def edit_of(done: Outcome) -> dict[str, Any]:
    [node] = [node for node in done.json["nodes"] if node["kind"] == "edit"]
    return dict(node)


def test_beside_the_home(run: Run, linernotes: Run, studio: Studio, ada: str, tmp_path: Path) -> None:
    edited, out = transposed(studio.midi, tmp_path / "edited.mid"), tmp_path / "edited.flac"
    change = ("edit", studio.recording_id, "--file", edited)
    made = run(*change, "--sign-with", tmp_path / "ada.pem", "--role", "Arranger", "-o", out, "--json").json
    lineage = run("lineage", out, "--json")
    [person] = [each for each in lineage.json["contributions"] if each["party"]]
    assert (person["party"], person["role"]) == (ada, "Arranger")
    own, home = edit_of(lineage)["signed_by"]
    assert own == {"keyid": keyid_in(tmp_path), "role": "party", "party": ada, "counts": True}
    assert (home["role"], home["party"]) == ("service", "")
    assert "signed by the party with its own key" in drawn(run("lineage", out))

    nobody = tmp_path / "nobody"  # a stranger, with the file alone
    verified = run("verify", out, "--json", home=nobody)
    assert f"and by the party {ada} with its own key {own['keyid']}" in detail(verified, "envelope-signature")

    run(*change, "--party", ada, "-o", tmp_path / "asserted.wav", home=studio.home)
    asserted = run("verify", tmp_path / "asserted.wav", "--json", home=nobody)
    assert f"that it was the party {ada}, the home alone says" in detail(asserted, "envelope-signature")
    assert "signed by the home alone" in drawn(run("lineage", tmp_path / "asserted.wav", home=studio.home))

    package = tmp_path / "package.zip"
    run("export", made["recording_id"], "-o", package)
    run("key", "revoke", own["keyid"], "--reason", "compromised", "--from-index", made["log_index"])
    run("key", "evidence", "-o", tmp_path / "keys")
    assert "own key" in detail(run("verify", package, "--json", home=nobody), "envelope-signature")
    for file in (out, package):
        revoked = linernotes("verify", file, "--keys", tmp_path / "keys", "--json", home=nobody)
        assert (revoked.code, "does not count" in detail(revoked, "envelope-signature")) == (1, True)
    assert edit_of(run("lineage", out, "--json", home=studio.home))["signed_by"][0]["counts"] is False
    assert "(which was revoked)" in drawn(run("lineage", out))
    assert run("log", "fsck", "--json").json["problems"] == []


def test_a_key_that_may_not_sign_is_refused_before_anything_is_rendered(
    run: Run, linernotes: Run, studio: Studio, ada: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.recording.render", lambda *_: pytest.fail("it was rendered"))
    edited = transposed(studio.midi, tmp_path / "edited.mid")
    other = run("party", "add", "--name", "Bea", "--json").json["party_id"]
    run("key", "new", "-o", tmp_path / "unknown.pem")
    change = ("edit", studio.recording_id, "--file", edited, "-o", tmp_path / "out.wav", "--sign-with")
    for key, options, message in (
        (tmp_path / "unknown.pem", (), "is not registered in this log"),
        (studio.home / "keys" / "service.pem", (), "registered as service"),
        (tmp_path / "ada.pem", ("--party", other), f"belongs to the party {ada}"),
        (tmp_path / "nothing.pem", (), "no key file"),
        ("agent:sha256:" + "0" * 64, (), "agent"),
    ):
        refused = linernotes(*change, key, *options)
        assert (refused.code, message in refused.err) == (2, True), refused.err
    assert linernotes(*change[:-1], "--passphrase-file", tmp_path / "secret").code == 2
    run("key", "revoke", keyid_in(tmp_path), "--reason", "lost", "--key", tmp_path / "ada.pem")
    refused = linernotes(*change, tmp_path / "ada.pem")
    assert (refused.code, "was revoked" in refused.err) == (2, True), refused.err


def test_over_http_the_key_stays_where_it_is(studio: Studio, run: Run, ada: str, tmp_path: Path) -> None:
    """The one who signs has the handed-out file, the key, and neither a home nor a network."""
    client_side = tmp_path / "client"
    client_side.mkdir()
    (client_side / "ada.pem").write_bytes((tmp_path / "ada.pem").read_bytes())
    (client_side / "ada.pem").chmod(0o600)
    edited = transposed(studio.midi, tmp_path / "edited.mid")
    home = Home(Settings(home=studio.home, device="cpu"))
    headers = {"Authorization": f"Bearer {tokens.create(home, 'ada', ('read', 'edit'))[1]}"}
    with serving(home) as url, httpx.Client(base_url=url, headers=headers, timeout=120) as client:
        files, data = {"file": ("e.mid", edited.read_bytes())}, {"party": ada}
        asked = client.post(f"/v1/recordings/{studio.recording_id}/edits/drafts", files=files, data=data)
        at = asked.headers["location"]
        (client_side / "edit.handed").write_bytes(client.get(f"{at}/statement").content)
        answer = signed_by_program(client_side)
        assert (answer["kind"], len(answer["keyids"])) == ("edit", 1)

    home.close()  # the service goes, and comes back
    home = Home(Settings(home=studio.home, device="cpu"))
    with serving(home) as url, httpx.Client(base_url=url, headers=headers, timeout=120) as client:
        envelope = (client_side / "edit.envelope").read_bytes()
        content_type = {"Content-Type": "application/vnd.dsse.envelope.v1+json"}
        sent = client.post(f"{at}/signatures", content=envelope, headers=content_type)
        assert sent.status_code == 201, sent.text
        assert client.post(f"{at}/signatures", content=envelope, headers=content_type).json() == sent.json()
        (tmp_path / "edited.wav").write_bytes(client.get(f"{sent.headers['location']}/audio").content)
    home.close()
    verified = run("verify", tmp_path / "edited.wav", "--json", home=tmp_path / "nobody")
    assert f"and by the party {ada} with its own key {answer['keyids'][0]}" in detail(verified, "envelope-signature")
    checked = run("log", "fsck", "--json", home=studio.home).json
    assert (checked["problems"], checked["warnings"]) == ([], [])


def signed_by_program(folder: Path) -> dict[str, Any]:
    """``linernotes sign`` in a process of its own, cut off from everything but a folder."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LINERNOTES_HOME": "/nonexistent/home"}
    command = [sys.executable, "-m", "api", "sign", "edit.handed", "--key", "ada.pem", "-o", "edit.envelope", "--json"]
    if shutil.which("unshare") and os.geteuid() == 0:
        command = ["unshare", "--net", *command]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
