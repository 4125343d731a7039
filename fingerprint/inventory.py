"""Taking stock: are the fingerprints that are stored those that were recorded, and do they lie where they belong?

What was recorded of them is known from elsewhere (`Recorded`). They lie one behind the other from address 0 on, in
the order in which they were recorded, and one address stays free behind each; so every column of every row is known
beforehand, but for what lies behind a fingerprint that is lost: nobody knows how long that was.

Both functions take some recordings at a time, from the first to the last, and the `Edge` that the ones before left.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from fingerprint import store
from fingerprint.chroma import Fingerprint
from fingerprint.store import FingerprintRow

Kind = Literal["missing", "altered", "misdescribed", "misplaced"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of a fingerprint.

    Attributes:
        recording_id: Whose it is.
        digest: `sha256:` and the digest of the items as little-endian 32-bit integers (`Fingerprint.to_bytes`).
        duration_ms: Length of the sound.
        algorithm: How the items were computed.
    """

    recording_id: str
    digest: str
    duration_ms: int
    algorithm: str

    def is_of(self, fingerprint: Fingerprint) -> bool:
        """Whether it was recorded of this very fingerprint."""
        described = (fingerprint.duration_ms, fingerprint.algorithm) == (self.duration_ms, self.algorithm)
        return described and _digest(fingerprint.to_bytes()) == self.digest


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the fingerprint of a recording.

    Attributes:
        recording_id: The recording.
        kind: `missing`: it has none. `altered`: the items are others. `misdescribed`: the items are right, and their
            number, length or algorithm is not. `misplaced`: it lies elsewhere.
        what: In words.
    """

    recording_id: str
    kind: Kind
    what: str

    @property
    def needs_sound(self) -> bool:
        """Whether the items have to be computed again."""
        return self.kind in {"missing", "altered"}


@dataclass(frozen=True, slots=True)
class Edge:
    """Where the fingerprints of some recordings end.

    Attributes:
        free: The address at which the next one belongs.
        loose: Whether one was lost, so that the next may also lie behind that address.
    """

    free: int = 0
    loose: bool = False

    def takes(self, start: int) -> bool:
        """Whether the next fingerprint may begin at an address."""
        return start == self.free or (self.loose and start > self.free)

    def behind(self, start: int, fingerprint: Fingerprint) -> "Edge":
        """The edge behind a fingerprint that begins at an address."""
        return Edge(start + len(fingerprint.items) + 1, self.loose)


def check(connection: Connection, edge: Edge, recorded: Sequence[Recorded]) -> tuple[list[Fault], Edge]:
    """Holds the stored fingerprints of the next recordings against what was recorded.

    Args:
        connection: One that sees all rows as of one moment.
        edge: Where those before end.
        recorded: The next, in the order in which they were recorded.

    Returns:
        What is wrong, and where these end.
    """
    rows = store.fingerprint_rows(connection, [each.recording_id for each in recorded])
    faults = []
    for each in recorded:
        row = rows.get(each.recording_id)
        kept = _kept(each, row)
        fault = _fault(each, row, kept)
        if row is None or kept is None or fault is not None:
            edge = Edge(edge.free, loose=True)
        elif edge.takes(row.start):
            edge = edge.behind(row.start, kept)
        else:
            fault = Fault(each.recording_id, "misplaced", f"it lies at address {row.start} and not at {edge.free}")
            edge = edge.behind(edge.free, kept)
        if fault is not None:
            faults.append(fault)
    return faults, edge


def settle(
    connection: Connection, edge: Edge, recorded: Sequence[Recorded], computed: Mapping[str, Fingerprint]
) -> tuple[int, Edge]:
    """Puts the fingerprints of the next recordings right.

    What is altered and was not computed again is deleted: it would name the wrong recording. The postings have to be
    rebuilt afterwards (`fingerprint.index.Index.rebuild`).

    Args:
        connection: In a transaction in which nobody else adds fingerprints.
        edge: Where those before end.
        recorded: The next, in the order in which they were recorded.
        computed: By recording, the fingerprints that were computed again; others than those recorded are not used.

    Returns:
        How many rows were not as they have to be, and where these end.
    """
    rows = store.fingerprint_rows(connection, [each.recording_id for each in recorded])
    changed = 0
    for each in recorded:
        row = rows.get(each.recording_id)
        kept = _kept(each, row)
        if row is not None and kept is not None and _fault(each, row, kept) is None:
            start = row.start if edge.takes(row.start) else edge.free
            if start != row.start:
                store.move_fingerprint(connection, each.recording_id, start)
                changed += 1
            edge = edge.behind(start, kept)
            continue
        changed += 1
        if row is not None:
            store.delete_fingerprint(connection, each.recording_id)
        right = kept or computed.get(each.recording_id)
        if right is None or not each.is_of(right):
            edge = Edge(edge.free, loose=True)
            continue
        store.put_fingerprint(connection, edge.free, each.recording_id, right)
        edge = edge.behind(edge.free, right)
    return changed, edge


def _kept(recorded: Recorded, row: FingerprintRow | None) -> Fingerprint | None:
    """The fingerprint that was recorded, where the row has its items, whatever else it says of them."""
    if row is None or not isinstance(row.items, bytes) or _digest(row.items) != recorded.digest:
        return None
    return Fingerprint.from_bytes(row.items, recorded.duration_ms)


def _fault(recorded: Recorded, row: FingerprintRow | None, kept: Fingerprint | None) -> Fault | None:
    if row is None:
        return Fault(recorded.recording_id, "missing", "it is missing")
    if kept is None:
        return Fault(recorded.recording_id, "altered", "it is not the one that was recorded")
    found = (row.item_count, row.duration_ms, row.algorithm)
    expected = (len(kept.items), recorded.duration_ms, recorded.algorithm)
    if found != expected:
        what = f"number of items, length and algorithm are {str(found)[:120]} and not {expected}"
        return Fault(recorded.recording_id, "misdescribed", what)
    return None


def _digest(items: bytes) -> str:
    return "sha256:" + hashlib.sha256(items).hexdigest()
