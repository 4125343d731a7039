"""Every key that a home has to do with: those its log knows, its own, and those of the witnesses it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.key_record import shown_ending
from api.schemas.registry import KeyList, KeyShown
from api.witnessing import read_policy
from ledger.note import NoteVerifier
from provenance.identity import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.home import Home
    from api.schemas.registry import KeyState
    from provenance.key_term import Term
    from provenance.keyring import Keyring


def known_keys(home: Home) -> KeyList:
    """List the keys, public halves only: those that are in force before those that are not, else in the log's order.

    Raises:
        UsageError: The witness policy of the settings is none.
        OSError: It cannot be read.
    """
    ring = home.ring.now()
    witnesses = _witnesses(home)
    vkeys = _of_the_log(ring) | witnesses
    test = {digest(home.credential.certificate)} if home.credential.is_test else set()
    keys = [_shown(ring.term(keyid), vkeys.get(keyid, ""), test=keyid in test) for keyid in ring.keys]
    keys += (each for each in _unregistered(home, witnesses) if each.keyid not in ring.keys)
    return KeyList(keys=sorted(keys, key=lambda key: key.ending is not None))


def _shown(term: Term, vkey: str, *, test: bool) -> KeyShown:
    state: KeyState = "test" if test else "active"
    if term.ending is not None:
        state = "replaced" if term.ending.successor else "revoked"
    return KeyShown(
        role=term.key.role,
        state=state,
        keyid=term.key.keyid,
        vkey=vkey,
        party=term.key.party,
        log_index=term.key.index,
        stop=term.stop,
        ending=None if term.ending is None else shown_ending(term.ending),
    )


def _unregistered(home: Home, witnesses: dict[str, str]) -> Iterator[KeyShown]:
    """The keys that the log need not know: what the home itself signs with, and its witnesses'."""
    yield KeyShown(role="service", state="unregistered", keyid=home.service.keyid)
    certificate = digest(home.credential.certificate)
    yield KeyShown(role="c2pa", state="test" if home.credential.is_test else "unregistered", keyid=certificate)
    for keyid, vkey in witnesses.items():
        yield KeyShown(role="witness", state="unregistered", keyid=keyid, vkey=vkey)


def _of_the_log(ring: Keyring) -> dict[str, str]:
    """Verifier keys of the log, by the names of the keys."""
    return {digest(NoteVerifier.parse(vkey).public_key): vkey for vkey, _ in ring.log}


def _witnesses(home: Home) -> dict[str, str]:
    """Verifier keys of the witnesses, by the names of the keys."""
    path = home.settings.witness_policy
    policy = read_policy(path) if path is not None else None
    return {digest(each.verifier.public_key): each.verifier.vkey for each in policy.witnesses} if policy else {}
