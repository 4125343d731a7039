"""Following somebody else's log, and telling which of its new entries are of interest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.errors import UsageError
from api.schemas.monitor import EntrySeen, MonitorReport
from ledger.checkpoint import Checkpoint
from ledger.envelope import Envelope
from ledger.errors import LedgerError, PolicyError
from ledger.log_source import HttpSource
from ledger.merkle import leaf_hash
from ledger.monitor import Monitor
from ledger.note import Note
from ledger.policy import Policy
from provenance.errors import ProvenanceError
from provenance.statement import parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.monitor import Seen

UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Interest:
    """Which entries to tell of; all where nothing is asked for.

    Attributes:
        kinds: Kinds of statements, ``unreadable`` among them.
        words: Texts that have to stand in the statement, each of them, whatever their case.
        keyids: Keys that may have signed it, any of them.
    """

    kinds: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    keyids: frozenset[str] = frozenset()

    def includes(self, entry: EntrySeen, payload: bytes) -> bool:
        """Tell whether an entry is of interest."""
        text = payload.decode("utf-8", "replace").casefold()
        return (
            (not self.kinds or entry.kind in self.kinds)
            and (not self.keyids or not self.keyids.isdisjoint(entry.keyids))
            and all(word.casefold() in text for word in self.words)
        )


def follow(url: str, policy: Path, memory: Path, interest: Interest) -> MonitorReport:
    """Take in what is new in a log, after all of it was verified.

    Args:
        url: The log's prefix.
        policy: C2SP tlog-policy: which logs and witnesses are accepted.
        memory: File that remembers how far this monitor has come.
        interest: Which entries to tell of.

    Raises:
        UsageError: The policy is none, or a file cannot be used.
        ForkedLogError: The log does not extend what was seen before.
        ShrunkLogError: It is smaller than it was.
        LedgerError: It cannot be read, or is not accepted.
    """
    try:
        accepted = Policy.parse(policy.read_bytes())
        monitor = Monitor(HttpSource(url.rstrip("/")), accepted, memory)
        before = monitor.followed.edge.size
        found = [entry for bundle in monitor.look() for entry in _interesting(bundle, interest)]
    except PolicyError as error:
        raise UsageError(f"{policy}: {error}") from error
    except OSError as error:
        raise UsageError(f"{error.filename or memory} cannot be used: {error.strerror or error}.") from error
    checkpoint = Checkpoint.parse(Note.parse(monitor.followed.seen or b"").text)
    return MonitorReport(
        origin=checkpoint.origin,
        tree_size=checkpoint.size,
        root_hash=checkpoint.root_hash.hex(),
        new_entries=checkpoint.size - before,
        entries=found,
    )


def default_memory(home: Path, url: str) -> Path:
    """Return where a home remembers how far it has come with a log."""
    folder = home / "monitor"
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    return folder / hashlib.sha256(url.rstrip("/").encode()).hexdigest()


def _interesting(bundle: list[Seen], interest: Interest) -> Iterator[EntrySeen]:
    for each in bundle:
        entry, payload = _read(each)
        if interest.includes(entry, payload):
            yield entry


def _read(seen: Seen) -> tuple[EntrySeen, bytes]:
    """What an entry is; an entry of another program, or of a later version of this one, is there all the same."""
    leaf = "sha256:" + leaf_hash(seen.data).hex()
    try:
        envelope = Envelope.parse(seen.data)
        statement = parse(envelope.payload)
    except (LedgerError, ProvenanceError):
        return EntrySeen(log_index=seen.index, leaf_hash=leaf, kind=UNREADABLE, about=[], time="", keyids=[]), seen.data
    return (
        EntrySeen(
            log_index=seen.index,
            leaf_hash=leaf,
            kind=statement.kind,
            about=[subject.name for subject in statement.subjects],
            time=statement.predicate.time,
            keyids=[signature.keyid for signature in envelope.signatures],
        ),
        envelope.payload,
    )
