"""The private keys of a home: where they lie, and how a new one takes an old one's place.

A key that is to follow lies beside the old one, under a name of its own, until the log says that it follows; only
then does its file take the old one's place. So whatever is interrupted, the log and the files that are left say
whose turn it is, and no key is lost that is still needed. All of this is done with the home to oneself.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.errors import HomeError
from ledger.bounded_file import read_bounded
from ledger.durability import replace, sync_folder
from ledger.errors import LedgerError
from ledger.key_file import load_or_create_key
from ledger.note import MAX_NOTE_BYTES, NoteVerifier
from ledger.rotation import MAX_SUCCESSION_BYTES, Succession
from provenance.identity import digest

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.key_file import Passphrase
    from ledger.keys import Ed25519Signer
    from provenance.keyring import Keyring

_SERVICE, _NEXT_SERVICE = "service.pem", "service-next.pem"
_LOG, _NEXT_LOG = "log.pem", "log-next.pem"
_SUCCESSION, _VKEY = "log-succession", "log.vkey"
"""All keys that the log has had, as `ledger.rotation` writes them, and the newest of them."""
_REMOVE = "Move it away; the next start makes it again from the log's entries."
_PRIVATE, _PUBLIC = 0o600, 0o644
_log = logging.getLogger("linernotes")


@dataclass(frozen=True, slots=True)
class Custody:
    """The folder of a home's own keys.

    Attributes:
        folder: The folder.
        passphrase: What all of them are put under; None for keys in the clear.
    """

    folder: Path
    passphrase: Passphrase | None = None

    def service(self) -> Ed25519Signer:
        """Return the key that signs statements, made at first use."""
        return self._key(_SERVICE)

    def next_service(self) -> Ed25519Signer:
        """Return the key that is to follow it, durably kept; the same until it has."""
        return self._key(_NEXT_SERVICE)

    def log(self) -> Ed25519Signer:
        """Return the key that signs checkpoints, made at first use."""
        return self._key(_LOG)

    def next_log(self) -> Ed25519Signer:
        """Return the key that is to follow it, durably kept; the same until it has."""
        return self._key(_NEXT_LOG)

    def settle(self, ring: Keyring) -> None:
        """Give the keys that follow, as the log says, the places of those before them, which are then gone.

        Raises:
            KeyFileError: The file of a key that is to follow cannot be read.
            HomeError: It cannot be moved.
        """
        if (self.folder / _NEXT_SERVICE).exists() and self.next_service().keyid in ring.keys:
            self._move(_NEXT_SERVICE, _SERVICE)
        if (self.folder / _NEXT_LOG).exists() and ring.log:
            current = digest(NoteVerifier.parse(ring.log[-1][0]).public_key)
            if self.next_log().keyid == current:
                self._move(_NEXT_LOG, _LOG)

    def publish(self, succession: Succession) -> None:
        """Keep the public halves of the log's keys where readers find them, whether or not there is a database.

        A succession that is no earlier state of this one stays as it is: it may be all that is left of the truth.
        """
        if fault := self.fault(succession):
            _log.warning("%s: %s", self.folder / _SUCCESSION, fault)
        else:
            self._keep(_SUCCESSION, succession.format(), _PRIVATE)
        self._keep(_VKEY, f"{succession.current.vkey}\n".encode(), _PUBLIC)

    def fault(self, succession: Succession) -> str:
        """Say what is wrong with the succession of the log's keys that is kept here.

        Args:
            succession: As the log has it.

        Returns:
            Nothing where it is that one or an earlier state of it, or where there is none.
        """
        path, known = self.folder / _SUCCESSION, succession.tenures
        try:
            kept = Succession.parse(read_bounded(path, MAX_SUCCESSION_BYTES)).tenures if path.exists() else ()
        except (LedgerError, OSError) as fault:
            return f"it should list the keys that the log has had, but does not ({fault}) {_REMOVE}"
        if kept == known[: len(kept)]:
            return ""
        if known == kept[: len(known)]:
            return (
                "it lists keys to which the log was handed over, and which no entry names: most likely an older copy "
                "of the database was put in its place. Keep this file, and look for the newest copy."
            )
        return f"it lists other keys than the log has had. {_REMOVE}"

    def published(self) -> Succession | None:
        """Return the log's keys as they were published last, where they were."""
        whole, newest = self.folder / _SUCCESSION, self.folder / _VKEY
        try:
            if whole.exists():
                return Succession.parse(read_bounded(whole, MAX_SUCCESSION_BYTES))
            if newest.exists():  # as earlier releases left it
                return Succession.of(NoteVerifier.parse(read_bounded(newest, MAX_NOTE_BYTES).decode().strip()))
        except (LedgerError, OSError, UnicodeDecodeError) as fault:
            _log.warning("The keys of this home's log cannot be read in %s: %s", self.folder, fault)
        return None

    def _keep(self, name: str, data: bytes, mode: int) -> None:
        path = self.folder / name
        if not path.exists() or not _holds(path, data):
            replace(path, data, mode=mode)

    def _key(self, name: str) -> Ed25519Signer:
        return load_or_create_key(self.folder / name, self.passphrase)

    def _move(self, name: str, place: str) -> None:
        try:
            (self.folder / name).replace(self.folder / place)
            sync_folder(self.folder)
        except OSError as error:
            raise HomeError(
                f"The new key {self.folder / name} cannot take its place: {error.strerror}. Rename it to {place} "
                "yourself; the log does not take anything by the old one any more."
            ) from error


def _holds(path: Path, data: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(data) + 1) == data
