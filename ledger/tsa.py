"""Asking a time-stamping authority: RFC 3161 over HTTP (section 3.4), within a time that is never exceeded."""

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from ledger.der import INTEGER, SEQUENCE, elements, parts
from ledger.errors import TimeStampError, TsaRefusedError, TsaUnreachableError, shown
from ledger.timestamp import MAX_TOKEN_BYTES, TimeStamp, TsaRoots, verify

QUERY_TYPE = "application/timestamp-query"
REPLY_TYPE = "application/timestamp-reply"
MAX_REPLY_BYTES = MAX_TOKEN_BYTES + 4096
"""A token, and the status and its reasons before it."""

_URL = re.compile(r"https?://[!-~]+", re.ASCII)
_PORTS = {"http": http.client.HTTP_PORT, "https": http.client.HTTPS_PORT}
_GRANTED = (b"\x00", b"\x01")
"""The statuses `granted` and `grantedWithMods`; whether it is what was asked for is verified in any case."""
_LEAST_SECONDS = 0.001
"""What a step is given when no time is left: a time-out of zero means something else to a socket."""


@dataclass(frozen=True, slots=True)
class TimeStampAuthority:
    """An authority that can be asked.

    Attributes:
        url: Where it is asked, `http` or `https`, without a user name. What follows a question mark may be a secret,
            and is not shown.
        roots: What its tokens are verified with, before they are taken.
        limit_seconds: The longest that one question takes, whatever the other side does: connecting, TLS, and the
            last byte of the answer included. Only the system's own look-up of the name is not bounded by it.

    Raises:
        TimeStampError: The URL is not one that can be asked.
    """

    url: str = field(repr=False)
    roots: TsaRoots = field(repr=False)
    limit_seconds: float = 10.0
    name: str = field(init=False)

    def __post_init__(self) -> None:
        try:
            url = urlsplit(self.url)
            usable = bool(_URL.fullmatch(self.url) and url.hostname and url.port != 0)
        except ValueError:
            usable = False
        if not usable or "@" in url.netloc or url.fragment:
            raise TimeStampError(
                "The URL of the time-stamping authority is not of the form http://host/path or https://host/path, or "
                "holds a user name; give the one that the authority publishes."
            )
        object.__setattr__(self, "name", f"{url.scheme}://{url.netloc}{url.path}")

    def stamp(self, message: bytes) -> TimeStamp:
        """Has a message stamped: asks with a fresh nonce, and verifies what comes back.

        Args:
            message: What to stamp, at least one byte; only its SHA-256 leaves this machine.

        Raises:
            TsaUnreachableError: The authority cannot be reached, or has not answered in time.
            TsaRefusedError: It answered with anything but a time stamp of this message that holds.
        """
        request = TimestampRequestBuilder(message, HashAlgorithm.SHA256, nonce=True, cert_req=True).build()
        answer = self._ask(request.as_bytes())
        try:
            return verify(_token(answer), message, self.roots, request.nonce)
        except TimeStampError as fault:
            raise TsaRefusedError(f"{self.name} answered, but with no time stamp that can be kept. {fault}") from fault

    def _ask(self, query: bytes) -> "_Answer":
        deadline = time.monotonic() + self.limit_seconds
        url = urlsplit(self.url)
        try:
            with closing(_connected(url, deadline)) as channel, _cut_off(channel, _left(deadline)):
                answer = _posted(channel, url, query)
            if time.monotonic() < deadline:
                return answer
            fault: Exception = TimeoutError()
        except (OSError, http.client.HTTPException) as error:
            fault = error
        late = time.monotonic() >= deadline
        why = f"it did not answer within {self.limit_seconds:g} seconds" if late else shown(str(fault) or repr(fault))
        raise TsaUnreachableError(
            f"The time-stamping authority {self.name} cannot be reached: {why}. Nothing waits for it; check the URL, "
            "and whether this machine may connect to it."
        ) from fault


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back over HTTP; of the body no more than a little over `MAX_REPLY_BYTES`."""

    status: int
    kind: str
    body: bytes


def _connected(url: SplitResult, deadline: float) -> socket.socket:
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    plain = _first_that_answers(host, port, deadline)
    if url.scheme == "http":
        return plain
    with plain:  # which is left empty when TLS takes it over
        plain.settimeout(_left(deadline))  # of a handshake, it bounds the whole
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _first_that_answers(host: str, port: int, deadline: float) -> socket.socket:
    """Connects to the first address of a name that can be connected to, all within one deadline."""
    fault = OSError(f"{shown(host)} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        channel = socket.socket(family, kind, protocol)
        try:
            channel.settimeout(_left(deadline))
            channel.connect(address)
        except OSError as error:
            channel.close()
            fault = error
        else:
            return channel
    raise fault


@contextmanager
def _cut_off(channel: socket.socket, seconds: float) -> Iterator[None]:
    """Ends every wait on a socket when the time is up; its own time-out begins anew with each byte."""

    def shut() -> None:
        with suppress(OSError):
            channel.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), _LEAST_SECONDS)


def _posted(channel: socket.socket, url: SplitResult, query: bytes) -> _Answer:
    connection = http.client.HTTPConnection(url.netloc)
    connection.sock = channel
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    headers = {"Host": url.netloc, "Content-Type": QUERY_TYPE, "Accept": REPLY_TYPE, "Connection": "close"}
    connection.request("POST", target, query, headers)
    with connection.getresponse() as response:
        body = response.read(MAX_REPLY_BYTES + 1)
        if response.length and len(body) <= MAX_REPLY_BYTES:
            raise http.client.IncompleteRead(body, response.length)
        return _Answer(response.status, response.headers.get_content_type(), body)


def _token(answer: _Answer) -> bytes:
    """Takes the token out of a TimeStampResp (RFC 3161, section 2.4.2)."""
    if answer.status != HTTPStatus.OK or answer.kind != REPLY_TYPE:
        raise TimeStampError(
            f"The HTTP status is {answer.status} and the type {shown(answer.kind)}, where an authority answers with "
            f"200 and {REPLY_TYPE}; check the URL: redirections are not followed."
        )
    if len(answer.body) > MAX_REPLY_BYTES:
        raise TimeStampError(f"It is longer than the {MAX_REPLY_BYTES} bytes that are read; check the URL.")
    [response] = parts(answer.body, SEQUENCE)
    info, *tokens = parts(response.content, SEQUENCE, more=True)
    status, *reasons = parts(info.content, INTEGER, more=True)
    if status.content not in _GRANTED or len(tokens) != 1:
        texts = [text.content for group in reasons if group.tag == SEQUENCE for text in elements(group.content)]
        raise TimeStampError(
            f"It says {shown(b'; '.join(texts).decode(errors='replace'))} (status {status.content.hex()}); ask its "
            "operator, or choose another authority."
        )
    return tokens[0].whole
