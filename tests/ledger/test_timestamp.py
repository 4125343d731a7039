import hashlib
import re
import shlex
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from ledger import timestamp
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.der import SEQUENCE, SET, Element, elements, encode
from ledger.errors import NoteError, TimeStampError
from ledger.note import Note, NoteSigner, Signature
from ledger.timestamp import MAX_ROOTS_BYTES, MAX_TOKEN_BYTES, TimeStamp, TsaRoots, stamped_bytes, verify
from tests.ledger.local_tsa import DAY, NOW, POLICY, TIME_STAMPING, Certified, LocalTsa, openssl

MESSAGE = b"example.com/log\n1\nAAAA\n"
WRITTEN = re.compile(rb"\x18\x0f(\d{14}Z)")
"""The genTime in a TSTInfo: a GeneralizedTime of fifteen characters."""


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    return LocalTsa.make(tmp_path_factory.mktemp("tsa") / "local")


@pytest.fixture(scope="module")
def token(tsa: LocalTsa) -> bytes:
    return tsa.token(MESSAGE)


def dated(tsa: LocalTsa, token: bytes, moment: str) -> bytes:
    """Returns the content of a token, for another time."""
    content = tsa.content(token)
    [written] = WRITTEN.findall(content)
    return content.replace(written, moment.encode())


def test_what_an_authority_says_is_read(tsa: LocalTsa, token: bytes) -> None:
    stamp = verify(token, MESSAGE, tsa.roots)
    assert stamp == TimeStamp.parse(token)
    assert stamp.token == token
    assert stamp.message_digest == hashlib.sha256(MESSAGE).digest()
    assert stamp.hash_algorithm == "sha256"
    assert stamp.policy == POLICY
    assert stamp.authority == "CN=Local TSA"
    assert stamp.serial > 0
    assert verify(token, MESSAGE, tsa.roots, stamp.nonce) == stamp
    text = openssl("ts", "-reply", "-in", write(tsa, token), "-token_in", "-text").decode()
    [written] = WRITTEN.findall(tsa.content(token))
    assert stamp.gen_time.translate(str.maketrans("", "", "-:T")) == written.decode()
    assert f"Serial number: 0x{stamp.serial:02X}" in text
    assert f"Nonce: 0x{stamp.nonce:016X}" in text


def write(tsa: LocalTsa, token: bytes) -> Path:
    path = tsa.folder / "token.tst"
    path.write_bytes(token)
    return path


def test_the_documented_command_agrees(tsa: LocalTsa, signer: NoteSigner, tmp_path: Path) -> None:
    """The command that the module tells its readers to run, on the files that they have."""
    assert timestamp.__doc__ is not None
    [line] = [line.strip() for line in timestamp.__doc__.splitlines() if line.strip().startswith("openssl ts -verify")]
    checkpoint = sign_checkpoint(Checkpoint(signer.name, 7, bytes(32)), signer)
    files = {"CHECKPOINT": checkpoint, "TOKEN": tsa.token(stamped_bytes(checkpoint)), "ROOTS": tsa.root.pem}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert b"Verification: OK" in openssl_there(line, tmp_path)
    (tmp_path / "CHECKPOINT").write_bytes(sign_checkpoint(Checkpoint(signer.name, 8, bytes(32)), signer))
    assert b"Verification: FAILED" in openssl_there(line, tmp_path)


