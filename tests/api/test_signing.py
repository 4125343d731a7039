"""The client's side: what is signed is what is shown, and the key stays where it is."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.errors import UsageError
from api.signing import Handed, countersigned, open_key, signed
from ledger.envelope import Envelope, verify
from ledger.errors import KeyAgentError, KeyFileError, PassphraseError, PassphraseNeededError
from ledger.key_file import create_key, load_key
from ledger.keys import Ed25519Signer
from ledger.note import NoteSigner
from provenance.errors import AdmissionError
from provenance.statement import parse
from tests.provenance.key_log import SOME, edit, party

LOG = NoteSigner("example.org/log", Ed25519Signer.generate()).verifier.vkey


@pytest.fixture
def key(tmp_path: Path) -> Path:
    create_key(tmp_path / "ada.pem")
    return tmp_path / "ada.pem"


@pytest.fixture
def handed(tmp_path: Path) -> Path:
    path = tmp_path / "edit.statement"
    path.write_bytes(edit("ada", SOME, SOME).to_bytes())
    return path


def test_the_very_bytes_are_signed_and_shown(linernotes, tmp_path: Path, key: Path, handed: Path) -> None:
    target = tmp_path / "edit.envelope"
    done = linernotes("sign", handed, "--key", key, "-o", target)
    assert done.code == 0, done.err
    envelope = Envelope.parse(target.read_bytes())
    assert verify(envelope, load_key(key).verifier) == handed.read_bytes()
    for shown in ("predicate.changes.kept", "predicate.content.fingerprint.iscc", "ISCC:A", load_key(key).keyid[:30]):
        assert shown in done.out
    answer = linernotes("sign", handed, "--key", key, "-o", target, "--json").json
    assert answer["keyids"] == [load_key(key).keyid]
    assert answer["kind"] == "edit"


def test_an_envelope_that_the_home_signed_gets_one_more_signature(linernotes, tmp_path: Path, key: Path) -> None:
    home, ours = Ed25519Signer.generate(), load_key(key)
    payload = edit("ada", SOME, SOME).to_bytes()
    source, target = tmp_path / "handed", tmp_path / "envelope"
    source.write_bytes(signed(payload, home))
    answer = linernotes("sign", source, "--key", key, "-o", target, "--json").json
    assert answer["keyids"] == [home.keyid, ours.keyid]
    assert target.read_bytes() == signed(payload, home, ours)


def test_everything_in_a_statement_is_shown_and_nothing_deceives(tmp_path: Path) -> None:
    nasty = edit("ada", SOME, SOME, licence="free\x1b[2J\x1b[H\u202eyenom\u200b\nsigned: nothing")
    path = tmp_path / "nasty.statement"
    path.write_bytes(nasty.to_bytes())
    rows = dict(Handed.read(path).rows())
    assert rows["predicate.licence"] == "free\\u001b[2J\\u001b[H\\u202eyenom\\u200b\\u000asigned: nothing"
    values = [value for value in rows.values() if value not in {"[]", "{}"}]

    def leaves(value: object) -> int:
        if isinstance(value, dict):
            return sum(map(leaves, value.values()))
        return sum(map(leaves, value)) if isinstance(value, list) else 1

    assert len(values) == leaves(json.loads(nasty.to_bytes()))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", AdmissionError),
        (b'{"a":1,"a":2}', AdmissionError),
        (b"[" * 60_000, AdmissionError),
        (b"{}", AdmissionError),
        (party().to_bytes() + b"\n", AdmissionError),
        (party().to_bytes().replace(b'"it"', b'"\\ud800"'), AdmissionError),
        (b"x" * 65_536, UsageError),
    ],
)
def test_what_is_no_statement_is_not_signed(tmp_path: Path, data: bytes, error: type[Exception]) -> None:
    path = tmp_path / "statement"
    path.write_bytes(data)
    with pytest.raises(error):
        Handed.read(path)
    with pytest.raises(UsageError, match="cannot be read"):
        Handed.read(tmp_path / "nowhere")


def test_a_new_key_and_its_registration(linernotes, tmp_path: Path) -> None:
    target, registration = tmp_path / "ada.pem", tmp_path / "ada.key"
    done = linernotes(
        "key", "new", "--party", "p1", "--log", LOG, "-o", target, "--registration", registration, "--json"
    )
    assert done.code == 0, done.err
    made = load_key(target)
    assert done.json == {"keyid": made.keyid, "path": str(target), "registration": str(registration)}
    predicate = parse(verify(Envelope.parse(registration.read_bytes()), made.verifier)).predicate
    assert (predicate.role, predicate.party, predicate.keyid, predicate.log_vkey) == ("party", "p1", made.keyid, LOG)
    assert b"PRIVATE" not in registration.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--role", "king", "--log", LOG), "not as 'king'"),
        (("--role", "c2pa", "--log", LOG), "not as 'c2pa'"),
        (("--role", "party", "--log", LOG), "exactly when its role is party"),
        (("--role", "owner", "--party", "p", "--log", LOG), "exactly when its role is party"),
        (("--role", "owner"), "is not of the form"),
        (("--role", "owner", "--log", LOG.replace(LOG.split("+")[1], "00000000")), "key ID"),
    ],
)
def test_no_key_is_made_for_what_cannot_be_registered(linernotes, tmp_path: Path, options, message: str) -> None:
    done = linernotes("key", "new", "-o", tmp_path / "k.pem", "--registration", tmp_path / "k.key", *options)
    assert done.code == 2
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


def test_passphrases_out_of_a_file_and_the_environment(linernotes, tmp_path: Path, handed: Path, monkeypatch) -> None:
    secret, key, target = tmp_path / "secret", tmp_path / "k.pem", tmp_path / "e"
    secret.touch(0o600)
    secret.write_text("correct horse battery\n")
    assert linernotes("key", "new", "-o", key, "--passphrase-file", secret).code == 0
    assert linernotes("sign", handed, "--key", key, "-o", target, "--passphrase-file", secret).code == 0
    monkeypatch.setenv("LINERNOTES_PASSPHRASE", "correct horse battery")
    assert linernotes("sign", handed, "--key", key, "-o", target).code == 0
    monkeypatch.setenv("LINERNOTES_PASSPHRASE", "incorrect horse battery")
    done = linernotes("sign", handed, "--key", key, "-o", target)
    assert (done.code, "does not open with this passphrase" in done.err) == (2, True)
    assert "horse" not in done.err + done.out
    with pytest.raises(PassphraseError):
        open_key(str(key))


def test_without_a_passphrase_and_a_terminal_it_says_so(tmp_path: Path, monkeypatch) -> None:
    key = tmp_path / "k.pem"
    made = create_key(key, lambda: b"correct horse")
    monkeypatch.delenv("LINERNOTES_PASSPHRASE", raising=False)
    with pytest.raises(PassphraseNeededError):
        open_key(str(key))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "correct horse" if str(key) in prompt else "")
    assert open_key(str(key)).keyid == made.keyid
    with pytest.raises(KeyFileError, match="no key file"):
        open_key(str(tmp_path / "nowhere"))


def test_a_key_in_an_agent_signs(linernotes, tmp_path: Path, tmp_path_factory, handed: Path, monkeypatch) -> None:
    if shutil.which("ssh-agent") is None:
        pytest.skip("OpenSSH's ssh-agent is not installed (Debian: openssh-client)")
    address, key = tmp_path_factory.mktemp("a") / "s", Ed25519PrivateKey.generate()
    signer = Ed25519Signer(key)
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.DEVNULL)
    try:
        while not address.exists():
            assert process.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
        subprocess.run(["ssh-add", "-q", "-"], input=key.private_bytes(*form), check=True, capture_output=True)
        done = linernotes("sign", handed, "--key", f"agent:{signer.keyid}", "-o", tmp_path / "e")
        assert done.code == 0, done.err
        assert verify(Envelope.parse((tmp_path / "e").read_bytes()), signer.verifier)
    finally:
        process.terminate()
        process.wait()
    with pytest.raises(KeyAgentError):
        open_key(f"agent:{signer.keyid}")


def test_a_countersignature_leaves_the_others_as_they_are() -> None:
    one, two = Ed25519Signer.generate(), Ed25519Signer.generate()
    payload = party().to_bytes()
    assert countersigned(signed(payload, one), two) == signed(payload, one, two)


def test_signing_needs_no_home_no_database_and_no_model(tmp_path: Path, key: Path, handed: Path) -> None:
    program = (
        "import sys, typer\n"
        "from api.commands.sign import sign\n"
        "app = typer.Typer(); app.command()(sign)\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "print({'torch', 'sqlalchemy', 'c2pa', 'fastapi'} & set(sys.modules))"
    )
    environment = {name: value for name, value in os.environ.items() if not re.match("LINERNOTES_", name)}
    command = [sys.executable, "-c", program, str(handed), "--key", str(key), "-o", str(tmp_path / "e"), "--json"]
    done = subprocess.run(
        command, env=environment | {"HOME": "/nonexistent"}, check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "set()"
