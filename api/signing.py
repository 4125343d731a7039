"""The client's side of signing: needs a key and the bytes that were handed out, and no home.

What is signed is what is shown: the very bytes are read strictly, and every member is printed, with
whatever could deceive the eye or the terminal written out.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.errors import UsageError
from api.files import read_bounded
from ledger.durability import replace
from ledger.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature, pae
from ledger.errors import PassphraseNeededError
from ledger.key_agent import agent_signer
from ledger.key_file import load_key, passphrase_in_environment, passphrase_in_file
from ledger.merkle import MAX_ENTRY_BYTES, leaf_hash
from provenance.admission import Limits, read_statement, receive
from provenance.payload import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.key_file import Passphrase
    from ledger.keys import Signer
    from provenance.payload import Json
    from provenance.predicate import Predicate
    from provenance.statement import Statement

AGENT = "agent:"
"""What a key's name begins with when an agent holds it, not a file."""
ENVIRONMENT_VARIABLE = "LINERNOTES_PASSPHRASE"
_PUBLIC_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Handed:
    """What was handed out to be signed: a statement, or an envelope around one that others have signed already.

    Attributes:
        payload: The very bytes of the statement.
        statement: What they say.
        signatures: Those of others, which go with it; nobody has checked them here.
    """

    payload: bytes
    statement: Statement[Predicate]
    signatures: tuple[EnvelopeSignature, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Handed:
        """Read the bytes that were handed out.

        Raises:
            UsageError: The file cannot be read, or is too long.
            AdmissionError: They are not a statement in its RFC 8785 form.
        """
        data = read_entry(path)
        document = read_json(data, Limits().max_depth)
        if isinstance(document, dict) and "payloadType" in document:
            received = receive(data)
            return cls(received.envelope.payload, received.statement, received.envelope.signatures)
        return cls(data, read_statement(data))

    def signed(self, signer: Signer) -> bytes:
        """Return the envelope with one more signature."""
        signature = EnvelopeSignature(signer.keyid, signer.sign(pae(PAYLOAD_TYPE, self.payload)))
        return Envelope(PAYLOAD_TYPE, self.payload, (*self.signatures, signature)).to_bytes()

    def rows(self) -> list[tuple[str, str]]:
        """Return every member with its place, in words that show all there is."""
        return [(place, _visible(text)) for place, text in _flat("", read_json(self.payload, Limits().max_depth))]


def open_key(name: str, passphrase_file: Path | None = None) -> Signer:
    """Return the key that a person names: a key file, or ``agent:`` and the keyid of one that ssh-agent holds.

    The passphrase of a key file is taken from the file that is named, else from ``LINERNOTES_PASSPHRASE``, else
    asked for where there is a terminal.

    Raises:
        KeyFileError: The key file or its passphrase cannot be used.
        KeyAgentError: There is no agent, or it has not this key.
    """
    if name.startswith(AGENT):
        return agent_signer(name.removeprefix(AGENT))
    path = Path(name)
    try:
        return load_key(path, passphrase(passphrase_file))
    except PassphraseNeededError:
        if not sys.stdin.isatty():
            raise
    return load_key(path, lambda: getpass.getpass(f"Passphrase of {path}: ").encode())


def passphrase(file: Path | None) -> Passphrase | None:
    """Return what gives the passphrase: a file, else the environment; None where neither does."""
    if file is not None:
        return passphrase_in_file(file)
    return passphrase_in_environment(ENVIRONMENT_VARIABLE) if ENVIRONMENT_VARIABLE in os.environ else None


def signed(payload: bytes, *signers: Signer) -> bytes:
    """Sign the bytes of a statement, and return the envelope as it is stored."""
    message = pae(PAYLOAD_TYPE, payload)
    signatures = tuple(EnvelopeSignature(signer.keyid, signer.sign(message)) for signer in signers)
    return Envelope(PAYLOAD_TYPE, payload, signatures).to_bytes()


def countersigned(data: bytes, signer: Signer) -> bytes:
    """Add one more signature to an envelope; the others stay as they are."""
    envelope = Envelope.parse(data)
    signature = EnvelopeSignature(signer.keyid, signer.sign(pae(envelope.payload_type, envelope.payload)))
    return Envelope(envelope.payload_type, envelope.payload, (*envelope.signatures, signature)).to_bytes()


def leaf_of(data: bytes) -> str:
    """Return the name that an envelope will have in the log."""
    return "sha256:" + leaf_hash(data).hex()


def read_entry(path: Path) -> bytes:
    """Read a file that is no longer than an entry of a log.

    Raises:
        UsageError: It cannot be read, or is longer.
    """
    return read_bounded(path, MAX_ENTRY_BYTES)


def write(path: Path, data: bytes) -> None:
    """Write a file that anybody may read, whole or not at all.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        replace(path, data, mode=_PUBLIC_MODE)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error


def _flat(place: str, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _flat(f"{place}.{name}" if place else name, member)
    elif isinstance(value, list) and value:
        for position, item in enumerate(value):
            yield from _flat(f"{place}[{position}]", item)
    else:
        yield place, value if isinstance(value, str) else json.dumps(value)


def _visible(text: str) -> str:
    """Write out what a terminal would obey, and what turns or hides letters."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
