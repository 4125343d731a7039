"""The keys of a home's log as of now, and whether what is about to be appended was signed by those that may."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from ledger import store as ledger_store
from ledger.database import reading
from provenance import store
from provenance.admission import Admitted, confirm
from provenance.keyring import KINDS, Keyring, folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine

    from api.home import Draft
    from ledger.log import Receipt


class Ring:
    """The keys of one log; any number of threads may use it.

    Args:
        engine: The home's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ring = Keyring()
        self._mutex = threading.Lock()

    def now(self) -> Keyring:
        """Return the keys as of the newest entry."""
        with self._mutex:
            with reading(self._engine) as connection:
                self._ring = _until(connection, self._ring, ledger_store.head(connection).size)
            return self._ring

    def require(self, connection: Connection, drafts: Sequence[Draft], receipts: Sequence[Receipt]) -> Keyring:
        """Ask at the very place where statements are going whether their keys may sign there.

        Args:
            connection: The transaction that appends them.
            drafts: The statements.
            receipts: Their places.

        Returns:
            The keys as of just before them.

        Raises:
            KeyringError: A key may not: it is unknown, of another role, replaced or revoked.
        """
        first = receipts[0].index
        signed = [Admitted(each.envelope, each.leaf_hash, each.statement, each.signers) for each in drafts]
        ring = _until(connection, self._ring, first)
        confirm(signed, ring, first)
        return ring

    def seen(self, drafts: Sequence[Draft], receipts: Sequence[Receipt]) -> None:
        """Take note of statements that are durable; those about keys are read when they are needed."""
        with self._mutex:
            nothing_between = self._ring.size == receipts[0].index
            if nothing_between and not any(each.statement.kind in KINDS for each in drafts):
                self._ring = replace(self._ring, size=receipts[-1].index + 1)


def _until(connection: Connection, ring: Keyring, size: int) -> Keyring:
    """Folds what was appended since, up to a size: statements about keys alone, no other changes a ring."""
    if ring.size >= size:
        return ring
    for index in store.entries_about_keys(connection, ring.size, size):
        entry = ledger_store.entry(connection, index)
        if entry is not None:
            ring = folded(ring, [entry])
    return replace(ring, size=size)
