"""Ed25519 keys: who may sign, and who can check.

Ed25519 itself (RFC 8032) accepts public keys that verify anything (small order) and two
encodings of one key; both are refused when a key is registered, so a signature means one key.

Where a private key lies is another matter: in a file (`ledger.key_file`), in an agent
(`ledger.key_agent`), or in any other thing that is a `Signer`.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from ledger.errors import KeyRejectedError, SignatureError, shown

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64

_PRIME = 2**255 - 19
_CURVE_D = -121665 * pow(121666, -1, _PRIME) % _PRIME
_SMALL_ORDER_Y = frozenset(
    {
        0,  # order 4
        1,  # order 1
        _PRIME - 1,  # order 2
        int("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826", 16),  # order 8
        int("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7", 16),  # order 8
    }
)


class Signer(Protocol):
    """Something that signs messages under one Ed25519 key, wherever its private half lies.

    This is the place for a key management service or a PKCS#11 token: a class with these three
    members can be the key of a log, a home, a witness or a party. What is asked of it:

    - Its signatures are plain Ed25519 over the message as it is (RFC 8032 section 5.1.6; in
      PKCS#11 `CKM_EDDSA` without parameters), never over a digest of it.
    - It checks what comes back with its `verifier` before it returns it: a wrong signature that
      leaves the house is a log that cannot be verified, or worse, a leaked key (fault attacks).
    - When the key cannot be reached in a bounded time it raises a `LedgerError` that says so.
    """

    @property
    def keyid(self) -> str:
        """Name of the key: `sha256:` and the hex SHA-256 of the raw public key."""
        ...

    @property
    def verifier(self) -> "Ed25519Verifier":
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Returns the 64-byte signature over a message."""
        ...


class Verifier(Protocol):
    """Something that checks signatures of one key."""

    @property
    def keyid(self) -> str:
        """Name of the key: `sha256:` and the hex SHA-256 of the raw public key."""
        ...

    def verify(self, message: bytes, signature: bytes) -> None:
        """Checks a signature over a message, and raises `SignatureError` when it is not one."""
        ...


@dataclass(frozen=True, slots=True)
class Ed25519Verifier:
    """An Ed25519 public key (RFC 8032), checked when it is made.

    Attributes:
        public_key: The 32 bytes of the key's canonical encoding.

    Raises:
        KeyRejectedError: The bytes are not a point of the curve, are not canonical, or the point
            has small order (with such a key, signatures prove nothing).
    """

    public_key: bytes
    keyid: str = field(init=False, repr=False, compare=False)
    _key: Ed25519PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_sound(self.public_key)
        digest = hashlib.sha256(self.public_key).hexdigest()
        object.__setattr__(self, "keyid", f"sha256:{digest}")
        object.__setattr__(self, "_key", Ed25519PublicKey.from_public_bytes(self.public_key))

    def __reduce__(self) -> tuple[type[Self], tuple[bytes]]:
        """Travels to another process as the bytes of the key."""
        return type(self), (self.public_key,)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Checks a signature.

        Args:
            message: What was signed.
            signature: 64 bytes.

        Raises:
            SignatureError: The signature is not by this key over this message.
        """
        try:
            self._key.verify(signature, message)
        except InvalidSignature as fault:
            raise SignatureError(
                f"A signature over {len(message)} bytes does not verify with the key "
                f"{self.keyid}: the message, the signature or the key was changed; get the "
                "original bytes again, and do not rely on these."
            ) from fault


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """An Ed25519 private key (RFC 8032).

    Attributes:
        private_key: The key; never shown in `repr`.
        verifier: The public half.
    """

    private_key: Ed25519PrivateKey = field(repr=False, compare=False)
    verifier: Ed25519Verifier = field(init=False)

    def __post_init__(self) -> None:
        public = self.private_key.public_key().public_bytes_raw()
        object.__setattr__(self, "verifier", Ed25519Verifier(public))

    @classmethod
    def generate(cls) -> Self:
        """Makes a new random key."""
        return cls(Ed25519PrivateKey.generate())

    @property
    def keyid(self) -> str:
        """Name of the key: `sha256:` and the hex SHA-256 of the raw public key."""
        return self.verifier.keyid

    def sign(self, message: bytes) -> bytes:
        """Returns the 64-byte signature over a message."""
        return self.private_key.sign(message)


def _require_sound(public_key: bytes) -> None:
    """Refuses what RFC 8032 decoding (section 5.1.3) refuses, and points of small order."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise KeyRejectedError(
            f"An Ed25519 public key is {PUBLIC_KEY_BYTES} bytes long, this one has "
            f"{len(public_key)}; ask its owner for the raw key."
        )
    encoded = int.from_bytes(public_key, "little")
    y = encoded & (2**255 - 1)
    if y >= _PRIME:
        raise _rejected(public_key, "is not in its canonical encoding")
    if y in _SMALL_ORDER_Y:
        raise _rejected(public_key, "has small order, so that its signatures prove nothing")
    # x² = (y² - 1) / (d y² + 1) has to be a square (Euler); u·v is one exactly when u/v is.
    candidate = (y * y - 1) * (_CURVE_D * y * y + 1) % _PRIME
    if pow(candidate, (_PRIME - 1) // 2, _PRIME) != 1:
        raise _rejected(public_key, "is not a point of the curve")


def _rejected(public_key: bytes, why: str) -> KeyRejectedError:
    return KeyRejectedError(
        f"The Ed25519 public key {shown(public_key.hex())} {why}; it is not accepted: its owner "
        "has to make a new key pair with an ordinary tool."
    )
