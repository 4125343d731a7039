"""A home: one ledger with its keys, its stored files and its tables, opened and made here only."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from api.errors import HomeBusyError, HomeError, UsageError
from api.registration import (
    BUILT_IN_OUTPUT_LICENCE,
    certificate_statement,
    corpus_statement,
    key_statement,
    model_statement,
    party_statement,
)
from fingerprint.index import Index
from generator.model import read_card
from ledger.database import open_engine, reading, writing
from ledger.envelope import Envelope, sign
from ledger.keys import load_or_create_key
from ledger.log import Log
from ledger.merkle import leaf_hash
from ledger.note import NoteSigner
from migrations.upgrade import upgrade
from provenance import store
from provenance.bundle import Exhibit
from provenance.credential import Credential, create_test_credential, load_credential
from provenance.errors import UnknownRecordingError
from provenance.identity import Digest, digest_bytes
from provenance.objects import ObjectStore
from provenance.openscore import shipped_manifest
from provenance.predicate import (
    PartyPredicate,
    Predicate,
)
from provenance.statement import Statement, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from api.settings import Settings
    from ledger.keys import Signer
    from ledger.log import Receipt
    from provenance.disclosure import Opening

DEVICES = ("auto", "cpu", "cuda")
_PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Draft:
    """A signed statement that is not in the log yet.

    Attributes:
        envelope: The bytes that will be stored.
        openings: Of its commitments, by field; they stay private.
    """

    statement: Statement[Predicate]
    envelope: bytes
    openings: Mapping[str, Opening]

    @property
    def leaf_hash(self) -> Digest:
        """The name of the entry it will become."""
        return Digest("sha256:" + leaf_hash(self.envelope).hex())


class Home:
    """An opened home.

    Attributes:
        root: Its folder.
        log: The transparency log.
        index: The fingerprints of its recordings.
        objects: Its stored files.
        service: The key that signs statements.
    """

    def __init__(self, settings: Settings) -> None:
        """Open the home, and make it when it is not there yet.

        Raises:
            HomeError: The folder cannot be written to, or another process holds it.
        """
        self.settings = settings
        self.root = settings.home
        with _exclusively(self.root):
            for name in ("keys", "objects", "models"):
                _private_folder(self.root / name)
            keys, database = self.root / "keys", self.root / "linernotes.db"
            _private_file(database)
            self.service = load_or_create_key(keys / "service.pem")
            self.engine = open_engine(database)
            upgrade(self.engine)
            signer = NoteSigner(self._origin(), load_or_create_key(keys / "log.pem"))
            self.log = Log(self.engine, signer, last_checkpoint=keys / "last-checkpoint")
            (keys / "log.vkey").write_text(self.log_vkey + "\n", encoding="utf-8")
            self.index = Index(self.engine)
            self._seal_index()
            self.objects = ObjectStore(self.root / "objects")
            self.objects.clear_stale()
            self._register_what_is_ours()

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
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one snapshot of the tables."""
        with reading(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose changes are durable together, when it ends without an error."""
        with writing(self.engine) as session:
            yield session

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
        return Draft(statement, sign(statement.to_bytes(), signer or self.service).to_bytes(), dict(openings or {}))

    def append(
        self, drafts: Sequence[Draft], also: Callable[[Session, Sequence[Receipt]], None] | None = None
    ) -> list[Receipt]:
        """Append signed statements in one durable step, with every row that follows from them.

        Args:
            drafts: In order.
            also: More rows to write in the same transaction.

        Returns:
            Index and leaf hash of each entry; they are durable.
        """

        def within(session: Session, receipts: Sequence[Receipt]) -> None:
            for draft, receipt in zip(drafts, receipts, strict=True):
                store.fold(session, draft.leaf_hash, receipt.index, draft.statement)
                store.add_openings(session, draft.leaf_hash, draft.openings.items())
            if also is not None:
                also(session, receipts)

        return self.log.append([draft.envelope for draft in drafts], within=within)

    def draft(self, leaf: str) -> Draft:
        """Return an entry of the log in the form it had when it was signed, without its openings."""
        return Draft(self.statement(leaf), self.entry_bytes(leaf), {})

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
        entry = self.log.entry_by_leaf(digest_bytes(leaf))
        if entry is None:
            raise UnknownRecordingError(f"The log of this home has no entry with the leaf hash {leaf}.")
        return entry.data

    def exhibit(self, leaf: str) -> Exhibit:
        """Return an entry with its proof against the newest checkpoint."""
        entry = self.log.entry_by_leaf(digest_bytes(leaf))
        if entry is None:
            raise UnknownRecordingError(f"The log of this home has no entry with the leaf hash {leaf}.")
        return Exhibit(entry.data, self.log.tlog_proof(entry.index).format())

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
        with self.reading() as session:
            found = store.find_registration(session, "key", statement.predicate.keyid)
        if found is not None:
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
        with self.reading() as session:
            found = store.find_registration(session, "key", self.service.keyid)
        if found is None:
            raise HomeError(f"The signing key {self.service.keyid} is not registered in the log of {self.root}.")
        return found.leaf_hash

    def owner(self) -> PartyPredicate:
        """Return the party that runs this home."""
        with self.reading() as session:
            found = store.registrations(session, "party")
        for registration in found:
            predicate = self.statement(registration.leaf_hash).predicate
            if isinstance(predicate, PartyPredicate) and predicate.relation == "owner":
                return predicate
        raise HomeError(f"No party is registered as the owner of {self.root}.")

    def _origin(self) -> str:
        path = self.root / "keys" / "log-origin"
        if not path.exists():
            name = self.settings.log_origin or f"linernotes.local/{secrets.token_hex(8)}"
            path.write_text(name + "\n", encoding="utf-8")
        origin = path.read_text(encoding="utf-8").strip()
        if self.settings.log_origin not in ("", origin):
            raise HomeError(
                f"This home's log is called {origin}, and the setting log_origin says "
                f"{self.settings.log_origin}. A log keeps its name for life: remove the setting, or choose "
                "another home."
            )
        return origin

    def _seal_index(self) -> None:
        with self.reading() as session:
            due = self.index.is_due(session)
        if due:
            with self.writing() as session:
                self.index.seal(session)

    def _register_what_is_ours(self) -> None:
        if self.log.size():
            return
        manifest, card = shipped_manifest(), read_card()
        owner, openings = party_statement("person", "", relation="owner")
        corpus = self.sign(corpus_statement(manifest))
        model = model_statement(card, corpus.leaf_hash, manifest, card.licence, BUILT_IN_OUTPUT_LICENCE)
        key = key_statement(self.service, self.log.verifier.vkey)
        self.append([self.sign(key), self.sign(owner, openings), corpus, self.sign(model)])


def _private_folder(path: Path) -> None:
    """Make a folder that nobody else looks into, whatever the folder around it allows."""
    with _explained(path):
        path.mkdir(mode=0o700, exist_ok=True)
        _close_to_others(path, 0o700)


def _private_file(path: Path) -> None:
    """Make the database before SQLite does, which would let others read it; its -wal and -shm take after it."""
    with _explained(path):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
                if each.exists():
                    _close_to_others(each, 0o600)


def _close_to_others(path: Path, mode: int) -> None:
    if path.stat().st_mode & 0o077:
        path.chmod(mode)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HomeError(
            f"{path} cannot be kept private: {error.strerror}. Only the user who runs Liner Notes may read it: give "
            "that user the file, or choose another home with LINERNOTES_HOME."
        ) from error


@contextmanager
def _exclusively(root: Path) -> Iterator[None]:
    """Hold the home for oneself while it is opened or made.

    Raises:
        HomeError: The folder cannot be made or written to.
        HomeBusyError: Another process has held it for two minutes.
    """
    try:
        root.mkdir(parents=True, mode=0o700, exist_ok=True)
        handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HomeError(
            f"The home {root} cannot be used: {error.strerror}. Give the folder back its write permission, free some "
            "room on its disk, or choose another home with LINERNOTES_HOME."
        ) from error
    try:
        _lock(handle, root)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, root: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise HomeBusyError(
                    f"Another process has been opening the home {root} for {_PATIENCE_SECONDS} seconds. Stop it, "
                    "or wait."
                ) from error
            time.sleep(0.05)
        else:
            return
