"""The test credential, and every way in which a user's own can be wrong."""

from __future__ import annotations

import os
import re
import stat
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provenance.credential import (
    CLAIM_SIGNING,
    TEST_ORGANISATION,
    create_test_credential,
    load_credential,
    trust_anchor,
)
from provenance.errors import CredentialError
from provenance.manifest import embed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provenance.conftest import Studio

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

MAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
NOW = datetime.now(UTC)
AUTHORITY_KEY = ec.generate_private_key(ec.SECP256R1())
SIGNER_KEY = ec.generate_private_key(ec.SECP256R1())


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certificate(
    subject: str = "A label",
    issuer: str = "An authority",
    key: Key = SIGNER_KEY,
    issuer_key: Key = AUTHORITY_KEY,
    *,
    purposes: tuple[x509.ObjectIdentifier, ...] | None = (MAIL, CLAIM_SIGNING),
    begins: datetime = NOW - timedelta(days=1),
    ends: datetime = NOW + timedelta(days=1),
    authority: bool = False,
    signs: bool = True,
    names_issuer: bool = True,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage(signs=signs, authority=authority), critical=True)
    )
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if names_issuer:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(issuer_key, None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def usage(*, signs: bool, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=authority,
        crl_sign=False,
        content_commitment=not signs,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


ROOT = certificate("An authority", "An authority", AUTHORITY_KEY, authority=True, purposes=None)


def write(folder: Path, *chain: x509.Certificate, key: object = SIGNER_KEY) -> tuple[Path, Path]:
    chain_path, key_path = folder / "own.pem", folder / "own.key"
    chain_path.write_bytes(b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain))
    key_path.touch(mode=0o600)
    key_path.write_bytes(pem(key))
    return chain_path, key_path


def pem(key: object, encryption: serialization.KeySerializationEncryption | None = None) -> bytes:
    assert hasattr(key, "private_bytes")
    data = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )
    assert isinstance(data, bytes)
    return data


def test_it_is_made_once_and_then_kept(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "c2pa"
    first = create_test_credential(folder)
    assert first == create_test_credential(folder)
    assert first.is_test
    assert first.algorithm == "es256"
    assert [path.name for path in tmp_path.glob("home/*")] == ["c2pa"], "no draft is left behind"


def test_its_certificates_say_what_they_are_and_nothing_about_the_machine(tmp_path: Path) -> None:
    credential = create_test_credential(tmp_path / "c2pa")
    (signer,) = x509.load_pem_x509_certificates(credential.certificate_chain)
    (anchor,) = x509.load_pem_x509_certificates(trust_anchor(tmp_path / "c2pa"))
    kinds = {NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME}
    for each in (signer, anchor):
        (organisation,) = each.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        assert organisation.value == TEST_ORGANISATION
        assert {attribute.oid for attribute in each.subject} == kinds
        with pytest.raises(x509.ExtensionNotFound):
            each.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert signer.subject.rfc4514_string().startswith("CN=Liner Notes TEST signer,")
    assert re.match(r"CN=Liner Notes TEST authority [0-9a-f]{12},", anchor.subject.rfc4514_string())
    signer.verify_directly_issued_by(anchor)


def test_its_private_key_is_the_owners_alone_and_not_shown(tmp_path: Path) -> None:
    credential = create_test_credential(tmp_path / "c2pa")
    assert stat.S_IMODE((tmp_path / "c2pa" / "key.pem").stat().st_mode) == 0o600
    assert credential.private_key.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert "PRIVATE" not in repr(credential)


def test_the_authoritys_key_is_thrown_away(tmp_path: Path) -> None:
    create_test_credential(tmp_path / "c2pa")
    anchor = x509.load_pem_x509_certificate(trust_anchor(tmp_path / "c2pa"))
    keys = [path for path in (tmp_path / "c2pa").iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    (path,) = keys
    kept = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert kept.public_key() != anchor.public_key()


def test_two_homes_have_two_authorities(tmp_path: Path) -> None:
    anchors = []
    for home in ("one", "two"):
        create_test_credential(tmp_path / home)
        anchors.append(x509.load_pem_x509_certificate(trust_anchor(tmp_path / home)))
    assert anchors[0].subject != anchors[1].subject


def test_all_who_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    start = threading.Barrier(6)
    made = []

    def make() -> None:
        start.wait()
        made.append(create_test_credential(tmp_path / "c2pa"))

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    assert len({each.certificate_chain for each in made}) == 1
    assert os.listdir(tmp_path) == ["c2pa"]  # noqa: PTH208 - hidden files count


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CredentialError, match=r"file.*cannot be"):
        create_test_credential(tmp_path / "file" / "c2pa")


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "c2pa").write_text("")
    with pytest.raises(CredentialError, match="c2pa, cannot be read"):
        create_test_credential(tmp_path / "c2pa")


