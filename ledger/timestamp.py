"""RFC 3161 time stamps over checkpoints: what a token says, and whether it holds, with no network.

What is stamped is a checkpoint as its log signed it: the note with the log's own signature lines and
nothing else (`stamped_bytes`). Cosignatures come later and are left out. The signature is in it, so that
a stamp proves when the log had signed, not only when somebody knew the root: who steals the log's key
cannot sign for a time before the theft, not even with a token that was prepared earlier.

A token is kept as the authority gave it, a DER ContentInfo, so that other tools can check it:

    openssl ts -verify -data CHECKPOINT -in TOKEN -token_in -CAfile ROOTS

Nobody signs a token's CRLs, its unsigned attributes, and those of its certificates that are not on the
path to a root: they are not looked at, and a change in them changes nothing that is read here. A
certificate that was revoked is not noticed.
"""

import datetime as dt
import hashlib
import re
from dataclasses import dataclass, field
from typing import Self

from cryptography.x509 import Certificate, InvalidVersion, load_der_x509_certificate, load_pem_x509_certificates
from rfc3161_client import (
    TimeStampResponse,
    TimeStampTokenInfo,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from ledger.checkpoint import Checkpoint
from ledger.cms import SignedToken
from ledger.der import SEQUENCE, encode
from ledger.errors import TimeStampError, shown
from ledger.note import Note

MAX_TOKEN_BYTES = 64 * 1024
MAX_ROOTS_BYTES = 1024 * 1024
HASH_ALGORITHM = "sha256"
"""The one hash algorithm that checkpoints are stamped with."""

_SHA256 = "2.16.840.1.101.3.4.2.1"
_GRANTED = bytes.fromhex("3003020100")
"""PKIStatusInfo of a token that was given: a kept token has no response around it any more."""

_UNREADABLE = (ValueError, TypeError, InvalidVersion)
"""What the libraries raise about certificates that are none, some of it only when a part is asked for."""

_REASON = re.compile(r'reason: "([^"]+)"')
_VERIFY_ERROR = re.compile(r"Verify error: ([^\"]+)")


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """What an authority says: that it saw a digest at a time.

    Attributes:
        token: The TimeStampToken, DER, verbatim.
        gen_time: When, by the authority's clock: RFC 3339, UTC; fractions of a second are dropped.
        serial: The token's number at that authority.
        policy: Object identifier of the policy it was made under.
        hash_algorithm: `HASH_ALGORITHM`.
        message_digest: The digest, 32 bytes.
        authority: Subject of the authority's certificate (RFC 4514), as the certificate says.
        nonce: What the request held; None when the token has none.
    """

    token: bytes = field(repr=False)
    gen_time: str
    serial: int
    policy: str
    hash_algorithm: str
    message_digest: bytes
    authority: str
    nonce: int | None

    @staticmethod
    def parse(token: bytes) -> "TimeStamp":
        """Reads a token without checking any signature: anybody can have written it.

        Args:
            token: The TimeStampToken in DER, at most `MAX_TOKEN_BYTES`.

        Raises:
            TimeStampError: It is not such a token, or has not the form that RFC 3161 and 5816 ask for.
        """
        return _read(token)[0]


@dataclass(frozen=True, slots=True)
class TsaRoots:
    """The authorities that are trusted for the time.

    Attributes:
        roots: Self-issued certificates that a token's signer must descend from; at least one.
        intermediates: Certificates that may lie on the way, for authorities that do not send theirs.
    """

    roots: tuple[Certificate, ...]
    intermediates: tuple[Certificate, ...] = ()

    @classmethod
    def parse(cls, pem: bytes) -> Self:
        """Reads a PEM file: what is self-issued in it is a root, and the rest may lie on the way.

        Raises:
            TimeStampError: It holds no certificate, one that cannot be read, or no root.
        """
        if len(pem) > MAX_ROOTS_BYTES:
            raise TimeStampError(
                f"A file of {len(pem)} bytes is longer than the {MAX_ROOTS_BYTES} that are read for time-stamping "
                "roots; give those of your authorities alone."
            )
        try:
            certificates = tuple(dict.fromkeys(load_pem_x509_certificates(pem)))
            roots = tuple(one for one in certificates if one.subject == one.issuer)  # names are read only now
        except _UNREADABLE as fault:
            raise TimeStampError(
                f"The time-stamping roots are not certificates in PEM ({shown(str(fault))}); get the root certificate "
                "of your time-stamping authority from its own site."
            ) from fault
        if not roots:
            raise TimeStampError(
                "The file of time-stamping roots holds only certificates that others issued; add the root that they "
                "descend from, which is issued by itself."
            )
        return cls(roots, tuple(one for one in certificates if one not in roots))


def stamped_bytes(checkpoint_note: bytes) -> bytes:
    """Returns what a time stamp of a checkpoint is about: its note with the log's own signatures alone.

    The log's own are those whose key name is the checkpoint's origin, in the order in which they stand. A
    checkpoint without cosignatures is returned as it is.

    Args:
        checkpoint_note: A checkpoint, with or without cosignatures.

    Raises:
        NoteError: It is not a signed note.
        CheckpointError: The note is not a checkpoint.
        TimeStampError: No signature of it is the log's own.
    """
    note = Note.parse(checkpoint_note)
    origin = Checkpoint.parse(note.text).origin
    own = tuple(signature for signature in note.signatures if signature.name == origin)
    if not own:
        raise TimeStampError(
            f"The checkpoint of {shown(origin)} holds no signature by that name, so that there is nothing to stamp; "
            "get the checkpoint from the log itself."
        )
    return Note(note.text, own).format()


def verify(token: bytes, message: bytes, roots: TsaRoots, nonce: int | None = None) -> TimeStamp:
    """Checks that a trusted authority saw a message, at the time that its token states.

    Args:
        token: The TimeStampToken in DER.
        message: What was stamped (for a checkpoint, its `stamped_bytes`).
        roots: The authorities that are trusted.
        nonce: What the request held, where the request is ours.

    Returns:
        What the token says.

    Raises:
        TimeStampError: The token is malformed, is about another message, or does not hold.
    """
    # 1. the token has the form of RFC 3161, and names the certificate of its signer (RFC 5816)
    stamp, response = _read(token)
    # 2. it is about this message, and the answer to this request
    require_about(stamp, message)
    if nonce is not None and stamp.nonce != nonce:
        raise TimeStampError(
            f"The time stamp answers a request with the nonce {stamp.nonce}, and the request had {nonce}: it is not "
            "new. Ask the authority again, and if it goes on, ask another one."
        )
    # 3. its signer signed it, and was at that time a time-stamping authority under one of the roots
    reasons = []
    for root in roots.roots:  # one by one: of two with one name the library would look at either
        verifier = VerifierBuilder(roots=[root], intermediates=list(roots.intermediates)).build()
        try:
            verifier.verify(response, stamp.message_digest)
        except (VerificationError, ValueError) as fault:
            reasons.append(_reason(fault))
        else:
            return stamp
    raise TimeStampError(
        f"The time stamp of {shown(stamp.authority)} does not hold for {stamp.gen_time}: "
        f"{'; '.join(dict.fromkeys(reasons))}. Do not rely on it; if the authority is one you trust, add its root to "
        "your time-stamping roots."
    )


def require_about(stamp: TimeStamp, message: bytes) -> None:
    """Checks that what a token says, it says of a message; who made the token is not looked at.

    Args:
        stamp: What the token says.
        message: What is to have been stamped.

    Raises:
        TimeStampError: It is about something else.
    """
    digest = hashlib.sha256(message).digest()
    if stamp.message_digest != digest:
        raise TimeStampError(
            f"The time stamp is about the digest {stamp.message_digest.hex()}, and the checkpoint has {digest.hex()}: "
            "it was made for something else. Get the time stamp of this very checkpoint."
        )


def rfc3339(moment: dt.datetime) -> str:
    """Returns a point in time as RFC 3339 in UTC, to the second."""
    return moment.astimezone(dt.UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _read(token: bytes) -> tuple[TimeStamp, TimeStampResponse]:
    """Returns what a token says, and the token in the form that `rfc3161-client` verifies."""
    if len(token) > MAX_TOKEN_BYTES:
        raise TimeStampError(
            f"A time stamp of {len(token)} bytes is longer than the {MAX_TOKEN_BYTES} that are read; it is none, or "
            "its authority sends far too much along."
        )
    signed = SignedToken.parse(token)
    try:
        response = decode_timestamp_response(encode(SEQUENCE, _GRANTED, signed.in_order))
        return _stamp(token, response.tst_info, load_der_x509_certificate(signed.signer)), response
    except _UNREADABLE as fault:
        raise TimeStampError(
            f"The time stamp cannot be read: {shown(str(fault))}. Get the original time stamp again."
        ) from fault


def _stamp(token: bytes, info: TimeStampTokenInfo, signer: Certificate) -> TimeStamp:
    imprint = info.message_imprint
    if info.version != 1 or info.policy is None or imprint.hash_algorithm.dotted_string != _SHA256:
        raise TimeStampError(
            "The time stamp has no policy, or is not of version 1 over a SHA-256 digest; have the checkpoint stamped "
            "anew with `linernotes log stamp`."
        )
    subject = signer.subject.rfc4514_string()
    return TimeStamp(
        token,
        rfc3339(info.gen_time),
        info.serial_number,
        info.policy.dotted_string,
        HASH_ALGORITHM,
        imprint.message,
        "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in subject),
        info.nonce,
    )


def _reason(fault: Exception) -> str:
    """The last thing that the cryptographic library says, without the places in its code."""
    said = _VERIFY_ERROR.findall(str(fault)) or _REASON.findall(str(fault)) or [str(fault)]
    return shown(said[-1])
