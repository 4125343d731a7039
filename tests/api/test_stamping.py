"""The two commands about trusted time, on a log whose stamps a real authority gave."""

import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from api.commands.stamp import add_to
from api.stamping import KeptStamp
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.keys import Ed25519Signer
from ledger.note import NoteSigner
from ledger.timestamp import TsaRoots, stamped_bytes
from tests.ledger.local_tsa import Certified, LocalTsa

SIGNER = NoteSigner("example.com/log", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32)))))


@dataclass
class Stamped:
    """A log without a database: checkpoints of sizes 1, 2, …, and the stamps of some."""

    tsa: LocalTsa
    roots: TsaRoots | None
    size: int = 1
    stamps: list[KeptStamp] = field(default_factory=list)

    def stamp_newest(self) -> KeptStamp:
        note = sign_checkpoint(Checkpoint(SIGNER.name, self.size, bytes(32)), SIGNER)
        self.stamps.insert(0, KeptStamp(note, self.tsa.token(stamped_bytes(note)), "2026-11-20T12:00:00Z"))
        return self.stamps[0]

    def kept_stamps(self, newest: int) -> list[KeptStamp]:
        return self.stamps[:newest]

    def checkpoints_since_stamp(self) -> int:
        return self.size - (self.stamps[0].size if self.stamps else 0)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    return LocalTsa.make(tmp_path_factory.mktemp("tsa") / "local")


@pytest.fixture
def log(tsa: LocalTsa) -> Stamped:
    return Stamped(tsa, tsa.roots)


def run(log: Stamped, *arguments: object) -> Result:
    group = typer.Typer()
    add_to(group, lambda: log)
    return CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False)


def test_the_newest_checkpoint_is_stamped(log: Stamped) -> None:
    done = run(log, "stamp")
    assert done.exit_code == 0
    assert "size 1: 2" in done.output
    assert "CN=Local TSA" in done.output
    answer = json.loads(run(log, "stamp", "--json").output)
    assert answer["tree_size"] == 1
    assert answer["result"] == "pass"
    assert answer["serial"].isdecimal()


def test_stamps_are_listed_newest_first(log: Stamped) -> None:
    assert "0 time stamps; 1 checkpoints since" in run(log, "stamps").output
    for log.size in (3, 5):
        log.stamp_newest()
    log.size = 9
    answer = json.loads(run(log, "stamps", "--json").output)
    assert [each["tree_size"] for each in answer["stamps"]] == [5, 3]
    assert {each["result"] for each in answer["stamps"]} == {"pass"}
    assert answer["checkpoints_since"] == 4
    assert len(json.loads(run(log, "stamps", "--newest", 1, "--json").output)["stamps"]) == 1
    text = run(log, "stamps").output
    assert "2 time stamps; 4 checkpoints since" in text
    assert all("had signed this checkpoint by" in each["detail"] for each in answer["stamps"])


def test_what_is_written_is_checked_elsewhere(log: Stamped, tmp_path: Path) -> None:
    log.stamp_newest()
    folder = tmp_path / "a folder"
    done = run(log, "stamps", "-o", folder)
    [command] = [line for line in done.output.splitlines() if line.startswith("openssl")]
    (tmp_path / "ROOTS").write_bytes(log.tsa.root.pem)
    checked = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=True)
    assert b"Verification: OK" in checked.stdout + checked.stderr
    (folder / "checkpoint-1.tst").unlink()
    (folder / "checkpoint-1.tst").mkdir()
    from api.errors import UsageError

    with pytest.raises(UsageError, match=r"checkpoint-1\.tst cannot be written"):
        run(log, "stamps", "-o", folder)


def test_without_roots_nothing_is_checked(log: Stamped) -> None:
    log.stamp_newest()
    log.roots = None
    done = run(log, "stamps", "--json")
    assert done.exit_code == 0
    [shown] = json.loads(done.output)["stamps"]
    assert shown["result"] == "not-checked"
    assert shown["gen_time"]


def test_a_stamp_that_does_not_hold_is_a_check_that_failed(log: Stamped) -> None:
    kept = log.stamp_newest()
    other = sign_checkpoint(Checkpoint(SIGNER.name, 1, bytes([1]) * 32), SIGNER)
    for broken in (replace(kept, checkpoint=other), replace(kept, token=kept.token[:-1])):
        log.stamps = [kept, broken]
        done = run(log, "stamps", "--json")
        assert done.exit_code == 1
        assert [each["result"] for each in json.loads(done.output)["stamps"]] == ["pass", "fail"]
    log.stamps = [kept]
    log.roots = Certified.make("Another Root", authority=True).roots
    assert run(log, "stamps").exit_code == 1
