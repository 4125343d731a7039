"""Following somebody else's log, and telling which of its new entries are of interest."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.errors import UsageError
from api.files import read_bounded
from api.schemas.monitor import EntrySeen, MonitorReport
from ledger.checkpoint import Checkpoint
from ledger.envelope import Envelope
from ledger.errors import LedgerError, PolicyError, QuorumError
from ledger.log_source import HttpSource
from ledger.merkle import leaf_hash
from ledger.monitor import Monitor
from ledger.note import Note
from ledger.policy import MAX_POLICY_BYTES, Policy
from ledger.remote import split_url
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


class Follower:
    """Follows one log, and tells what is of interest in it, at least once.

    Args:
        url: The log's prefix.
        policy: C2SP tlog-policy: which logs and witnesses are accepted.
        memory: File that remembers how far this monitor has come.
        interest: Which entries to tell of.
        first: Index of the entry to begin with where nothing is remembered yet; None for whatever comes
            after the newest checkpoint.

    Raises:
        UsageError: The URL or the policy is none, or a file cannot be used.
        MonitorError: The memory is none.
    """

    def __init__(self, url: str, policy: Path, memory: Path, interest: Interest, first: int | None = 0) -> None:
        self._policy = policy
        self._memory = memory
        self._interest = interest
        self._new_entries = 0
        parts = split_url(url)
        if parts is None or parts.query:
            raise UsageError(f"{url[:200]!r} is not the prefix of a log: give an http or https URL.")
        with self._naming_files():
            accepted = Policy.parse(read_bounded(policy, MAX_POLICY_BYTES))
            self._monitor = Monitor(HttpSource(url.rstrip("/")), accepted, memory, first)

    def look(self) -> Iterator[list[EntrySeen]]:
        """Take in what is new in the log, a bundle at a time, after all of it was verified.

        The memory does not move past a bundle until it is acknowledged: whoever is stopped before, for
        whatever reason, is told the same again.

        Yields:
            What is of interest in each bundle, which may be nothing.

        Raises:
            UsageError: The policy does not accept the log, or a file cannot be used.
            QuorumError: Too few of its witnesses have cosigned the newest checkpoint so far.
            ForkedLogError: The log does not extend what was seen before.
            ShrunkLogError: It is smaller than it was.
            DisagreeingTilesError: Its tiles do not lead to its checkpoint.
            RemoteError: It cannot be reached, or does not answer.
            LedgerError: What it gives is no checkpoint, tile or bundle.
        """
        self._new_entries = 0
        with self._naming_files():
            for bundle in self._monitor.look():
                self._new_entries += len(bundle)
                yield list(_interesting(bundle, self._interest))

    def acknowledge(self) -> None:
        """Remember that all that was told so far was handed on; it is not told again.

        Raises:
            UsageError: The memory cannot be written.
        """
        with self._naming_files():
            self._monitor.acknowledge()

    def report(self, entries: list[EntrySeen]) -> MonitorReport:
        """Return what the last look found, once it has come to its end.

        Args:
            entries: What it told of.
        """
        checkpoint = Checkpoint.parse(Note.parse(self._monitor.followed.seen or b"").text)
        return MonitorReport(
            origin=checkpoint.origin,
            tree_size=checkpoint.size,
            root_hash=checkpoint.root_hash.hex(),
            new_entries=self._new_entries,
            entries=entries,
        )

    @contextmanager
    def _naming_files(self) -> Iterator[None]:
        try:
            yield
        except QuorumError as error:
            raise QuorumError(f"{self._policy}: {error}") from error
        except PolicyError as error:
            raise UsageError(f"{self._policy}: {error}") from error
        except OSError as error:
            raise UsageError(f"{error.filename or self._memory} cannot be used: {error.strerror or error}.") from error


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
