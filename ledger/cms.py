"""The CMS envelope of a time stamp (RFC 5652), as RFC 3161 section 2.4.2 and RFC 5816 want it.

What is checked here is what `rfc3161-client` does not look at: the parts that no signature covers, and
that the signature names the very certificate that made it. The signature itself is left to that library
(`docs/adr/0013-own-der-where-libraries-stop.md`).
"""

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from ledger.der import (
    CONTEXT_0,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    Element,
    elements,
    encode,
    parts,
)
from ledger.errors import TimeStampError

_SIGNED_DATA: Final = bytes.fromhex("2a864886f70d010702")
_TST_INFO: Final = bytes.fromhex("2a864886f70d0109100104")
_CONTENT_TYPE: Final = bytes.fromhex("2a864886f70d010903")
_SIGNING_CERTIFICATE: Final = bytes.fromhex("2a864886f70d010910020c")
_SIGNING_CERTIFICATE_V2: Final = bytes.fromhex("2a864886f70d010910022f")

_DIGESTS: Final = {
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
_SIGNATURES: Final = {
    bytes.fromhex("2a864886f70d010101"): "",  # rsaEncryption goes with any digest
    bytes.fromhex("2a864886f70d01010b"): "sha256",  # sha256WithRSAEncryption, and so on
    bytes.fromhex("2a864886f70d01010c"): "sha384",
    bytes.fromhex("2a864886f70d01010d"): "sha512",
    bytes.fromhex("2a8648ce3d040302"): "sha256",  # ecdsa-with-SHA256, and so on
    bytes.fromhex("2a8648ce3d040303"): "sha384",
    bytes.fromhex("2a8648ce3d040304"): "sha512",
}
_CERTIFICATES = 3
"""Where a SignedData holds its certificates, counted from 0."""


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token whose envelope has the form it must have; whether its signature holds is not known yet.

    Attributes:
        in_order: The token with its certificates in the order that DER gives a set. Some authorities do not keep
            it, nothing depends on it, and `rfc3161-client` reads no token without it.
        signer: The certificate of its signer, DER: the one that the signed attributes name by digest.
    """

    in_order: bytes
    signer: bytes

    @classmethod
    def parse(cls, token: bytes) -> Self:
        """Takes a token apart.

        Raises:
            TimeStampError: It is not DER, or its envelope is not that of a time stamp.
        """
        [content_info] = parts(token, SEQUENCE)
        content_type, explicit = parts(content_info.content, OBJECT_IDENTIFIER, CONTEXT_0)
        [signed_data] = parts(explicit.content, SEQUENCE)
        fields = parts(signed_data.content, INTEGER, SET, SEQUENCE, CONTEXT_0, more=True)
        version, digests, _, certificates = fields[: _CERTIFICATES + 1]
        [signer_info] = parts(fields[-1].content, SEQUENCE)
        _require(content_type.content == _SIGNED_DATA and version.content == b"\x03", "is no SignedData of version 3")
        digest, signer = _signer(signer_info, elements(certificates.content))
        _require(digests.content == digest.whole, "announces other digests than its signer used")
        whole = [part.whole for part in fields]
        whole[_CERTIFICATES] = encode(CONTEXT_0, *sorted(each.whole for each in elements(certificates.content)))
        return cls(encode(SEQUENCE, content_type.whole, encode(CONTEXT_0, encode(SEQUENCE, *whole))), signer)


def _signer(signer_info: Element, certificates: list[Element]) -> tuple[Element, bytes]:
    """Returns the digest algorithm and the certificate of a signer."""
    fields = parts(signer_info.content, INTEGER, SEQUENCE, SEQUENCE, CONTEXT_0, SEQUENCE, OCTET_STRING, more=True)
    version, name, digest, attributes, signature = fields[:5]
    used, fixed = _algorithm(digest, _DIGESTS), _algorithm(signature, _SIGNATURES)
    _require(fixed in {"", used}, f"is signed over {used} with an algorithm for {fixed}")
    _require(version.content == b"\x01", "names its signer otherwise than by issuer and serial number")
    found = [each.whole for each in certificates if _issuer_and_serial(each) == name.content]
    _require(len(found) == 1, f"holds {len(found)} certificates of its signer, where one has to be")
    signed = _attributes(attributes)
    _require(signed.get(_CONTENT_TYPE) == encode(OBJECT_IDENTIFIER, _TST_INFO), "is not signed as a time stamp")
    _require(_named_digest(signed) in _digests_of(found[0]), "was not signed with the certificate it comes with")
    return digest, found[0]


def _issuer_and_serial(certificate: Element) -> bytes:
    """Returns what names a certificate, in DER (RFC 5280, section 4.1)."""
    to_be_signed = parts(certificate.content, SEQUENCE, more=True)[0]
    fields = [each for each in elements(to_be_signed.content) if each.tag != CONTEXT_0]  # which is the version
    _require([each.tag for each in fields[:3]] == [INTEGER, SEQUENCE, SEQUENCE], "holds a certificate that is none")
    serial, _, issuer = fields[:3]
    return issuer.whole + serial.whole


def _attributes(attributes: Element) -> dict[bytes, bytes]:
    """Returns the one value of each signed attribute by its type."""
    pairs = [parts(each.content, OBJECT_IDENTIFIER, SET) for each in elements(attributes.content)]
    values = {kind.content: value.content for kind, value in pairs}
    _require(len(values) == len(pairs), "has a signed attribute twice")
    return values


def _named_digest(signed: dict[bytes, bytes]) -> tuple[str, bytes]:
    """Returns by which digest the signer's certificate is named (RFC 5816, and RFC 2634 before it)."""
    version = _SIGNING_CERTIFICATE_V2 if _SIGNING_CERTIFICATE_V2 in signed else _SIGNING_CERTIFICATE
    [attribute] = parts(signed.get(version, b""), SEQUENCE)
    [identifiers, *_] = parts(attribute.content, SEQUENCE, more=True)
    [first, *_] = parts(identifiers.content, SEQUENCE, more=True)
    if version == _SIGNING_CERTIFICATE_V2 and first.content.startswith(bytes([SEQUENCE])):
        algorithm, digest, *_ = parts(first.content, SEQUENCE, OCTET_STRING, more=True)
        return _algorithm(algorithm, _DIGESTS), digest.content
    [digest, *_] = parts(first.content, OCTET_STRING, more=True)
    return "sha256" if version == _SIGNING_CERTIFICATE_V2 else "sha1", digest.content


def _digests_of(certificate: bytes) -> set[tuple[str, bytes]]:
    sha1 = hashlib.sha1(certificate, usedforsecurity=False).digest()  # RFC 2634 knew no other; the chain is checked
    return {("sha1", sha1), *((name, hashlib.new(name, certificate).digest()) for name in _DIGESTS.values())}


def _algorithm(identifier: Element, known: dict[bytes, str]) -> str:
    """Returns the name of an algorithm; those that are known have no parameters, or NULL."""
    name, *parameters = parts(identifier.content, OBJECT_IDENTIFIER, more=True)
    _require(name.content in known, f"uses the algorithm {name.content.hex()}, which is unknown or too weak")
    _require([each.whole for each in parameters] in ([], [b"\x05\x00"]), "gives an algorithm parameters")
    return known[name.content]


def _require(holds: bool, why: str) -> None:  # noqa: FBT001 - it reads as a sentence
    if not holds:
        raise TimeStampError(
            f"The time stamp {why}; it is not accepted. Get the original one again, or one from another authority, "
            "with the authority's certificate in it."
        )
