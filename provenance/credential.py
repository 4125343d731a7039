"""Who signs manifests: a certificate chain and its private key.

Without one of their own, users sign with a test credential that this module makes on first use. Its
authority's private key is thrown away as soon as it has issued the one certificate: nothing else can ever
chain to that anchor, so a person who accepts it for a trial accepts one key of one home. When the
certificate runs out, a new credential with a new anchor is made by hand.

Sources: C2PA 2.4 (14.5 X.509 certificates), RFC 5280. Certificates carry no name of a machine or a person.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from ledger.durability import sync_folder, write_new
from provenance.errors import CredentialError

if TYPE_CHECKING:
    from collections.abc import Sequence

Algorithm = Literal["es256", "es384", "es512", "ps256", "ed25519"]
"""Names of COSE signature algorithms as C2PA engines spell them."""

TEST_ORGANISATION: Final = "Liner Notes TEST credential - not trusted by anyone"
"""Organisation on both certificates of a test credential; readers see it as the issuer."""

TEST_LIFETIME: Final = timedelta(days=3650)
"""Files without a time stamp stop being valid when their certificate runs out, so it lasts long."""

CLAIM_SIGNING: Final = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
"""Extended key usage ``c2pa-kp-claimSigning``; engines also want ``emailProtection`` beside it."""

_CHAIN_FILE: Final = "chain.pem"
_KEY_FILE: Final = "key.pem"
_ANCHOR_FILE: Final = "anchor.pem"
_MAX_FILE_BYTES: Final = 65_536
_MAX_CHAIN: Final = 8
_MIN_RSA_BITS: Final = 2048
_CURVES: Final[dict[str, Algorithm]] = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}

Extension = TypeVar("Extension", bound=x509.ExtensionType)
_PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Credential:
    """What signs a manifest.

    Attributes:
        certificate_chain: PEM certificates, the signer's first, the root left out.
        private_key: The signer's key, PKCS#8 in PEM, unencrypted; never shown in ``repr``.
        algorithm: The signature algorithm the key is for.
        is_test: Whether this is a test credential, which nobody trusts.
    """

    certificate_chain: bytes
    private_key: bytes = field(repr=False)
    algorithm: Algorithm
    is_test: bool

    @property
    def certificate(self) -> bytes:
        """The signer's own certificate in DER."""
        signer = x509.load_pem_x509_certificates(self.certificate_chain)[0]
        return signer.public_bytes(serialization.Encoding.DER)


def create_test_credential(directory: Path) -> Credential:
    """Return the test credential kept in a directory, making it on first use.

    The directory appears at once with all its files, so of two processes that make it at the same
    time one wins, and both use the winner's.

    Args:
        directory: Where the credential lies or is to lie; its parent is made if need be.

    Raises:
        CredentialError: It cannot be written or read, or what lies there cannot sign (any more).
    """
    if not _is_filled(directory):
        try:
            _issue(directory)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:  # another process was faster
                raise CredentialError(
                    f"The test credential cannot be written to {directory}: {error.strerror}. Check that the disk has "
                    "room and that the folder is writable."
                ) from error
    return load_credential(directory / _CHAIN_FILE, directory / _KEY_FILE)


def trust_anchor(directory: Path) -> bytes:
    """Return the anchor of the test credential in a directory, one PEM certificate.

    Raises:
        CredentialError: There is none, or it is not a certificate.
    """
    path = directory / _ANCHOR_FILE
    data = _read(path)
    _certificates(data, path)
    return data


