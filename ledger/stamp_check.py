"""Does every time stamp hold that is kept in the log?"""

import datetime as dt
import hashlib
from typing import Final

from sqlalchemy import Connection

from ledger import store
from ledger.entry import is_moment
from ledger.errors import LedgerError, shown
from ledger.findings import Findings, Problem, shortened
from ledger.timestamp import TimeStamp, TsaRoots, stamped_bytes, verify

_CLOCKS_APART: Final = dt.timedelta(hours=1)
_SHOWN: Final = 20
"""Warnings that are named: where a clock was wrong, it was for every stamp."""


def run(connection: Connection, roots: TsaRoots | None, findings: Findings) -> None:
    """Checks every time stamp that is there; one that was deleted is not missed by anybody.

    Args:
        connection: A transaction on the log.
        roots: The authorities that are trusted; without them, only what a token states is checked.
        findings: Where to note what is wrong.
    """
    apart: list[Problem] = []
    for stored in store.stamps(connection):
        where = f"timestamp {stored.size}"
        if not is_moment(stored.taken_at):
            what = f"It was kept at {shown(stored.taken_at)}, which is no time: the row was changed."
            findings.one_of_many("kept", what, where)
        stamped = store.checkpoint_at(connection, stored.size)
        if stamped is None:
            findings.one_of_many("stamped", "It is of a checkpoint that is not there.", where)
            continue
        try:
            message = stamped_bytes(stamped.note)
            said = TimeStamp.parse(stored.token) if roots is None else verify(stored.token, message, roots)
        except LedgerError as fault:
            findings.one_of_many("stamp", str(fault), where)
            continue
        if said.message_digest != hashlib.sha256(message).digest():
            findings.one_of_many("stamp", "It is about something else than its checkpoint.", where)
        elif is_moment(stored.taken_at) and _apart(stored.taken_at, said.gen_time) > _CLOCKS_APART:
            what = (
                f"It states {said.gen_time}, and was kept at {stored.taken_at} by the clock: one of the two clocks was "
                "wrong, or the row was changed."
            )
            apart.append(Problem(what, where))
    findings.warnings += shortened(apart[:_SHOWN], len(apart))


def _apart(one: str, other: str) -> dt.timedelta:
    return abs(dt.datetime.fromisoformat(one) - dt.datetime.fromisoformat(other))