def openssl_there(line: str, folder: Path) -> bytes:
    done = subprocess.run(shlex.split(line), cwd=folder, capture_output=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_any_flipped_bit_is_refused(tsa: LocalTsa, kind: str) -> None:
    """All of them, not a sample: a token as it is asked for has no bit that nothing vouches for."""
    if kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
        tsa = replace(tsa, signer=Certified.make("RSA TSA", tsa.root, key=key, usage=TIME_STAMPING))
    token, roots = tsa.token(MESSAGE), tsa.roots
    verify(token, MESSAGE, roots)
    survivors = []
    for bit in range(len(token) * 8):
        changed = bytearray(token)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            verify(bytes(changed), MESSAGE, roots)
        except TimeStampError:
            continue
        survivors.append(bit)
    assert survivors == []


@dataclass(frozen=True)
class Parts:
    """The parts of a token that its signature does not reach, to put others in their place."""

    token: bytes

    def fields(self) -> tuple[bytes, Sequence[bytes], Element, Element]:
        [content_info] = elements(self.token)
        kind, explicit = elements(content_info.content)
        [signed_data] = elements(explicit.content)
        *front, certificates, signers = elements(signed_data.content)
        return kind.whole, [each.whole for each in front], certificates, signers

    @property
    def certificates(self) -> bytes:
        return self.fields()[2].content

    @property
    def signer(self) -> bytes:
        [signer] = elements(self.fields()[3].content)
        return signer.content

    def rebuilt(self, *, certificates: bytes = b"", revocations: bytes = b"", signer: bytes = b"") -> bytes:
        kind, front, _, _ = self.fields()
        known = encode(0xA0, certificates or self.certificates)
        signers = encode(SET, encode(SEQUENCE, signer or self.signer))
        return encode(SEQUENCE, kind, encode(0xA0, encode(SEQUENCE, *front, known, revocations, signers)))


@pytest.fixture(scope="module")
def laden(tsa: LocalTsa, token: bytes) -> list[tuple[bytes, bytes]]:
    """A token with each kind of thing that nobody signs, and the bytes of that thing."""
    parts = Parts(token)
    stray = Certified.make("Stray", authority=True)
    certificate = stray.certificate.public_bytes(Encoding.DER)
    _, key = stray.write(tsa.folder)
    request = openssl("req", "-new", "-key", key, "-subj", "/CN=Old")  # which `x509 -req` makes of version 1
    old = openssl("x509", "-req", "-signkey", key, "-outform", "DER", data=request)
    revocations = encode(0xA1, tsa.root.revoking(tsa.signer))
    unsigned = encode(0xA1, encode(SEQUENCE, encode(0x06, b"\x2a\x03"), encode(SET, encode(0x04, b"unsigned"))))
    return [
        (parts.rebuilt(certificates=parts.certificates + certificate), certificate),
        (parts.rebuilt(certificates=parts.certificates + old), old),
        (parts.rebuilt(revocations=revocations), revocations),
        (parts.rebuilt(signer=parts.signer + unsigned), unsigned),
    ]


@given(st.data())
def test_what_nobody_signs_changes_nothing(
    tsa: LocalTsa, token: bytes, laden: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    """CRLs, unsigned attributes and certificates off the path are ignored, and so is a bit that is flipped there."""
    stamp = verify(token, MESSAGE, tsa.roots)
    whole, thing = data.draw(st.sampled_from(laden))
    assert replace(verify(whole, MESSAGE, tsa.roots), token=token) == stamp
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        found = verify(bytes(changed), MESSAGE, tsa.roots)
    except TimeStampError:
        return
    assert replace(found, token=token) == stamp
    start = whole.index(thing)
    assert start <= bit // 8 < start + len(thing)


def test_a_stamp_is_of_one_message(tsa: LocalTsa, token: bytes) -> None:
    with pytest.raises(TimeStampError, match="made for something else"):
        verify(token, MESSAGE + b"\n", tsa.roots)


def test_a_stamp_answers_one_request(tsa: LocalTsa, token: bytes) -> None:
    with pytest.raises(TimeStampError, match="nonce"):
        verify(token, MESSAGE, tsa.roots, nonce=1)
    without = tsa.token(MESSAGE, "-sha256", "-cert", "-no_nonce")
    assert verify(without, MESSAGE, tsa.roots).nonce is None
    with pytest.raises(TimeStampError, match="nonce"):
        verify(without, MESSAGE, tsa.roots, nonce=0)


@pytest.mark.parametrize(
    ("valid", "why"),
    [((NOW - 9 * DAY, NOW - DAY), "expired"), ((NOW + DAY, NOW + 9 * DAY), "not yet valid")],
)
def test_the_certificate_has_to_be_valid_when_it_stamps(tsa: LocalTsa, valid: tuple, why: str) -> None:
    late = replace(tsa, signer=Certified.make("Late TSA", tsa.root, usage=TIME_STAMPING, valid=valid))
    with pytest.raises(TimeStampError, match=why):
        verify(late.token(MESSAGE), MESSAGE, tsa.roots)


def test_a_stamp_outlives_its_certificate(tsa: LocalTsa, token: bytes) -> None:
    """The authority's certificates expired long ago; what it stamped while they were valid holds."""
    then = (NOW - 3000 * DAY, NOW - 2000 * DAY)
    root = Certified.make("Old Root", authority=True, valid=then)
    signer = Certified.make("Old TSA", root, usage=TIME_STAMPING, valid=then)
    written = (NOW - 2500 * DAY).strftime("%Y%m%d%H%M%SZ")
    old = tsa.resigned(token, signer, message=dated(tsa, token, written))
    stamp = verify(old, MESSAGE, root.roots)
    assert stamp.gen_time == (NOW - 2500 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    late = tsa.resigned(token, signer, message=dated(tsa, token, NOW.strftime("%Y%m%d%H%M%SZ")))
    with pytest.raises(TimeStampError, match="expired"):
        verify(late, MESSAGE, root.roots)


OTHER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
BOTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING])


@pytest.mark.parametrize(("usage", "critical"), [(None, True), (OTHER, True), (BOTH, True), (TIME_STAMPING, False)])
def test_the_certificate_has_to_be_for_time_stamps_alone(
    tsa: LocalTsa, token: bytes, usage: x509.ExtendedKeyUsage | None, *, critical: bool
) -> None:
    """RFC 3161, section 2.3."""
    wrong = Certified.make("Other Purpose", tsa.root, usage=usage, critical=critical)
    with pytest.raises(TimeStampError, match="purpose"):
        verify(tsa.resigned(token, wrong), MESSAGE, tsa.roots)
    right = Certified.make("Right Purpose", tsa.root, usage=TIME_STAMPING)
    assert verify(tsa.resigned(token, right), MESSAGE, tsa.roots).authority == "CN=Right Purpose"


def test_only_the_given_roots_are_trusted(tsa: LocalTsa, token: bytes, tmp_path: Path) -> None:
    stranger = LocalTsa.make(tmp_path / "tsa")  # who uses the same names
    for strange in (stranger.token(MESSAGE), replace(stranger, chain=(stranger.root,)).token(MESSAGE)):
        with pytest.raises(TimeStampError, match="does not hold"):
            verify(strange, MESSAGE, tsa.roots)
        assert verify(strange, MESSAGE, stranger.roots)
    both = TsaRoots.parse(stranger.root.pem + tsa.root.pem + tsa.root.pem)
    assert verify(token, MESSAGE, both)


def test_who_certifies_himself_is_no_authority(tsa: LocalTsa, token: bytes) -> None:
    alone = Certified.make("Local TSA", usage=TIME_STAMPING)
    with pytest.raises(TimeStampError, match="does not hold"):
        verify(tsa.resigned(token, alone), MESSAGE, tsa.roots)


def test_who_may_stamp_may_not_certify(tsa: LocalTsa, token: bytes) -> None:
    under = Certified.make("Under the TSA", tsa.signer, usage=TIME_STAMPING)
    certificate, _ = tsa.signer.write(tsa.folder)
    made = tsa.resigned(token, under, "-cades", "-md", "sha256", "-certfile", certificate)
    with pytest.raises(TimeStampError, match="does not hold"):
        verify(made, MESSAGE, tsa.roots)


@pytest.mark.parametrize("order", [1, -1])
def test_the_path_may_come_with_the_token_in_any_order(tsa: LocalTsa, order: int) -> None:
    """`rfc3161-client` reads certificates in the order of DER alone, which authorities do not keep."""
    between = Certified.make("Between", tsa.root, authority=True)
    signer = Certified.make("Far TSA", between, usage=TIME_STAMPING)
    far = replace(tsa, signer=signer, chain=(between, tsa.root)[::order])
    token = far.token(MESSAGE)
    assert verify(token, MESSAGE, tsa.roots).authority == "CN=Far TSA"
    assert verify(token, MESSAGE, tsa.roots).token == token
    with pytest.raises(TimeStampError, match="does not hold"):  # what only came along is not trusted
        verify(token, MESSAGE, Certified.make("Local Root", authority=True).roots)


def test_the_path_may_lie_with_the_roots(tsa: LocalTsa) -> None:
    between = Certified.make("Between", tsa.root, authority=True)
    token = replace(tsa, signer=Certified.make("Far TSA", between, usage=TIME_STAMPING)).token(MESSAGE)
    with pytest.raises(TimeStampError, match="issuer certificate"):
        verify(token, MESSAGE, tsa.roots)
    roots = TsaRoots.parse(between.pem + tsa.root.pem)
    assert (len(roots.roots), len(roots.intermediates)) == (1, 1)
    assert verify(token, MESSAGE, roots)
    with pytest.raises(TimeStampError, match="issuer certificate"):  # without its root it is trusted for nothing
        verify(token, MESSAGE, replace(roots, roots=Certified.make("Other", authority=True).roots.roots))


def test_the_signer_is_named_by_digest(tsa: LocalTsa, token: bytes) -> None:
    """RFC 5816: another certificate with the signer's name, number and key is not taken for the signer's."""
    renewed = x509.CertificateBuilder(
        issuer_name=tsa.signer.certificate.issuer,
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody")]),
        public_key=tsa.signer.key.public_key(),
        serial_number=tsa.signer.certificate.serial_number,
        not_valid_before=tsa.signer.certificate.not_valid_before_utc,
        not_valid_after=tsa.signer.certificate.not_valid_after_utc,
        extensions=list(tsa.signer.certificate.extensions),
    ).sign(tsa.root.key, SHA256())
    swapped = Parts(token).rebuilt(certificates=renewed.public_bytes(Encoding.DER))
    response = decode_timestamp_response(encode(SEQUENCE, bytes.fromhex("3003020100"), swapped))
    assert VerifierBuilder(roots=[tsa.root.certificate]).build().verify_message(response, MESSAGE)
    with pytest.raises(TimeStampError, match="not signed with the certificate"):
        verify(swapped, MESSAGE, tsa.roots)


def test_older_authorities_name_the_signer_by_sha1(tsa: LocalTsa) -> None:
    assert verify(replace(tsa, ess="sha1").token(MESSAGE), MESSAGE, tsa.roots)
    assert verify(replace(tsa, ess="sha512", digest="sha512").token(MESSAGE), MESSAGE, tsa.roots)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("-md", "sha256"), "RFC 3161"),  # no signing certificate is named
        (("-md", "sha256", "-noattr"), "RFC 3161"),
        (("-md", "sha1", "-cades"), "unknown or too weak"),
        (("-md", "sha256", "-cades", "-nocerts"), "RFC 3161"),
        (("-md", "sha256", "-cades", "-keyid"), "RFC 3161|otherwise than by issuer"),
    ],
)
def test_a_token_has_the_form_of_the_rfc(tsa: LocalTsa, token: bytes, options: tuple[str, ...], why: str) -> None:
    with pytest.raises(TimeStampError, match=why):
        verify(tsa.resigned(token, tsa.signer, *options), MESSAGE, tsa.roots)


