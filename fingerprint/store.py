"""Every statement that reads or writes the tables of recognition."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, type_coerce, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import NullType

from fingerprint.chroma import ALGORITHM, Fingerprint
from fingerprint.errors import DamagedFingerprintError, DuplicateFingerprintError
from fingerprint.posting import KEY_BITS, MAX_ADDRESS, Postings, buckets, keys_of
from fingerprint.tables import FINGERPRINT, POSTING_BUCKET, POSTING_SEGMENT

_POSTINGS_PER_BUCKET = 256
_MAX_BUCKET_BITS = 20
_POSTING_BYTES = 8
_MAX_PARAMETERS = 500
"""Values in one `IN`: far below the limit of either database."""
_ROWS_AT_ONCE = 256

_FOUND = select(
    FINGERPRINT.c.start_address,
    FINGERPRINT.c.recording_id,
    FINGERPRINT.c.item_count,
    FINGERPRINT.c.duration_ms,
    FINGERPRINT.c.algorithm,
    type_coerce(FINGERPRINT.c["items"], NullType()),
)
_FOUND_BUCKETS = select(POSTING_BUCKET.c.bucket, type_coerce(POSTING_BUCKET.c.postings, NullType()))


@dataclass(frozen=True, slots=True)
class FingerprintRow:
    """A row as it is found, whatever it holds: SQLite lets whoever tampers put anything into any column but the first.

    Attributes:
        start: The address of the first item.
    """

    start: int
    recording_id: object
    item_count: object
    duration_ms: object
    algorithm: object
    items: object


@dataclass(frozen=True, slots=True)
class StoredFingerprint:
    """A recording's fingerprint and where its items lie in the address space."""

    start: int
    recording_id: str
    fingerprint: Fingerprint

    @property
    def end(self) -> int:
        """The address behind the last item."""
        return self.start + len(self.fingerprint.items)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is stored.

    Attributes:
        recordings: Fingerprints, sealed or not.
        end: The next free address.
    """

    recordings: int
    end: int

    def alignments(self, query_items: int) -> int:
        """In how many ways a query can overlap with anything stored."""
        items = self.end - self.recordings
        return items + self.recordings * (query_items - 1)


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed stretch of the address space.

    Attributes:
        start: Its first address; also its name.
        end: The address behind it.
        postings: How many it holds.
        bucket_bits: How many bits of a key name its bucket.
    """

    start: int
    end: int
    postings: int
    bucket_bits: int


def size(connection: Connection) -> Size:
    """How much is stored."""
    return Size(fingerprint_count(connection), end_address(connection))


def fingerprint_count(connection: Connection) -> int:
    """How many fingerprints are stored."""
    return connection.scalar(select(func.count()).select_from(FINGERPRINT)) or 0


def end_address(connection: Connection) -> int:
    """The address behind everything that is stored."""
    query = select(FINGERPRINT.c.start_address + FINGERPRINT.c.item_count + 1)
    return int(connection.scalar(query.order_by(FINGERPRINT.c.start_address.desc()).limit(1)) or 0)


def insert_fingerprint(connection: Connection, recording_id: str, fingerprint: Fingerprint) -> None:
    """Stores a fingerprint behind all others; the transaction must hold the write lock.

    Raises:
        DuplicateFingerprintError: The recording has one already.
    """
    start = end_address(connection)
    if start + len(fingerprint.items) > MAX_ADDRESS:
        raise OverflowError(f"the index is full: {start} of {MAX_ADDRESS} addresses are taken")
    try:
        _insert(connection, start, recording_id, fingerprint)
    except IntegrityError as error:
        raise DuplicateFingerprintError(
            f"recording {recording_id} has a fingerprint already, and fingerprints are never "
            "replaced. Give every recording an id of its own."
        ) from error


def find_fingerprint(connection: Connection, recording_id: str) -> Fingerprint | None:
    """The fingerprint of a recording."""
    row = connection.execute(_FOUND.where(FINGERPRINT.c.recording_id == recording_id)).first()
    return None if row is None else _stored(FingerprintRow(*row)).fingerprint


def fingerprint_rows(connection: Connection, recording_ids: Sequence[str]) -> dict[object, FingerprintRow]:
    """The rows of those of the recordings that have one, by recording, as they are found."""
    found: dict[object, FingerprintRow] = {}
    for begin in range(0, len(recording_ids), _MAX_PARAMETERS):
        some = recording_ids[begin : begin + _MAX_PARAMETERS]
        rows = (FingerprintRow(*row) for row in connection.execute(_FOUND.where(FINGERPRINT.c.recording_id.in_(some))))
        found.update((row.recording_id, row) for row in rows)
    return found


