"""Recognising a recording from a clip of it.

This is the first of two tiers: chromaprint sub-fingerprints at the original speed and pitch.
It finds the same *recording*, whole or an excerpt, through lossy coding and changes of level; a
copy that was sped up, slowed down or transposed is not found, nor is the music played again.

Adding a recording stores its items, nothing else. `seal` turns what was added since the last
time into sorted buckets; until then it is searched in memory.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Connection, Engine

from fingerprint import match, posting, store
from fingerprint.chroma import SECONDS_IN_ITEM, SECONDS_PER_ITEM, Fingerprint
from fingerprint.errors import DamagedFingerprintError, InsufficientEvidenceError
from fingerprint.match import Alignment, Match
from fingerprint.posting import Hits, Postings, Probes
from fingerprint.store import Segment, Size, StoredFingerprint

MIN_QUERY_SECONDS: Final = 4
SEAL_ITEMS: Final = 2**18
"""Items (9 hours of sound) that are searched in memory before `seal` does anything."""

_MAX_SEGMENT_POSTINGS: Final = 2**24
_MAX_CHECKED_POSTINGS: Final = 2 * _MAX_SEGMENT_POSTINGS
"""More than any segment has; one that is said to is not read into memory."""
_MAX_DIAGONALS: Final = 256
_DIAGONALS_PER_RECORDING: Final = 4
_NEIGHBOURS: Final = (-1, 0, 1)
_log = logging.getLogger("linernotes")


@dataclass(frozen=True, slots=True)
class _Tail:
    """The postings of what is not sealed yet, of addresses `start` to `end`."""

    start: int
    end: int
    postings: Postings


class Index:
    """The fingerprints of all recordings, searchable; safe to share between threads.

    Args:
        engine: Where they are stored; its tables come from the migrations.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tail = _Tail(0, 0, np.empty(0, np.uint64))

    def add(self, connection: Connection, recording_id: str, fingerprint: Fingerprint) -> None:
        """Stores a recording's fingerprint as part of the caller's transaction.

        Args:
            connection: In a transaction that holds the write lock.
            recording_id: The recording.
            fingerprint: Of its full length.

        Raises:
            DuplicateFingerprintError: The recording has one already.
        """
        store.insert_fingerprint(connection, recording_id, fingerprint)

    def stored(self, recording_id: str) -> Fingerprint | None:
        """The fingerprint of a recording, where it has one."""
        with Connection(self._engine) as connection:
            return store.find_fingerprint(connection, recording_id)

    def identify(self, fingerprint: Fingerprint, limit: int | None = 10) -> list[Match]:
        """Finds the recordings that a clip was taken from, best first.

        Several recordings may hold the same sound, and all of them are given. An empty list
        means that nothing stored sounds like the clip more than chance would have it.

        Args:
            fingerprint: Of the clip.
            limit: How many matches at most; None for all there are.

        Raises:
            InsufficientEvidenceError: The clip is shorter than `MIN_QUERY_SECONDS`, or so
                uniform (a held chord, near silence) that even a perfect match would mean
                nothing in an index of this size.
        """
        items = fingerprint.items
        with Connection(self._engine) as connection:
            size = store.size(connection)
            alignments = size.alignments(len(items))
            _require_evidence(fingerprint, alignments)
            if size.recordings == 0:
                return []
            hits = self._look_up(connection, posting.probe(items), size)
            found = [
                _best_alignment(fingerprint, stored, diagonals, alignments)
                for stored, diagonals in _candidates(connection, hits)
            ]
        matches = [each for each in found if match.is_match(each.score)]
        return sorted(matches, key=lambda each: (-each.score, each.recording_id))[:limit]

    def is_due(self, connection: Connection) -> bool:
        """Whether there is enough unsealed for `seal` to do something, or to say why it cannot."""
        try:
            segments = store.segments(connection)
        except DamagedFingerprintError:
            return True
        return store.end_address(connection) - (segments[-1].end if segments else 0) >= SEAL_ITEMS

    def seal(self, connection: Connection) -> bool:
        """Moves the unsealed items into sorted buckets, when there are `SEAL_ITEMS` or more.

        What is damaged is left as it is, and that is logged: sealing only saves time and memory, and a home has to
        open before it can be checked and repaired.

        Args:
            connection: In a transaction that holds the write lock.

        Returns:
            Whether it was done.
        """
        try:
            return self._seal(connection)
        except DamagedFingerprintError as damage:
            _log.warning("The fingerprint index is not sealed: %s", damage)
            return False

    def rebuild(self, connection: Connection) -> None:
        """Drops every bucket and makes all of them again from the stored fingerprints.

        Args:
            connection: In a transaction that holds the write lock.

        Raises:
            DamagedFingerprintError: A fingerprint is damaged; see `fingerprint.inventory.settle`.
        """
        store.clear_postings(connection)
        for group in _groups(store.fingerprints_from(connection, 0)):
            postings = _sorted_postings(group)
            store.insert_segment(connection, group[0].start, group[-1].end + 1, postings)

    def faults(self, connection: Connection) -> Iterator[str]:
        """Says where the sealed postings are not what the stored fingerprints make them.

        One segment at a time is made again and compared; the fingerprints are taken for what they are
        (`fingerprint.inventory.check`).

        Raises:
            DamagedFingerprintError: A fingerprint is damaged.
        """
        try:
            segments = store.segments(connection)
        except DamagedFingerprintError as damage:
            yield str(damage)
            return
        covered = 0
        for segment in segments:
            left_out, _ = store.held_between(connection, covered, segment.start)
            if left_out or segment.start < covered:
                yield f"the segment at {segment.start} does not begin where the one before it ends"
            if not _is_made_of_fingerprints(connection, segment):
                yield f"the postings of the segment at {segment.start} are not those of its fingerprints"
            covered = max(covered, segment.end)
        if stray := store.stray_buckets(connection):
            yield f"{stray} buckets belong to no segment"

    def _seal(self, connection: Connection) -> bool:
        segments = store.segments(connection)
        start = segments[-1].end if segments else 0
        unsealed = list(store.fingerprints_from(connection, start))
        end = unsealed[-1].end + 1 if unsealed else start  # of these: on PostgreSQL more may come meanwhile
        if end - start < SEAL_ITEMS:
            return False
        postings = _sorted_postings(unsealed)
        merged: list[Segment] = []
        # Smaller neighbours are merged in, so that the number of segments grows slowly.
        while segments and segments[-1].postings <= 2 * len(postings) <= _MAX_SEGMENT_POSTINGS:
            merged.append(segments.pop())
            postings = np.sort(np.concatenate((store.all_postings(connection, merged[-1]), postings)))
        for neighbour in merged:
            store.delete_segment(connection, neighbour)
        store.insert_segment(connection, merged[-1].start if merged else start, end, postings)
        return True

    def _look_up(self, connection: Connection, probes: Probes, size: Size) -> Hits:
        segments = store.segments(connection)
        sealed = (store.postings_under(connection, each, probes.keys) for each in segments)
        tail = self._unsealed(connection, segments[-1].end if segments else 0, size.end)
        return posting.merge([posting.look_up(each, probes) for each in (*sealed, tail)])

    def _unsealed(self, connection: Connection, start: int, end: int) -> Postings:
        """The sorted postings of addresses `start` to `end`, mostly from memory."""
        tail = self._tail
        if (tail.start, tail.end) == (start, end):
            return tail.postings
        known = tail.postings if tail.start == start and tail.end <= end else tail.postings[:0]
        loaded_to = tail.end if len(known) else start
        added = _sorted_postings(list(store.fingerprints_from(connection, loaded_to)))
        postings = np.sort(np.concatenate((known, added)), kind="stable")
        self._tail = _Tail(start, end, postings)
        return postings


