"""Keys in an agent: the private half lies in another process, and only messages and signatures travel.

The protocol is that of OpenSSH's ssh-agent (draft-ietf-sshm-ssh-agent, sections 3 and 4), whose
Ed25519 signatures are plain RFC 8032 over the message. What it signs here begins with `DSSEv1 ` or
with the first line of a checkpoint, which nothing of SSH does; a key of its own is better still.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import KeyAgentError, KeyRejectedError, SignatureError, shown
from ledger.keys import Ed25519Verifier

PATIENCE_SECONDS = 60
"""How long an agent may take to answer: it may ask a person, or a token that has to be touched."""

_ALGORITHM = b"ssh-ed25519"
_REQUEST_IDENTITIES, _IDENTITIES_ANSWER = 11, 12
_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_MAX_ANSWER_BYTES = 256 * 1024
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class AgentSigner:
    """An Ed25519 key that an agent holds.

    Attributes:
        address: The agent's socket.
        verifier: The public half.
    """

    address: Path
    verifier: Ed25519Verifier

    @property
    def keyid(self) -> str:
        """Name of the key: `sha256:` and the hex SHA-256 of the raw public key."""
        return self.verifier.keyid

    def sign(self, message: bytes) -> bytes:
        """Returns the 64-byte signature over a message, after checking it.

        Raises:
            KeyAgentError: The agent cannot be reached, refuses, or answers with anything else.
        """
        key = _packed(_ALGORITHM) + _packed(self.verifier.public_key)
        request = bytes([_SIGN_REQUEST]) + _packed(key) + _packed(message) + bytes(4)
        answer = _Answer(_asked(self.address, request, _SIGN_RESPONSE))
        blob = _Answer(answer.string())
        algorithm, signature = blob.string(), blob.string()
        if algorithm != _ALGORITHM:
            raise KeyAgentError(f"The agent signed with {shown(algorithm)} where an Ed25519 signature was asked for.")
        try:
            self.verifier.verify(message, signature)
        except SignatureError as fault:
            raise KeyAgentError(
                f"The agent at {self.address} returned a signature that is not by the key {self.keyid}. Do not use "
                "this agent: it is broken, or not the one you think it is."
            ) from fault
        return signature


def agent_signers(address: Path | None = None) -> list[AgentSigner]:
    """Asks an agent for its Ed25519 keys; those of other kinds, and unsound ones, are left out.

    Args:
        address: The agent's socket; that of `SSH_AUTH_SOCK` when left out.

    Raises:
        KeyAgentError: There is no agent, or it answers with anything but its keys.
    """
    place = address or _address()
    answer = _Answer(_asked(place, bytes([_REQUEST_IDENTITIES]), _IDENTITIES_ANSWER))
    return list(_ed25519(place, answer))


def agent_signer(keyid: str, address: Path | None = None) -> AgentSigner:
    """Returns the key of an agent that has this name.

    Args:
        keyid: As `Signer.keyid`.
        address: The agent's socket; that of `SSH_AUTH_SOCK` when left out.

    Raises:
        KeyAgentError: There is no agent, or it has not this key.
    """
    held = agent_signers(address)
    for signer in held:
        if signer.keyid == keyid:
            return signer
    names = ", ".join(signer.keyid for signer in held) or "none"
    raise KeyAgentError(f"The agent does not hold the key {shown(keyid)}; its Ed25519 keys are: {names}.")


def _ed25519(address: Path, answer: "_Answer") -> Iterator[AgentSigner]:
    for _ in range(answer.number()):
        key, _comment = _Answer(answer.string()), answer.string()
        if key.string() == _ALGORITHM:
            with contextlib.suppress(KeyRejectedError):
                yield AgentSigner(address, Ed25519Verifier(key.string()))


def _address() -> Path:
    place = os.environ.get("SSH_AUTH_SOCK", "")
    if not place:
        raise KeyAgentError("There is no agent: SSH_AUTH_SOCK is not set. Start one, and add the key with ssh-add.")
    return Path(place)


def _asked(address: Path, request: bytes, expected: int) -> bytes:
    """Returns the content of the agent's answer, when it is of the expected kind."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE_SECONDS)
            connection.connect(str(address))
            connection.sendall(_packed(request))
            size = int.from_bytes(_received(connection, _LENGTH_BYTES), "big")
            if not 0 < size <= _MAX_ANSWER_BYTES:
                raise KeyAgentError(f"The agent at {address} announces an answer of {size} bytes; it is no ssh-agent.")
            answer = _received(connection, size)
    except OSError as fault:
        raise KeyAgentError(
            f"The agent at {address} cannot be asked: {fault.strerror or fault}. Start it, and see that SSH_AUTH_SOCK "
            "names its socket."
        ) from fault
    if answer[0] != expected:
        raise KeyAgentError(
            f"The agent at {address} refuses (its answer is of kind {answer[0]}): the key is locked, gone, or its use "
            "was not confirmed. See `ssh-add -l`."
        )
    return answer[1:]


def _received(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise KeyAgentError("The agent hung up in the middle of its answer; ask again, and see whether it runs.")
        data += piece
    return data


def _packed(data: bytes) -> bytes:
    """Returns a `string` of SSH (RFC 4251 section 5): its length, and itself."""
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


class _Answer:
    """Takes an agent's answer apart, from front to back."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def number(self) -> int:
        return int.from_bytes(self._taken(_LENGTH_BYTES), "big")

    def string(self) -> bytes:
        return self._taken(self.number())

    def _taken(self, size: int) -> bytes:
        taken, self._rest = self._rest[:size], self._rest[size:]
        if len(taken) != size:
            raise KeyAgentError("The agent's answer ends too soon; it is no ssh-agent, or it is broken.")
        return taken
