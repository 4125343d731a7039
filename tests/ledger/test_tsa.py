import hashlib
import ipaddress
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from ledger.der import INTEGER, SEQUENCE, elements, encode
from ledger.errors import TimeStampError, TsaRefusedError, TsaUnreachableError
from ledger.timestamp import verify
from ledger.tsa import MAX_REPLY_BYTES, REPLY_TYPE, TimeStampAuthority
from tests.ledger.local_tsa import PAST, TIME_STAMPING, Certified, LocalTsa, closed_port, neighbour, openssl, served

MESSAGE = b"example.com/log\n1\nAAAA\n"
HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: {REPLY_TYPE}\r\n".encode()


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    return LocalTsa.make(tmp_path_factory.mktemp("tsa") / "local")


def test_an_authority_stamps(tsa: LocalTsa) -> None:
    queries: list[bytes] = []

    def watched(query: bytes) -> bytes:
        queries.append(query)
        return tsa.respond(query)

    with served(watched) as url:
        authority = TimeStampAuthority(url, tsa.roots)
        stamp, again = authority.stamp(MESSAGE), authority.stamp(MESSAGE)
    assert verify(stamp.token, MESSAGE, tsa.roots, stamp.nonce) == stamp
    assert (stamp.message_digest, stamp.serial) == (again.message_digest, again.serial - 1)
    assert stamp.nonce != again.nonce
    for query in queries:
        text = openssl("ts", "-query", "-in", "/dev/stdin", "-text", data=query).decode()
        assert "Certificate required: yes" in text
        assert "Hash Algorithm: sha256" in text
        assert MESSAGE not in query
        assert hashlib.sha256(MESSAGE).digest() in query


def test_a_stamp_holds_when_its_authority_is_gone(tsa: LocalTsa, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tsa.respond) as url:
        authority = TimeStampAuthority(url, tsa.roots)
        stamp = authority.stamp(MESSAGE)
    with pytest.raises(TsaUnreachableError, match="refused"):
        authority.stamp(MESSAGE)

    def nothing(*_arguments: object, **_options: object) -> None:
        raise AssertionError("verifying needs no network")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, nothing)
    assert verify(stamp.token, MESSAGE, tsa.roots) == stamp


def test_https_is_checked(tsa: LocalTsa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    host = Certified.make("127.0.0.1", names=here)
    certificate, key = host.write(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with served(tsa.respond, tls=tls) as url:
        authority = TimeStampAuthority(url, tsa.roots)
        with pytest.raises(TsaUnreachableError, match="certificate verify failed"):
            authority.stamp(MESSAGE)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert authority.stamp(MESSAGE)


def test_a_refusal_says_why(tsa: LocalTsa) -> None:
    with (
        served(replace(tsa, digests="sha512").respond) as url,
        pytest.raises(TsaRefusedError, match="Message digest algorithm is not supported"),
    ):
        TimeStampAuthority(url, tsa.roots).stamp(MESSAGE)


def test_a_stamp_with_modifications_is_taken_when_it_holds(tsa: LocalTsa) -> None:
    def modified(query: bytes) -> bytes:
        [response] = elements(tsa.respond(query))
        _, token = elements(response.content)
        return encode(SEQUENCE, encode(SEQUENCE, encode(INTEGER, b"\x01")), token.whole)

    with served(modified) as url:
        assert TimeStampAuthority(url, tsa.roots).stamp(MESSAGE)


def test_an_old_answer_is_not_taken(tsa: LocalTsa) -> None:
    answers: list[bytes] = []

    def replayed(query: bytes) -> bytes:
        answers.append(tsa.respond(query))
        return answers[0]

    with served(replayed) as url:
        authority = TimeStampAuthority(url, tsa.roots)
        authority.stamp(MESSAGE)
        with pytest.raises(TsaRefusedError, match="nonce"):
            authority.stamp(MESSAGE)


def test_an_answer_about_something_else_is_not_taken(tsa: LocalTsa) -> None:
    other = bytes(32)
    with (
        served(lambda query: tsa.respond(query.replace(hashlib.sha256(MESSAGE).digest(), other))) as url,
        pytest.raises(TsaRefusedError, match="made for something else"),
    ):
        TimeStampAuthority(url, tsa.roots).stamp(MESSAGE)


def test_an_authority_that_nobody_vouches_for_is_not_taken(tsa: LocalTsa, tmp_path: Path) -> None:
    stranger = LocalTsa.make(tmp_path / "tsa", "Strange")
    late = Certified.make("No TSA any more", tsa.root, usage=TIME_STAMPING, valid=PAST)
    for other in (stranger, replace(tsa, signer=late)):
        with served(other.respond) as url, pytest.raises(TsaRefusedError, match="does not hold"):
            TimeStampAuthority(url, tsa.roots).stamp(MESSAGE)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello",
        bytes.fromhex("30053003020100"),  # granted, and nothing given
        bytes.fromhex("30053003020102"),  # rejected, without a reason
        bytes.fromhex("3080"),
        bytes(MAX_REPLY_BYTES),
        bytes(MAX_REPLY_BYTES + 1),
        bytes(8 * MAX_REPLY_BYTES),
    ],
    ids=len,
)
def test_what_is_no_answer_is_refused(tsa: LocalTsa, answer: bytes) -> None:
    with served(lambda _: answer) as url, pytest.raises(TsaRefusedError, match="no time stamp that can be kept"):
        TimeStampAuthority(url, tsa.roots).stamp(MESSAGE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, REPLY_TYPE), (302, REPLY_TYPE), (404, "text/html"), (200, "text/html"), (200, ""), (204, REPLY_TYPE)],
)
def test_other_answers_of_http_are_refused(tsa: LocalTsa, status: int, kind: str) -> None:
    """A right token with a wrong status or type is none; nothing follows the redirection that comes with it."""
    with served(tsa.respond, status=status, kind=kind) as url, pytest.raises(TsaRefusedError, match=str(status)):
        TimeStampAuthority(url, tsa.roots).stamp(MESSAGE)


