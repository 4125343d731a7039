"""Reading and writing this package's tables: a connection goes in, domain types come out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, not_, or_, select

from provenance.disclosure import Opening
from provenance.identity import Digest
from provenance.key_predicate import KeyPredicate
from provenance.recording_predicate import EditPredicate, GenerationPredicate, RenditionPredicate
from provenance.source_predicate import CorpusPredicate, ModelPredicate, PartyPredicate
from provenance.tables import PROJECTIONS, opening, recording, registration, rendition, statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Row, Select, Table

    from provenance.predicate import Predicate
    from provenance.statement import Statement

ProjectedRow = tuple[object, ...]
"""The values of a row that follows from the log, in the order of its table's columns."""
BY_ENTRY: Final = (statement, recording, rendition)
"""The projections of which every entry adds its own rows, and changes no other."""
_ROWS_AT_ONCE: Final = 1_000
_FORGET: Final = delete(registration).where(
    registration.c.kind == bindparam("of_kind"), registration.c.name == bindparam("of_name")
)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as the log tells of it.

    Attributes:
        leaf_hash: Of the generation or edit that made it.
        kind: ``generation`` or ``edit``.
        parent_recording_id: What was edited; empty for a generation.
    """

    recording_id: str
    leaf_hash: Digest
    log_index: int
    kind: str
    parent_recording_id: str
    content_digest: Digest
    score_digest: Digest
    iscc: str
    duration_ms: int
    time: str


@dataclass(frozen=True, slots=True)
class Rendition:
    """A signed file of a recording."""

    leaf_hash: Digest
    log_index: int
    recording_id: str
    part: str
    media_type: str
    asset_digest: Digest
    content_digest: Digest
    manifest_id: str


@dataclass(frozen=True, slots=True)
class Registration:
    """Where the newest statement about a key, party, corpus or model stands in the log."""

    kind: str
    name: str
    leaf_hash: Digest
    log_index: int


def fold(connection: Connection, entries: Iterable[tuple[Digest, int, Statement[Predicate]]]) -> None:
    """Bring the projections up to date with further entries of the log.

    Args:
        connection: To the home's database.
        entries: Leaf hash, log index and statement of each, in log order.
    """
    added: dict[Table, list[ProjectedRow]] = {table: [] for table in PROJECTIONS}
    for entry in entries:
        for table, row in projected(*entry):
            added[table].append(row)
    newest = {row[:2]: row for row in added[registration]}  # of the statements about a name, the newest counts
    if newest:
        connection.execute(_FORGET, [{"of_kind": kind, "of_name": name} for kind, name in newest])
    for table, rows in (added | {registration: list(newest.values())}).items():
        if rows:
            connection.execute(insert(table), [dict(zip(table.c.keys(), row, strict=True)) for row in rows])


def projected(leaf_hash: Digest, log_index: int, entry: Statement[Predicate]) -> Iterator[tuple[Table, ProjectedRow]]:
    """Yield the rows that one entry of the log stands for, each with its table, values in the order of the columns."""
    predicate = entry.predicate
    recording_id = getattr(predicate, "recording_id", None)
    yield statement, (leaf_hash, log_index, entry.kind, predicate.statement_id, predicate.time, recording_id)
    match predicate:
        case GenerationPredicate() | EditPredicate():
            content = predicate.content
            yield (
                recording,
                (
                    predicate.recording_id,
                    leaf_hash,
                    log_index,
                    predicate.KIND,
                    predicate.parent_recording_id if isinstance(predicate, EditPredicate) else None,
                    content.content_digest,
                    content.score_digest,
                    content.fingerprint.iscc,
                    content.fingerprint.duration_ms,
                    predicate.time,
                ),
            )
        case RenditionPredicate():
            yield (
                rendition,
                (
                    leaf_hash,
                    log_index,
                    predicate.recording_id,
                    predicate.part,
                    predicate.media_type,
                    predicate.asset_digest,
                    predicate.content_digest,
                    predicate.manifest_id,
                ),
            )
        case _ if name := registered_name(predicate):
            yield registration, (entry.kind, name, leaf_hash, log_index)


def clear_projections(connection: Connection) -> None:
    """Delete every projected row, before folding the log again."""
    for table in PROJECTIONS:
        connection.execute(delete(table))


def projection_digests(connection: Connection) -> dict[str, str]:
    """Return a digest of all rows of each projection: for comparing two folds."""
    digests = {}
    for table in PROJECTIONS:
        digest = hashlib.sha256()
        query = select(table).order_by(*table.primary_key.columns)
        with connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}) as rows:
            for row in rows:
                digest.update(repr(tuple(row)).encode())
        digests[table.name] = digest.hexdigest()
    return digests


def rows_between(connection: Connection, start: int, stop: int) -> dict[str, list[ProjectedRow]]:
    """Return the projected rows of the entries with indices in ``[start, stop)``, by table and in log order.

    Not those of ``registration``: it holds the newest statements only. A rendition is found by the statement that it
    belongs to.
    """
    within = (statement.c.log_index >= start, statement.c.log_index < stop)
    queries = {
        statement: select(statement).where(*within).order_by(statement.c.log_index),
        recording: select(recording)
        .where(recording.c.log_index >= start, recording.c.log_index < stop)
        .order_by(recording.c.log_index),
        rendition: select(rendition)
        .join(statement, statement.c.leaf_hash == rendition.c.leaf_hash)
        .where(*within)
        .order_by(statement.c.log_index),
    }
    return {table.name: [tuple(row) for row in connection.execute(query)] for table, query in queries.items()}


def row_counts(connection: Connection, size: int) -> dict[str, int]:
    """Return how many projected rows there are of the first entries of a log, by table."""
    within = {table: (table.c.log_index >= 0, table.c.log_index < size) for table in PROJECTIONS}
    return {table.name: _count(connection, table, *where) for table, where in within.items()}


def stray_counts(connection: Connection, size: int) -> dict[str, int]:
    """Return how many projected rows there are of entries that a log of this size has not, by table."""
    return {
        table.name: _count(connection, table, not_(table.c.log_index.between(0, size - 1))) for table in PROJECTIONS
    }


def openings_between(connection: Connection, start: int, stop: int) -> list[tuple[str, str, Opening]]:
    """Return the openings of the entries with indices in ``[start, stop)``, each with leaf hash and field."""
    query = (
        select(opening)
        .join(statement, statement.c.leaf_hash == opening.c.leaf_hash)
        .where(statement.c.log_index >= start, statement.c.log_index < stop)
    )
    return [_held(row) for row in connection.execute(query)]


def openings_of_nothing(connection: Connection) -> list[tuple[str, str, Opening]]:
    """Return the openings that belong to no statement that there is."""
    known = select(statement.c.leaf_hash).where(statement.c.leaf_hash == opening.c.leaf_hash)
    return [_held(row) for row in connection.execute(select(opening).where(~known.exists()))]


def registered_name(predicate: Predicate) -> str:
    """Return the name a registering statement is looked up by; empty for other statements."""
    match predicate:
        case KeyPredicate():
            return predicate.keyid
        case PartyPredicate():
            return predicate.party_id
        case CorpusPredicate():
            return predicate.corpus_id
        case ModelPredicate():
            return predicate.model_id
        case _:
            return ""


def add_openings(connection: Connection, added: Iterable[tuple[Digest, Mapping[str, Opening]]]) -> None:
    """Keep the openings of statements' commitments: of each, the leaf hash, and the openings by field."""
    rows = [
        {"commitment": o.commitment, "leaf_hash": leaf_hash, "field": field, "value": o.value, "salt": o.salt}
        for leaf_hash, openings in added
        for field, o in openings.items()
    ]
    if rows:
        connection.execute(insert(opening), rows)