def owners(connection: Connection) -> Iterator[tuple[int, object]]:
    """Address of every row, in order, and whose fingerprint it says it is."""
    query = select(FINGERPRINT.c.start_address, FINGERPRINT.c.recording_id).order_by(FINGERPRINT.c.start_address)
    with connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}) as rows:
        yield from map(tuple, rows)


def put_fingerprint(connection: Connection, start: int, recording_id: str, fingerprint: Fingerprint) -> None:
    """Stores a fingerprint at an address; what begins there is set aside."""
    _set_aside(connection, start)
    _insert(connection, start, recording_id, fingerprint)


def move_fingerprint(connection: Connection, recording_id: str, start: int) -> None:
    """Gives a fingerprint another address; what begins there is set aside."""
    _set_aside(connection, start)
    mine = FINGERPRINT.c.recording_id == recording_id
    connection.execute(update(FINGERPRINT).where(mine).values(start_address=start))


def delete_fingerprint(connection: Connection, recording_id: str) -> None:
    """Deletes the fingerprint of a recording."""
    connection.execute(delete(FINGERPRINT).where(FINGERPRINT.c.recording_id == recording_id))


def delete_fingerprints_at(connection: Connection, addresses: Sequence[int]) -> None:
    """Deletes the rows that begin at some addresses."""
    for begin in range(0, len(addresses), _MAX_PARAMETERS):
        some = addresses[begin : begin + _MAX_PARAMETERS]
        connection.execute(delete(FINGERPRINT).where(FINGERPRINT.c.start_address.in_(some)))


def held_between(connection: Connection, start: int, end: int) -> tuple[int, int]:
    """How many fingerprints begin at the addresses from `start` to `end`, and how many items they say they have."""
    query = select(func.count(), func.coalesce(func.sum(FINGERPRINT.c.item_count), 0))
    within = (FINGERPRINT.c.start_address >= start, FINGERPRINT.c.start_address < end)
    fingerprints, items = connection.execute(query.where(*within)).one()
    return int(fingerprints), int(items)


def fingerprints_from(connection: Connection, address: int, end: int | None = None) -> Iterator[StoredFingerprint]:
    """The fingerprints that begin at or behind an address, in order, and before another, when that is given."""
    query = _FOUND.where(FINGERPRINT.c.start_address >= address).order_by(FINGERPRINT.c.start_address)
    if end is not None:
        query = query.where(FINGERPRINT.c.start_address < end)
    with connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}) as rows:
        for row in rows:
            yield _stored(FingerprintRow(*row))


def fingerprints_at(connection: Connection, addresses: Iterable[int]) -> list[StoredFingerprint]:
    """The fingerprints that hold the addresses, each once, in order."""
    found: list[StoredFingerprint] = []
    query = _FOUND.order_by(FINGERPRINT.c.start_address.desc()).limit(1)
    for address in sorted(addresses):
        if found and address < found[-1].end:
            continue
        row = connection.execute(query.where(FINGERPRINT.c.start_address <= address)).first()
        if row is not None:
            found.append(_stored(FingerprintRow(*row)))
    return found


def segments(connection: Connection) -> list[Segment]:
    """The sealed segments, in order of address.

    Raises:
        DamagedFingerprintError: A row holds something else than numbers.
    """
    columns = POSTING_SEGMENT.c
    query = select(columns.start_address, columns.end_address, columns.posting_count, columns.bucket_bits)
    rows = connection.execute(query.order_by(columns.start_address)).all()
    if not all(isinstance(value, int) for row in rows for value in row):
        raise _damaged("a segment")
    return [Segment(*row) for row in rows]


def insert_segment(connection: Connection, start: int, end: int, postings: Postings) -> None:
    """Stores sorted postings as a sealed segment of addresses `start` to `end`."""
    segment, rows = _segment_rows(start, end, postings)
    values = {
        "start_address": segment.start,
        "end_address": segment.end,
        "posting_count": segment.postings,
        "bucket_bits": segment.bucket_bits,
    }
    connection.execute(insert(POSTING_SEGMENT), values)
    if rows:
        names = ("segment", "bucket", "postings")
        connection.execute(insert(POSTING_BUCKET), [dict(zip(names, (start, *row), strict=True)) for row in rows])


def is_as_inserted(connection: Connection, segment: Segment, end: int, postings: Postings) -> bool:
    """Whether a segment is, row by row, what `insert_segment` makes of the postings."""
    expected, rows = _segment_rows(segment.start, end, postings)
    query = _FOUND_BUCKETS.where(POSTING_BUCKET.c.segment == segment.start).order_by(POSTING_BUCKET.c.bucket)
    with connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}) as found:
        return segment == expected and all(one == other for one, other in zip_longest(map(tuple, found), rows))


