"""A private key under a passphrase: PKCS#8 EncryptedPrivateKeyInfo (RFC 5958 section 3).

The scheme is PBES2 (RFC 8018): PBKDF2 with HMAC-SHA-256, then AES-256 in CBC mode. It is written
here because `cryptography`, asked for a file of this form, stretches a passphrase with 2,048 rounds, which
is next to nothing (`docs/adr/0013-own-der-where-libraries-stop.md`); any tool that reads PKCS#8 reads the
result.
"""

import base64
import secrets
import textwrap

from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from ledger.der import INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, encode

ITERATIONS = 600_000
"""Rounds of PBKDF2 (OWASP Password Storage Cheat Sheet, 2023, for HMAC-SHA-256)."""

_NULL = b"\x05\x00"
_PBES2 = encode(OBJECT_IDENTIFIER, bytes.fromhex("2a864886f70d01050d"))  # 1.2.840.113549.1.5.13
_PBKDF2 = encode(OBJECT_IDENTIFIER, bytes.fromhex("2a864886f70d01050c"))  # 1.2.840.113549.1.5.12
_HMAC_SHA256 = encode(OBJECT_IDENTIFIER, bytes.fromhex("2a864886f70d0209"))  # 1.2.840.113549.2.9
_AES_256_CBC = encode(OBJECT_IDENTIFIER, bytes.fromhex("60864801650304012a"))  # 2.16.840.1.101.3.4.1.42
_SALT_BYTES = 16
_KEY_BYTES = 32
_BLOCK_BYTES = 16
_PEM_WIDTH = 64


def encrypted_pem(key: Ed25519PrivateKey, passphrase: bytes) -> bytes:
    """Returns a private key under a passphrase, as a PEM file (RFC 7468 section 11)."""
    salt, vector = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_BLOCK_BYTES)
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    stretched = PBKDF2HMAC(hashes.SHA256(), _KEY_BYTES, salt, ITERATIONS).derive(passphrase)
    document = encode(
        SEQUENCE,
        encode(SEQUENCE, _PBES2, encode(SEQUENCE, _derivation(salt), _cipher(vector))),
        encode(OCTET_STRING, _encrypted(plain, stretched, vector)),
    )
    lines = textwrap.wrap(base64.b64encode(document).decode("ascii"), _PEM_WIDTH)
    return "\n".join(
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, "-----END ENCRYPTED PRIVATE KEY-----\n")
    ).encode()


def _derivation(salt: bytes) -> bytes:
    rounds = ITERATIONS.to_bytes(ITERATIONS.bit_length() // 8 + 1, "big")
    parameters = encode(
        SEQUENCE, encode(OCTET_STRING, salt), encode(INTEGER, rounds), encode(SEQUENCE, _HMAC_SHA256, _NULL)
    )
    return encode(SEQUENCE, _PBKDF2, parameters)


def _cipher(vector: bytes) -> bytes:
    return encode(SEQUENCE, _AES_256_CBC, encode(OCTET_STRING, vector))


def _encrypted(plain: bytes, stretched: bytes, vector: bytes) -> bytes:
    pad = padding.PKCS7(_BLOCK_BYTES * 8).padder()
    cipher = Cipher(algorithms.AES(stretched), modes.CBC(vector)).encryptor()
    return cipher.update(pad.update(plain) + pad.finalize()) + cipher.finalize()
