"""The door of the log: what comes from outside is refused here, or it may be appended.

Each refusal is an error of its own (``provenance.errors.AdmissionError``). Reading :func:`admit` is reading
what is asked of an entry, in this order, so that what costs little is asked first:

1. It is not too long, and is a DSSE envelope in its one stored form, around an in-toto statement.
2. Envelope and payload are JSON that has one meaning (``provenance.payload``).
3. The payload is a statement of a known kind, in its RFC 8785 form.
4. It was not made in the future. (How old it says it is does not matter: the log's order does.)
5. Every signature on it holds, and those keys may sign such a statement at that place of the log.
6. Every entry it links to is in the log, or earlier in the same batch, and of a kind that can be meant there.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import rfc8785

from ledger.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature
from ledger.errors import EnvelopeError
from ledger.keys import SIGNATURE_BYTES
from ledger.merkle import MAX_ENTRY_BYTES, leaf_hash
from provenance.document import links
from provenance.errors import (
    AdmissionError,
    DanglingLinkError,
    FutureTimeError,
    MalformedEnvelopeError,
    MalformedStatementError,
    NotCanonicalError,
    OversizedBatchError,
    OversizedEntryError,
    StatementError,
    UnknownPredicateError,
    WrongLinkError,
    WrongPayloadTypeError,
)
from provenance.identity import Digest
from provenance.kind import LINKED, PREDICATE_TYPES
from provenance.payload import read_json
from provenance.signed_entry import SignedEntry, checked_signers
from provenance.statement import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provenance.keyring import Keyring
    from provenance.payload import Json
    from provenance.predicate import Predicate
    from provenance.statement import Statement

_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken, and how far a clock may be fast.

    Attributes:
        max_entry_bytes: Longest entry; never more than the 65,535 bytes that a tile of the log holds.
        max_entries: Most entries of one batch.
        max_depth: Deepest nesting of JSON; no statement of today has more than six levels.
        max_skew_seconds: How far ahead of ours the clock of whoever made a statement may be.
    """

    max_entry_bytes: int = MAX_ENTRY_BYTES
    max_entries: int = 256
    max_depth: int = 16
    max_skew_seconds: int = 300


@dataclass(frozen=True, slots=True)
class Received:
    """What came in, taken apart; nobody has asked yet who signed it.

    Attributes:
        data: The bytes as they came.
        envelope: The envelope that they are.
        statement: What its payload says.
    """

    data: bytes
    envelope: Envelope
    statement: Statement[Predicate]

    @property
    def leaf_hash(self) -> Digest:
        """The name of the entry that it would become."""
        return Digest("sha256:" + leaf_hash(self.data).hex())


@dataclass(frozen=True, slots=True)
class Admitted:
    """What may be appended, as it came.

    Attributes:
        envelope: The bytes that will be stored.
        leaf_hash: The name of the entry they will become.
        statement: What they say.
        signers: Names of the keys that signed it.
    """

    envelope: bytes
    leaf_hash: Digest
    statement: Statement[Predicate]
    signers: frozenset[str]


def admit(
    envelopes: Sequence[bytes],
    keyring: Keyring,
    next_index: int,
    kind_of: Callable[[Digest], str | None],
    now: str,
    limits: Limits | None = None,
) -> list[Admitted]:
    """Let a batch of entries in, or refuse all of it.

    Args:
        envelopes: DSSE envelopes, in the order in which they are to be appended.
        keyring: The log's keys, with every key statement that the log holds.
        next_index: Where the first of them would go: no less than the log's size.
        kind_of: Tells of which kind the entry with a leaf hash is; None when the log holds none.
        now: The present moment, RFC 3339 UTC to the second.
        limits: How much is taken; the defaults when left out.

    Returns:
        One for each envelope. Between this and the append the log may grow, by a revocation for instance: see
        :func:`confirm`.

    Raises:
        AdmissionError: One of them is refused; its class says why, the message which one.
    """
    bounds = limits or Limits()
    if not 1 <= len(envelopes) <= bounds.max_entries:
        raise OversizedBatchError(
            f"A batch of {len(envelopes)} entries is refused; send 1 to {bounds.max_entries} at a time."
        )
    latest = _later(now, bounds.max_skew_seconds)
    admitted: list[Admitted] = []
    batch: dict[Digest, str] = {}
    for position, data in enumerate(envelopes):
        try:
            entry = receive(data, bounds)
            _require_past(entry.statement, now, latest)
            signers = checked_signers(entry.envelope, entry.statement, keyring.keys)
            keyring = keyring.after(SignedEntry(next_index + position, entry.leaf_hash, entry.statement, signers))
            _require_links(entry.statement, lambda leaf: batch.get(leaf) or kind_of(leaf))
        except AdmissionError as error:
            raise type(error)(f"Entry {position} of the batch is refused: {error}") from error
        admitted.append(Admitted(data, entry.leaf_hash, entry.statement, signers))
        batch[entry.leaf_hash] = entry.statement.kind
    return admitted