def test_half_a_credential_is_not_replaced(tmp_path: Path) -> None:
    create_test_credential(tmp_path / "c2pa")
    (tmp_path / "c2pa" / "chain.pem").unlink()
    with pytest.raises(CredentialError, match=r"chain\.pem cannot be read"):
        create_test_credential(tmp_path / "c2pa")


def test_there_is_no_anchor_where_there_is_no_credential(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match=r"anchor\.pem cannot be read"):
        trust_anchor(tmp_path)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (SIGNER_KEY, "es256"),
        (ec.generate_private_key(ec.SECP384R1()), "es384"),
        (ec.generate_private_key(ec.SECP521R1()), "es512"),
        (ed25519.Ed25519PrivateKey.generate(), "ed25519"),
        (rsa.generate_private_key(65537, 2048), "ps256"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_algorithm_follows_from_the_key_and_both_engines_know_it(
    studio: Studio, tmp_path: Path, key: Key, algorithm: str
) -> None:
    credential = load_credential(*write(tmp_path, certificate(key=key), key=key))
    assert credential.algorithm == algorithm
    assert not credential.is_test
    embed(studio.audio("mp3"), tmp_path / "a.mp3", studio.new, credential)
    anchor = ROOT.public_bytes(serialization.Encoding.PEM)
    report = studio.report(tmp_path / "a.mp3", anchor)
    assert (report.intact, report.trusted, report.signer.algorithm) == (True, True, algorithm)
    opinion = studio.second_opinion((tmp_path / "a.mp3").read_bytes(), "mp3", anchor)
    assert (opinion["integrity"], opinion["trust"]["status"]) == ("valid", "valid_for_supplied_material")


def test_a_root_at_the_end_is_left_out_of_the_chain(tmp_path: Path) -> None:
    middle_key = ec.generate_private_key(ec.SECP256R1())
    middle = certificate("In the middle", "An authority", middle_key, authority=True, purposes=None)
    signer = certificate("A label", "In the middle", issuer_key=middle_key)
    credential = load_credential(*write(tmp_path, signer, middle, ROOT))
    assert x509.load_pem_x509_certificates(credential.certificate_chain) == [signer, middle]


def refusal(folder: Path, *chain: x509.Certificate, key: object = SIGNER_KEY) -> str:
    with pytest.raises(CredentialError) as caught:
        load_credential(*write(folder, *chain, key=key))
    assert "\n" not in str(caught.value), "one paragraph"
    return str(caught.value)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    assert "does not belong" in refusal(tmp_path, certificate(), key=ec.generate_private_key(ec.SECP256R1()))


def test_a_self_signed_certificate_is_refused(tmp_path: Path) -> None:
    alone = certificate("Me", "Me", issuer_key=SIGNER_KEY)
    assert "self-signed" in refusal(tmp_path, alone)


def test_a_chain_out_of_order_is_refused(tmp_path: Path) -> None:
    stranger = certificate("A stranger", "A stranger", ec.generate_private_key(ec.SECP256R1()), authority=True)
    assert "not a chain" in refusal(tmp_path, certificate(), stranger)


@pytest.mark.parametrize(
    ("begins", "ends", "advice"),
    [(NOW - timedelta(9), NOW - timedelta(1), "Renew it"), (NOW + timedelta(1), NOW + timedelta(9), "Check the clock")],
)
def test_a_certificate_out_of_its_time_is_refused(
    tmp_path: Path, begins: datetime, ends: datetime, advice: str
) -> None:
    message = refusal(tmp_path, certificate(begins=begins, ends=ends))
    assert f"{ends:%Y-%m-%d}" in message
    assert advice in message


@pytest.mark.parametrize(
    ("options", "lack"),
    [
        ({"purposes": (CLAIM_SIGNING,)}, "emailProtection"),
        ({"purposes": None}, "emailProtection"),
        ({"purposes": (MAIL, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)}, "any extended key usage"),
        ({"signs": False}, "digitalSignature"),
        ({"authority": True}, "authority's certificate"),
        ({"names_issuer": False}, "authority key identifier"),
    ],
)
def test_a_certificate_for_something_else_is_refused(tmp_path: Path, options: dict[str, object], lack: str) -> None:
    assert lack in refusal(tmp_path, certificate(**options))  # type: ignore[arg-type] # one option each


def test_a_curve_that_c2pa_does_not_know_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    assert "secp256k1" in refusal(tmp_path, certificate(key=key), key=key)


def test_a_short_rsa_key_is_refused(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what is refused
    assert "1024 bits" in refusal(tmp_path, certificate(key=key), key=key)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert "of a kind" in refusal(tmp_path, certificate(), key=ed448.Ed448PrivateKey.generate())


def test_an_encrypted_key_is_refused(tmp_path: Path) -> None:
    chain_path, key_path = write(tmp_path, certificate())
    key_path.write_bytes(pem(SIGNER_KEY, serialization.BestAvailableEncryption(b"secret")))
    with pytest.raises(CredentialError, match="is encrypted"):
        load_credential(chain_path, key_path)


@pytest.mark.parametrize(
    "content", [b"", b"not PEM", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    chain_path, key_path = write(tmp_path, certificate())
    key_path.write_bytes(content)
    with pytest.raises(CredentialError, match="does not hold a private key"):
        load_credential(chain_path, key_path)


@pytest.mark.parametrize(
    "content", [b"", b"not PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path, content: bytes) -> None:
    chain_path, key_path = write(tmp_path, certificate())
    chain_path.write_bytes(content)
    with pytest.raises(CredentialError, match="does not hold certificates"):
        load_credential(chain_path, key_path)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    chain_path, key_path = write(tmp_path, certificate())
    key_path.chmod(0o640)
    with pytest.raises(CredentialError, match=r"0640.*chmod 600"):
        load_credential(chain_path, key_path)


def test_a_key_behind_a_link_is_refused(tmp_path: Path) -> None:
    chain_path, key_path = write(tmp_path, certificate())
    (tmp_path / "link").symlink_to(key_path)
    with pytest.raises(CredentialError, match="symbolic link"):
        load_credential(chain_path, tmp_path / "link")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    chain_path, key_path = write(tmp_path, certificate())
    with pytest.raises(CredentialError, match="nowhere cannot be read: No such file"):
        load_credential(tmp_path / "nowhere", key_path)
    with pytest.raises(CredentialError, match="not a plain file"):
        load_credential(tmp_path, key_path)
    with pytest.raises(CredentialError, match="not a plain file"):
        load_credential(chain_path, tmp_path)


def test_a_huge_file_and_a_long_chain_are_refused(tmp_path: Path) -> None:
    chain_path, key_path = write(tmp_path, *[certificate()] * 9)
    with pytest.raises(CredentialError, match="9 certificates"):
        load_credential(chain_path, key_path)
    chain_path.write_bytes(bytes(100_000))
    with pytest.raises(CredentialError, match="more than 65536 bytes"):
        load_credential(chain_path, key_path)


def test_the_test_credential_is_known_as_one_wherever_it_lies(tmp_path: Path) -> None:
    create_test_credential(tmp_path / "c2pa")
    assert load_credential(tmp_path / "c2pa" / "chain.pem", tmp_path / "c2pa" / "key.pem").is_test
