"""Every statement that reads or writes the tables of recognition."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, Row, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

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
    recordings = connection.scalar(select(func.count()).select_from(FINGERPRINT))
    return Size(int(recordings or 0), end_address(connection))


def end_address(connection: Connection) -> int:
    """The address behind everything that is stored."""
    query = select(FINGERPRINT.c.start_address, FINGERPRINT.c.item_count)
    last = connection.execute(query.order_by(FINGERPRINT.c.start_address.desc()).limit(1)).first()
    return 0 if last is None else int(last.start_address + last.item_count + 1)


def insert_fingerprint(connection: Connection, recording_id: str, fingerprint: Fingerprint) -> None:
    """Stores a fingerprint behind all others; the transaction must hold the write lock.

    Raises:
        DuplicateFingerprintError: The recording has one already.
    """
    start = end_address(connection)
    if start + len(fingerprint.items) > MAX_ADDRESS:
        raise OverflowError(f"the index is full: {start} of {MAX_ADDRESS} addresses are taken")
    row = {
        "start_address": start,
        "item_count": len(fingerprint.items),
        "recording_id": recording_id,
        "duration_ms": fingerprint.duration_ms,
        "algorithm": fingerprint.algorithm,
        "items": fingerprint.to_bytes(),
    }
    try:
        connection.execute(insert(FINGERPRINT), row)
    except IntegrityError as error:
        raise DuplicateFingerprintError(
            f"recording {recording_id} has a fingerprint already, and fingerprints are never "
            "replaced. Give every recording an id of its own."
        ) from error


def find_fingerprint(connection: Connection, recording_id: str) -> Fingerprint | None:
    """The fingerprint of a recording."""
    row = connection.execute(select(FINGERPRINT).where(FINGERPRINT.c.recording_id == recording_id)).first()
    return None if row is None else _stored(row).fingerprint


def fingerprints_from(connection: Connection, address: int) -> Iterator[StoredFingerprint]:
    """The fingerprints that begin at or behind an address, in order."""
    query = select(FINGERPRINT).where(FINGERPRINT.c.start_address >= address)
    ordered = query.order_by(FINGERPRINT.c.start_address)
    with connection.execute(ordered, execution_options={"yield_per": _ROWS_AT_ONCE}) as rows:
        for row in rows:
            yield _stored(row)


def fingerprints_at(connection: Connection, addresses: Iterable[int]) -> list[StoredFingerprint]:
    """The fingerprints that hold the addresses, each once, in order."""
    found: list[StoredFingerprint] = []
    query = select(FINGERPRINT).order_by(FINGERPRINT.c.start_address.desc()).limit(1)
    for address in sorted(addresses):
        if found and address < found[-1].end:
            continue
        row = connection.execute(query.where(FINGERPRINT.c.start_address <= address)).first()
        if row is not None:
            found.append(_stored(row))
    return found


def segments(connection: Connection) -> list[Segment]:
    """The sealed segments, in order of address."""
    columns = POSTING_SEGMENT.c
    query = select(columns.start_address, columns.end_address, columns.posting_count, columns.bucket_bits)
    rows = connection.execute(query.order_by(columns.start_address))
    return [Segment(*row) for row in rows]


def insert_segment(connection: Connection, start: int, end: int, postings: Postings) -> None:
    """Stores sorted postings as a sealed segment of addresses `start` to `end`."""
    wanted = max(1, len(postings) // _POSTINGS_PER_BUCKET)
    bits = min(_MAX_BUCKET_BITS, KEY_BITS, wanted.bit_length())
    segment = {
        "start_address": start,
        "end_address": end,
        "posting_count": len(postings),
        "bucket_bits": bits,
    }
    connection.execute(insert(POSTING_SEGMENT), segment)
    names, first = np.unique(buckets(keys_of(postings), bits), return_index=True)
    parts = np.split(postings.astype("<u8", copy=False), first[1:]) if len(names) else []
    rows = [
        {"segment": start, "bucket": name, "postings": part.tobytes()}
        for name, part in zip(names.tolist(), parts, strict=True)
    ]
    if rows:
        connection.execute(insert(POSTING_BUCKET), rows)


def delete_segment(connection: Connection, segment: Segment) -> None:
    """Drops a segment; its items stay in the fingerprints."""
    mine = POSTING_BUCKET.c.segment == segment.start
    connection.execute(delete(POSTING_BUCKET).where(mine))
    connection.execute(delete(POSTING_SEGMENT).where(POSTING_SEGMENT.c.start_address == segment.start))


def postings_under(connection: Connection, segment: Segment, keys: Postings) -> Postings:
    """The sorted postings of the buckets that any of the sorted keys falls into."""
    names = np.unique(buckets(keys, segment.bucket_bits)).tolist()
    query = select(POSTING_BUCKET.c.postings).where(POSTING_BUCKET.c.segment == segment.start)
    ordered = query.order_by(POSTING_BUCKET.c.bucket)
    found: list[bytes] = []
    for begin in range(0, len(names), _MAX_PARAMETERS):
        some = names[begin : begin + _MAX_PARAMETERS]
        found += connection.scalars(ordered.where(POSTING_BUCKET.c.bucket.in_(some)))
    return _unpacked(found)


def all_postings(connection: Connection, segment: Segment) -> Postings:
    """The sorted postings of a segment."""
    query = select(POSTING_BUCKET.c.postings).where(POSTING_BUCKET.c.segment == segment.start)
    return _unpacked(list(connection.scalars(query.order_by(POSTING_BUCKET.c.bucket))))


def _unpacked(parts: list[bytes]) -> Postings:
    joined = b"".join(parts)
    if len(joined) % _POSTING_BYTES:
        raise DamagedFingerprintError("a bucket of the fingerprint index is damaged. Rebuild it: linernotes db rebuild")
    return np.frombuffer(joined, "<u8").astype(np.uint64, copy=False)


def _stored(row: Row[tuple[int, int, str, int, str, bytes]]) -> StoredFingerprint:
    fingerprint = Fingerprint.from_bytes(row.items, row.duration_ms)
    if row.algorithm != ALGORITHM or len(fingerprint.items) != row.item_count:
        raise DamagedFingerprintError(
            f"the stored fingerprint of recording {row.recording_id} is damaged: it has "
            f"{len(fingerprint.items)} items of {row.algorithm}, {row.item_count} of {ALGORITHM} "
            "were written. Restore the database from its backup."
        )
    return StoredFingerprint(row.start_address, row.recording_id, fingerprint)