@pytest.mark.parametrize(
    "named",
    [
        b"",
        encode(SEQUENCE),
        encode(SEQUENCE, encode(SEQUENCE)),
        encode(SEQUENCE, encode(SEQUENCE, encode(SEQUENCE))),
        encode(SEQUENCE, encode(SEQUENCE, encode(SEQUENCE, encode(SEQUENCE)))),
        encode(SEQUENCE, encode(SEQUENCE, encode(SEQUENCE, encode(0x04)))),
        encode(0x04, bytes(32)),
    ],
)
def test_the_signer_has_to_be_named(token: bytes, named: bytes) -> None:
    parts = Parts(token)
    *front, attributes, algorithm, signature = elements(parts.signer)
    *others, last = elements(attributes.content)
    kind, _ = elements(last.content)
    changed = encode(0xA0, *(each.whole for each in others), encode(SEQUENCE, kind.whole, encode(SET, named)))
    signer = b"".join(each.whole for each in front) + changed + algorithm.whole + signature.whole
    with pytest.raises(TimeStampError, match=r"RFC 3161|with the certificate it comes with"):
        TimeStamp.parse(parts.rebuilt(signer=signer))


@pytest.mark.parametrize("certificate", [encode(SEQUENCE), encode(SEQUENCE, encode(SEQUENCE)), encode(0xA1)])
def test_certificates_are_certificates(token: bytes, certificate: bytes) -> None:
    parts = Parts(token)
    with pytest.raises(TimeStampError):
        TimeStamp.parse(parts.rebuilt(certificates=parts.certificates + certificate))


