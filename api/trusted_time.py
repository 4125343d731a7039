"""Trusted time in a home: who stamps its checkpoints, where the stamps are kept, and which of them covers an entry."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, Final

from api.errors import UsageError
from api.stamping import KeptStamp
from api.trusted_roots import read_roots
from ledger import store
from ledger.checkpoint import Checkpoint
from ledger.database import reading, writing
from ledger.errors import TimeStampError
from ledger.note import Note
from ledger.stamper import Report, Stamper
from ledger.timestamp import rfc3339, stamped_bytes
from ledger.tsa import TimeStampAuthority

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine

    from api.settings import Settings
    from ledger.store import StoredStamp
    from ledger.timestamp import TimeStamp, TsaRoots

PATIENCE_SECONDS: Final = 1.0
"""How long an export waits for its own stamp, of an authority that has just given another."""


class TrustedTime:
    """The time stamps of a home's log.

    Args:
        engine: The home's database.
        settings: Which authority is asked, how often, and which are trusted.
        newest: Gives the newest checkpoint of the home's log.

    Raises:
        UsageError: An authority is configured that cannot be asked, or without the roots to verify it.
    """

    def __init__(self, engine: Engine, settings: Settings, newest: Callable[[], bytes]) -> None:
        self._engine = engine
        self._newest = newest
        self._every = settings.tsa_every
        self.roots = read_roots(settings.tsa_roots) if settings.tsa_roots else None
        self._authority = _authority(settings.tsa_url, self.roots) if settings.tsa_url else None

    def submit(self, checkpoint_note: bytes, *, now: bool = False) -> None:
        """Tell of a new checkpoint, and return at once; it is stamped in the background when its turn has come."""
        if self._stamper is not None:
            self._stamper.submit(checkpoint_note, now=now)

    def wait_for(self, size: int) -> None:
        """Wait a moment for a stamp, but only for one of an authority that gave the last one it was asked for."""
        if self._stamper is not None:
            self._stamper.wait_for(size, PATIENCE_SECONDS)

    def close(self, seconds: float = 0) -> None:
        """Ask nobody any more.

        Args:
            seconds: How long to wait for a question that is under way.
        """
        if self._stamper is not None:
            self._stamper.close(seconds)

    @property
    def report(self) -> Report | None:
        """How stamping goes in this process; None where no authority is configured."""
        return self._stamper.report if self._stamper is not None else None

    def stamp_newest(self) -> KeptStamp:
        """Have the newest checkpoint stamped now, unless it has a stamp.

        Raises:
            UsageError: No authority is configured.
            TsaUnreachableError: It cannot be reached, or does not answer in time.
            TsaRefusedError: It answers with anything but a time stamp that holds.
        """
        if self._authority is None:
            raise UsageError(
                "No time-stamping authority is configured: set LINERNOTES_TSA_URL and LINERNOTES_TSA_ROOTS."
            )
        note = self._newest()
        size = Checkpoint.parse(Note.parse(note).text).size
        while (kept := self.covering(size - 1)) is None or kept.size != size:
            self._keep(size, self._authority.stamp(stamped_bytes(note)))
        return kept

    def kept_stamps(self, newest: int) -> Sequence[KeptStamp]:
        """Return so many of the newest stamps, the newest first."""
        with reading(self._engine) as connection:
            found = [_kept(connection, each) for each in store.stamps(connection, newest)]
        return [each for each in found if each is not None]

    def covering(self, index: int) -> KeptStamp | None:
        """Return the earliest stamp that covers the entry at an index."""
        with reading(self._engine) as connection:
            return _kept(connection, store.stamp_covering(connection, index))

    def checkpoints_since_stamp(self) -> int:
        """Return how many checkpoints were signed after the newest that was stamped."""
        with reading(self._engine) as connection:
            return store.checkpoints_since_stamp(connection)

    @cached_property
    def _stamper(self) -> Stamper | None:
        if self._authority is None:
            return None
        return Stamper(self._authority, self._keep, every=self._every, behind=self.checkpoints_since_stamp())

    def _keep(self, size: int, stamp: TimeStamp) -> None:
        with writing(self._engine) as connection:
            store.add_stamp(connection, store.StoredStamp(size, stamp.token, rfc3339(dt.datetime.now(dt.UTC))))


def _kept(connection: Connection, stamp: StoredStamp | None) -> KeptStamp | None:
    of = None if stamp is None else store.checkpoint_at(connection, stamp.size)
    return KeptStamp(of.note, stamp.token, stamp.taken_at) if stamp and of else None


def _authority(url: str, roots: TsaRoots | None) -> TimeStampAuthority:
    if roots is None:
        raise UsageError(
            "LINERNOTES_TSA_URL is set, and LINERNOTES_TSA_ROOTS is not: without the root of the authority nothing "
            "that it answers could be verified. Name the PEM file that holds it."
        )
    try:
        return TimeStampAuthority(url, roots)
    except TimeStampError as error:
        raise UsageError(f"LINERNOTES_TSA_URL: {error}") from error
