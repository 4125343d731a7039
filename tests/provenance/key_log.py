"""A log of signed statements in memory: what goes in goes through the keyring, as in a real one."""

import base64
from dataclasses import dataclass, field

from ledger.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature, pae
from ledger.keys import Ed25519Signer
from ledger.merkle import leaf_hash
from ledger.note import NoteSigner
from provenance.admission import admit, confirm
from provenance.disclosure import commit
from provenance.identity import Digest, digest, new_id, now
from provenance.key_predicate import KeyPredicate, RevocationPredicate, RotationPredicate
from provenance.keyring import Keyring
from provenance.predicate import Predicate
from provenance.recording_predicate import Changes, Content, EditPredicate, Fingerprint, Software
from provenance.source_predicate import PartyPredicate
from provenance.statement import Statement, Subject, header, parse

SOME = digest(b"some")
TAKE = digest(b"take")
"""Leaf hash of a generation that every log here is taken to hold."""
CONTENT = Content(
    content_digest=SOME,
    score_digest=SOME,
    fingerprint=Fingerprint(iscc="ISCC:A", algorithm="chromaprint", digest=SOME, duration_ms=1000),
    files=(),
    notes=1,
)
CHANGES = Changes(kept=1, pitch=0, onset=0, duration=0, velocity=0, voice=0, added=0, removed=0, tempo=0)


def new_key() -> Ed25519Signer:
    return Ed25519Signer.generate()


def signed(statement: Statement[Predicate], *signers: Ed25519Signer) -> bytes:
    payload = statement.to_bytes()
    message = pae(PAYLOAD_TYPE, payload)
    return Envelope(
        PAYLOAD_TYPE, payload, tuple(EnvelopeSignature(key.keyid, key.sign(message)) for key in signers)
    ).to_bytes()


def leaf_of(envelope: bytes) -> Digest:
    return Digest("sha256:" + leaf_hash(envelope).hex())


def stated(predicate: type[Predicate], **members: object) -> Statement[Predicate]:
    made = predicate.model_validate(header(predicate) | members)
    return Statement((Subject("it", SOME),), made)


def registration(key: Ed25519Signer, as_: str, log_vkey: str, **members: object) -> Statement[Predicate]:
    public_key = base64.b64encode(key.verifier.public_key).decode()
    stands = {"role": as_, "algorithm": "ed25519", "keyid": key.keyid, "public_key": public_key, "log_vkey": log_vkey}
    return stated(KeyPredicate, **(stands | members))


def rotation(role: str, old: Ed25519Signer, new: Ed25519Signer, leaf: str) -> Statement[Predicate]:
    return stated(RotationPredicate, role=role, old_keyid=old.keyid, new_keyid=new.keyid, registration=leaf)


def revocation(
    keyid: str, leaf: str, from_index: int | None = None, reason: str = "compromised"
) -> Statement[Predicate]:
    return stated(RevocationPredicate, keyid=keyid, registration=leaf, from_index=from_index, reason=reason)


def party(**members: object) -> Statement[Predicate]:
    stands = {"party_id": new_id(), "kind": "person", "relation": "contributor", "name": commit("Ada").commitment}
    return stated(PartyPredicate, **(stands | members))


def edit(by_id: str, parent: str, by: str, **members: object) -> Statement[Predicate]:
    stands = {
        "recording_id": new_id(),
        "parent": parent,
        "parent_recording_id": new_id(),
        "party": by,
        "party_id": by_id,
        "role": "Composer",
        "licence": "",
        "changes": CHANGES,
        "content": CONTENT,
        "software": Software(name="test", version="1"),
    }
    return stated(EditPredicate, **(stands | members))


@dataclass
class KeyLog:
    """A log with a service key, the party Ada, and whatever a test appends.

    Entry 0 registers the service key, entry 1 the party.
    """

    note: NoteSigner = field(default_factory=lambda: NoteSigner("example.org/log", new_key()))
    service: Ed25519Signer = field(default_factory=new_key)
    ring: Keyring = field(default_factory=Keyring)
    entries: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.append(registration(self.service, "service", self.vkey), self.service)
        ada = party()
        self.ada = ada.predicate.party_id
        self.ada_leaf = leaf_of(self.entries[self.append(ada, self.service)])

    @property
    def vkey(self) -> str:
        return self.ring.log[-1][0] if self.ring.log else self.note.verifier.vkey

    @property
    def next(self) -> int:
        return len(self.entries)

    def kind_of(self, leaf: str) -> str | None:
        if leaf == TAKE:
            return "generation"
        entry = next((entry for entry in self.entries if leaf_of(entry) == leaf), None)
        return entry and parse(Envelope.parse(entry).payload).kind

    def add(self, envelope: bytes, *, at: str = "") -> int:
        [admitted] = admit([envelope], self.ring, self.next, self.kind_of, at or now())
        self.entries.append(envelope)
        self.ring = confirm([admitted], self.ring, self.next - 1)
        return self.next - 1

    def append(self, statement: Statement[Predicate], *signers: Ed25519Signer, at: str = "") -> int:
        """Admits and appends a statement; gives its index."""
        return self.add(signed(statement, *signers), at=at)

    def leaf(self, key: Ed25519Signer | str) -> str:
        """The registration of a key."""
        return self.ring.keys[key if isinstance(key, str) else key.keyid].leaf_hash

    def register(self, role: str, *, voucher: Ed25519Signer | None = None, party: str = "") -> Ed25519Signer:
        """Registers a new key in a role, and gives it."""
        key = new_key()
        owner = party or (self.ada if role == "party" else "")
        self.append(registration(key, role, self.vkey, party=owner), key, voucher or self.service)
        return key

    def rotate(self, role: str, old: Ed25519Signer, *, voucher: Ed25519Signer | None = None) -> Ed25519Signer:
        """Registers a new key and puts it in the place of another; gives it."""
        new = self.register(role, voucher=voucher)
        self.append(rotation(role, old, new, self.leaf(new)), old, new)
        return new

    def revoke(
        self, key: Ed25519Signer | str, by: Ed25519Signer, from_index: int | None = None, reason: str = "compromised"
    ) -> int:
        """Revokes a key; gives the index of the revocation."""
        keyid = key if isinstance(key, str) else key.keyid
        return self.append(revocation(keyid, self.leaf(keyid), from_index, reason), by)

    def edit(self, key: Ed25519Signer, **members: object) -> int:
        """Appends an edit by Ada, signed by the home and with a key; gives its index."""
        return self.append(edit(self.ada, TAKE, self.ada_leaf, **members), self.service, key)

    def fill(self, count: int = 1) -> None:
        """Appends statements of the service key."""
        for _ in range(count):
            self.append(party(), self.service)