def test_a_token_has_one_signer(tsa: LocalTsa, token: bytes) -> None:
    certificate, key = Certified.make("Second", tsa.root, usage=TIME_STAMPING).write(tsa.folder)
    twice = tsa.resigned(token, tsa.signer, "-cades", "-md", "sha256", "-signer", certificate, "-inkey", key)
    with pytest.raises(TimeStampError, match="RFC 3161"):
        verify(twice, MESSAGE, tsa.roots)


def test_a_request_has_to_ask_for_the_certificate(tsa: LocalTsa) -> None:
    with pytest.raises(TimeStampError, match="RFC 3161"):
        TimeStamp.parse(tsa.token(MESSAGE, "-sha256"))


def test_other_digests_are_not_taken(tsa: LocalTsa) -> None:
    with pytest.raises(TimeStampError, match="SHA-256"):
        TimeStamp.parse(tsa.token(MESSAGE, "-sha512", "-cert"))


def test_another_content_is_no_time_stamp(tsa: LocalTsa, token: bytes) -> None:
    for content in (b"", b"hello", tsa.content(token)[:-1], encode(SEQUENCE)):
        with pytest.raises(TimeStampError):
            TimeStamp.parse(tsa.resigned(token, tsa.signer, message=content))
    data = openssl("cms", "-sign", "-binary", "-nodetach", "-outform", "DER", *signed_by(tsa), data=tsa.content(token))
    with pytest.raises(TimeStampError):
        TimeStamp.parse(data)


