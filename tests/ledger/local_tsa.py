"""A real time-stamping authority on the loopback: certificates, ``openssl ts`` behind HTTP, and bad neighbours."""

import datetime as dt
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ledger.timestamp import TsaRoots
from ledger.tsa import QUERY_TYPE, REPLY_TYPE

POLICY = "1.3.6.1.4.1.4146.99"
"""Nobody's policy: an example under which the local authority says that it stamps."""

CONFIGURATION = """
[tsa]
default_tsa = local
[local]
serial = {folder}/serial
signer_digest = {digest}
default_policy = {policy}
digests = {digests}
accuracy = secs:1
clock_precision_digits = {precision}
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Exchange = Callable[[bytes], bytes]

TIME_STAMPING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
PAST = (NOW - 9 * DAY, NOW - DAY)


def require_openssl() -> None:
    """Skips the test where the program that plays the authority is missing."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl program: Debian's package openssl has it")


def openssl(*arguments: object, data: bytes = b"") -> bytes:
    """Runs openssl, and returns what it prints."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@dataclass(frozen=True)
class Certified:
    """A key with its certificate."""

    key: Key
    certificate: x509.Certificate

    @classmethod
    def make(
        cls,
        name: str,
        issuer: Self | None = None,
        *,
        key: Key | None = None,
        usage: x509.ExtendedKeyUsage | None = None,
        critical: bool = True,
        authority: bool = False,
        names: x509.SubjectAlternativeName | None = None,
        valid: tuple[dt.datetime, dt.datetime] = (NOW - DAY, NOW + 365 * DAY),
    ) -> Self:
        """Makes a certificate that another issued, or itself."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(valid[0])
            .not_valid_after(valid[1])
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if usage is not None:
            builder = builder.add_extension(usage, critical=critical)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return cls(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def roots(self) -> TsaRoots:
        """What a reader trusts who trusts this certificate alone."""
        return TsaRoots.parse(self.pem)

    def revoking(self, other: Self) -> bytes:
        """Returns a list of revoked certificates, with the other's on it."""
        revoked = x509.RevokedCertificateBuilder(other.certificate.serial_number, NOW - DAY).build()
        dates = {"last_update": NOW - DAY, "next_update": NOW + DAY}
        builder = x509.CertificateRevocationListBuilder(
            self.certificate.subject, **dates, revoked_certificates=[revoked]
        )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Writes certificate and key for openssl."""
        stem = folder / str(self.certificate.serial_number)
        certificate, key = stem.with_suffix(".pem"), stem.with_suffix(".key")
        certificate.write_bytes(self.pem)
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key.touch(0o600)
        key.write_bytes(private)
        return certificate, key


@dataclass(frozen=True)
class LocalTsa:
    """An authority under a root of its own, answered for by `openssl ts`.

    Attributes:
        folder: Where its files are.
        root: What a reader has to trust.
        signer: Who signs its tokens.
        chain: Further certificates that it sends along.
        digest, ess, precision: What the tokens are signed over, by what they name their signer, and the digits of
            its seconds.
        digests: Which digests it stamps.
    """

    folder: Path
    root: Certified
    signer: Certified
    chain: tuple[Certified, ...] = ()
    digest: str = "sha256"
    ess: str = "sha256"
    precision: int = 0
    digests: str = "sha256, sha512"

    @classmethod
    def make(cls, folder: Path, name: str = "Local") -> Self:
        """Makes an authority with a root, and a signer that the root issued."""
        require_openssl()
        folder.mkdir()
        (folder / "serial").write_text("01\n")
        root = Certified.make(f"{name} Root", authority=True)
        return cls(folder, root, Certified.make(f"{name} TSA", root, usage=TIME_STAMPING))

    @property
    def roots(self) -> TsaRoots:
        return self.root.roots

    def respond(self, query: bytes) -> bytes:
        """Answers a TimeStampReq with a TimeStampResp."""
        configuration = self.folder / "tsa.cnf"
        settings = {"digest": self.digest, "ess": self.ess, "precision": self.precision, "digests": self.digests}
        configuration.write_text(CONFIGURATION.format(folder=self.folder, policy=POLICY, **settings))
        certificate, key = self.signer.write(self.folder)
        request = self.folder / "query.tsq"
        request.write_bytes(query)
        chain = self.folder / "chain.pem"
        chain.write_bytes(b"".join(each.pem for each in self.chain))
        return openssl(
            *("ts", "-reply", "-config", configuration, "-queryfile", request, "-signer", certificate, "-inkey", key),
            *(("-chain", chain) if self.chain else ()),
        )

    def token(self, message: bytes, *query: str) -> bytes:
        """Stamps a message, with the request made by openssl too."""
        data = self.folder / "message"
        data.write_bytes(message)
        response = self.folder / "response.tsr"
        response.write_bytes(self.respond(openssl("ts", "-query", "-data", data, *(query or ("-sha256", "-cert")))))
        return openssl("ts", "-reply", "-in", response, "-token_out")

    def resigned(self, token: bytes, signer: Certified, *options: object, message: bytes | None = None) -> bytes:
        """Returns a token with what another says, signed by anybody: what `openssl ts` itself would refuse to make.

        Args:
            token: Whose TSTInfo is taken.
            signer: Who signs.
            options: For `openssl cms -sign`; `-cades` names the signer's certificate.
            message: Another TSTInfo.
        """
        certificate, key = signer.write(self.folder)
        content = message if message is not None else self.content(token)
        kind = ("-econtent_type", "1.2.840.113549.1.9.16.1.4")
        command = ("cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-signer", certificate, "-inkey", key)
        return openssl(*command, *kind, *(options or ("-cades", "-md", "sha256")), data=content)

    def content(self, token: bytes) -> bytes:
        """Returns the TSTInfo of a token."""
        return openssl("cms", "-verify", "-noverify", "-inform", "DER", "-binary", data=token)


@contextmanager
def served(
    respond: Exchange,
    *,
    status: int = 200,
    kind: str = REPLY_TYPE,
    tls: ssl.SSLContext | None = None,
    targets: list[str] | None = None,
) -> Iterator[str]:
    """Serves an authority on the loopback, and yields its URL."""
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if targets is not None:
                targets.append(self.path)
            query = self.rfile.read(int(self.headers["Content-Length"]))
            right = self.headers["Content-Type"] == QUERY_TYPE
            with turn:
                body = respond(query) if right else b""
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Location", "ftp://example.com/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has above
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def neighbour(*drops: bytes, pause: float = 0.0, hang_up: bool = False) -> Iterator[str]:
    """Yields the URL of somebody who accepts, says each of `drops` after a pause, and then nothing, or hangs up."""
    done = threading.Event()
    open_channels: list[socket.socket] = []

    def talk(channel: socket.socket) -> None:
        try:
            for drop in drops:
                if done.wait(pause):
                    return
                channel.sendall(drop)
        except OSError:
            return  # the other side has had enough

    def accept() -> None:
        while True:
            try:
                channel, _ = listener.accept()
            except OSError:
                return
            open_channels.append(channel)
            talk(channel)
            if hang_up:
                channel.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            done.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for channel in open_channels:
                channel.close()


def closed_port() -> str:
    """Returns the URL of a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"
