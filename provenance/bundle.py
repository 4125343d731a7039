"""Evidence that travels: entries of a log with their proofs, readable on a machine that has neither.

A bundle is one RFC 8785 JSON document. It holds envelopes as they were stored, C2SP ``.tlog-proof``
texts, and the openings that were disclosed to its reader.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import rfc8785
from pydantic import FailFast, Field, StringConstraints, ValidationError

from ledger.checkpoint import Checkpoint
from ledger.encoding import decode_base64
from ledger.envelope import Envelope
from ledger.errors import LedgerError
from ledger.merkle import leaf_hash
from ledger.note import Note
from ledger.proof import TlogProof
from provenance.disclosure import Commitment, Opening
from provenance.document import Document, Identifier
from provenance.errors import EvidenceError, StatementError
from provenance.identity import Digest, DigestText
from provenance.statement import Statement, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provenance.predicate import Predicate

FORMAT = "https://linernotes.org/evidence/v1"
MAX_BUNDLE_BYTES = 64 * 1024 * 1024
MAX_PARTS = 200_000
"""Members and items, by the commas between them: read, each takes hundreds of bytes, and each may be a complaint."""
MAX_TIMESTAMPS = 16
_Base64 = Annotated[str, StringConstraints(max_length=200_000)]


class _Entry(Document):
    envelope: _Base64
    tlog_proof: Annotated[str, StringConstraints(max_length=100_000)]


class _Opening(Document):
    leaf_hash: DigestText
    field: Identifier
    commitment: Commitment
    value: Annotated[str, StringConstraints(max_length=1_000_000)]
    salt: _Base64


class _Stamped(Document):
    leaf_hash: DigestText
    tlog_proof: Annotated[str, StringConstraints(max_length=100_000)]
    token: _Base64


class _Bundle(Document):
    format: Literal["https://linernotes.org/evidence/v1"]
    entries: Annotated[tuple[_Entry, ...], FailFast()]
    openings: Annotated[tuple[_Opening, ...], FailFast()]
    timestamps: Annotated[tuple[_Stamped, ...], FailFast(), Field(max_length=MAX_TIMESTAMPS)] = ()


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One entry of a log and the proof that it is there.

    Attributes:
        envelope: The stored bytes of the DSSE envelope.
        tlog_proof: The bytes of a C2SP tlog-proof file.
    """

    envelope: bytes
    tlog_proof: bytes

    @property
    def leaf_hash(self) -> Digest:
        """The name by which statements refer to this entry."""
        return Digest("sha256:" + leaf_hash(self.envelope).hex())

    def statement(self) -> Statement[Predicate]:
        """Return the statement inside, without checking who signed it.

        Raises:
            EvidenceError: The envelope or its payload is malformed.
        """
        try:
            return parse(self.dsse().payload)
        except StatementError as error:
            raise EvidenceError(f"The entry {self.leaf_hash} cannot be read: {error}") from error

    def dsse(self) -> Envelope:
        """Return the envelope, of which nothing is checked but its form.

        Raises:
            EvidenceError: It is malformed.
        """
        try:
            return Envelope.parse(self.envelope)
        except LedgerError as error:
            raise EvidenceError(f"The entry {self.leaf_hash} cannot be read: {error}") from error

    def proof(self) -> TlogProof:
        """Return the proof, of which nothing is checked but its form.

        Raises:
            LedgerError: It is malformed.
        """
        return TlogProof.parse(self.tlog_proof)

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint that the proof leads to, without checking who signed it.

        Raises:
            LedgerError: The proof or its checkpoint is malformed.
        """
        return Checkpoint.parse(Note.parse(self.proof().checkpoint_note).text)


@dataclass(frozen=True, slots=True)
class DisclosedOpening:
    """An opening and the statement and field it belongs to."""

    leaf_hash: Digest
    field: str
    opening: Opening


@dataclass(frozen=True, slots=True)
class StampedEntry:
    """That an entry had been made by a time which somebody other than the log vouches for.

    Attributes:
        leaf_hash: Of the entry.
        tlog_proof: The bytes of a C2SP tlog-proof file, whose checkpoint is the one that was stamped.
        token: The RFC 3161 token over that checkpoint (see `ledger.timestamp.stamped_bytes`).
    """

    leaf_hash: Digest
    tlog_proof: bytes
    token: bytes


@dataclass(frozen=True, slots=True)
class EvidenceBundle:
    """Entries of one log, with proofs, disclosed openings and time stamps."""

    exhibits: tuple[Exhibit, ...]
    openings: tuple[DisclosedOpening, ...] = ()
    timestamps: tuple[StampedEntry, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> EvidenceBundle:
        """Read a bundle; every opening is checked against its commitment.

        Raises:
            EvidenceError: The document is too large, malformed, or an opening is false.
        """
        if len(data) > MAX_BUNDLE_BYTES:
            raise EvidenceError(f"The evidence has {len(data)} bytes; at most {MAX_BUNDLE_BYTES} are read.")
        if (parts := data.count(b",")) > MAX_PARTS:
            raise EvidenceError(f"The evidence has {parts} commas, and is made of at most {MAX_PARTS} parts.")
        try:
            document = _Bundle.model_validate_json(data)
            exhibits = tuple(
                Exhibit(_decode(e.envelope, "An envelope"), e.tlog_proof.encode()) for e in document.entries
            )
            openings = tuple(
                DisclosedOpening(
                    Digest(o.leaf_hash),
                    o.field,
                    Opening(o.commitment, o.value, _decode(o.salt, "The salt of an opening")),
                )
                for o in document.openings
            )
            timestamps = tuple(
                StampedEntry(Digest(t.leaf_hash), t.tlog_proof.encode(), _decode(t.token, "The token of a time stamp"))
                for t in document.timestamps
            )
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            raise EvidenceError(f"The evidence is malformed at {where}: {first['msg']}.") from error
        for disclosed in openings:
            disclosed.opening.check()
        return cls(exhibits, openings, timestamps)

    def to_bytes(self) -> bytes:
        """Return the bundle's RFC 8785 bytes; the member for time stamps is there when there are any."""
        timestamps = [
            {
                "leaf_hash": t.leaf_hash,
                "tlog_proof": t.tlog_proof.decode(),
                "token": base64.b64encode(t.token).decode(),
            }
            for t in self.timestamps
        ]
        return rfc8785.dumps(
            {
                "format": FORMAT,
                "entries": [
                    {"envelope": base64.b64encode(e.envelope).decode(), "tlog_proof": e.tlog_proof.decode()}
                    for e in self.exhibits
                ],
                "openings": [
                    {
                        "leaf_hash": o.leaf_hash,
                        "field": o.field,
                        "commitment": o.opening.commitment,
                        "value": o.opening.value,
                        "salt": base64.b64encode(o.opening.salt).decode(),
                    }
                    for o in self.openings
                ],
                **({"timestamps": timestamps} if timestamps else {}),
            }
        )

    def find(self, leaf: str) -> Exhibit | None:
        """Return the entry with this leaf hash, if the bundle has it."""
        return next((exhibit for exhibit in self.exhibits if exhibit.leaf_hash == leaf), None)

    def opening(self, leaf: str, field: str) -> Opening | None:
        """Return the disclosed opening of one field of one statement."""
        return next((o.opening for o in self.openings if o.leaf_hash == leaf and o.field == field), None)

    def of_kind(self, kind: str) -> Sequence[tuple[Exhibit, Statement[Predicate]]]:
        """Return the entries of one kind of statement, in the order of the bundle."""
        read = ((exhibit, exhibit.statement()) for exhibit in self.exhibits)
        return [(exhibit, statement) for exhibit, statement in read if statement.kind == kind]


def _decode(text: str, what: str) -> bytes:
    """Read base64 in the one form that a value has: bytes that could be written otherwise could be changed unseen."""
    try:
        return decode_base64(text, what, LedgerError)
    except LedgerError as error:
        raise EvidenceError(f"The evidence is malformed: {error}") from error
