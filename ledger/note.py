"""C2SP signed-note v1.0.0: text, an empty line, and signature lines.

    — <key name> base64(32-bit key ID ‖ signature)

A note is read in two steps that are kept apart: `Note.parse` says what somebody wrote, and only
`open_note` says that a key we know signed it.
"""

import enum
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Self

from ledger.encoding import MAX_NUMBER, decode_base64, encode_base64
from ledger.errors import KeyRejectedError, NoteError, SignatureError, shown
from ledger.keys import SIGNATURE_BYTES, Ed25519Verifier, Signer

MAX_NOTE_BYTES = 256 * 1024
MAX_SIGNATURES = 128

_KEY_ID_BYTES = 4
_TIMESTAMP_BYTES = 8
_VKEY_PARTS = 3
_DASH = "\N{EM DASH} "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_UNFIT = re.compile(r"[\s+]")


class SignatureType(enum.IntEnum):
    """The signature types of signed-note that are understood here."""

    ED25519 = 0x01
    """Ed25519 over the note text: what a log signs with."""
    COSIGNATURE = 0x04
    """Timestamped Ed25519 over a checkpoint (C2SP tlog-cosignature v1): what a witness adds."""


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A key that is known by name, as a vkey states it.

    Attributes:
        name: Key name: not empty, without spaces and plus signs.
        public_key: 32 bytes of Ed25519 public key.
        signature_type: How the key signs.
        key_id: First four bytes of SHA-256(name ‖ newline ‖ type ‖ public key), big-endian.

    Raises:
        NoteError: The name is not one.
        KeyRejectedError: The public key is unsound (see `ledger.keys.Ed25519Verifier`).
    """

    name: str
    public_key: bytes
    signature_type: SignatureType = SignatureType.ED25519
    key_id: int = field(init=False)
    _key: Ed25519Verifier = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_name(self.name)
        material = bytes([self.signature_type]) + self.public_key
        digest = hashlib.sha256(self.name.encode() + b"\n" + material).digest()
        object.__setattr__(self, "key_id", int.from_bytes(digest[:_KEY_ID_BYTES], "big"))
        object.__setattr__(self, "_key", Ed25519Verifier(self.public_key))

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Reads a vkey: `<name>+<hex key ID>+<base64(type ‖ public key)>`.

        Raises:
            NoteError: It is not a vkey, its key ID is not that of its name and key, or its
                signature type is not supported.
            KeyRejectedError: Its public key is unsound.
        """
        parts = vkey.split("+", _VKEY_PARTS - 1)  # base64 may hold plus signs itself
        if len(parts) != _VKEY_PARTS:
            raise NoteError(
                f"The verifier key {shown(vkey)} is not of the form name+hash+base64; copy the "
                "whole line from where the log or witness publishes it."
            )
        name, key_id, encoded = parts
        material = decode_base64(encoded, f"The key of the verifier key {shown(vkey)}", NoteError)
        try:
            signature_type = SignatureType(material[0] if material else 0)
        except ValueError as fault:
            raise NoteError(
                f"The verifier key {shown(vkey)} is for signature type "
                f"0x{material[:1].hex()}, which is not supported; supported are Ed25519 (0x01) "
                "and Ed25519 cosignatures (0x04)."
            ) from fault
        try:
            verifier = cls(name, material[1:], signature_type)
        except KeyRejectedError as fault:
            raise KeyRejectedError(f"In the verifier key {shown(vkey)}: {fault}") from fault
        if f"{verifier.key_id:08x}" != key_id:
            raise NoteError(
                f"The verifier key {shown(vkey)} states the key ID {shown(key_id)}, but its name "
                f"and key have the ID {verifier.key_id:08x}; copy the whole line again from where "
                "it is published."
            )
        return verifier

    @property
    def vkey(self) -> str:
        """The key as one line of text, to be published and to be written into policies."""
        material = bytes([self.signature_type]) + self.public_key
        return f"{self.name}+{self.key_id:08x}+{encode_base64(material)}"

    def verify(self, text: str, signature: bytes) -> None:
        """Checks the signature part of a signature line over a note text.

        Args:
            text: The note text, with its last newline.
            signature: What follows the key ID: 64 bytes of Ed25519, for a cosignature after
                8 bytes of POSIX time stamp.

        Raises:
            SignatureError: The signature is not by this key over this text.
        """
        message = text.encode()
        if self.signature_type is SignatureType.COSIGNATURE:
            stamp, signature = signature[:_TIMESTAMP_BYTES], signature[_TIMESTAMP_BYTES:]
            seconds = int.from_bytes(stamp, "big")
            if seconds > MAX_NUMBER:
                raise SignatureError(
                    f"The cosignature of {shown(self.name)} states the time {seconds}, beyond "
                    "2^63-1 seconds; ask the witness for a new one."
                )
            message = cosignature_message(text, seconds)
        if len(signature) != SIGNATURE_BYTES:
            raise SignatureError(
                f"The signature of {shown(self.name)} has {len(signature)} bytes where Ed25519 "
                f"has {SIGNATURE_BYTES}; get the original note again."
            )
        self._key.verify(message, signature)


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A private key under a key name, for one way of signing.

    Attributes:
        SIGNATURE_TYPE: How it signs; a key that signs in two ways would be two keys to whoever checks.
        name: Key name.
        key: The private key.
        verifier: What others check its signatures with.

    Raises:
        NoteError: The name is empty, or holds a space or a plus sign.
    """

    SIGNATURE_TYPE: ClassVar[SignatureType]

    name: str
    key: Signer
    verifier: NoteVerifier = field(init=False)

    def __post_init__(self) -> None:
        public_key = self.key.verifier.public_key
        object.__setattr__(self, "verifier", NoteVerifier(self.name, public_key, self.SIGNATURE_TYPE))

    @property
    def vkey(self) -> str:
        """The public half as one line of text, to be published and to be written into policies."""
        return self.verifier.vkey


@dataclass(frozen=True, slots=True)
class NoteSigner(NamedKey):
    """A key that signs notes; the name of a log's key is its origin."""

    SIGNATURE_TYPE = SignatureType.ED25519


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note.

    Attributes:
        name: Key name.
        key_id: 32-bit key ID.
        signature: At least one byte, in the form of the key's signature type.

    Raises:
        NoteError: A part is not what a signature line can hold.
    """

    name: str
    key_id: int
    signature: bytes

    def __post_init__(self) -> None:
        _require_name(self.name)
        if not 0 <= self.key_id < 1 << 8 * _KEY_ID_BYTES or not self.signature:
            raise NoteError(
                f"A signature line of {shown(self.name)} holds no key ID or no signature; get the original note again."
            )

    def format(self) -> str:
        """Returns the signature line, with its newline."""
        packed = self.key_id.to_bytes(_KEY_ID_BYTES, "big") + self.signature
        return f"{_DASH}{self.name} {encode_base64(packed)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signature lines.

    Attributes:
        text: What is signed; ends in a newline.
        signatures: At least one.

    Raises:
        NoteError: The parts cannot be written as a note.
    """

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or not self.signatures:
            raise NoteError(
                f"A note is a text that ends in a newline and at least one signature; {shown(self)}"
                " is not one. Get the original note again."
            )
        if len(self.signatures) > MAX_SIGNATURES:
            raise NoteError(
                f"A note with {len(self.signatures)} signatures has more than the "
                f"{MAX_SIGNATURES} that are read; ask for one with fewer."
            )
        _require_printable(self.text)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Reads a note without checking any signature.

        Args:
            data: The whole note, at most `MAX_NOTE_BYTES`.

        Returns:
            The note, of which `format` gives the same bytes.

        Raises:
            NoteError: The bytes are not a signed note.
        """
        if len(data) > MAX_NOTE_BYTES:
            raise NoteError(
                f"A note of {len(data)} bytes is longer than the {MAX_NOTE_BYTES} that are read; "
                "it is not a checkpoint of this kind of log."
            )
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError as fault:
            raise NoteError(f"The note is not UTF-8 (byte {fault.start}); get the original note again.") from fault
        head, separator, tail = whole.rpartition("\n\n")
        if not separator or not tail.endswith("\n"):
            raise NoteError(
                f"The note {shown(whole)} has no empty line followed by signature lines; get the original note again."
            )
        lines = tail[:-1].split("\n", MAX_SIGNATURES)
        return cls(head + "\n", tuple(_parse_signature(line) for line in lines))

    def format(self) -> bytes:
        """Returns the note as it is stored and sent."""
        lines = "".join(signature.format() for signature in self.signatures)
        return f"{self.text}\n{lines}".encode()


def sign(text: str, signer: NoteSigner) -> Note:
    """Signs a text.

    Args:
        text: The note text; has to end in a newline.
        signer: The key.

    Returns:
        The note with this one signature.

    Raises:
        NoteError: The text cannot be that of a note.
    """
    _require_printable(text)
    signature = signer.key.sign(text.encode())
    return Note(text, (Signature(signer.name, signer.verifier.key_id, signature),))


def open_note(data: bytes, verifiers: Iterable[NoteVerifier]) -> Note:
    """Reads a note and checks every signature by a known key (signed-note, "Signatures").

    Args:
        data: The whole note.
        verifiers: The keys that are known.

    Returns:
        The note with those signatures alone that were verified; unknown ones are left out.

    Raises:
        NoteError: The bytes are not a signed note.
        SignatureError: No signature is by a known key, or one by a known key does not verify.
    """
    note = Note.parse(data)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    verified = []
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is not None:
            verifier.verify(note.text, signature.signature)
            verified.append(signature)
    if not verified:
        names = ", ".join(f"{s.name}+{s.key_id:08x}" for s in note.signatures)
        raise SignatureError(
            f"The note is signed by {shown(names)} and by none of the {len(known)} keys that are "
            "trusted here; get the log's verifier key from its operator and add it, if you trust it."
        )
    return Note(note.text, tuple(verified))


def cosignature_message(text: str, seconds: int) -> bytes:
    """Returns what a witness signs (C2SP tlog-cosignature v1, "Ed25519 signatures")."""
    return b"cosignature/v1\ntime %d\n%s" % (seconds, text.encode())


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteError(
            f"The signature line {shown(line)} is not of the form '— name base64'; get the original note again."
        )
    packed = decode_base64(encoded, f"The signature of {shown(name)}", NoteError)
    key_id = int.from_bytes(packed[:_KEY_ID_BYTES], "big")
    return Signature(name, key_id, packed[_KEY_ID_BYTES:])


def _require_name(name: str) -> None:
    if not name or _UNFIT.search(name):
        raise NoteError(
            f"The key name {shown(name)} is empty, or holds a space or a plus sign; use a name like example.com/log."
        )
    _require_printable(name)


def _require_printable(text: str) -> None:
    if _CONTROL.search(text):
        raise NoteError(
            f"The note or key name {shown(text)} holds a control character, which signed notes do "
            "not allow; get the original again."
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as fault:
        raise NoteError(
            f"The note or key name {shown(text)} cannot be written as UTF-8; get the original again."
        ) from fault
