"""Which key may sign what, from which entry to which: a fold over the log, and nothing but the log.

Every statement passes through :meth:`Keyring.after`, in log order. Three kinds change the ring: a ``key``
statement registers a key for one role, a ``rotation`` puts a key in another's place, a ``revocation`` ends
one as of a log index. A time is never looked at: whoever stole a key can state any time, but the entries
are in the order in which the log took them.

What a key's signatures are worth depends on later entries too, so a ring is asked about a key *and* an
index: :meth:`Keyring.term` says which of its signatures a revocation spares. A key also falls when the one
that vouched for it is revoked as of an entry at or before its registration.

Why the rules are what they are is in ``docs/adr/0009-keys-in-the-log.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ledger.encoding import MAX_NUMBER
from ledger.envelope import Envelope
from ledger.errors import LedgerError
from ledger.keys import Ed25519Verifier
from ledger.note import NoteVerifier
from provenance.errors import (
    KeyTakenError,
    OtherLogError,
    PossessionError,
    ReplacedKeyError,
    RevocationError,
    RevokedKeyError,
    RotationError,
    UnknownKeyError,
    UnsoundKeyError,
    VouchingError,
    WrongPartyError,
    WrongRoleError,
)
from provenance.identity import digest
from provenance.key_predicate import KeyPredicate, RevocationPredicate, RotationPredicate
from provenance.key_statement import registered_verifier
from provenance.key_term import Ending, RegisteredKey, Term
from provenance.predicate import TYPE_PREFIX
from provenance.signed_entry import read_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ledger.entry import Entry
    from provenance.predicate import Predicate, Role
    from provenance.signed_entry import SignedEntry

VOUCHERS: Final[Mapping[Role, frozenset[Role]]] = {
    "service": frozenset({"service", "owner"}),
    "owner": frozenset({"owner"}),
    "party": frozenset({"service"}),
    "c2pa": frozenset({"service"}),
    "witness": frozenset({"service"}),
    "log": frozenset({"service"}),
}
"""Roles of the keys that may grant a role to a new key; the first owner's key is vouched for by a service key."""
REVOKERS: Final[Mapping[Role, frozenset[Role]]] = {
    "service": frozenset({"owner"}),
    "owner": frozenset(),
    "party": frozenset({"service", "owner"}),
    "c2pa": frozenset({"service", "owner"}),
    "witness": frozenset({"service", "owner"}),
    "log": frozenset(),
}
"""Roles of the keys that may revoke another key; always above its own, so that no two keys can revoke each other."""
KINDS: Final = frozenset(each.KIND for each in (KeyPredicate, RotationPredicate, RevocationPredicate))
"""The kinds of statements that change a ring."""
_ABOUT_KEYS = tuple(f'"predicateType":"{TYPE_PREFIX}{kind}/v1"'.encode() for kind in sorted(KINDS))
"""How RFC 8785 writes the kinds that change a ring; within a text, the quotation marks would have backslashes."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """All keys of one log, as far as its entries were folded.

    Attributes:
        size: Number of entries of the log that it takes account of.
        keys: By name; never one that was refused.
        endings: By the name of the key, in log order.
        log: Verifier key (C2SP signed-note) of each key that the log has had, with the smallest tree whose
            checkpoint it signs (see ``ledger.rotation``).
    """

    size: int = 0
    keys: Mapping[str, RegisteredKey] = field(default_factory=dict)
    endings: Mapping[str, tuple[Ending, ...]] = field(default_factory=dict)
    log: tuple[tuple[str, int], ...] = ()

    def after(self, entry: SignedEntry) -> Keyring:
        """Return the ring after one more entry, which those who signed it had to be allowed to sign.

        Args:
            entry: One that comes later than all before; entries without key statements may be left out.

        Raises:
            KeyringError: It was signed by a key that may not sign it there.
        """
        if entry.index < self.size:
            raise ValueError(f"entry {entry.index} cannot be folded into a ring that has seen {self.size}")
        predicate = entry.statement.predicate
        match predicate:
            case KeyPredicate():
                ring = self._registered(entry, predicate)
            case RotationPredicate():
                ring = self._rotated(entry, predicate)
            case RevocationPredicate():
                ring = self._revoked(entry, predicate)
            case _:
                ring = self
                signers = [self.require(keyid, predicate.SIGNED_BY, entry.index) for keyid in sorted(entry.signers)]
                _require_own(signers, predicate)
        return replace(ring, size=entry.index + 1)

    def at(self, index: int) -> Keyring:
        """Return the ring as it was when the log had this many entries: what was known then."""
        keys = {keyid: key for keyid, key in self.keys.items() if key.index < index}
        known = {keyid: tuple(e for e in self.endings.get(keyid, ()) if e.index < index) for keyid in keys}
        log = tuple(each for each in self.log if each[1] <= index) if keys else ()
        return Keyring(min(index, self.size), keys, {keyid: each for keyid, each in known.items() if each}, log)

    def require(self, keyid: str, roles: frozenset[Role], index: int) -> RegisteredKey:
        """Return a key whose signatures count in the entry at an index, and that has one of the roles.

        Raises:
            UnknownKeyError: It is not registered, or only at that entry or later.
            WrongRoleError: It has another role.
            RevokedKeyError: Its signatures do not count there.
        """
        key = self._known(keyid)
        if key.index >= index:
            raise UnknownKeyError(
                f"The key {keyid} is registered at entry {key.index}, and signed entry {index}: a key signs nothing "
                "but its own registration before it is registered."
            )
        if key.role not in roles:
            raise WrongRoleError(
                f"The key {keyid} is registered as {key.role}, and this takes a key registered as "
                f"{' or '.join(sorted(roles)) or 'nothing'}; sign with one that is."
            )
        ending = self._fault(keyid, index)
        if ending is not None:
            kind = ReplacedKeyError if ending.successor else RevokedKeyError
            raise kind(f"A signature by {keyid} does not count in entry {index}: {ending}. Sign with another key.")
        return key

    def term(self, keyid: str) -> Term:
        """Say in which entries a key's signatures count, by all that the ring knows.

        Raises:
            UnknownKeyError: It is not registered.
        """
        key = self._known(keyid)
        if key.vouched_by != keyid:
            fallen = self._fault(key.vouched_by, key.index)
            if fallen is not None:
                return Term(key, key.index, fallen)
        ending = self._first(keyid)
        return Term(key, ending.from_index, ending) if ending is not None else Term(key)

    def _registered(self, entry: SignedEntry, predicate: KeyPredicate) -> Keyring:
        verifier = registered_verifier(predicate)
        ring = self if self.keys else self._begun(entry, predicate)
        if predicate.log_vkey != ring.log[-1][0]:
            raise OtherLogError(
                f"The registration was made for the log {predicate.log_vkey[:120]}, and this one is {ring.log[-1][0]}; "
                "make it again for this log."
            )
        key = RegisteredKey(
            predicate.keyid,
            predicate.role,
            predicate.party,
            entry.index,
            entry.leaf_hash,
            self._voucher(entry, predicate),
            verifier,
        )
        before = ring.keys.get(key.keyid)
        if before is None:
            return replace(ring, keys={**ring.keys, key.keyid: key})
        if before.role == "c2pa" and self._fault(before.keyid, entry.index) is None:
            return ring  # another service key vouches for the same certificate: its first registration counts
        raise KeyTakenError(
            f"The key {key.keyid} is registered since entry {before.index} as {before.role}: a key has one role, once. "
            "Make a new key."
        )

    def _begun(self, entry: SignedEntry, predicate: KeyPredicate) -> Keyring:
        """Return the ring of a new log, with the log's own key, which the first registration names."""
        try:
            named = NoteVerifier.parse(predicate.log_vkey)
        except LedgerError as error:
            raise UnsoundKeyError(f"The first registration does not name the log's key: {error}") from error
        keyid = digest(named.public_key)
        key = RegisteredKey(keyid, "log", "", entry.index, "", keyid, Ed25519Verifier(named.public_key))
        return replace(self, keys={keyid: key}, log=((predicate.log_vkey, 0),))

    def _voucher(self, entry: SignedEntry, predicate: KeyPredicate) -> str:
        if predicate.algorithm == "ed25519" and predicate.keyid not in entry.signers:
            raise PossessionError(
                f"The registration of {predicate.keyid} is not signed with that key: its owner has to prove that the "
                "private half is there."
            )
        others = sorted(entry.signers - {predicate.keyid})
        if not self.keys and predicate.role == "service" and not others:
            return predicate.keyid
        if len(others) != 1:
            raise VouchingError(
                f"The registration of {predicate.keyid} has to be signed by one key that may grant the role "
                f"{predicate.role}, and is signed by {len(others)} besides itself."
            )
        roles = VOUCHERS[predicate.role]
        if predicate.role == "owner" and not self._has_owner():
            roles = frozenset({"service"})
        return self.require(others[0], roles, entry.index).keyid

    def _has_owner(self) -> bool:
        return any(key.role == "owner" and self.term(key.keyid).spares(key.index) for key in self.keys.values())

    def _rotated(self, entry: SignedEntry, predicate: RotationPredicate) -> Keyring:
        old, new = self._known(predicate.old_keyid), self._known(predicate.new_keyid)
        if new.keyid not in entry.signers:
            raise PossessionError(f"The new key {new.keyid} did not sign the rotation; both keys have to.")
        if entry.signers != {old.keyid, new.keyid} or old.keyid == new.keyid:
            raise RotationError(
                f"A rotation is signed by the old key and the new one and by nobody else; this one, from {old.keyid} "
                f"to {new.keyid}, is signed by {', '.join(sorted(entry.signers))}."
            )
        for each in (old, new):
            self.require(each.keyid, frozenset({predicate.role}), entry.index)
        if (old.party, predicate.registration) != (new.party, new.leaf_hash):
            raise RotationError(
                f"The key {new.keyid} cannot take the place of {old.keyid}: they are not of one party, or the "
                f"statement does not name the new key's registration, {new.leaf_hash}."
            )
        ending = Ending(old.keyid, entry.index + 1, entry.index, old.keyid, "replaced", new.keyid)
        return replace(self._ended(ending), log=self._log_after(entry.index, old, new))

    def _log_after(self, index: int, old: RegisteredKey, new: RegisteredKey) -> tuple[tuple[str, int], ...]:
        if old.role != "log" or new.verifier is None:
            return self.log
        current = NoteVerifier.parse(self.log[-1][0])
        if digest(current.public_key) != old.keyid:
            raise RotationError(f"The key {old.keyid} does not sign this log's checkpoints, {self.log[-1][0]} does.")
        return (*self.log, (NoteVerifier(current.name, new.verifier.public_key).vkey, index + 1))

    def _revoked(self, entry: SignedEntry, predicate: RevocationPredicate) -> Keyring:
        key = self._known(predicate.keyid)
        if key.role == "log" or predicate.registration != key.leaf_hash:
            raise RevocationError(
                f"The statement revokes {key.keyid} and names the registration {predicate.registration}; that key is "
                f"registered as {key.role} by {key.leaf_hash or 'the first entry'}. Name that one; a log's own key is "
                "replaced, not revoked."
            )
        if len(entry.signers) != 1:
            raise RevocationError(f"A revocation is signed by one key, and this one by {len(entry.signers)}.")
        [by] = entry.signers
        if by == key.keyid:
            return self._resigned(entry, key, predicate)
        if not REVOKERS[key.role]:
            raise RevocationError(f"The key {key.keyid} is an owner's: it can be ended by itself alone.")
        self.require(by, REVOKERS[key.role], entry.index)
        from_index = entry.index if predicate.from_index is None else predicate.from_index
        ending = Ending(key.keyid, from_index, entry.index, by, predicate.reason)
        self._require_reach(ending)
        return self._ended(ending)

    def _resigned(self, entry: SignedEntry, key: RegisteredKey, predicate: RevocationPredicate) -> Keyring:
        """Return the ring after a key ended itself; the entry that says so is its last."""
        self.require(key.keyid, frozenset({key.role}), entry.index)
        if predicate.from_index is not None:
            raise RevocationError(
                f"The key {key.keyid} revokes itself as of entry {predicate.from_index}: nobody takes back alone what "
                "was signed. Leave the index out to end the key now; a key above it may reach back."
            )
        return self._ended(Ending(key.keyid, entry.index + 1, entry.index, key.keyid, predicate.reason))

    def _require_reach(self, ending: Ending) -> None:
        if ending.from_index > ending.index:
            raise RevocationError(
                f"Entry {ending.index} revokes a key as of entry {ending.from_index}, which is still to come; revoke "
                "it as of an entry that is there."
            )
        grounds = self._grounds(ending.by, ending.index)
        if any(keyid == ending.keyid and ending.from_index <= at for keyid, at in grounds):
            raise RevocationError(
                f"The key {ending.by} revokes {ending.keyid} as of entry {ending.from_index}, but stands on what that "
                "key signed at or after that entry: it would take away its own ground. Choose a later entry."
            )

    def _ended(self, ending: Ending) -> Keyring:
        endings = (*self.endings.get(ending.keyid, ()), ending)
        return replace(self, endings={**self.endings, ending.keyid: endings})

    def _known(self, keyid: str) -> RegisteredKey:
        key = self.keys.get(keyid)
        if key is None:
            raise UnknownKeyError(f"The key {keyid[:80]!r} is not registered in this log; register it first.")
        return key

    def _fault(self, keyid: str, index: int) -> Ending | None:
        """Return what a signature at an index falls under: of the key, or of one that it stands on."""
        endings = (self._first(each, at) for each, at in self._grounds(keyid, index))
        return next((ending for ending in endings if ending is not None), None)

    def _grounds(self, keyid: str, index: int) -> Iterator[tuple[str, int]]:
        """Yield what a signature stands on: itself, the voucher's under the key's registration, and so on."""
        while True:
            yield keyid, index
            key = self.keys[keyid]
            if key.vouched_by == keyid:
                return
            keyid, index = key.vouched_by, key.index

    def _first(self, keyid: str, index: int = MAX_NUMBER) -> Ending | None:
        """Return the ending of a key that reaches furthest back, of those that reach an index and count themselves.

        An ending is only asked about when it reaches so far, and whoever decided it stands above the key: so the
        question goes up, and ends.
        """
        reaching = [ending for ending in self.endings.get(keyid, ()) if ending.from_index <= index]
        counting = [e for e in reaching if e.by == keyid or self._fault(e.by, e.index) is None]
        return min(counting, key=lambda ending: ending.from_index, default=None)