def signed_by(tsa: LocalTsa) -> tuple[object, ...]:
    certificate, key = tsa.signer.write(tsa.folder)
    return ("-signer", certificate, "-inkey", key, "-cades", "-md", "sha256")


def test_fractions_of_a_second_are_dropped(tsa: LocalTsa) -> None:
    token = replace(tsa, precision=6).token(MESSAGE)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", verify(token, MESSAGE, tsa.roots).gen_time)


def test_a_name_is_printable(tsa: LocalTsa) -> None:
    loud = replace(tsa, signer=Certified.make("\x1b[2JTSA\u202e", tsa.root, usage=TIME_STAMPING))
    assert verify(loud.token(MESSAGE), MESSAGE, tsa.roots).authority == "CN=\ufffd[2JTSA\ufffd"


@given(st.data())
def test_what_is_cut_off_is_refused(token: bytes, data: st.DataObject) -> None:
    with pytest.raises(TimeStampError):
        TimeStamp.parse(token[: data.draw(st.integers(0, len(token) - 1))])
    with pytest.raises(TimeStampError):
        TimeStamp.parse(token + data.draw(st.binary(min_size=1, max_size=8)))


@given(st.binary(max_size=200))
def test_anything_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(TimeStampError):
        TimeStamp.parse(data)


@given(st.data())
def test_any_change_is_read_or_refused(token: bytes, data: st.DataObject) -> None:
    """Nothing but our own error comes out of the parsers below, whatever is put into a token."""
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, min(start + 40, len(token))))
    changed = token[:start] + data.draw(st.binary(max_size=40)) + token[end:]
    with suppress(TimeStampError):
        assert TimeStamp.parse(changed).token == changed


@pytest.mark.parametrize(
    "data",
    [
        b"-----BEGIN PKCS7-----\n",
        b"\x30\x80" * 5000,
        encode(SEQUENCE, b"\x30\x00" * 30000),
        bytes(MAX_TOKEN_BYTES + 1),
        bytes.fromhex("30053003020100"),
    ],
)
def test_what_is_no_token_is_refused(data: bytes) -> None:
    with pytest.raises(TimeStampError):
        TimeStamp.parse(data)


def test_what_is_too_long_is_not_even_looked_at(token: bytes) -> None:
    with pytest.raises(TimeStampError, match="longer than the 65536"):
        TimeStamp.parse(token + bytes(MAX_TOKEN_BYTES))


def test_roots_are_certificates(tsa: LocalTsa) -> None:
    for pem in (b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(TimeStampError, match="not certificates in PEM"):
            TsaRoots.parse(pem)
    with pytest.raises(TimeStampError, match="others issued"):
        TsaRoots.parse(tsa.signer.pem)
    with pytest.raises(TimeStampError, match="longer than"):
        TsaRoots.parse(tsa.root.pem + b"\n" * MAX_ROOTS_BYTES)


def test_what_is_stamped_is_what_the_log_signed(signer: NoteSigner) -> None:
    checkpoint = sign_checkpoint(Checkpoint(signer.name, 3, bytes(32)), signer)
    assert stamped_bytes(checkpoint) == checkpoint
    note = Note.parse(checkpoint)
    seen = Signature("witness.example/one", 1, bytes(72))
    older = Signature(signer.name, 2, bytes(64))
    for signatures in ((*note.signatures, seen), (seen, *note.signatures), (seen, *note.signatures, seen)):
        assert stamped_bytes(Note(note.text, signatures).format()) == checkpoint
    both = Note(note.text, (*note.signatures, older))
    assert stamped_bytes(Note(note.text, (note.signatures[0], seen, older)).format()) == both.format()
    with pytest.raises(TimeStampError, match="no signature by that name"):
        stamped_bytes(Note(note.text, (seen,)).format())
    with pytest.raises(NoteError):
        stamped_bytes(note.text.encode())
