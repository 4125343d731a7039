"""DSSE envelopes: a payload, its type, and signatures over both.

The envelope is stored, hashed into the log and handed on as one fixed string of bytes: RFC 8785
JSON. Nothing else is read, so no byte of a stored envelope can change unnoticed, and nobody ever
has to serialise one again. Source: secure-systems-lab/dsse, `protocol.md` and `envelope.md`.
"""

import json
import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Self

from ledger.encoding import decode_base64, encode_base64
from ledger.errors import EnvelopeError, SignatureError, shown
from ledger.keys import Signer, Verifier
from ledger.merkle import MAX_ENTRY_BYTES

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_ENVELOPE_BYTES = MAX_ENTRY_BYTES
"""Longest envelope that is read or written, in bytes: it has to fit one log entry."""
MAX_SIGNATURES = 16
_ENVELOPE = frozenset(("payload", "payloadType", "signatures"))
_SIGNATURE = frozenset(("keyid", "sig"))

_PLAIN = re.compile(
    rb'\{"payload":"([^"]*)","payloadType":"([ !#-\[\]-~]*)","signatures":'
    rb'\[((?:\{"keyid":"[ !#-\[\]-~]*","sig":"[^"]*"\},)*\{"keyid":"[ !#-\[\]-~]*","sig":"[^"]*"\})\]\}'
)
"""The stored form of an envelope whose texts hold only what JSON writes as it is: what all of ours look like."""
_PLAIN_SIGNATURE = re.compile(r'"keyid":"([^"]*)","sig":"([^"]*)"')

_quoted = json.JSONEncoder(ensure_ascii=False).encode
"""Returns a text as RFC 8785 writes it, which is how this encoder does."""

_Members = tuple[str, str, list[tuple[str, str]]]
"""Payload type, payload in base64, and key name and signature in base64 of each signature."""
_Json = str | int | float | bool | list["_Json"] | dict[str, "_Json"] | None


def pae(payload_type: str, payload: bytes) -> bytes:
    """Returns DSSE's pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True)
class EnvelopeSignature:
    """One signature of an envelope.

    Attributes:
        keyid: Name of the key (see `ledger.keys.Signer.keyid`).
        sig: The signature over `pae(payload_type, payload)`.
    """

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload and who signed it.

    Attributes:
        payload_type: Media type of the payload.
        payload: The bytes that were signed.
        signatures: 1 to `MAX_SIGNATURES`.

    Raises:
        EnvelopeError: There is no signature, or there are too many.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise EnvelopeError(
                f"An envelope with {len(self.signatures)} signatures is not accepted: it has to "
                f"have from 1 to {MAX_SIGNATURES}."
            )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Reads an envelope without checking any signature.

        Args:
            data: The stored bytes, at most `MAX_ENVELOPE_BYTES`.

        Returns:
            The envelope, of which `to_bytes` gives the same bytes.

        Raises:
            EnvelopeError: The bytes are not an envelope in RFC 8785 form with canonical base64.
        """
        _require_length(len(data))
        payload_type, payload, signatures = _plain_members(data) or _any_members(data)
        return cls(
            payload_type,
            decode_base64(payload, "The payload", EnvelopeError),
            tuple(
                [
                    EnvelopeSignature(keyid, decode_base64(sig, "The signature", EnvelopeError))
                    for keyid, sig in signatures
                ]
            ),
        )

    def to_bytes(self) -> bytes:
        """Returns the bytes that are stored and logged: RFC 8785 JSON.

        Raises:
            EnvelopeError: The envelope is longer than `MAX_ENVELOPE_BYTES`, or its texts cannot
                be written as JSON.
        """
        return _written(
            encode_base64(self.payload),
            self.payload_type,
            [(signature.keyid, encode_base64(signature.sig)) for signature in self.signatures],
        )


def sign(payload: bytes, signer: Signer, payload_type: str = PAYLOAD_TYPE) -> Envelope:
    """Signs a payload.

    Args:
        payload: The bytes to sign; they are kept as they are.
        signer: The key.
        payload_type: Media type of the payload.

    Returns:
        The envelope with this one signature.
    """
    signature = EnvelopeSignature(signer.keyid, signer.sign(pae(payload_type, payload)))
    return Envelope(payload_type, payload, (signature,))