def folded(keyring: Keyring, entries: Iterable[Entry]) -> Keyring:
    """Return the ring after further entries of a log that takes nothing unasked.

    Only statements about keys are read, and their signatures checked: no other statement changes a ring. Whether
    those were signed rightly was asked when they were appended, and ``log fsck`` asks again.

    Raises:
        LedgerError: A statement about a key is not what an entry has to be.
        ProvenanceError: One was not allowed.
    """
    for entry in entries:
        if any(kind in Envelope.parse(entry.data).payload for kind in _ABOUT_KEYS):
            keyring = keyring.after(read_entry(entry.index, entry.data, keyring.keys))
        else:
            keyring = replace(keyring, size=entry.index + 1)
    return keyring


def _require_own(signers: Sequence[RegisteredKey], predicate: Predicate) -> None:
    """A party signs for itself alone, and for what it can know: what was measured, the home signs too."""
    for key in signers:
        if key.role == "party" and getattr(predicate, "party_id", None) != key.party:
            raise WrongPartyError(
                f"The key {key.keyid} belongs to the party {key.party}, and signs a statement of another; a party "
                "signs for itself alone."
            )
    if "measured" in predicate.KNOWN.values() and not any(key.role == "service" for key in signers):
        raise WrongRoleError(
            f"A statement of the kind {predicate.KIND} says what the home measured, and is signed by no service key: "
            "ask the home for a draft and send the signature there: it adds its own (docs/keys.md)."
        )
