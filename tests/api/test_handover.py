"""A home's log is handed over to a new key: at every step of it, by several processes, and for those who look on."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.home import Home
from api.integrity import fsck
from api.key_record import rotate_log_key, rotate_service_key, rotation
from api.key_statements import registration_statement, revocation_statement, rotation_statement
from api.registration import party_statement
from api.settings import Settings
from api.signing import leaf_of, signed
from api.submission import Intake, submit
from api.witness import create_server, listen, open_witness
from ledger.checkpoint import open_checkpoint
from ledger.errors import KeyFileError, RolledBackError, SuccessionError, WrongLogError
from ledger.key_file import load_key
from ledger.keys import Ed25519Signer
from ledger.note import Note, NoteVerifier
from provenance.errors import ProvenanceError, ReplacedKeyError, RevokedKeyError, RotationError
from provenance.handover import succession_of
from tests.api.replacing import STEPS

_ROOT = Path(__file__).parents[2]
DONE_BEFORE = list(STEPS).index("after the commit")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home made once; each test takes a copy."""
    root = tmp_path_factory.mktemp("homes") / "home"
    home = Home(Settings(home=root, device="cpu"))
    home.require_signer()
    home.engine.dispose()
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path / "home")
    monkeypatch.setenv("LINERNOTES_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def open_home(root: Path) -> Iterator[Callable[..., Home]]:
    opened = []

    def open_(**settings: object) -> Home:
        opened.append(Home(Settings(home=root, device="cpu", **settings)))
        return opened[-1]

    yield open_
    for each in opened:
        each.engine.dispose()


@pytest.fixture
def home(open_home: Callable[..., Home]) -> Home:
    return open_home()


def a_party(home: Home) -> bytes:
    return signed(party_statement("person", "Bea")[0].to_bytes(), home.service)


def start(root: Path, step: str, *command: str) -> subprocess.Popen[bytes]:
    """Starts a command that has opened the home, and goes on when it is given a line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.api.replacing", step, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "LINERNOTES_HOME": str(root), "LINERNOTES_DEVICE": "cpu"},
    )
    assert process.stdout
    assert process.stdout.readline() == b"opened\n"
    return process


def require_sound(home: Home) -> None:
    """Files, log and ring say the same, everything holds, and the home goes on."""
    ring = home.ring.now()
    assert succession_of(ring) == home.log.succession
    keys = home.root / "keys"
    assert (keys / "log.vkey").read_text().strip() == ring.log[-1][0] == home.log_vkey
    assert (keys / "log-succession").read_bytes() == home.log.succession.format()
    assert load_key(keys / "log.pem").verifier.public_key == home.log.verifier.public_key
    assert ring.term(home.service.keyid).stop is None
    assert ring.keys[home.service.keyid].index >= ring.log[-1][1]
    submit(home, [a_party(home)])
    assert fsck(home).problems == ()
    assert open_checkpoint(home.log.checkpoint(), [home.log.verifier]).size == home.log.size()


def test_a_log_that_is_handed_over_twice(home: Home, open_home: Callable[..., Home]) -> None:
    first, service = home.log_vkey, home.service.keyid
    recorded = rotate_log_key(home, Intake(home))
    assert [each.kind for each in recorded] == ["key", "rotation", "key", "rotation", "key"]
    assert (home.log_vkey != first, home.service.keyid != service) == (True, True)
    require_sound(home)
    rotate_log_key(home, Intake(home))
    require_sound(home)
    again = open_home()
    require_sound(again)
    vkeys = [tenure.verifier.vkey for tenure in again.log.succession.tenures]
    assert (vkeys[0], len(vkeys)) == (first, 3)
    assert {path.name for path in (home.root / "keys").glob("*.pem")} == {"log.pem", "service.pem"}
    note = Note.parse(again.log.checkpoint_at(recorded[1].log_index + 1))
    assert len(note.signatures) == 2


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_next_start_needs_no_help(step: str, root: Path, open_home: Callable[..., Home]) -> None:
    """Afterwards the log has its old key or its new one, a key is there for it, and it can be handed over."""
    before = (root / "keys" / "log.vkey").read_text().strip()
    child = start(root, step, "key", "rotate", "--role", "log")
    child.communicate(b"go\n")
    assert child.returncode == -signal.SIGKILL
    home = open_home()
    handed = len(home.log.succession.tenures) == 2
    assert handed == (list(STEPS).index(step) >= DONE_BEFORE)
    require_sound(home)
    assert (home.log_vkey != before) == handed
    if not handed:
        rotate_log_key(home, Intake(home))
        require_sound(home)
    registered = [key for key in home.ring.now().keys.values() if key.role == "log"]
    assert len(registered) == 2  # what was begun was gone on with
    assert {path.name for path in (root / "keys").glob("*.pem")} == {"log.pem", "service.pem"}


def test_killed_while_the_service_key_is_replaced(root: Path, open_home: Callable[..., Home]) -> None:
    old = load_key(root / "keys" / "service.pem").keyid
    for step, replaced in (("after the next service key is made", False), ("after it is registered", True)):
        child = start(root, step, "key", "rotate")
        child.communicate(b"go\n")
        assert child.returncode == -signal.SIGKILL
        home = open_home()
        assert (home.service.keyid != old) == replaced
        require_sound(home)
    assert len([key for key in home.ring.now().keys.values() if key.role == "service"]) == 2


@pytest.mark.parametrize("role", ["log", "service"])
def test_of_two_processes_that_replace_a_key_one_does(role: str, root: Path, open_home: Callable[..., Home]) -> None:
    """Both had the home open before; the second is told, and does nothing."""
    children = [start(root, "none", "key", "rotate", "--role", role) for _ in range(2)]
    for child in children:
        assert child.stdin
        child.stdin.write(b"go\n")
        child.stdin.flush()
    told = [child.communicate()[1] for child in children]
    assert sorted(child.returncode for child in children) == [0, 2], told
    [refused] = [text for text in told if text]
    assert (b"by another process" if role == "log" else b"was replaced by") in refused, refused
    home = open_home()
    require_sound(home)
    assert len(home.log.succession.tenures) == (2 if role == "log" else 1)
    assert {path.name for path in (root / "keys").glob("*.pem")} == {"log.pem", "service.pem"}


def test_whoever_has_the_home_open_with_the_old_key_signs_nothing_more(open_home: Callable[..., Home]) -> None:
    asleep, slow = open_home(), open_home(publish_interval=0.5)
    home = open_home()
    rotate_log_key(home, Intake(home))
    size = home.log.size()
    for stale in (asleep, slow):
        for _ in range(2):
            with pytest.raises((SuccessionError, WrongLogError)):
                stale.append([stale.sign(party_statement("person", "Eve")[0])])
        with pytest.raises((SuccessionError, WrongLogError)):
            rotate_log_key(stale, Intake(stale))
        with pytest.raises((SuccessionError, WrongLogError, ProvenanceError)):
            rotate_service_key(stale, Intake(stale))
    assert home.log.size() == size
    require_sound(home)


def test_a_writer_that_does_not_publish_is_kept_out_too(open_home: Callable[..., Home]) -> None:
    """Nothing else would stop it: it signs no checkpoint, and the newest one bears its own key's signature."""
    slow = open_home(publish_interval=0.5)
    home = open_home()
    intake = Intake(home)
    new = home.custody.next_log()
    registration = registration_statement("log", new.verifier, home.log_vkey)
    submit(home, [signed(registration.to_bytes(), new, home.service)])
    with home.alone():
        intake.hand_over(rotation(intake.keyring(), home.log_key, new), new)
    with pytest.raises(SuccessionError, match="this process knows"):
        slow.append([slow.sign(party_statement("person", "Eve")[0])])
    require_sound(open_home())


def test_a_log_is_handed_over_in_no_other_way(home: Home) -> None:
    """A rotation that is merely submitted would leave a checkpoint that one key signed alone."""
    intake, new = Intake(home), Ed25519Signer.generate()
    registered = signed(registration_statement("log", new.verifier, home.log_vkey).to_bytes(), new, home.service)
    submit(home, [registered])
    old = load_key(home.root / "keys" / "log.pem")
    turned = rotation_statement("log", old.keyid, new.keyid, leaf_of(registered))
    with pytest.raises(RotationError, match="linernotes key rotate --role log"):
        intake.submit([signed(turned.to_bytes(), old, new)])
    for signers in ((old,), (new,), (home.service, new), (old, new, home.service)):
        with pytest.raises(ProvenanceError):
            intake.hand_over(signed(turned.to_bytes(), *signers), new)
    assert home.log_vkey == home.ring.now().log[-1][0]
    rotate_log_key(home, intake)  # to another key than that one
    require_sound(home)
    with pytest.raises(ProvenanceError):
        intake.hand_over(signed(turned.to_bytes(), old, new), new)
    require_sound(home)


def test_a_home_whose_service_key_is_ended_hands_nothing_over(home: Home) -> None:
    """Nobody could vouch for the new key, nor sign anything afterwards: an owner's key has to come first."""
    intake, registration = Intake(home), home.ring.now().keys[home.service.keyid].leaf_hash
    ended = revocation_statement(home.service.keyid, registration, "ceased")
    intake.submit([signed(ended.to_bytes(), home.service)])
    for replace_ in (rotate_log_key, rotate_service_key):
        with pytest.raises(RevokedKeyError):
            replace_(home, intake)
    assert {path.name for path in (home.root / "keys").glob("*.pem")} == {"log.pem", "service.pem"}
    assert fsck(home).problems == ()


def test_the_old_service_key_signs_nothing_after_a_handover(home: Home) -> None:
    old = home.service
    rotate_log_key(home, Intake(home))
    with pytest.raises(ReplacedKeyError):
        submit(home, [signed(party_statement("person", "Eve")[0].to_bytes(), old)])


def test_keys_under_a_passphrase(open_home: Callable[..., Home], root: Path, tmp_path: Path, linernotes) -> None:
    """The new keys are put under what the setting names, and under nothing else."""
    secret = tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text("correct horse battery staple\n")
    for path in (root / "keys").glob("*.pem"):
        path.unlink()
    shutil.rmtree(root)
    home = open_home(key_passphrase_file=secret)
    rotate_log_key(home, Intake(home))
    require_sound_files = load_key(root / "keys" / "log.pem", secret.read_bytes().strip)
    assert require_sound_files.verifier.public_key == home.log.verifier.public_key
    with pytest.raises(KeyFileError):
        load_key(root / "keys" / "service.pem")
    again = open_home(key_passphrase_file=secret)
    assert again.service.keyid == home.service.keyid
    refused = linernotes("key", "rotate", "--passphrase-file", secret)
    assert (refused.code, "key_passphrase_file" in refused.err) == (2, True)


def test_a_home_whose_database_is_from_before_the_handover(
    root: Path, open_home: Callable[..., Home], tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    shutil.copy(root / "linernotes.db", backup)
    home = open_home()
    rotate_log_key(home, Intake(home))
    published = (root / "keys" / "log-succession").read_bytes()
    home.close()
    for path in root.glob("linernotes.db*"):
        path.unlink()
    shutil.copy(backup, root / "linernotes.db")
    back = open_home()
    with pytest.raises(RolledBackError, match="older than the handover"):
        back.append([back.sign(party_statement("person", "Eve")[0])])
    assert "log" in {problem.where for problem in fsck(back).problems}
    assert (root / "keys" / "log-succession").read_bytes() == published


def test_a_home_whose_entries_about_keys_were_changed_opens_to_be_checked(
    root: Path, open_home: Callable[..., Home], caplog: pytest.LogCaptureFixture
) -> None:
    import sqlite3

    home = open_home()
    rotate_log_key(home, Intake(home))
    home.close()
    raw = sqlite3.connect(root / "linernotes.db", isolation_level=None)
    triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        raw.execute(f"DROP TRIGGER {name}")
    raw.execute("UPDATE entry SET data = ? WHERE log_index = 0", (b"{}",))
    for _, sql in triggers:
        raw.execute(sql)
    raw.close()
    with caplog.at_level("WARNING", "linernotes"):
        damaged = open_home()
    assert "linernotes log fsck" in caplog.text
    assert damaged.log.succession == home.log.succession
    where = {problem.where for problem in fsck(damaged).problems}
    assert "entry 0" in where
    assert not any(place.startswith("checkpoint") and place.endswith(" 1") for place in where)


def test_witnesses_that_know_the_old_key_see_the_handover(
    root: Path, open_home: Callable[..., Home], tmp_path: Path, linernotes
) -> None:
    first = NoteVerifier.parse(open_home().log_vkey)
    witness = open_witness(tmp_path / "witness", [first], "witness.example/w")
    with listen("127.0.0.1", 0) as listener:
        server = create_server(witness)
        thread = threading.Thread(target=server.run, args=[[listener]])
        thread.start()
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            policy = tmp_path / "policy"
            policy.write_text(f"log {first.vkey}\nwitness w {witness.verifier.vkey} {url}\nquorum w\n")
            home = open_home(witness_policy=policy)
            turned = rotate_log_key(home, Intake(home))[1].log_index
            cosigned = Note.parse(home.cosigned.read())
            assert open_checkpoint(home.cosigned.read(), [first]).size == turned + 1
            assert len(cosigned.signatures) == 3
            answer = linernotes("log", "witness", "submit", "--policy", policy, "--json")
            assert answer.code == 1, answer.err  # the next one waits for the witness's operator
        finally:
            server.should_exit = True
            thread.join()
