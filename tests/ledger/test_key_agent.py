"""A key that lives in OpenSSH's own ssh-agent: another program, by other people, signs for us."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.envelope import Envelope, sign, verify
from ledger.errors import KeyAgentError
from ledger.key_agent import agent_signer, agent_signers
from ledger.keys import Ed25519Signer
from ledger.note import NoteSigner

ALGORITHM = b"ssh-ed25519"


def packed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


@pytest.fixture
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running ssh-agent, with no keys."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("OpenSSH's ssh-agent is not installed (Debian: openssh-client)")
    address = tmp_path_factory.mktemp("a") / "s"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.DEVNULL)
    try:
        while not address.exists():
            assert process.poll() is None
        yield address
    finally:
        process.terminate()
        process.wait()


def add(agent: Path, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    environment = os.environ | {"SSH_AUTH_SOCK": str(agent)}
    subprocess.run(["ssh-add", "-q", "-"], input=pem, env=environment, check=True, capture_output=True)


def test_the_agent_signs_envelopes_and_checkpoints(agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = Ed25519PrivateKey.generate()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    assert agent_signers() == []
    add(agent, key)
    add(agent, ec.generate_private_key(ec.SECP256R1()))
    [signer] = agent_signers()
    here = Ed25519Signer(key)
    assert signer.keyid == here.keyid
    assert signer.sign(b"message") == here.sign(b"message")
    assert verify(Envelope.parse(sign(b"{}", signer).to_bytes()), here.verifier) == b"{}"
    checkpoint = Checkpoint("example.com/log", 3, bytes(32))
    note = sign_checkpoint(checkpoint, NoteSigner("example.com/log", signer))
    assert open_checkpoint(note, [NoteSigner("example.com/log", here).verifier]) == checkpoint


def test_a_key_is_found_by_its_name(agent: Path) -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    for key in keys:
        add(agent, key)
    for key in keys:
        name = Ed25519Signer(key).keyid
        assert agent_signer(name, agent).keyid == name
    with pytest.raises(KeyAgentError, match=f"does not hold the key .* are: {Ed25519Signer(keys[0]).keyid}"):
        agent_signer("sha256:" + "0" * 64, agent)


def test_an_agent_that_lost_the_key_refuses(agent: Path) -> None:
    add(agent, Ed25519PrivateKey.generate())
    [signer] = agent_signers(agent)
    subprocess.run(["ssh-add", "-q", "-D"], env=os.environ | {"SSH_AUTH_SOCK": str(agent)}, check=True)
    with pytest.raises(KeyAgentError, match="refuses"):
        signer.sign(b"message")


def test_without_an_agent_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(KeyAgentError, match="SSH_AUTH_SOCK is not set"):
        agent_signers()
    with pytest.raises(KeyAgentError, match="cannot be asked"):
        agent_signers(tmp_path / "nobody")


@contextmanager
def impostor(address: Path, *answers: bytes) -> Iterator[None]:
    """Something at the socket that answers each request with bytes of its own, and hangs up."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(address))
    listener.listen()

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        listener.close()
        address.unlink()


def identities(*public_keys: bytes) -> bytes:
    listed = b"".join(packed(packed(ALGORITHM) + packed(key)) + packed(b"comment") for key in public_keys)
    return packed(bytes([12]) + len(public_keys).to_bytes(4, "big") + listed)


def signature(algorithm: bytes, sig: bytes) -> bytes:
    return packed(bytes([14]) + packed(packed(algorithm) + packed(sig)))


@pytest.fixture
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a") / "s"


def test_what_comes_back_is_checked_before_it_is_used(socket_path: Path) -> None:
    key, other = Ed25519Signer.generate(), Ed25519Signer.generate()
    answers = (
        identities(key.verifier.public_key, bytes(32)),  # the second has small order, and is left out
        signature(ALGORITHM, key.sign(b"message")),
        signature(ALGORITHM, other.sign(b"message")),
        signature(ALGORITHM, key.sign(b"another message")),
        signature(b"ssh-rsa", key.sign(b"message")),
    )
    with impostor(socket_path, *answers):
        [signer] = agent_signers(socket_path)
        assert signer.sign(b"message") == key.sign(b"message")
        for _ in range(2):
            with pytest.raises(KeyAgentError, match="Do not use this agent"):
                signer.sign(b"message")
        with pytest.raises(KeyAgentError, match="ssh-rsa"):
            signer.sign(b"message")


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0\0\0", b"\0\0\0\0", b"\xff\xff\xff\xff", packed(b"\x05"), packed(b"\x0c"), packed(b"\x0c\0\0\0\2"),
     identities(bytes(range(32)))[:-3]],
)  # fmt: skip
def test_answers_that_are_none_are_refused(socket_path: Path, answer: bytes) -> None:
    with impostor(socket_path, answer), pytest.raises(KeyAgentError):
        agent_signers(socket_path)


@given(st.binary(max_size=80))
def test_any_answer_is_keys_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    address = tmp_path_factory.mktemp("a") / "s"
    with impostor(address, packed(b"\x0c" + content)), suppress(KeyAgentError):
        agent_signers(address)
