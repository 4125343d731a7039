"""The way into a home's log for what was signed elsewhere: it is asked at the door, and once more in the doorway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from api.home import Draft
from ledger.envelope import Envelope
from provenance.admission import Limits, admit, foresee
from provenance.errors import DuplicateStatementError
from provenance.identity import digest_bytes, now
from provenance.statement import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from api.home import Home
    from ledger.keys import Signer
    from ledger.log import Receipt
    from provenance.identity import Digest
    from provenance.keyring import Keyring

    Also = Callable[[Connection, Sequence[Receipt]], None]


class Intake:
    """Takes signed statements into the log of a home.

    Args:
        home: Whose log.
        limits: How much is taken; the defaults when left out.
    """

    def __init__(self, home: Home, limits: Limits | None = None) -> None:
        self._home = home
        self._limits = limits or Limits()

    def keyring(self) -> Keyring:
        """Return the keys of the log as of now."""
        return self._home.ring.now()

    def foresee(self, payload: bytes, signers: Sequence[str]) -> None:
        """Ask, before a statement is handed out, whether it would be admitted with signatures by some keys.

        Args:
            payload: Its bytes.
            signers: Names of the keys.

        Raises:
            AdmissionError: It would be refused as things stand.
        """
        ring = self.keyring()
        foresee(payload, signers, ring, ring.size, self._kind_of, now(), self._limits)

    def submit(self, envelopes: Sequence[bytes], once: str | None = None, also: Also | None = None) -> list[Receipt]:
        """Admit signed statements and append them, all or none.

        Args:
            envelopes: DSSE envelopes, in order.
            once: Idempotency key: a second submission with it, of the same envelopes, is the first.
            also: More rows to write in the same transaction.

        Returns:
            Index and leaf hash of each entry; they are durable.

        Raises:
            AdmissionError: One of them is refused; nothing was appended.
            LedgerError: They cannot be appended.
        """
        if once is not None and (before := self._home.log.appended_before(envelopes, once)) is not None:
            return before
        drafts = self._admitted(envelopes)
        try:
            return self._home.append(drafts, also=also, once=once)
        except IntegrityError as error:
            raise DuplicateStatementError(
                "A statement with the same identifier, or about a new recording with the same one, is in the log "
                "already; identifiers are random and used once. Make the statement again. Nothing was appended."
            ) from error

    def hand_over(self, rotation: bytes, successor: Signer) -> Receipt:
        """Admit the rotation of the log's own key, and hand the log over with it; see :meth:`api.home.Home.hand_over`.

        Args:
            rotation: A DSSE envelope, signed by both keys.
            successor: The new key.

        Raises:
            AdmissionError: It is refused; nothing was appended.
            LedgerError: It cannot be appended.
        """
        [draft] = self._admitted([rotation])
        return self._home.hand_over(draft, successor)

    def _admitted(self, envelopes: Sequence[bytes]) -> list[Draft]:
        ring = self.keyring()
        admitted = admit(envelopes, ring, ring.size, self._kind_of, now(), self._limits)
        return [Draft(each.statement, each.envelope, {}, each.signers) for each in admitted]

    def _kind_of(self, leaf: Digest) -> str | None:
        entry = self._home.log.entry_by_leaf(digest_bytes(leaf))
        return None if entry is None else parse(Envelope.parse(entry.data).payload).kind


def submit(home: Home, envelopes: Sequence[bytes]) -> list[Receipt]:
    """Admit signed statements into a home's log and append them: see :meth:`Intake.submit`."""
    return Intake(home).submit(envelopes)
