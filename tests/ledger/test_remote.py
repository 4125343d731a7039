"""A connection against servers that say nothing, too little, too much, or something else."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.errors import RemoteAnswerTooLongError, RemoteError, RemoteTimeoutError
from ledger.remote import Remote, RemoteAnswer, split_url

Script = Callable[[socket.socket], None]
SOON, LATER = 0.1, 60.0
MAX_ANSWER_BYTES = 4096
TEXT = "text/plain; charset=utf-8"
SIZE = b"Content-Type: Text/x.tlog.size; charset=utf-8"


def remote(url: str, deadline: float) -> Remote:
    return Remote(url, deadline, max_answer_bytes=MAX_ANSWER_BYTES)


@contextmanager
def server(script: Script, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Plays a script on every connection; gives host and port."""
    stopped = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def play(client: socket.socket) -> None:
        with suppress(OSError), client:
            client.settimeout(10 * LATER)
            with context.wrap_socket(client, server_side=True) if context else client as wire:
                script(wire)

    def accept() -> None:
        while not stopped.is_set():
            with suppress(TimeoutError):
                client, _ = listener.accept()
                threading.Thread(target=play, args=[client], daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopped.set()
        thread.join()
        listener.close()


def request(client: socket.socket) -> bytes:
    """Reads one request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


def says(*pieces: bytes, every: float = 0) -> Script:
    def script(client: socket.socket) -> None:
        request(client)
        for piece in pieces:
            client.sendall(piece)
            time.sleep(every)

    return script


def silent(client: socket.socket) -> None:
    with suppress(TimeoutError):
        while client.recv(65536):
            pass


def post(url: str, seconds: float = LATER) -> RemoteAnswer:
    connection = remote(url, time.monotonic() + seconds)
    try:
        return connection.post("/add-checkpoint", b"body", TEXT)
    finally:
        connection.close()


def test_a_request_and_its_answer() -> None:
    seen: list[bytes] = []

    def script(client: socket.socket) -> None:
        for number in (1, 2):  # the connection is kept for the second
            seen.append(request(client))
            client.sendall(b"HTTP/1.1 409 Conflict\r\n" + SIZE + b"\r\nContent-Length: 2\r\n\r\n%d\n" % number)

    with server(script) as address:
        connection = remote(f"http://{address}/some/prefix/", time.monotonic() + LATER)
        assert connection.post("/add-checkpoint", b"one", TEXT) == RemoteAnswer(409, "text/x.tlog.size", b"1\n")
        assert connection.post("/add-checkpoint", b"two", TEXT) == RemoteAnswer(409, "text/x.tlog.size", b"2\n")
        connection.close()
    for body, data in zip((b"one", b"two"), seen, strict=True):
        assert data.startswith(b"POST /some/prefix/add-checkpoint HTTP/1.1\r\nHost: " + address.encode())
        assert data.endswith(b"\r\n\r\n" + body)


def test_a_connection_that_was_closed_is_opened_again() -> None:
    with server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1")) as address:
        connection = remote(f"http://{address}", time.monotonic() + LATER)
        for _ in range(2):
            assert connection.post("/add-checkpoint", b"body", TEXT) == RemoteAnswer(200, "text/plain", b"1")
        connection.close()


def test_redirects_are_not_followed() -> None:
    with server(
        says(b"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
    ) as address:
        assert post(f"http://{address}") == RemoteAnswer(307, "text/plain", b"")


@pytest.mark.parametrize(
    "script",
    [
        silent,
        says(b"HTTP/1.1 200 OK\r\n", every=5),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", every=5),
    ],
)
def test_silence_ends_at_the_deadline(script: Script) -> None:
    with server(script) as address, pytest.raises(RemoteTimeoutError, match="in time"):
        post(f"http://{address}", SOON)


A_LITTLE_AT_A_TIME = pytest.mark.parametrize(
    ("script", "secure"),
    [
        (silent, False),
        (silent, True),  # a handshake that never ends
        (says(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 10_000, every=0.01), False),
        (says(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 10_000, every=0.01), False),
        (says(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * 10_000, every=0.01), False),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 10_000, every=0.01), False),
    ],
)


@A_LITTLE_AT_A_TIME
def test_whoever_says_a_little_at_a_time_is_left_at_the_deadline(script: Script, secure: bool) -> None:  # noqa: FBT001
    with server(script) as address, pytest.raises(RemoteTimeoutError, match="in time"):
        post(f"{'https' if secure else 'http'}://{address}", SOON)


def test_what_was_cut_off_is_no_answer() -> None:
    """A body that ends with the connection has no other end by which to know it."""
    with server(says(b"HTTP/1.1 200 OK\r\n\r\nhello", every=5)) as address, pytest.raises(RemoteTimeoutError):
        post(f"http://{address}", SOON)


@A_LITTLE_AT_A_TIME
def test_whoever_says_a_little_at_a_time_is_hung_up_on(script: Script, secure: bool) -> None:  # noqa: FBT001
    with server(script) as address:
        connection = remote(f"{'https' if secure else 'http'}://{address}", time.monotonic() + LATER)
        ended = threading.Event()

        def ask() -> None:
            with suppress(RemoteError):
                connection.post("/add-checkpoint", b"body", TEXT)
            ended.set()

        threading.Thread(target=ask, daemon=True).start()
        ended.wait(SOON)
        connection.hang_up()
        assert ended.wait(LATER / 2)  # long before the server or the deadline ends it
        connection.close()


def test_hanging_up_before_it_began() -> None:
    connection = remote("http://127.0.0.1:1", time.monotonic() + LATER)
    connection.hang_up()
    with pytest.raises(RemoteError, match="in time"):
        connection.post("/add-checkpoint", b"body", TEXT)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_ANSWER_BYTES + 1),
        b"\xff" * 100,
    ],
)
def test_what_is_no_answer_is_an_error_of_ours(answer: bytes) -> None:
    with server(says(answer)) as address, pytest.raises(RemoteError):
        post(f"http://{address}")


def test_what_is_too_long_is_told_apart_from_what_breaks_off() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    for length in (MAX_ANSWER_BYTES, MAX_ANSWER_BYTES + 1):
        with server(says(head % length + b"x" * length)) as address:
            if length <= MAX_ANSWER_BYTES:
                assert len(post(f"http://{address}").body) == length
            else:
                with pytest.raises(RemoteAnswerTooLongError, match=str(MAX_ANSWER_BYTES)):
                    post(f"http://{address}")
    with server(says(head % 9 + b"x" * 8)) as address, pytest.raises(RemoteError) as broken_off:
        post(f"http://{address}")
    assert type(broken_off.value) is RemoteError


def test_what_the_other_side_says_is_shown_as_it_may_be() -> None:
    with server(says(b"\x1b[2J\r\n\r\n")) as address, pytest.raises(RemoteError) as refused:
        post(f"http://{address}")
    assert str(refused.value).isprintable()


def test_after_an_answer_that_is_none_the_connection_is_opened_anew() -> None:
    scripts = iter([says(b"HTTP/1.1 abc\r\n\r\n"), says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")])

    def in_turn(client: socket.socket) -> None:
        next(scripts)(client)

    with server(in_turn) as address:
        connection = remote(f"http://{address}", time.monotonic() + LATER)
        with pytest.raises(RemoteError):
            connection.get("/checkpoint")
        assert connection.get("/checkpoint").body == b"1"
        connection.close()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(RemoteError, match="could not be asked"):
        post(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "http://",
        "http://:80",
        "http://host:port",
        "http://host:99999",
        "http://host:0",
        "HTTP://host",
        "http://host/\r\nX: y",
        "http://user@host",
        "http://host/?query",
        "http://host/#fragment",
        "http://h\u00f6st",
        "http://host/\u00e4",
        "http://host/\udcff",
        "http://host/a b",
        "http://[::1",
        "HTTP:/x",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(RemoteError, match="Correct it where"):
        remote(url, 0)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://log.example/x", b"log.example"),
        ("https://log.example/", b"log.example"),
        ("https://log.example:444", b"log.example:444"),
        ("http://log.example:443", b"log.example:443"),
        ("http://[::1]", b"[::1]"),
    ],
)
def test_the_host_is_named_as_the_url_has_it(url: str, host: bytes) -> None:
    """A port is named only where it is not the scheme's own: some hosts are told apart by the very bytes."""
    near, far = socket.socketpair()
    connection = Remote(url, time.monotonic() + LATER, max_answer_bytes=1)
    connection._http.sock = near
    with near, far:
        connection._http.request("GET", "/")
        assert b"\r\nHost: %s\r\n" % host in far.recv(4096)


def test_a_query_is_taken_apart_but_nothing_is_put_behind_it() -> None:
    parts = split_url("https://tsa.example:8080/a/b?key=secret")
    assert parts is not None
    assert (parts.scheme, parts.netloc, parts.path, parts.query) == ("https", "tsa.example:8080", "/a/b", "key=secret")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "witness.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()) + made.public_bytes(encoding))
    return path


def test_tls_is_checked(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    script = says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
    with server(script, context) as address:
        with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
            post(f"https://{address}")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert post(f"https://{address}") == RemoteAnswer(200, "text/plain", b"1")
        with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
            post(f"https://{address.replace('127.0.0.1', 'localhost')}")