def verify(envelope: Envelope, verifier: Verifier, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Checks that a key signed an envelope.

    Args:
        envelope: What was received.
        verifier: The key that has to have signed it.
        payload_type: The media type that is expected.

    Returns:
        The payload; only now may it be read.

    Raises:
        EnvelopeError: The payload is of another type.
        SignatureError: The key did not sign it, or its signature does not verify.
    """
    if envelope.payload_type != payload_type:
        raise EnvelopeError(
            f"The envelope holds {shown(envelope.payload_type)} where {payload_type!r} is "
            "expected; it is not read as something it does not say it is."
        )
    signatures = [s.sig for s in envelope.signatures if s.keyid == verifier.keyid]
    if not signatures:
        signers = ", ".join(signature.keyid for signature in envelope.signatures)
        raise SignatureError(
            f"The envelope is signed by {shown(signers)} and not by the key {verifier.keyid}; "
            "check it with the key of its signer."
        )
    message = pae(envelope.payload_type, envelope.payload)
    for signature in signatures:
        verifier.verify(message, signature)
    return envelope.payload


def _plain_members(data: bytes) -> _Members | None:
    """Takes an envelope apart that is in RFC 8785 form for sure, if base64 is what it holds; else returns None.

    It gives what `_any_members` gives, in a fraction of the time.
    """
    plain = _PLAIN.fullmatch(data)
    if plain is None:
        return None
    payload, payload_type, signed = (text.decode("latin-1") for text in plain.groups())
    return payload_type, payload, _PLAIN_SIGNATURE.findall(signed)


def _any_members(data: bytes) -> _Members:
    try:
        document: _Json = json.loads(data)
    except (ValueError, RecursionError) as fault:
        raise EnvelopeError(
            f"The envelope {shown(data)} is not JSON in UTF-8: {fault}; get the original bytes again."
        ) from fault
    fields = _members(document, _ENVELOPE, "envelope")
    payload, payload_type = (_text(fields[name], name) for name in ("payload", "payloadType"))
    if not isinstance(fields["signatures"], list):
        raise _malformed("signatures", fields["signatures"])
    signatures = [_signature(item) for item in fields["signatures"]]
    if _written(payload, payload_type, signatures) != data:
        json.loads(data, object_pairs_hook=_no_duplicates)
        raise EnvelopeError(
            f"The envelope {shown(data)} is not in its RFC 8785 form: somebody wrote it "
            "again. Get the original bytes; only they have the leaf hash that was logged."
        )
    return payload_type, payload, signatures


def _written(payload: str, payload_type: str, signatures: Iterable[tuple[str, str]]) -> bytes:
    """Returns the RFC 8785 form; payload and signatures are given in base64."""
    kind = _quoted(payload_type)
    signed = ",".join([f'{{"keyid":{_quoted(keyid)},"sig":"{sig}"}}' for keyid, sig in signatures])
    try:
        data = f'{{"payload":"{payload}","payloadType":{kind},"signatures":[{signed}]}}'.encode()
    except UnicodeEncodeError as fault:
        raise EnvelopeError(
            f"The payload type {shown(payload_type)} or a key ID cannot be written as JSON: {fault}; use plain text."
        ) from fault
    _require_length(len(data))
    return data


def _signature(document: _Json) -> tuple[str, str]:
    fields = _members(document, _SIGNATURE, "signature")
    return _text(fields["keyid"], "keyid"), _text(fields["sig"], "sig")


def _members(document: _Json, names: AbstractSet[str], what: str) -> dict[str, _Json]:
    if not isinstance(document, dict) or document.keys() != names:
        raise EnvelopeError(
            f"The {what} {shown(document)} is not a JSON object with exactly the members "
            f"{', '.join(sorted(names))}; get the original envelope again."
        )
    return document


def _text(value: _Json, name: str) -> str:
    if not isinstance(value, str):
        raise _malformed(name, value)
    return value


def _malformed(name: str, value: _Json) -> EnvelopeError:
    return EnvelopeError(
        f"The member {name!r} of the envelope is {shown(value)}, which is of the wrong type; get "
        "the original envelope again."
    )


def _no_duplicates(pairs: Sequence[tuple[str, _Json]]) -> dict[str, _Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        raise EnvelopeError(
            f"A JSON object of the envelope names a member twice: {shown(names)}; readers would "
            "disagree about its meaning, so it is refused."
        )
    return members


def _require_length(length: int) -> None:
    if length > MAX_ENVELOPE_BYTES:
        raise EnvelopeError(
            f"An envelope of {length} bytes is longer than the {MAX_ENVELOPE_BYTES} that one log "
            "entry holds; put the large part into a file and state its digest."
        )
