"""A connection to somebody else's server: requests that end by their deadline, whatever the other side does.

All that the ledger asks of others over HTTP goes through here. Nothing is followed, unpacked or read
without bound: the URL that was given is where a request goes, over no proxy, and an answer is a
status, a media type, and as many bytes as were asked for at most.
"""

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from ledger.errors import RemoteAnswerTooLongError, RemoteError, RemoteTimeoutError, shown

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "linernotes"}
_MAX_SAID_CHARACTERS = 200
_LEAST_SECONDS = 0.001
"""What a step is given when no time is left: a time-out of zero means something else to a socket."""
_URL = re.compile(r"https?://[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """What a server answered.

    Attributes:
        status: Of HTTP; a redirection is an answer like any other.
        media_type: Without its parameters; `text/plain` where the server names none.
        body: All of it, and no more than may be read.
    """

    status: int
    media_type: str
    body: bytes


class Remote:
    """A connection that is opened by the first request, and kept for the next.

    Args:
        url: What paths are put behind; http or https, without a query.
        deadline: When every request has to be over, as `time.monotonic` counts: connecting, TLS, and
            the last byte of the answer included. Only the system's own look-up of the name is not
            bounded by it.
        max_answer_bytes: Longest answer that is read.

    Raises:
        RemoteError: The URL is not one that a request can be sent to.
    """

    def __init__(self, url: str, deadline: float, *, max_answer_bytes: int) -> None:
        parts = split_url(url)
        if parts is None or parts.query:
            raise RemoteError(
                f"The URL {shown(url)} is not one to send requests to: it has to be http or https, in ASCII, with a "
                "host and without user, query and fragment. Correct it where it is written."
            )
        self._deadline = deadline
        self._max_answer_bytes = max_answer_bytes
        self._hung_up = threading.Event()
        self._wire: socket.socket | None = None
        self._prefix = parts.path.rstrip("/")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._http = _connection(parts, self._tls)

    def get(self, path: str) -> RemoteAnswer:
        """Asks for something.

        Args:
            path: What follows the URL, with its slash.

        Raises:
            RemoteError: As of `post`.
        """
        return self._ask("GET", path, None, _HEADERS)

    def post(self, path: str, body: bytes, media_type: str, *, accept: str = "*/*") -> RemoteAnswer:
        """Sends something.

        Args:
            path: What follows the URL, with its slash, and a query where there is one.
            body: What to send.
            media_type: Of the body.
            accept: Media type that is asked for; which one came is for the caller to see.

        Raises:
            RemoteTimeoutError: The other side does not answer in time, or was hung up on.
            RemoteAnswerTooLongError: It answers with more than is read.
            RemoteError: It cannot be reached, or answers with something that is not HTTP or breaks off.
        """
        return self._ask("POST", path, body, {**_HEADERS, "Content-Type": media_type, "Accept": accept})

    def hang_up(self) -> None:
        """Ends a request that is under way in another thread."""
        self._hung_up.set()
        if self._wire is not None:
            with suppress(OSError):  # not connected any more
                socket.socket.shutdown(self._wire, socket.SHUT_RDWR)  # the plain one: TLS has nothing to say any more

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> RemoteAnswer:
        try:
            with self._cut_off():
                self._connect()
                self._http.request(method, self._prefix + path, body, headers)
                answer = self._received()
            self._remaining()  # a body that was cut off looks like one that ended
        except (OSError, http.client.HTTPException, ValueError) as fault:
            self.close()
            if isinstance(fault, TimeoutError) or self._is_over():
                raise RemoteTimeoutError("It did not answer in time.") from fault
            raise RemoteError(f"It could not be asked: {_said(fault)}.") from fault
        return answer

    def _received(self) -> RemoteAnswer:
        response = self._http.getresponse()
        body = response.read(self._max_answer_bytes + 1)
        if len(body) > self._max_answer_bytes:
            self.close()
            raise RemoteAnswerTooLongError(
                f"It answered with more than the {self._max_answer_bytes} bytes that are read."
            )
        if response.length:
            raise http.client.IncompleteRead(body, response.length)
        return RemoteAnswer(response.status, response.headers.get_content_type(), body)

    @contextmanager
    def _cut_off(self) -> Iterator[None]:
        """Hangs up when the time is up: a socket's own time-out begins anew with each byte."""
        timer = threading.Timer(self._remaining(), self.hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _connect(self) -> None:
        """Connects where that is to be done, and gives what follows the time that is left."""
        wire = self._wire if self._http.sock is not None else None
        (wire or self._opened()).settimeout(self._remaining())

    def _opened(self) -> socket.socket:
        """Opens the connection; from the first moment on, `hang_up` knows its socket."""
        self._http.sock = wire = self._first_that_answers()
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return wire
        secured = self._tls.wrap_socket(wire, server_hostname=self._http.host, do_handshake_on_connect=False)
        self._http.sock = self._wire = secured
        secured.settimeout(self._remaining())
        secured.do_handshake()
        return secured

    def _first_that_answers(self) -> socket.socket:
        """Connects to the first address of the host that can be connected to."""
        fault = OSError(f"{self._http.host} has no address")
        found = socket.getaddrinfo(self._http.host, self._http.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in found:
            self._wire = wire = socket.socket(family, kind, protocol)
            try:
                wire.settimeout(self._remaining())
                wire.connect(address)
            except OSError as error:
                wire.close()
                fault = error
            else:
                return wire
        raise fault

    def _remaining(self) -> float:
        """What time there is left.

        Raises:
            TimeoutError: There is none.
        """
        if self._is_over():
            raise TimeoutError
        return max(self._deadline - time.monotonic(), _LEAST_SECONDS)

    def _is_over(self) -> bool:
        return self._hung_up.is_set() or time.monotonic() >= self._deadline


def split_url(url: str) -> SplitResult | None:
    """Takes apart a URL that a request can be sent to.

    Returns:
        Scheme (`http` or `https`), host, port, path and query; None where it is anything else, holds a
        user name or a fragment, or has no port that could be one.
    """
    try:
        parts = urlsplit(url)
        usable = bool(_URL.fullmatch(url) and parts.hostname and parts.port != 0)
    except ValueError:
        return None
    return parts if usable and "@" not in parts.netloc and not parts.fragment else None


def _connection(url: SplitResult, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    """A connection that nothing has opened yet."""
    host = url.hostname or ""
    if tls is None:
        return http.client.HTTPConnection(host, url.port or http.client.HTTP_PORT)
    return http.client.HTTPSConnection(host, url.port or http.client.HTTPS_PORT, context=tls)


def _said(fault: Exception) -> str:
    """What a fault says, which may be words of the other side."""
    words = str(fault) or type(fault).__name__
    return words if words.isprintable() and len(words) <= _MAX_SAID_CHARACTERS else shown(words)