def load_credential(chain_path: Path, key_path: Path) -> Credential:
    """Read a certificate chain and its private key, and check that C2PA engines will take them.

    Args:
        chain_path: PEM certificates, the signer's first, each issued by the next. A root at the end
            is allowed and is left out of manifests.
        key_path: The signer's private key in PEM, unencrypted, readable by its owner only.

    Raises:
        CredentialError: Something about them is wrong; the message says what and what to do.
    """
    chain = _certificates(_read(chain_path), chain_path)
    key = _private_key(_read(key_path, private=True), key_path)
    signer = chain[0]
    if key.public_key() != signer.public_key():
        raise CredentialError(
            f"The private key {key_path} does not belong to the first certificate of {chain_path}. Give the key the "
            "certificate was issued for, and put the signer's certificate first in the chain."
        )
    _check_chain(chain, chain_path)
    _check_profile(signer, chain_path)
    embedded = [certificate for certificate in chain if certificate.subject != certificate.issuer]
    return Credential(
        certificate_chain=_pem(embedded),
        private_key=_key_pem(key),
        algorithm=_algorithm(key, key_path),
        is_test=_is_test(signer),
    )


def _check_chain(chain: Sequence[x509.Certificate], path: Path) -> None:
    if chain[0].subject == chain[0].issuer:
        raise CredentialError(
            f"The certificate {path} is self-signed, and C2PA refuses those. Get one issued by an authority, or leave "
            "the setting out to use the test credential."
        )
    for certificate, issuer in pairwise(chain):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise CredentialError(
                f"The certificates of {path} are not a chain: {_name(certificate)} was not issued by "
                f"{_name(issuer)}, which follows it. Put the signer's certificate first and each issuer after it."
            ) from error
    now = datetime.now(UTC)
    for certificate in chain:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begins <= now <= ends:
            raise CredentialError(
                f"The certificate of {_name(certificate)} in {path} is valid from {begins:%Y-%m-%d} to "
                f"{ends:%Y-%m-%d}, and today is {now:%Y-%m-%d}. "
                + ("Renew it; for the test credential, move its folder away." if ends < now else "Check the clock.")
            )


def _check_profile(signer: x509.Certificate, path: Path) -> None:
    """Check what C2PA 2.4, 14.5.1 and the engines ask of a claim signer's certificate."""
    try:
        extensions = signer.extensions
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CredentialError(f"The certificate of {_name(signer)} in {path} is malformed: {error}.") from error
    usage = _extension(extensions, x509.KeyUsage)
    purposes = _extension(extensions, x509.ExtendedKeyUsage)
    constraints = _extension(extensions, x509.BasicConstraints)
    wanted = ExtendedKeyUsageOID.EMAIL_PROTECTION
    fault = None
    if constraints is not None and constraints.ca:
        fault = "is an authority's certificate, not a signer's"
    elif usage is None or not usage.digital_signature or usage.key_cert_sign:
        fault = "lacks the key usage digitalSignature, or may sign certificates as well"
    elif purposes is None or wanted not in purposes:
        fault = f"lacks the extended key usage emailProtection ({wanted.dotted_string})"
    elif ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in purposes:
        fault = "allows any extended key usage, which C2PA refuses"
    elif _extension(extensions, x509.AuthorityKeyIdentifier) is None:
        fault = "lacks the authority key identifier"
    if fault is not None:
        raise CredentialError(
            f"The certificate of {_name(signer)} in {path} {fault}. Ask its authority for one that fits C2PA claim "
            "signing."
        )


def _algorithm(key: _PrivateKey, path: Path) -> Algorithm:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size >= _MIN_RSA_BITS:
            return "ps256"
        raise CredentialError(f"The RSA key {path} has {key.key_size} bits; C2PA asks for {_MIN_RSA_BITS} at least.")
    if (algorithm := _CURVES.get(key.curve.name)) is not None:
        return algorithm
    raise CredentialError(
        f"The key {path} is on the curve {key.curve.name}, which C2PA does not know. Use P-256, P-384, P-521 "
        "or Ed25519."
    )