def openings(connection: Connection, leaf_hash: str) -> dict[str, Opening]:
    """Return the openings of a statement, by field."""
    rows = connection.execute(select(opening).where(opening.c.leaf_hash == leaf_hash))
    return {row.field: Opening(row.commitment, row.value, row.salt) for row in rows}


def delete_openings(connection: Connection, leaf_hash: str, fields: Sequence[str]) -> None:
    """Delete the openings of some of a statement's commitments: values and salts."""
    connection.execute(delete(opening).where(opening.c.leaf_hash == leaf_hash, opening.c.field.in_(fields)))


def find_recording(connection: Connection, recording_id: str) -> Recording | None:
    """Look a recording up by its id."""
    row = connection.execute(select(recording).where(recording.c.recording_id == recording_id)).first()
    return None if row is None else _recording(row)


def recordings(connection: Connection, *, before: int | None = None, limit: int = 50) -> list[Recording]:
    """Return recordings, newest first, from below a log index."""
    query = select(recording).order_by(recording.c.log_index.desc()).limit(limit)
    if before is not None:
        query = query.where(recording.c.log_index < before)
    return [_recording(row) for row in connection.execute(query)]


def recordings_by_content(connection: Connection, content_digest: str) -> list[Recording]:
    """Return every recording that has this content digest, in any of its renditions."""
    ids: Select[tuple[str]] = select(rendition.c.recording_id).where(
        rendition.c.content_digest == content_digest, rendition.c.part == "mix"
    )
    query = (
        select(recording)
        .where(or_(recording.c.content_digest == content_digest, recording.c.recording_id.in_(ids)))
        .order_by(recording.c.log_index)
    )
    return [_recording(row) for row in connection.execute(query)]


