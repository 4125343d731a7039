"""The statements about keys that go along with entries, so that a stranger can check them on an empty machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.errors import UsageError
from api.schemas.signing import KeyEvidenceWritten
from ledger.checkpoint import Checkpoint
from ledger.durability import replace
from ledger.envelope import Envelope
from ledger.note import Note, NoteVerifier
from ledger.proof import TlogProof
from provenance import store
from provenance.bundle import EvidenceBundle, Exhibit
from provenance.identity import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from api.home import Home
    from provenance.keyring import Keyring

_PUBLIC_MODE = 0o644


def keys_along(home: Home, *leaves: str) -> tuple[Exhibit, ...]:
    """Return what a reader has to know of keys to check some entries, as `keys_of` does, each with its best proof.

    Args:
        home: Whose entries.
        leaves: Their leaf hashes.
    """
    signers = [keyid for leaf in leaves for keyid in signers_of(home.entry_bytes(leaf))]
    return _keys(home, signers, home.exhibit)


def keys_of(home: Home, signers: Sequence[str]) -> tuple[Exhibit, ...]:
    """Return what a reader has to know of keys to check what they signed.

    Args:
        home: Whose keys.
        signers: Names of the keys, those of the first entry first.

    Returns:
        The registrations of the keys, that of the first entry's service key first; then, where the log was handed
        over since the first of these, what ``provenance.handover`` follows. The proof of the home's present service
        key may be an earlier one: witnesses may have looked on since.
    """
    return _keys(home, signers, lambda leaf: _registration(home, leaf))


def certificates(home: Home) -> list[str]:
    """Return the leaf hashes of the certificates that ever signed manifests here: each is in the files it signed."""
    return [key.leaf_hash for key in home.ring.now().keys.values() if key.role == "c2pa" and key.leaf_hash]


def _keys(home: Home, signers: Sequence[str], exhibit: Callable[[str], Exhibit]) -> tuple[Exhibit, ...]:
    ring = home.ring.now()
    registered = [ring.keys[keyid] for keyid in dict.fromkeys(signers) if keyid in ring.keys]
    registered = [key for key in registered if key.leaf_hash]
    registered.sort(key=lambda each: each.role != "service")  # stable: otherwise in the order of the entries
    exhibits = [exhibit(each.leaf_hash) for each in registered]
    since = min((each.index for each in registered if each.role == "service"), default=ring.size)
    return (*exhibits, *(each for handover in _handovers(home, ring, since) for each in handover))


def signers_of(envelope: bytes) -> list[str]:
    """Return the names of the keys that signed an entry, as it says itself."""
    return [signature.keyid for signature in Envelope.parse(envelope).signatures]


def write_key_evidence(home: Home, output: Path) -> KeyEvidenceWritten:
    """Write everything that the log says about its keys, with proofs, for readers who are offline.

    The checkpoint is the newest one that witnesses have cosigned, if it covers every statement about keys, else the
    newest.

    Args:
        home: Whose log.
        output: The file to write.

    Raises:
        UsageError: It cannot be written.
    """
    ring = home.ring.now()
    with home.reading() as connection:
        indices = store.entries_about_keys(connection, 0, ring.size)
    note = home.cosigned.read()
    if note is None or _size(note) <= indices[-1]:
        note = home.log.tlog_proof(indices[-1]).checkpoint_note
    exhibits = [_under(home, index, note) for index in indices]
    rotations = [each for each, _ in _handovers(home, ring, 0) if each not in exhibits]
    try:
        replace(output, EvidenceBundle((*exhibits, *rotations)).to_bytes(), mode=_PUBLIC_MODE)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from error
    return KeyEvidenceWritten(
        path=str(output), statements=len(exhibits), tree_size=_size(note), cosigned=note == home.cosigned.read()
    )


def _registration(home: Home, leaf: str) -> Exhibit:
    return home.service_key_exhibit if leaf == home.service_key_leaf else home.exhibit(leaf)


def _handovers(home: Home, ring: Keyring, since: int) -> Iterator[tuple[Exhibit, Exhibit]]:
    """Yield each rotation of the log's key from an index on, as both keys signed it, and the new key's registration."""
    for vkey, first_size in ring.log[1:]:
        note = home.log.checkpoint_at(first_size) if first_size > since else None
        if note is not None:
            registered = ring.keys[digest(NoteVerifier.parse(vkey).public_key)].index
            yield _under(home, first_size - 1, note), _under(home, registered, note)


def _under(home: Home, index: int, note: bytes) -> Exhibit:
    """Return an entry with its proof under a checkpoint that covers it."""
    path = home.log.inclusion_proof(index, _size(note)).path
    return Exhibit(home.log.entry(index).data, TlogProof(index, path, note).format())


def _size(note: bytes) -> int:
    return Checkpoint.parse(Note.parse(note).text).size