def stray_buckets(connection: Connection) -> int:
    """How many buckets belong to no segment."""
    known = select(POSTING_SEGMENT.c.start_address)
    query = select(func.count()).select_from(POSTING_BUCKET).where(POSTING_BUCKET.c.segment.not_in(known))
    return connection.scalar(query) or 0


def clear_postings(connection: Connection) -> None:
    """Drops every segment and every bucket; the items stay in the fingerprints."""
    for table in (POSTING_BUCKET, POSTING_SEGMENT):
        connection.execute(delete(table))


def delete_segment(connection: Connection, segment: Segment) -> None:
    """Drops a segment; its items stay in the fingerprints."""
    mine = POSTING_BUCKET.c.segment == segment.start
    connection.execute(delete(POSTING_BUCKET).where(mine))
    connection.execute(delete(POSTING_SEGMENT).where(POSTING_SEGMENT.c.start_address == segment.start))


def postings_under(connection: Connection, segment: Segment, keys: Postings) -> Postings:
    """The sorted postings of the buckets that any of the sorted keys falls into."""
    names = np.unique(buckets(keys, segment.bucket_bits)).tolist()
    ordered = _FOUND_BUCKETS.where(POSTING_BUCKET.c.segment == segment.start).order_by(POSTING_BUCKET.c.bucket)
    found: list[object] = []
    for begin in range(0, len(names), _MAX_PARAMETERS):
        some = names[begin : begin + _MAX_PARAMETERS]
        found += (postings for _, postings in connection.execute(ordered.where(POSTING_BUCKET.c.bucket.in_(some))))
    return _unpacked(found)


def all_postings(connection: Connection, segment: Segment) -> Postings:
    """The sorted postings of a segment."""
    query = _FOUND_BUCKETS.where(POSTING_BUCKET.c.segment == segment.start).order_by(POSTING_BUCKET.c.bucket)
    return _unpacked([postings for _, postings in connection.execute(query)])


def _insert(connection: Connection, start: int, recording_id: str, fingerprint: Fingerprint) -> None:
    row = {
        "start_address": start,
        "item_count": len(fingerprint.items),
        "recording_id": recording_id,
        "duration_ms": fingerprint.duration_ms,
        "algorithm": fingerprint.algorithm,
        "items": fingerprint.to_bytes(),
    }
    connection.execute(insert(FINGERPRINT), row)


def _set_aside(connection: Connection, start: int) -> None:
    """Moves what begins at an address to one below 0, where nothing looks; whoever lays the rows out fetches it."""
    there = FINGERPRINT.c.start_address == start
    if connection.scalar(select(FINGERPRINT.c.start_address).where(there)) is not None:
        lowest = connection.scalar(select(func.min(FINGERPRINT.c.start_address))) or 0
        connection.execute(update(FINGERPRINT).where(there).values(start_address=min(lowest, 0) - 1))


def _segment_rows(start: int, end: int, postings: Postings) -> tuple[Segment, list[tuple[int, bytes]]]:
    """A segment as it is stored: its own row, and number and content of each of its buckets."""
    wanted = max(1, len(postings) // _POSTINGS_PER_BUCKET)
    bits = min(_MAX_BUCKET_BITS, KEY_BITS, wanted.bit_length())
    names, first = np.unique(buckets(keys_of(postings), bits), return_index=True)
    parts = np.split(postings.astype("<u8", copy=False), first[1:]) if len(names) else []
    rows = [(name, part.tobytes()) for name, part in zip(names.tolist(), parts, strict=True)]
    return Segment(start, end, len(postings), bits), rows


def _unpacked(parts: list[object]) -> Postings:
    found = [part for part in parts if isinstance(part, bytes)]
    joined = b"".join(found)
    if len(found) != len(parts) or len(joined) % _POSTING_BYTES:
        raise _damaged("a bucket")
    return np.frombuffer(joined, "<u8").astype(np.uint64, copy=False)


def _stored(row: FingerprintRow) -> StoredFingerprint:
    items, recording_id, duration_ms = row.items, row.recording_id, row.duration_ms
    if not (isinstance(items, bytes) and isinstance(recording_id, str) and isinstance(duration_ms, int)):
        raise _damaged(f"the stored fingerprint at address {row.start}")
    fingerprint = Fingerprint.from_bytes(items, duration_ms)
    if row.algorithm != ALGORITHM or len(fingerprint.items) != row.item_count:
        raise DamagedFingerprintError(
            f"the stored fingerprint of recording {recording_id} is damaged: it has "
            f"{len(fingerprint.items)} items of {row.algorithm}, {row.item_count} of {ALGORITHM} "
            "were written. Make it again: linernotes db rebuild"
        )
    return StoredFingerprint(row.start, recording_id, fingerprint)


def _damaged(what: str) -> DamagedFingerprintError:
    return DamagedFingerprintError(f"{what} of the fingerprint index is damaged. Rebuild it: linernotes db rebuild")
