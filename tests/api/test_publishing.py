"""Checkpoints at intervals, and witnesses in the background."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from api.home import Home
from api.publishing import Publishing
from api.settings import Settings
from api.witness import create_server, listen, open_witness
from ledger.checkpoint import open_checkpoint
from ledger.note import NoteVerifier
from ledger.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def settled(condition: object, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_checkpoints_come_at_intervals(tmp_path: Path) -> None:
    home = Home(Settings(home=tmp_path / "home", device="cpu", publish_interval=0.05))
    publishing = Publishing(home)
    publishing.start()
    size = home.log.size()
    home.log.append([b"an entry"])
    proof = home.log.tlog_proof(size)
    assert open_checkpoint(proof.checkpoint_note, [home.log.verifier]).size > size
    home.log.append([b"the last entry"])
    publishing.stop()
    assert open_checkpoint(home.log.checkpoint(), [home.log.verifier]).size == size + 2


def test_a_fault_is_told_once_and_its_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(Settings(home=tmp_path / "home", device="cpu", publish_interval=0.01))
    tried = threading.Semaphore(0)
    broken = True
    publish = home.log.publish

    def publish_or_fail() -> bytes:
        tried.release()
        if broken:
            raise OSError("the disk is gone")
        return publish()

    monkeypatch.setattr(home.log, "publish", publish_or_fail)
    publishing = Publishing(home)
    with caplog.at_level(logging.WARNING, "linernotes"):
        publishing.start()
        for _ in range(3):
            tried.acquire()
        broken = False
        settled(lambda: "all is well again" in caplog.text)
        publishing.stop()
    assert caplog.text.count("the disk is gone") == 1


def test_witnesses_are_asked_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.publishing.WITNESS_SECONDS", 0.05)
    first = Home(Settings(home=tmp_path / "home", device="cpu"))
    witness = open_witness(tmp_path / "witness", [NoteVerifier.parse(first.log_vkey)], "witness.example/w")
    with listen("127.0.0.1", 0) as listener:
        server = create_server(witness)
        thread = threading.Thread(target=server.run, args=[[listener]])
        thread.start()
        policy = tmp_path / "policy"
        port = listener.getsockname()[1]
        policy.write_text(
            f"log {first.log_vkey}\nwitness w {witness.verifier.vkey} http://127.0.0.1:{port}\nquorum w\n"
        )
        home = Home(Settings(home=tmp_path / "home", device="cpu", witness_policy=policy))
        publishing = Publishing(home)
        publishing.start()
        accepted = Policy.parse(policy.read_bytes())
        settled(lambda: home.cosigned.read() is not None)
        note = home.proof(0).checkpoint_note
        assert accepted.check(note).size == home.log.size()
        publishing.stop()
        server.should_exit = True
        thread.join()
