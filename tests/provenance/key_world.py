"""A log of signed statements in a real database, whose entries can be proven, and which can be handed over."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ledger.checkpoint import Checkpoint
from ledger.database import open_engine
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.note import Note, NoteSigner
from ledger.policy import Policy
from ledger.proof import TlogProof
from migrations.upgrade import upgrade
from provenance.bundle import EvidenceBundle, Exhibit
from provenance.keys_at_hand import KeysAtHand
from tests.provenance.key_log import KeyLog, new_key, registration, rotation, signed

ABOUT_KEYS = frozenset({"key", "rotation", "revocation"})


@dataclass
class KeyWorld(KeyLog):
    """As `KeyLog`; `path` is the database."""

    path: Path = Path("unset")
    logs: list[NoteSigner] = field(default_factory=list)

    def __post_init__(self) -> None:
        engine = open_engine(self.path)
        upgrade(engine)
        self.log = Log(engine, self.note)
        self.logs.append(self.note)
        super().__post_init__()

    def add(self, envelope: bytes, *, at: str = "") -> int:
        index = super().add(envelope, at=at)
        self.log.append([envelope])
        return index

    def hand_over(self) -> NoteSigner:
        """Hands the log over to a new key, which it gives; the rotation is the newest entry then."""
        old, new = self.logs[-1], new_key()
        assert isinstance(old.key, Ed25519Signer)
        self.append(registration(new, "log", self.vkey), new, self.service)
        envelope = signed(rotation("log", old.key, new, self.leaf(new)), old.key, new)
        super().add(envelope)
        self.logs.append(NoteSigner(old.name, new))
        self.log.hand_over(envelope, self.logs[-1])
        return self.logs[-1]

    def renew(self) -> Ed25519Signer:
        """Puts another service key in the place of the one there is, and gives it."""
        self.service = self.rotate("service", self.service)
        return self.service

    def exhibit(self, index: int, note: bytes | None = None) -> Exhibit:
        proof = self.log.proof_against(index, note or self.log.checkpoint())
        assert proof is not None
        return Exhibit(self.entries[index], proof.format())

    def handovers(self) -> list[Exhibit]:
        """Each rotation of the log's key and the new key's registration, under the checkpoint that both keys signed."""
        found = []
        for _, first_size in self.ring.log[1:]:
            note = self.log.checkpoint_at(first_size)
            found += [self.exhibit(first_size - 1, note), self.exhibit(first_size - 2, note)]
        return found

    def keys(self, *services: Ed25519Signer, handovers: bool = True) -> KeysAtHand:
        """What comes along: the registrations of service keys, and all handovers."""
        registered = [self.exhibit(self.ring.keys[key.keyid].index) for key in services or (self.service,)]
        return KeysAtHand((*registered, *(self.handovers() if handovers else ())))

    def evidence(self, note: bytes | None = None, *, without: Iterable[int] = ()) -> bytes:
        """What the log says about its keys, as far as a checkpoint covers it, but for some entries."""
        note = note or self.log.checkpoint()
        size = Checkpoint.parse(Note.parse(note).text).size
        about = [index for index in range(size) if self.kind(index) in ABOUT_KEYS and index not in without]
        exhibits = [self.exhibit(index, note) for index in about]
        return EvidenceBundle((*exhibits, *(each for each in self.handovers() if each not in exhibits))).to_bytes()

    def kind(self, index: int) -> str:
        return self.exhibit(index).statement().kind

    def policy(self, *logs: NoteSigner) -> Policy:
        return Policy.parse("".join(f"log {log.vkey}\n" for log in logs or self.logs) + "quorum none\n")


def proof_of(exhibit: Exhibit) -> TlogProof:
    return TlogProof.parse(exhibit.tlog_proof)