def _require_evidence(fingerprint: Fingerprint, alignments: int) -> None:
    seconds = fingerprint.duration_ms / 1000
    if seconds < MIN_QUERY_SECONDS:
        raise InsufficientEvidenceError(
            f"insufficient evidence: the clip lasts {seconds:.1f} seconds, and at least "
            f"{MIN_QUERY_SECONDS} are needed to recognise a recording. Give a longer clip."
        )
    if not match.is_match(match.best_possible_score(fingerprint.items, alignments)):
        raise InsufficientEvidenceError(
            f"insufficient evidence: the clip of {seconds:.1f} seconds changes so little (a held "
            "sound, a repeated note, near silence) that many recordings would fit it. Give a "
            "longer or livelier clip."
        )


def _candidates(connection: Connection, hits: Hits) -> Iterator[tuple[StoredFingerprint, list[int]]]:
    """The recordings with most hits on common diagonals, and for each its best diagonals."""
    diagonals = posting.busiest(hits, _MAX_DIAGONALS)
    rank = {diagonal: place for place, diagonal in enumerate(diagonals.tolist())}
    chosen = np.isin(hits.diagonals, diagonals)
    addresses = hits.addresses[chosen]
    order = np.argsort(addresses, kind="stable")
    addresses, on = addresses[order], hits.diagonals[chosen][order]
    stored = store.fingerprints_at(connection, np.unique(addresses).tolist())
    for each in stored:
        first, after = np.searchsorted(addresses, (each.start, each.end))
        mine = sorted(set(on[first:after].tolist()), key=rank.__getitem__)
        yield each, mine[:_DIAGONALS_PER_RECORDING]


def _best_alignment(clip: Fingerprint, stored: StoredFingerprint, diagonals: list[int], alignments: int) -> Match:
    reference = stored.fingerprint.items
    offsets = {line - stored.start + beside for line in diagonals for beside in _NEIGHBOURS}
    aligned = (match.align(clip.items, reference, offset, alignments) for offset in offsets)
    best = max((each for each in aligned if each is not None), key=lambda each: each.score(alignments))
    return _match(stored.recording_id, best, best.score(alignments))


def _match(recording_id: str, alignment: Alignment, score: float) -> Match:
    return Match(
        recording_id=recording_id,
        score=score,
        query_offset=alignment.query_start * SECONDS_PER_ITEM,
        reference_offset=alignment.reference_start * SECONDS_PER_ITEM,
        duration=(alignment.length - 1) * SECONDS_PER_ITEM + SECONDS_IN_ITEM,
        bit_error_rate=alignment.bit_error_rate,
    )


def _is_made_of_fingerprints(connection: Connection, segment: Segment) -> bool:
    fingerprints, items = store.held_between(connection, segment.start, segment.end)
    if not fingerprints or items != segment.postings or items > _MAX_CHECKED_POSTINGS:
        return False
    group = list(store.fingerprints_from(connection, segment.start, segment.end))
    return store.is_as_inserted(connection, segment, group[-1].end + 1, _sorted_postings(group))


def _sorted_postings(group: list[StoredFingerprint]) -> Postings:
    packed = [posting.pack(each.fingerprint.items, each.start) for each in group]
    return np.sort(np.concatenate(packed)) if packed else np.empty(0, np.uint64)


def _groups(stored: Iterator[StoredFingerprint]) -> Iterator[list[StoredFingerprint]]:
    """Runs of fingerprints that make one segment each."""
    group: list[StoredFingerprint] = []
    for each in stored:
        group.append(each)
        if each.end - group[0].start >= _MAX_SEGMENT_POSTINGS:
            yield group
            group = []
    if group:
        yield group