def recording_by_manifest(connection: Connection, manifest_id: str) -> Recording | None:
    """Return the recording of the file that carries this C2PA manifest."""
    query = (
        select(recording)
        .join(rendition, rendition.c.recording_id == recording.c.recording_id)
        .where(rendition.c.manifest_id == manifest_id)
    )
    row = connection.execute(query).first()
    return None if row is None else _recording(row)


def renditions(connection: Connection, recording_id: str) -> list[Rendition]:
    """Return the signed files of a recording, oldest first."""
    query = select(rendition).where(rendition.c.recording_id == recording_id).order_by(rendition.c.log_index)
    return [Rendition(**row._asdict()) for row in connection.execute(query)]


def rendition_by_asset(connection: Connection, asset_digest: str) -> Rendition | None:
    """Return the signed file with exactly these bytes."""
    row = connection.execute(select(rendition).where(rendition.c.asset_digest == asset_digest)).first()
    return None if row is None else Rendition(**row._asdict())


def entries_about_keys(connection: Connection, start: int, stop: int) -> list[int]:
    """Return the indices of the entries in ``[start, stop)`` that register, replace or revoke a key, in order."""
    query = select(statement.c.log_index).where(statement.c.kind.in_(("key", "rotation", "revocation")))
    query = query.where(statement.c.log_index >= start, statement.c.log_index < stop)
    return list(connection.scalars(query.order_by(statement.c.log_index)))


def leaves_of_kind(connection: Connection, kind: str, start: int, stop: int, limit: int) -> list[tuple[Digest, int]]:
    """Return leaf hash and index of so many statements of a kind in ``[start, stop)``, the newest first."""
    query = select(statement.c.leaf_hash, statement.c.log_index).where(statement.c.kind == kind)
    query = query.where(statement.c.log_index >= start, statement.c.log_index < stop)
    rows = connection.execute(query.order_by(statement.c.log_index.desc()).limit(limit))
    return [(Digest(row.leaf_hash), row.log_index) for row in rows]


def find_registration(connection: Connection, kind: str, name: str) -> Registration | None:
    """Look up the newest statement of a kind about a name."""
    query = select(registration).where(registration.c.kind == kind, registration.c.name == name)
    row = connection.execute(query).first()
    return None if row is None else Registration(**row._asdict())


def all_registrations(connection: Connection) -> dict[tuple[str, str], tuple[str, int]]:
    """Return leaf hash and log index of the newest statement about everything that is registered, by kind and name."""
    return {(row.kind, row.name): (row.leaf_hash, row.log_index) for row in connection.execute(select(registration))}


def registrations(connection: Connection, kind: str) -> Sequence[Registration]:
    """Return all registrations of a kind, oldest first."""
    query = select(registration).where(registration.c.kind == kind).order_by(registration.c.log_index)
    return [Registration(**row._asdict()) for row in connection.execute(query)]


def leaves_about(connection: Connection, recording_id: str) -> list[tuple[Digest, int, str]]:
    """Return leaf hash, log index and kind of every statement about a recording, in log order."""
    query = select(statement).where(statement.c.recording_id == recording_id).order_by(statement.c.log_index)
    return [(Digest(row.leaf_hash), row.log_index, row.kind) for row in connection.execute(query)]


def _count(connection: Connection, table: Table, *where: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(*where)) or 0


def _held(row: Row[tuple[object, ...]]) -> tuple[str, str, Opening]:
    fields = row._asdict()
    return fields["leaf_hash"], fields["field"], Opening(fields["commitment"], fields["value"], fields["salt"])


def _recording(row: Row[tuple[object, ...]]) -> Recording:
    fields = row._asdict()
    return Recording(**{**fields, "parent_recording_id": fields["parent_recording_id"] or ""})