DRIP = 0.05
SLOW_STATUS = tuple(bytes([octet]) for octet in HEAD[:60])
SLOW_HEADERS = (HEAD, *(b"X-%d: y\r\n" % number for number in range(60)), b"\r\n")
SLOW_BODY = (HEAD + b"Content-Length: 60\r\n\r\n", *(b"0" for _ in range(60)))
SLOW_CHUNKS = (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *(b"1\r\n0\r\n" for _ in range(60)))
ENDLESS = (HEAD + b"\r\n", *(b"0" for _ in range(60)))


@pytest.mark.parametrize("drops", [(), (b"HTTP/1.1 ",), SLOW_STATUS, SLOW_HEADERS, SLOW_BODY, SLOW_CHUNKS, ENDLESS])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_is_silent_or_slow_is_left(tsa: LocalTsa, drops: tuple[bytes, ...], scheme: str) -> None:
    """Each drop comes in time; it is the whole that does not, and that is given up long before it would end."""
    with neighbour(*drops, pause=DRIP) as url:
        authority = TimeStampAuthority(url.replace("http", scheme), tsa.roots, limit_seconds=0.15)
        with pytest.raises(TsaUnreachableError, match=r"within 0\.15 seconds|wrong version|WRONG_VERSION"):
            authority.stamp(MESSAGE)


def test_who_breaks_off_is_not_heard(tsa: LocalTsa) -> None:
    for words in (b"", b"HTTP/1.1 2", HEAD + b"Content-Length: 60\r\n\r\n" + b"0" * 59):
        with neighbour(words, hang_up=True) as url, pytest.raises(TsaUnreachableError, match="cannot be reached"):
            TimeStampAuthority(url, tsa.roots).stamp(MESSAGE)


def test_who_does_not_speak_http_is_not_heard(tsa: LocalTsa) -> None:
    for words in (b"\x1b[2J\r\n", b"HTTP/1.1 200 " + b"x" * 70_000, HEAD + b"x: y\r\n" * 200 + b"\r\n"):
        with neighbour(words) as url, pytest.raises(TsaUnreachableError) as refused:
            TimeStampAuthority(url, tsa.roots).stamp(MESSAGE)
        assert str(refused.value).isprintable()


def test_nobody_is_there(tsa: LocalTsa) -> None:
    with pytest.raises(TsaUnreachableError, match="refused"):
        TimeStampAuthority(closed_port(), tsa.roots).stamp(MESSAGE)


def test_a_name_without_an_address(tsa: LocalTsa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with pytest.raises(TsaUnreachableError, match="has no address"):
        TimeStampAuthority("http://tsa.example/", tsa.roots).stamp(MESSAGE)


def test_the_addresses_of_a_name_are_tried_in_turn(tsa: LocalTsa, monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo
    with served(tsa.respond) as url:
        here = int(url.rpartition(":")[2].partition("/")[0])
        nobody = int(closed_port().rpartition(":")[2].rstrip("/"))

        def two(host: str, port: int, **options: int) -> list[object]:
            return [*found("127.0.0.1", nobody, **options), *found("127.0.0.1", port, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", two)
        assert TimeStampAuthority(f"http://tsa.example:{here}/", tsa.roots).stamp(MESSAGE)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tsa.example",
        "ftp://tsa.example/",
        "file:///etc/passwd",
        "HTTP://tsa.example/",
        "http://",
        "http:///path",
        "http://user:secret@tsa.example/",
        "http://tsa.example/#part",
        "http://tsa.example:0/",
        "http://tsa.example:99999/",
        "http://tsa.example/a b",
        "http://tsa.example/\r\nX: y",
        "http://tsä.example/",
        "http://[::1/",
    ],
)
def test_what_is_no_url_is_refused(tsa: LocalTsa, url: str) -> None:
    with pytest.raises(TimeStampError, match="not of the form") as refused:
        TimeStampAuthority(url, tsa.roots)
    assert "secret" not in str(refused.value)


def test_a_secret_in_the_url_is_not_shown(tsa: LocalTsa) -> None:
    authority = TimeStampAuthority(closed_port() + "stamp?key=secret", tsa.roots)
    assert "secret" not in repr(authority)
    with pytest.raises(TsaUnreachableError, match="/stamp cannot") as refused:
        authority.stamp(MESSAGE)
    assert "secret" not in str(refused.value)


def test_the_query_of_the_url_is_sent(tsa: LocalTsa) -> None:
    targets: list[str] = []
    with served(tsa.respond, targets=targets) as url:
        for ending in ("", "?key=secret"):
            assert TimeStampAuthority(url + ending, tsa.roots).stamp(MESSAGE)
        assert TimeStampAuthority(url.removesuffix("/tsa"), tsa.roots).stamp(MESSAGE)
    assert targets == ["/tsa", "/tsa?key=secret", "/"]
