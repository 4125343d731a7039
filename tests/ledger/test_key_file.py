"""Key files and passphrases: what is made, what is refused, and what other programs read of it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import pkcs8
from ledger.durability import write_new
from ledger.errors import KeyFileError, PassphraseError, PassphraseNeededError
from ledger.key_file import (
    create_key,
    load_key,
    load_or_create_key,
    passphrase_in_environment,
    passphrase_in_file,
)

SECRET = b"correct horse battery staple"


def without_zeroes(data: bytes) -> bytes:
    return data.replace(b"\0", b"0")


def secret() -> bytes:
    return SECRET


def never() -> bytes:
    raise AssertionError("nobody may ask for this passphrase")


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    key = load_or_create_key(path)
    assert load_or_create_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.pem"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_key_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "log.pem"
    load_or_create_key(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=rf"mode {mode:04o}\).*chmod 600"):
        load_or_create_key(path)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    load_or_create_key(tmp_path / "other.pem")
    link = tmp_path / "log.pem"
    for target in ("other.pem", "missing.pem"):
        link.symlink_to(target)
        with pytest.raises(KeyFileError, match="symbolic link"):
            load_or_create_key(link)
        link.unlink()


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.pem"
    os.mkfifo(pipe, 0o600)
    folder = tmp_path / "folder.pem"
    folder.mkdir(0o700)
    for path in (pipe, folder):
        with pytest.raises(KeyFileError, match="not a plain file"):
            load_or_create_key(path)


def test_a_damaged_key_file_is_kept_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    path.touch(0o600)
    for content in (b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\n", b"x" * 10_000):
        path.write_bytes(content)
        with pytest.raises(KeyFileError, match="does not hold an unencrypted private key"):
            load_or_create_key(path)
        assert path.read_bytes() == content


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    path.touch(0o600)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(*form, serialization.NoEncryption()))
    with pytest.raises(KeyFileError, match="another kind"):
        load_or_create_key(path)
    locked = Ed25519PrivateKey.generate()
    path.write_bytes(locked.private_bytes(*form, serialization.BestAvailableEncryption(b"pass")))
    with pytest.raises(KeyFileError, match="unencrypted"):
        load_or_create_key(path)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"nowhere.*check that its folder exists"):
        load_or_create_key(tmp_path / "nowhere" / "log.pem")


def test_a_faster_process_keeps_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, elsewhere = tmp_path / "log.pem", tmp_path / "rival.pem"
    rival = load_or_create_key(elsewhere)

    def write_after_the_rival(draft: Path, data: bytes, *, mode: int) -> None:
        elsewhere.rename(path)
        write_new(draft, data, mode=mode)

    monkeypatch.setattr("ledger.key_file.write_new", write_after_the_rival)
    assert load_or_create_key(path) == rival
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.pem"]


def test_processes_that_race_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    program = (
        "import sys; from pathlib import Path; from ledger.key_file import load_or_create_key\n"
        "sys.stdin.readline(); print(load_or_create_key(Path(sys.argv[1])).keyid)"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    answers = {racer.communicate("go\n")[0] for racer in racers}
    assert answers == {load_or_create_key(path).keyid + "\n"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.pem"]


def test_a_key_is_made_once_only(tmp_path: Path) -> None:
    path = tmp_path / "party.pem"
    key = create_key(path)
    assert load_key(path) == key
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="never written over"):
        create_key(path)
    assert path.read_bytes() == before


def test_a_key_file_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="There is no key file"):
        load_key(tmp_path / "party.pem")
    assert list(tmp_path.iterdir()) == []


def test_a_key_under_a_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "party.pem"
    key = create_key(path, secret)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert load_key(path, secret) == key
    assert load_or_create_key(path, secret) == key
    with pytest.raises(PassphraseNeededError, match="under a passphrase, and none was given"):
        load_key(path)
    with pytest.raises(PassphraseError, match="does not open with this passphrase") as refused:
        load_key(path, lambda: b"incorrect horse")
    assert "horse" not in str(refused.value)


def test_two_files_of_one_passphrase_have_nothing_in_common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs8, "ITERATIONS", 2)
    key = Ed25519PrivateKey.generate()
    one, other = (pkcs8.encrypted_pem(key, SECRET).splitlines() for _ in range(2))
    assert not set(one[2:-1]) & set(other[2:-1])


def test_openssl_reads_what_is_written_and_writes_what_is_read(tmp_path: Path) -> None:
    """The passphrase is worth what its stretching costs: the rounds are in the file for all to see."""
    ours, plain, theirs = tmp_path / "ours.pem", tmp_path / "plain.pem", tmp_path / "theirs.pem"
    secret_file = tmp_path / "secret"
    secret_file.write_bytes(SECRET + b"\n")
    key = create_key(ours, secret)
    openssl("pkcs8", "-in", ours, "-passin", f"file:{secret_file}", "-out", plain)
    plain.chmod(0o600)
    assert load_key(plain) == key
    openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "600000", "-in", plain, "-out", theirs, "-passout",
            f"file:{secret_file}")  # fmt: skip
    theirs.chmod(0o600)
    assert load_key(theirs, secret) == key
    for path in (ours, theirs):
        shown = openssl("asn1parse", "-in", path)
        assert "PBKDF2" in shown
        assert "hmacWithSHA256" in shown
        assert "aes-256-cbc" in shown
        assert f":{pkcs8.ITERATIONS:06X}" in shown


def openssl(*arguments: object) -> str:
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=8, max_size=60).map(without_zeroes), st.binary(min_size=1, max_size=60).map(without_zeroes))
def test_a_passphrase_opens_what_it_closed_and_no_other_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: bytes, wrong: bytes
) -> None:
    monkeypatch.setattr(pkcs8, "ITERATIONS", 2)
    path = tmp_path / "any.pem"
    path.unlink(missing_ok=True)
    key = create_key(path, lambda: right)
    assert load_key(path, lambda: right) == key
    if wrong != right:
        with pytest.raises(PassphraseError, match="does not open"):
            load_key(path, lambda: wrong)


def test_a_key_in_the_clear_does_not_pass_for_a_protected_one(tmp_path: Path) -> None:
    path = tmp_path / "party.pem"
    create_key(path)
    with pytest.raises(PassphraseError, match="lies in the clear"):
        load_key(path, never)


@pytest.mark.parametrize("passphrase", [b"", b"seven77", b"x" * 1025])
def test_unfit_passphrases_are_refused(tmp_path: Path, passphrase: bytes) -> None:
    path = tmp_path / "party.pem"
    with pytest.raises(PassphraseError, match=f"has {len(passphrase)} bytes"):
        create_key(path, lambda: passphrase)
    assert not path.exists()


def test_a_zero_byte_is_refused_since_it_may_stand_for_nothing(tmp_path: Path) -> None:
    """HMAC fills its key up with zero bytes: with and without them a passphrase would be the same one."""
    path = tmp_path / "party.pem"
    create_key(path, secret)
    with pytest.raises(PassphraseError, match="zero byte"):
        load_key(path, lambda: SECRET + b"\0")


def test_a_passphrase_out_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(0o600)
    for content in (SECRET, SECRET + b"\n", SECRET + b"\r\n"):
        path.write_bytes(content)
        assert passphrase_in_file(path)() == SECRET
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match=r"passphrase file .* may be used by others"):
        passphrase_in_file(path)()
    with pytest.raises(KeyFileError, match="no passphrase file"):
        passphrase_in_file(tmp_path / "nowhere")()
    path.chmod(0o600)
    path.write_bytes(b"x" * 5000)
    with pytest.raises(PassphraseError, match="1024 are needed"):
        create_key(tmp_path / "party.pem", passphrase_in_file(path))


def test_a_passphrase_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    read = passphrase_in_environment("SOME_PASSPHRASE")
    with pytest.raises(PassphraseError, match="no variable SOME_PASSPHRASE"):
        read()
    monkeypatch.setenv("SOME_PASSPHRASE", SECRET.decode())
    assert read() == SECRET
