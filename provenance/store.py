"""Reading and writing this package's tables: a connection goes in, domain types come out."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, delete, insert, or_, select

from provenance.disclosure import Opening
from provenance.identity import Digest
from provenance.predicate import (
    CorpusPredicate,
    EditPredicate,
    GenerationPredicate,
    KeyPredicate,
    ModelPredicate,
    PartyPredicate,
    Predicate,
    RenditionPredicate,
)
from provenance.tables import METADATA, PROJECTIONS, opening, recording, registration, rendition, statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Row, Select

    from provenance.statement import Statement


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


def fold(connection: Connection, leaf_hash: Digest, log_index: int, entry: Statement[Predicate]) -> None:
    """Bring the projections up to date with one entry of the log."""
    predicate = entry.predicate
    connection.execute(
        insert(statement).values(
            leaf_hash=leaf_hash,
            log_index=log_index,
            kind=entry.kind,
            statement_id=predicate.statement_id,
            time=predicate.time,
            recording_id=getattr(predicate, "recording_id", None),
        )
    )
    if isinstance(predicate, GenerationPredicate | EditPredicate):
        _fold_recording(connection, leaf_hash, log_index, predicate)
    elif isinstance(predicate, RenditionPredicate):
        _fold_rendition(connection, leaf_hash, log_index, predicate)
    elif name := registered_name(predicate):
        _fold_registration(connection, leaf_hash, log_index, entry.kind, name)


def clear_projections(connection: Connection) -> None:
    """Delete every projected row, before folding the log again."""
    for table in PROJECTIONS:
        connection.execute(delete(table))


def projection_rows(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Return every projected row, sorted, table by table: for comparing two folds."""
    return {
        table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
        for table in PROJECTIONS
    }


@contextmanager
def scratch() -> Iterator[Connection]:
    """Give a connection on empty tables in memory, for folding a log beside the real tables."""
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with Connection(engine) as connection:
        yield connection
    engine.dispose()


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


def add_openings(connection: Connection, leaf_hash: Digest, openings: Iterable[tuple[str, Opening]]) -> None:
    """Keep the openings of one statement's commitments, by the name of the field."""
    rows = [
        {"commitment": o.commitment, "leaf_hash": leaf_hash, "field": field, "value": o.value, "salt": o.salt}
        for field, o in openings
    ]
    if rows:
        connection.execute(insert(opening), rows)


def openings(connection: Connection, leaf_hash: str) -> dict[str, Opening]:
    """Return the openings of a statement, by field."""
    rows = connection.execute(select(opening).where(opening.c.leaf_hash == leaf_hash))
    return {row.field: Opening(row.commitment, row.value, bytes(row.salt)) for row in rows}


def delete_openings(connection: Connection, leaf_hash: str, fields: Sequence[str]) -> None:
    """Delete the openings of some of a statement's commitments: values and salts."""
    connection.execute(delete(opening).where(opening.c.leaf_hash == leaf_hash, opening.c.field.in_(fields)))


def all_openings(connection: Connection) -> list[tuple[str, str, Opening]]:
    """Return every opening with the leaf hash and field it belongs to."""
    rows = connection.execute(select(opening).order_by(opening.c.commitment))
    return [(row.leaf_hash, row.field, Opening(row.commitment, row.value, bytes(row.salt))) for row in rows]


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


def find_registration(connection: Connection, kind: str, name: str) -> Registration | None:
    """Look up the newest statement of a kind about a name."""
    query = select(registration).where(registration.c.kind == kind, registration.c.name == name)
    row = connection.execute(query).first()
    return None if row is None else Registration(**row._asdict())


def registrations(connection: Connection, kind: str) -> Sequence[Registration]:
    """Return all registrations of a kind, oldest first."""
    query = select(registration).where(registration.c.kind == kind).order_by(registration.c.log_index)
    return [Registration(**row._asdict()) for row in connection.execute(query)]


def leaves_about(connection: Connection, recording_id: str) -> list[tuple[Digest, int, str]]:
    """Return leaf hash, log index and kind of every statement about a recording, in log order."""
    query = select(statement).where(statement.c.recording_id == recording_id).order_by(statement.c.log_index)
    return [(Digest(row.leaf_hash), row.log_index, row.kind) for row in connection.execute(query)]


def _fold_recording(
    connection: Connection, leaf_hash: Digest, log_index: int, predicate: GenerationPredicate | EditPredicate
) -> None:
    content = predicate.content
    connection.execute(
        insert(recording).values(
            recording_id=predicate.recording_id,
            leaf_hash=leaf_hash,
            log_index=log_index,
            kind=predicate.KIND,
            parent_recording_id=predicate.parent_recording_id if isinstance(predicate, EditPredicate) else None,
            content_digest=content.content_digest,
            score_digest=content.score_digest,
            iscc=content.fingerprint.iscc,
            duration_ms=content.fingerprint.duration_ms,
            time=predicate.time,
        )
    )


def _fold_rendition(connection: Connection, leaf_hash: Digest, log_index: int, predicate: RenditionPredicate) -> None:
    connection.execute(
        insert(rendition).values(
            leaf_hash=leaf_hash,
            log_index=log_index,
            recording_id=predicate.recording_id,
            part=predicate.part,
            media_type=predicate.media_type,
            asset_digest=predicate.asset_digest,
            content_digest=predicate.content_digest,
            manifest_id=predicate.manifest_id,
        )
    )


def _fold_registration(connection: Connection, leaf_hash: Digest, log_index: int, kind: str, name: str) -> None:
    where = (registration.c.kind == kind, registration.c.name == name)
    connection.execute(delete(registration).where(*where))
    connection.execute(insert(registration).values(kind=kind, name=name, leaf_hash=leaf_hash, log_index=log_index))


def _recording(row: Row[tuple[object, ...]]) -> Recording:
    fields = row._asdict()
    return Recording(**{**fields, "parent_recording_id": fields["parent_recording_id"] or ""})