def _issue(directory: Path) -> None:
    """Make a new authority and a certificate by it, and put them into place at once."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    signer_key = ec.generate_private_key(ec.SECP256R1())
    mark = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()).digest.hex()[:12]
    # The mark keeps the authorities of two homes apart for engines that find issuers by name.
    authority_name, signer_name = (
        _test_name(f"Liner Notes TEST authority {mark}"),
        _test_name("Liner Notes TEST signer"),
    )
    authority = (
        _builder(authority_name, authority_name, authority_key, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    signer = (
        _builder(signer_name, authority_name, signer_key, authority_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION, CLAIM_SIGNING]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    directory.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        write_new(draft / _KEY_FILE, _key_pem(signer_key), mode=0o600)
        write_new(draft / _CHAIN_FILE, _pem([signer]), mode=0o644)
        write_new(draft / _ANCHOR_FILE, _pem([authority]), mode=0o644)
        sync_folder(draft)
        draft.rename(directory)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sync_folder(directory.parent)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    begins = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + TEST_LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _test_name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, TEST_ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _is_test(certificate: x509.Certificate) -> bool:
    organisations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return any(organisation.value == TEST_ORGANISATION for organisation in organisations)


def _is_filled(directory: Path) -> bool:
    try:
        return any(directory.iterdir())
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CredentialError(
            f"The folder of the test credential, {directory}, cannot be read: {error.strerror}."
        ) from error


def _read(path: Path, *, private: bool = False) -> bytes:
    """Read a small plain file; a private one has to be its owner's alone and no link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if private else 0))
    except OSError as error:
        why = "it is a symbolic link" if private and path.is_symlink() else error.strerror
        raise CredentialError(f"{path} cannot be read: {why}. Give the path of a PEM file.") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise CredentialError(f"{path} is not a plain file. Give the path of a PEM file.")
        if private and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise CredentialError(
                f"The private key {path} can be used by others than its owner (mode "
                f"{stat.S_IMODE(status.st_mode):04o}). If nobody else uses this machine, `chmod 600 {path}` is enough; "
                "otherwise have a new certificate issued for a new key."
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > _MAX_FILE_BYTES:
        raise CredentialError(f"{path} has more than {_MAX_FILE_BYTES} bytes, too many for a certificate chain or key.")
    return data


def _certificates(data: bytes, path: Path) -> list[x509.Certificate]:
    try:
        chain = x509.load_pem_x509_certificates(data)
        for certificate in chain:
            _read_through(certificate)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise CredentialError(
            f"{path} does not hold certificates in PEM: {error}. Give a file of -----BEGIN CERTIFICATE----- blocks."
        ) from error
    if len(chain) > _MAX_CHAIN:
        raise CredentialError(f"{path} holds {len(chain)} certificates; a chain has {_MAX_CHAIN} at most.")
    return chain


def _read_through(certificate: x509.Certificate) -> None:
    """Find out now what is malformed in a certificate: the library reads its parts when they are asked for."""
    certificate.public_key()
    for read in ("subject", "issuer", "not_valid_before_utc", "not_valid_after_utc", "signature_algorithm_oid"):
        getattr(certificate, read)


def _private_key(data: bytes, path: Path) -> _PrivateKey:
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except TypeError as error:
        raise CredentialError(
            f"The private key {path} is encrypted, and there is nobody to ask for its password. Give it decrypted, "
            "readable by its owner only."
        ) from error
    except InternalError as error:  # of the wrong length for its kind: what it says is for itself
        raise CredentialError(f"{path} holds a private key that cannot be set up: it is damaged.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CredentialError(f"{path} does not hold a private key in PEM: {error}.") from error
    if not isinstance(key, _PrivateKey):
        raise CredentialError(
            f"{path} holds a key of a kind that C2PA does not sign with. Use an elliptic curve (P-256, P-384, P-521), "
            "Ed25519 or RSA key."
        )
    return key


def _extension(extensions: x509.Extensions, kind: type[Extension]) -> Extension | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "a certificate without a name"


def _pem(chain: Sequence[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in chain)


def _key_pem(key: _PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
