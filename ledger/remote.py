"""A connection to somebody else's server: requests that end by their deadline, whatever the other side does.

Nothing is followed, unpacked or read without bound: the URL that was given is where a request goes,
over no proxy, and an answer is a status and as many bytes as were asked for at most.
"""

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

from ledger.errors import RemoteError, shown

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "linernotes"}


class Remote:
    """A connection that is opened by the first request, and kept for the next.

    Args:
        url: What paths are put behind; http or https.
        deadline: When every request has to be over, as `time.monotonic` counts.
        max_answer_bytes: Longest answer that is read.

    Raises:
        RemoteError: The URL is not one that a request can be sent to.
    """

    def __init__(self, url: str, deadline: float, *, max_answer_bytes: int) -> None:
        self._deadline = deadline
        self._max_answer_bytes = max_answer_bytes
        self._hung_up = threading.Event()
        self._wire: socket.socket | None = None
        secure, host, port, self._prefix = _parts(url)
        self._tls = ssl.create_default_context() if secure else None
        self._http = http.client.HTTPConnection(host, port)

    def get(self, path: str) -> tuple[int, bytes]:
        """Asks for something.

        Args:
            path: What follows the URL, with its slash.

        Returns:
            The status, and the body of the answer.

        Raises:
            RemoteError: As of `post`.
        """
        return self._ask("GET", path, None, _HEADERS)

    def post(self, path: str, body: bytes, media_type: str) -> tuple[int, bytes]:
        """Sends something.

        Args:
            path: What follows the URL, with its slash.
            body: What to send.
            media_type: Of the body.

        Returns:
            The status, and the body of the answer.

        Raises:
            RemoteError: The other side cannot be reached, does not answer in time, or answers with
                something that is not HTTP or is too long.
        """
        return self._ask("POST", path, body, {**_HEADERS, "Content-Type": media_type})

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            self._connect()
            self._http.request(method, self._prefix + path, body, headers)
            response = self._http.getresponse()
            answer = response.read(self._max_answer_bytes + 1)
        except TimeoutError as fault:
            raise RemoteError("It did not answer in time.") from fault
        except (OSError, http.client.HTTPException, ValueError) as fault:
            raise RemoteError(f"It could not be asked: {fault or type(fault).__name__}.") from fault
        if response.length or len(answer) > self._max_answer_bytes:
            self.close()
            raise RemoteError(
                f"It answered with more than the {self._max_answer_bytes} bytes that are read, or with fewer than it "
                "had announced."
            )
        return response.status, answer

    def hang_up(self) -> None:
        """Ends a request that is under way in another thread."""
        self._hung_up.set()
        if self._wire is not None:
            with suppress(OSError):  # not connected any more
                socket.socket.shutdown(self._wire, socket.SHUT_RDWR)  # the plain one: TLS has nothing to say any more

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def _connect(self) -> None:
        """Connects where that is to be done, and gives what follows the time that is left."""
        wire = self._wire if self._http.sock is not None else None
        (wire or self._opened()).settimeout(self._remaining())

    def _opened(self) -> socket.socket:
        """Opens the connection; from the first moment on, `hang_up` knows its socket."""
        address = self._http.host, self._http.port
        self._http.sock = self._wire = wire = socket.create_connection(address, self._remaining())
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return wire
        secured = self._tls.wrap_socket(wire, server_hostname=self._http.host, do_handshake_on_connect=False)
        self._http.sock = self._wire = secured
        secured.settimeout(self._remaining())
        secured.do_handshake()
        return secured

    def _remaining(self) -> float:
        """What time there is left."""
        remaining = self._deadline - time.monotonic()
        if remaining <= 0 or self._hung_up.is_set():
            raise TimeoutError
        return remaining


def _parts(url: str) -> tuple[bool, str, int, str]:
    """Whether to use TLS, host, port and path prefix of a URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise _unusable(url) from fault
    printable = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in {"http", "https"} or not parts.hostname or not printable:
        raise _unusable(url)
    if parts.username is not None or parts.query or parts.fragment:
        raise _unusable(url)
    secure = parts.scheme == "https"
    default = http.client.HTTPS_PORT if secure else http.client.HTTP_PORT
    return secure, parts.hostname, port or default, parts.path.rstrip("/")


def _unusable(url: str) -> RemoteError:
    return RemoteError(
        f"The URL {shown(url)} is not one to send requests to: it has to be http or https, in ASCII, with a host and "
        "without user, query and fragment. Correct it where it is written."
    )
