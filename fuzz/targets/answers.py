"""What other machines and programs answer: somebody's log or witness, a time-stamping authority, an agent of keys."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING
from unittest.mock import patch

from fuzz.target import Target, folder
from fuzz.targets.ledger import LOG, STAMPED, authority, token
from ledger import key_agent
from ledger.der import INTEGER, SEQUENCE, encode
from ledger.errors import KeyAgentError, RemoteError, TsaRefusedError, TsaUnreachableError
from ledger.remote import Remote
from ledger.tsa import REPLY_TYPE, TimeStampAuthority

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PATIENCE = 5.0
_MOST_BYTES = 64 * 1024
_KEYS, _SIGNED = b"\x0c", b"\x0e"
_HTTP_WORDS = (
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/0.9", b"\r\n\r\n", b"\r\n "),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"ffffffffffffffff\r\n"),
)


class _Channel(socket.socket):
    """One end of a pair of sockets: it has none of the options of TCP, and says so to nobody."""

    def setsockopt(self, *_option: object) -> None:
        pass


@contextmanager
def _answered(answer: bytes) -> Iterator[socket.socket]:
    """The near end of a connection whose far end has said this, and will say nothing else."""
    near, far = socket.socketpair()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _MOST_BYTES)
    far.settimeout(_PATIENCE)
    with far, _Channel(fileno=near.detach()) as channel:
        far.sendall(answer)
        far.shutdown(socket.SHUT_WR)
        yield channel


def _reached(channel: socket.socket) -> AbstractContextManager[object]:
    """Whoever is asked over HTTP is at the far end of this channel."""
    return patch.object(Remote, "_first_that_answers", return_value=channel)


def _http(data: bytes) -> None:
    remote = Remote("http://log.example/", time.monotonic() + _PATIENCE, max_answer_bytes=1000)
    with _answered(data) as channel, _reached(channel), closing(remote):
        remote.get("/checkpoint")


def _http_answers() -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    return [
        head + b"Content-Length: 5\r\n\r\nhello",
        head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + head + b"\r\nhello",
    ]


def _tsa(data: bytes) -> None:
    with _answered(data) as channel, _reached(channel):
        TimeStampAuthority("http://tsa.example/", authority().roots, _PATIENCE).stamp(STAMPED)


def _tsa_answers() -> list[bytes]:
    granted = encode(SEQUENCE, encode(SEQUENCE, encode(INTEGER, b"\0")), token())
    refused = encode(SEQUENCE, encode(SEQUENCE, encode(INTEGER, b"\2"), encode(SEQUENCE, encode(0x0C, b"no"))))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return [head % (REPLY_TYPE.encode(), len(body)) + body for body in (granted, refused)]


class _Agent:
    """A program on a socket that answers everybody with the same bytes."""

    def __init__(self) -> None:
        self.answer = b""
        self.address = folder() / "agent"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self.address))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            caller, _ = self._socket.accept()
            with caller:
                try:
                    caller.recv(_MOST_BYTES)
                    caller.sendall(self.answer)
                except OSError:
                    continue  # it has hung up


@cache
def _the_agent() -> _Agent:
    return _Agent()


def _agent(data: bytes) -> None:
    agent = _the_agent()
    agent.answer = data
    if data[4:5] == _SIGNED:
        key_agent.AgentSigner(agent.address, LOG.key.verifier).sign(b"message")
    else:
        key_agent.agent_signers(agent.address)


def _packed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def _agent_answers() -> list[bytes]:
    blob = _packed(b"ssh-ed25519", LOG.key.verifier.public_key)
    signature = _packed(_packed(b"ssh-ed25519", LOG.key.sign(b"message")))
    keys = (2).to_bytes(4) + _packed(blob, b"a comment", _packed(b"ssh-rsa", b"\1\0\1"), b"another")
    return [_packed(_KEYS + keys), _packed(_SIGNED + signature), _packed(b"\x05")]


TARGETS: Sequence[Target] = (
    Target("answers.http", _http, (RemoteError,), _http_answers, (Remote.get,), _HTTP_WORDS),
    Target("answers.tsa", _tsa, (TsaUnreachableError, TsaRefusedError), _tsa_answers, (), _HTTP_WORDS),
    Target("answers.agent", _agent, (KeyAgentError,), _agent_answers, (key_agent.agent_signers,), (_KEYS, _SIGNED)),
)
