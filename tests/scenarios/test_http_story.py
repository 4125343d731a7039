"""The main job, end to end, over HTTP: a service, a client, and a stranger who checks what came of it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from generator.midi import read_midi, write_midi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
SCOPES = ("read", "generate", "edit", "check", "export", "audit")
FIRST = 64_000


def _run(home: Path, *arguments: str) -> dict[str, Any]:
    """Run a command that must succeed; gives its answer."""
    environment = {**os.environ, "LINERNOTES_HOME": str(home)}
    command = (sys.executable, "-m", "api", *arguments, "--json")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def _headers(home: Path, *scopes: str) -> dict[str, str]:
    """A token from the command line, as a client sends it."""
    words = [word for scope in scopes for word in ("--scope", scope)]
    return {"Authorization": f"Bearer {_run(home, 'token', 'create', '--name', 'story', *words)['token']}"}


@contextmanager
def _service(home: Path) -> Iterator[str]:
    """``linernotes serve`` on a free port; gives the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "LINERNOTES_HOME": str(home)}
    command = (sys.executable, "-m", "api", "serve", "--port", str(port))
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=120)
    assert process.returncode in {0, -signal.SIGTERM}
    assert said == "", "a service that is used as it should be says nothing on stderr"


def _wait_for(client: httpx.Client) -> None:
    with httpx.Client(base_url=client.base_url, transport=httpx.HTTPTransport(retries=12)) as patient:
        assert patient.get("/healthz", timeout=60).json()["status"] == "ok"


def _follow(client: httpx.Client, job: str) -> list[dict[str, Any]]:
    with client.stream("GET", f"{job}/events") as events:
        data = (line.removeprefix("data: ") for line in events.iter_lines() if line.startswith("data: "))
        return [json.loads(each) for each in data]


def _arrange(midi: Path) -> None:
    """Put the first two notes of the lowest voice a semitone up."""
    score = read_midi(midi)
    *upper, lowest = score.voices
    changed = tuple(replace(note, pitch=note.pitch + 1) for note in lowest.notes[:2])
    lowest = replace(lowest, notes=tuple(sorted((*changed, *lowest.notes[2:]))))
    write_midi(replace(score, voices=(*upper, lowest)), midi)


def test_the_story(tmp_path: Path) -> None:
    home = tmp_path / "home"
    headers = _headers(home, *SCOPES)
    with _service(home) as address, httpx.Client(base_url=address, headers=headers, timeout=300) as client:
        _wait_for(client)

        # a creator asks for a track, and is told how far it is
        asked = {"prompt": "a wistful adagio", "seconds": 6, "seed": 2026}
        queued = client.post("/v1/generations", json=asked, headers={"Idempotency-Key": "story-1"})
        assert queued.status_code == 202
        told = _follow(client, queued.headers["location"])
        assert [each["state"] for each in told][-1] == "done"
        recording = told[-1]["recording"]
        assert client.get(queued.headers["location"]).json() == told[-1]
        path = f"/v1/recordings/{recording['recording_id']}"

        # and downloads it, in two parts
        first = client.get(f"{path}/audio", headers={"Range": f"bytes=0-{FIRST - 1}"})
        rest = client.get(f"{path}/audio", headers={"Range": f"bytes={FIRST}-", "If-Range": first.headers["etag"]})
        assert (first.status_code, rest.status_code) == (206, 206)
        wav = tmp_path / "take.wav"
        wav.write_bytes(first.content + rest.content)
        assert f'"sha256:{hashlib.sha256(wav.read_bytes()).hexdigest()}"' == first.headers["etag"]

        # a composer changes two notes in a program of their own
        midi = tmp_path / "take.mid"
        midi.write_bytes(client.get(f"{path}/midi").content)
        _arrange(midi)
        edited = client.post(
            f"{path}/edits", files={"file": ("take.mid", midi.read_bytes())}, data={"role": "Arranger"}
        )
        assert edited.status_code == 201, edited.text
        assert edited.json()["changes"]["pitch"] == 2
        path = edited.headers["location"]
        lineage = client.get(f"{path}/lineage").json()
        assert lineage["contains_ai"] == "Partly"

        # a label asks whether it may be sold, here and there
        verdicts = {
            territory: client.post(f"{path}/checks", json={"use": "commercial-release", "territory": territory}).json()
            for territory in ("DE", "MX")
        }
        assert (verdicts["DE"]["verdict"], verdicts["MX"]["verdict"]) == ("ALLOW", "HOLD")

        # and takes the package with it
        package = tmp_path / "package.zip"
        package.write_bytes(client.get(f"{path}/exports", params={"territory": "DE"}).content)
        policy = tmp_path / "policy"
        [log] = [key for key in client.get("/v1/keys").json()["keys"] if key["role"] == "log"]
        policy.write_text(f"log {log['vkey']}\nquorum none\n")
        report = client.post("/v1/verifications", files={"file": ("package.zip", package.read_bytes())}).json()
        assert report["verified"]
        clip = client.get(f"{path}/audio", params={"format": "mp3"}).content
        matches = client.post("/v1/identifications", files={"file": ("clip.mp3", clip)}).json()["matches"]
        assert edited.json()["recording_id"] in {match["recording_id"] for match in matches}

    # a stranger with an empty home, no account and no network checks everything
    for file in (wav, package):
        found = _run(tmp_path / "empty", "verify", str(file), "--policy", str(policy))
        checks = {check["id"]: check["result"] for check in found["checks"]}
        assert set(checks.values()) <= {"pass", "not-checked"}
        assert checks["log-trust"] == "pass"
        assert checks["c2pa-trust"] == "not-checked"

    # and the ledger is whole
    whole = _run(home, "log", "fsck")
    assert (whole["problems"], whole["warnings"]) == ([], [])


def test_what_was_asked_for_is_made_after_a_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    headers = _headers(home, "generate")
    with _service(home) as address, httpx.Client(base_url=address, headers=headers, timeout=300) as client:
        _wait_for(client)
        jobs = [
            client.post("/v1/generations", json={"prompt": "slow", "seconds": 5, "seed": seed}).headers["location"]
            for seed in (1, 2)
        ]
    with _service(home) as address, httpx.Client(base_url=address, headers=headers, timeout=300) as client:
        _wait_for(client)
        assert [_follow(client, job)[-1]["state"] for job in jobs] == ["done", "done"]
