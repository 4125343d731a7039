"""A home: one ledger with its keys, its stored files and its tables, opened and made here only."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from api.custody import Custody
from api.erasure import finish
from api.errors import HomeError, UsageError
from api.folder import exclusively, origin, private_file, private_folder
from api.key_statements import registration_statement
from api.registration import (
    BUILT_IN_OUTPUT_LICENCE,
    certificate_statement,
    corpus_statement,
    model_statement,
    party_statement,
)
from api.ring import Ring
from api.trusted_time import TrustedTime
from fingerprint.index import Index
from generator.model import read_card
from ledger.cosigned_checkpoint import CosignedCheckpoint
from ledger.database import open_engine, reading, writing
from ledger.envelope import Envelope, sign
from ledger.errors import IdempotencyError, LedgerError, SuccessionError
from ledger.key_file import passphrase_in_file
from ledger.log import Log
from ledger.merkle import leaf_hash
from ledger.note import NoteSigner
from migrations.upgrade import upgrade
from provenance import store
from provenance.bundle import Exhibit, StampedEntry
from provenance.credential import Credential, create_test_credential, load_credential
from provenance.errors import ProvenanceError, RotationError, UnknownRecordingError
from provenance.handover import succession_of
from provenance.identity import Digest, digest_bytes
from provenance.key_predicate import RotationPredicate
from provenance.objects import ObjectStore
from provenance.openscore import shipped_manifest
from provenance.source_predicate import PartyPredicate
from provenance.statement import Statement, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine

    from api.settings import Settings
    from ledger.entry import Entry
    from ledger.keys import Signer
    from ledger.log import Receipt
    from ledger.proof import TlogProof
    from provenance.disclosure import Opening
    from provenance.keyring import Keyring
    from provenance.predicate import Predicate

DEVICES = ("auto", "cpu", "cuda")
_log = logging.getLogger("linernotes")


@dataclass(frozen=True, slots=True)
class Draft:
    """A signed statement that is not in the log yet.

    Attributes:
        envelope: The bytes that will be stored.
        openings: Of its commitments, by field; they stay private.
        signers: Names of the keys that signed it.
    """

    statement: Statement[Predicate]
    envelope: bytes
    openings: Mapping[str, Opening]
    signers: frozenset[str]

    @property
    def leaf_hash(self) -> Digest:
        """The name of the entry it will become."""
        return Digest("sha256:" + leaf_hash(self.envelope).hex())


class Home:
    """An opened home.

    Attributes:
        root: Its folder.
        log: The transparency log.
        time: The time stamps of its checkpoints.
        index: The fingerprints of its recordings.
        objects: Its stored files.
        custody: Its own private keys.
        service: The key that signs statements.
        log_key: The key that signs checkpoints.
        last_checkpoint: The file that remembers the newest checkpoint outside the database.
        ring: The keys of the log.
        cosigned: The newest checkpoint that the witnesses' quorum has cosigned.
    """

    def __init__(self, settings: Settings) -> None:
        """Open the home, and make it when it is not there yet.

        Raises:
            HomeError: The folder cannot be written to, or another process holds it.
        """
        self.settings = settings
        self.root = settings.home
        self._key_leaves: dict[str, Digest] = {}
        with exclusively(self.root):
            for name in ("keys", "objects", "models"):
                private_folder(self.root / name)
            keys = self.root / "keys"
            passphrase = passphrase_in_file(given) if (given := settings.key_passphrase_file) else None
            self.custody = Custody(keys, passphrase)
            self.last_checkpoint = keys / "last-checkpoint"
            self.engine = self._engine()
            upgrade(self.engine)
            self.ring = Ring(self.engine)
            ring = self._settled()
            succession = succession_of(ring) if ring is not None else self.custody.published()
            self.service = self.custody.service()
            self.log_key: Signer = self.custody.log()
            signer = NoteSigner(origin(keys, settings.log_origin), self.log_key)
            self.time = TrustedTime(self.engine, settings, self._newest_checkpoint)
            self.log = Log(
                self.engine,
                signer,
                publishes_at_once=settings.publish_interval == 0,
                last_checkpoint=self.last_checkpoint,
                published=self.time.submit,
                succession=succession,
            )
            if self.log.verifier == signer.verifier:
                self.custody.publish(self.log.succession)
            self.cosigned = CosignedCheckpoint(self.root / "cosigned-checkpoint")
            self.index = Index(self.engine)
            self._seal_index()
            self.objects = ObjectStore(self.root / "objects")
            self.objects.clear_stale()
            self._register_what_is_ours()
            if ring is not None:
                self._renew_service_key(ring)
        finish(self)

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes from opening the home, and from replacing its keys, meanwhile.

        Raises:
            HomeBusyError: Another process has held it for two minutes.
        """
        return exclusively(self.root)

    def close(self) -> None:
        """Let go of the database, and of whoever is asked for the time."""
        self.time.close()
        self.engine.dispose()

    def with_device(self, device: str) -> Home:
        """Return the same home, running models elsewhere.

        Raises:
            UsageError: There is no such device.
        """
        if device not in DEVICES:
            raise UsageError(f"Models run on {', '.join(DEVICES)}, not on {device[:40]!r}.")
        self.settings = self.settings.model_copy(update={"device": device})
        return self

    @property
    def log_vkey(self) -> str:
        """The log's verifier key, to be published."""
        return self.log.verifier.vkey

    @cached_property
    def credential(self) -> Credential:
        """The C2PA signer: the one configured, else a test credential made on first use."""
        if self.settings.c2pa_chain and self.settings.c2pa_key:
            return load_credential(self.settings.c2pa_chain, self.settings.c2pa_key)
        return create_test_credential(self.root / "keys" / "c2pa")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one snapshot of the tables."""
        with reading(self.engine) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are durable together, when it ends without an error."""
        with writing(self.engine) as connection:
            yield connection

    def sign(
        self,
        statement: Statement[Predicate],
        openings: Mapping[str, Opening] | None = None,
        signer: Signer | None = None,
    ) -> Draft:
        """Sign a statement; its leaf hash is known from here on, so later statements can name it.

        Args:
            statement: What to sign.
            openings: Openings of its commitments, by field.
            signer: The service key when left out.
        """
        key = signer or self.service
        envelope = sign(statement.to_bytes(), key).to_bytes()
        return Draft(statement, envelope, dict(openings or {}), frozenset({key.keyid}))

    def append(
        self,
        drafts: Sequence[Draft],
        also: Callable[[Connection, Sequence[Receipt]], None] | None = None,
        once: str | None = None,
    ) -> list[Receipt]:
        """Append signed statements in one durable step, with every row that follows from them.

        Args:
            drafts: In order.
            also: More rows to write in the same transaction.
            once: Idempotency key: a second append with it is the first.

        Returns:
            Index and leaf hash of each entry; they are durable.

        Raises:
            KeyringError: A key that signed one of them may not, or may not any more.
            SuccessionError: The log was handed over to a key that this process does not know.
        """
        _require_no_handover(drafts)

        def within(connection: Connection, receipts: Sequence[Receipt]) -> None:
            self._fold(connection, drafts, receipts)
            if also is not None:
                also(connection, receipts)

        receipts = self.log.append([draft.envelope for draft in drafts], within=within, idempotency_key=once)
        self.ring.seen(drafts, receipts)
        return receipts

    def hand_over(self, draft: Draft, successor: Signer) -> Receipt:
        """Hand the log over to its next key; only while the home is held ``alone``.

        Args:
            draft: The rotation, signed by both keys.
            successor: The new key, of which the custody has the file.

        Returns:
            Its place; it and the checkpoint that both keys signed are durable, and the new key has its file's place.

        Raises:
            KeyringError: The key may not follow.
            SuccessionError: The log was handed over to another key already.
        """

        def within(connection: Connection, receipts: Sequence[Receipt]) -> None:
            self._fold(connection, [draft], receipts)

        receipt = self.log.hand_over(draft.envelope, NoteSigner(self.log.origin, successor), within)
        self.log_key = successor
        self.take_up_keys()
        return receipt

    def take_up_keys(self) -> None:
        """Use the keys that follow, as the log says, from now on; only while the home is held ``alone``."""
        self.custody.settle(self.ring.now())
        self.custody.publish(self.log.succession)
        self.service = self.custody.service()
        for cached in ("service_key_exhibit", "signer_exhibit"):
            self.__dict__.pop(cached, None)

    def draft(self, leaf: str) -> Draft:
        """Return an entry of the log in the form it had when it was signed, without its openings."""
        envelope = Envelope.parse(self.entry_bytes(leaf))
        signers = frozenset(signature.keyid for signature in envelope.signatures)
        return Draft(parse(envelope.payload), envelope.to_bytes(), {}, signers)

    def statement(self, leaf: str) -> Statement[Predicate]:
        """Return the statement of an entry.

        Raises:
            UnknownRecordingError: The log has no such entry.
        """
        return parse(Envelope.parse(self.entry_bytes(leaf)).payload)

    def entry_bytes(self, leaf: str) -> bytes:
        """Return an entry as it is stored.

        Raises:
            UnknownRecordingError: The log has no such entry.
        """
        return self._entry(leaf).data

    def proof(self, index: int) -> TlogProof:
        """Prove that an entry is in the log, against the newest checkpoint, with cosignatures where there are any.

        The newest checkpoint that the witnesses' quorum has cosigned is preferred, if it covers the entry.

        Raises:
            NoSuchEntryError: The log has no such index.
        """
        cosigned = self.cosigned.read()
        proof = None if cosigned is None else self.log.proof_against(index, cosigned)
        return proof or self.log.tlog_proof(index)

    def exhibit(self, leaf: str) -> Exhibit:
        """Return an entry with its proof against the newest checkpoint."""
        entry = self._entry(leaf)
        return Exhibit(entry.data, self.proof(entry.index).format())

    def stamped(self, leaf: str) -> StampedEntry | None:
        """Return the proof that an entry had been made by a time that an authority vouches for, where there is one.

        Raises:
            UnknownRecordingError: The log has no such entry.
        """
        index = self._entry(leaf).index
        stamp = self.time.covering(index)
        proof = None if stamp is None else self.log.proof_against(index, stamp.checkpoint)
        return StampedEntry(Digest(leaf), proof.format(), stamp.token) if stamp and proof else None

    def require_signer(self) -> None:
        """Find out whether manifests can be signed, before anything is made that would need one.

        Raises:
            CredentialError: The configured certificate chain or key cannot sign.
        """
        self.signer_exhibit.statement()

    @cached_property
    def signer_exhibit(self) -> Exhibit:
        """The registration of the certificate that signs manifests, which is made at its first use."""
        statement = certificate_statement(self.credential, self.log_vkey)
        with self.reading() as connection:
            found = store.find_registration(connection, "key", statement.predicate.keyid)
        if found is not None:
            term = self.ring.now().term(statement.predicate.keyid)
            if term.stop is not None:
                raise HomeError(
                    f"Manifests cannot be signed with this home's certificate any more: {term.span()}. Configure "
                    "another one (the settings c2pa_chain and c2pa_key)."
                )
            return self.exhibit(found.leaf_hash)
        draft = self.sign(statement)
        self.append([draft])
        return self.exhibit(draft.leaf_hash)

    @cached_property
    def service_key_exhibit(self) -> Exhibit:
        """The registration of the service key, with a proof that is as good as any later one."""
        return self.exhibit(self.service_key_leaf)

    @property
    def service_key_leaf(self) -> Digest:
        """Leaf hash of the statement that registers the service key."""
        return self._leaf_of_key(self.service.keyid)

    def _leaf_of_key(self, keyid: str) -> Digest:
        if keyid not in self._key_leaves:  # a registration stays where it is
            with self.reading() as connection:
                found = store.find_registration(connection, "key", keyid)
            if found is None:
                raise HomeError(f"The signing key {keyid} is not registered in the log of {self.root}.")
            self._key_leaves[keyid] = found.leaf_hash
        return self._key_leaves[keyid]

    def owner(self) -> PartyPredicate:
        """Return the party that runs this home."""
        with self.reading() as connection:
            found = store.registrations(connection, "party")
        for registration in found:
            predicate = self.statement(registration.leaf_hash).predicate
            if isinstance(predicate, PartyPredicate) and predicate.relation == "owner":
                return predicate
        raise HomeError(f"No party is registered as the owner of {self.root}.")

    def _newest_checkpoint(self) -> bytes:
        return self.log.checkpoint()

    def _entry(self, leaf: str) -> Entry:
        entry = self.log.entry_by_leaf(digest_bytes(leaf))
        if entry is None:
            raise UnknownRecordingError(f"The log of this home has no entry with the leaf hash {leaf}.")
        return entry

    def _engine(self) -> Engine:
        if self.settings.database:
            return open_engine(self.settings.database)
        file = self.root / "linernotes.db"
        private_file(file)
        return open_engine(file)

    def _fold(self, connection: Connection, drafts: Sequence[Draft], receipts: Sequence[Receipt]) -> None:
        """Write what follows from statements beside them, if their keys may sign at the places where they go."""
        ring = self.ring.require(connection, drafts, receipts)
        if ring.log and ring.log[-1][0] != self.log_vkey:
            raise SuccessionError(
                f"The log was handed over to the key {ring.log[-1][0]}, and this process knows {self.log_vkey}. Open "
                "the home again; nothing was appended."
            )
        placed = list(zip(drafts, receipts, strict=True))
        store.fold(connection, ((draft.leaf_hash, receipt.index, draft.statement) for draft, receipt in placed))
        store.add_openings(connection, [(draft.leaf_hash, draft.openings) for draft in drafts])

    def _settled(self) -> Keyring | None:
        """Return the log's keys, after finishing what was interrupted while they were replaced; None if unreadable."""
        try:
            ring = self.ring.now()
        except (LedgerError, ProvenanceError) as fault:
            _log.warning("The keys of the log cannot be read from its entries; run `linernotes log fsck`. %s", fault)
            return None
        self.custody.settle(ring)
        return ring

    def _renew_service_key(self, ring: Keyring) -> None:
        """Replace a service key that was registered for the log's last key: a handover was interrupted there."""
        registered = ring.keys.get(self.service.keyid)
        if not ring.log or registered is None or registered.index >= ring.log[-1][1]:
            return
        if ring.log[-1][0] != self.log_vkey or ring.term(registered.keyid).stop is not None:
            return
        from api.key_record import renew_service_key  # noqa: PLC0415 - which needs the home
        from api.submission import Intake  # noqa: PLC0415

        renew_service_key(self, Intake(self))

    def _seal_index(self) -> None:
        with self.reading() as connection:
            due = self.index.is_due(connection)
        if due:
            with self.writing() as connection:
                self.index.seal(connection)

    def _register_what_is_ours(self) -> None:
        if self.log.size():
            return
        manifest, card = shipped_manifest(), read_card()
        owner, openings = party_statement("person", "", relation="owner")
        corpus = self.sign(corpus_statement(manifest))
        model = model_statement(card, corpus.leaf_hash, manifest, card.licence, BUILT_IN_OUTPUT_LICENCE)
        key = registration_statement("service", self.service.verifier, self.log_vkey)
        with suppress(IdempotencyError):  # another machine was faster
            self.append([self.sign(key), self.sign(owner, openings), corpus, self.sign(model)], once="genesis")


def _require_no_handover(drafts: Sequence[Draft]) -> None:
    predicates = [draft.statement.predicate for draft in drafts]
    if any(isinstance(each, RotationPredicate) and each.role == "log" for each in predicates):
        raise RotationError(
            "A log's own key is replaced by `linernotes key rotate --role log` and in no other way: both keys have to "
            "sign the checkpoint, too."
        )