def foresee(
    payload: bytes,
    signers: Sequence[str],
    keyring: Keyring,
    next_index: int,
    kind_of: Callable[[Digest], str | None],
    now: str,
    limits: Limits | None = None,
) -> Statement[Predicate]:
    """Ask of a statement that nobody has signed yet all that :func:`admit` would ask, but whether signatures hold.

    Args:
        payload: Its bytes, as they would be handed out.
        signers: Names of the keys that are to sign it.
        keyring: As for :func:`admit`, like all that follow.
        next_index: Where it would go.
        kind_of: Tells of which kind the entry with a leaf hash is; None when the log holds none.
        now: The present moment.
        limits: How much is taken.

    Returns:
        The statement.

    Raises:
        AdmissionError: With these signatures, it would be refused now.
    """
    bounds = limits or Limits()
    unsigned = tuple(EnvelopeSignature(keyid, bytes(SIGNATURE_BYTES)) for keyid in signers)
    try:
        entry = receive(Envelope(PAYLOAD_TYPE, payload, unsigned).to_bytes(), bounds)
    except EnvelopeError as error:
        raise MalformedEnvelopeError(str(error)) from error
    _require_past(entry.statement, now, _later(now, bounds.max_skew_seconds))
    keyring.after(SignedEntry(next_index, entry.leaf_hash, entry.statement, frozenset(signers)))
    _require_links(entry.statement, kind_of)
    return entry.statement


def confirm(admitted: Sequence[Admitted], keyring: Keyring, first_index: int) -> Keyring:
    """Ask once more, at the place where a batch is really going, whether its keys may sign there.

    This is for the moment in which nothing else can be appended any more; it costs next to nothing, since
    signatures that hold go on to hold.

    Args:
        admitted: What :func:`admit` gave.
        keyring: The log's keys, with everything that came before ``first_index``.
        first_index: Where the first of them goes.

    Returns:
        The ring after them.

    Raises:
        KeyringError: A key was revoked or replaced meanwhile, or the same key was registered.
    """
    for position, each in enumerate(admitted):
        keyring = keyring.after(SignedEntry(first_index + position, each.leaf_hash, each.statement, each.signers))
    return keyring


def receive(data: bytes, limits: Limits | None = None) -> Received:
    """Take an entry from outside apart, as far as that goes without knowing who signed it.

    Args:
        data: A DSSE envelope.
        limits: How much is taken; the defaults when left out.

    Raises:
        AdmissionError: It is too long, no envelope, not JSON that has one meaning, or not a canonical statement of
            a known kind.
    """
    bounds = limits or Limits()
    longest = min(bounds.max_entry_bytes, MAX_ENTRY_BYTES)
    if len(data) > longest:
        raise OversizedEntryError(
            f"It is {len(data)} bytes long, and this log takes at most {longest}; put the large part into a file and "
            "state its digest."
        )
    read_json(data, bounds.max_depth)
    try:
        envelope = Envelope.parse(data)
    except EnvelopeError as error:
        raise MalformedEnvelopeError(str(error)) from error
    if envelope.payload_type != PAYLOAD_TYPE:
        raise WrongPayloadTypeError(
            f"Its payload calls itself {envelope.payload_type[:120]!r}; only {PAYLOAD_TYPE} is taken."
        )
    return Received(data, envelope, read_statement(envelope.payload, bounds))


def read_statement(payload: bytes, limits: Limits | None = None) -> Statement[Predicate]:
    """Read a statement from outside.

    Args:
        payload: Its bytes.
        limits: How much is taken; the defaults when left out.

    Raises:
        AdmissionError: It is not JSON that has one meaning, or not a canonical statement of a known kind.
    """
    document = read_json(payload, (limits or Limits()).max_depth)
    _require_known_kind(document)
    try:
        return parse(payload)
    except StatementError as error:
        if rfc8785.dumps(document) != payload:
            raise NotCanonicalError(
                "Its payload is not in its RFC 8785 form: members out of order, spaces, or another way to write a "
                "character. Sign the very bytes that were handed out."
            ) from error
        raise MalformedStatementError(str(error)) from error


def _require_known_kind(document: Json) -> None:
    kind = document.get("predicateType") if isinstance(document, dict) else None
    if isinstance(kind, str) and kind not in PREDICATE_TYPES:
        raise UnknownPredicateError(
            f"{kind[:120]!r} is not a predicate type of this ledger: {', '.join(sorted(PREDICATE_TYPES))}."
        )


def _later(now: str, seconds: int) -> str:
    moment = dt.datetime.strptime(now, _TIME).replace(tzinfo=dt.UTC)
    return (moment + dt.timedelta(seconds=seconds)).strftime(_TIME)


def _require_past(statement: Statement[Predicate], now: str, latest: str) -> None:
    if statement.predicate.time > latest:
        raise FutureTimeError(
            f"It says that it was made at {statement.predicate.time}, and it is {now}; set the clock of the machine "
            "that made it right, and make it again."
        )


def _require_links(statement: Statement[Predicate], kind_of: Callable[[Digest], str | None]) -> None:
    for place, leaf in links(statement.predicate):
        kind, meant = kind_of(leaf), LINKED[statement.kind][place]
        if kind is None:
            raise DanglingLinkError(
                f"Its member {place} is {leaf}, which is the leaf hash of no entry of this log, nor of an earlier one "
                "of the same batch; append that one first."
            )
        if kind not in meant:
            raise WrongLinkError(
                f"Its member {place} is {leaf}, which is the leaf hash of an entry of the kind {kind}; an entry of the "
                f"kind {' or '.join(sorted(meant))} has to be named there."
            )
