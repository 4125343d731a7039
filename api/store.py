"""Reading and writing the operational tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import insert, select, update

from api.tables import job, token

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

JobState = Literal["queued", "running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as it is kept: without its secret."""

    token_id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    created: str
    revoked: str


@dataclass(frozen=True, slots=True)
class Job:
    """A generation that was asked for over HTTP.

    Attributes:
        request: JSON of the request; emptied when the job ends, because it holds the prompt.
        stage: What is being done, with ``done`` of ``total``.
        result: JSON of the answer, when done.
        error: JSON of the problem, when failed.
        idempotency_key: Token, key and request of the call, as digests; None when the client gave no key.
    """

    job_id: str
    state: JobState
    request: str
    stage: str
    done: int
    total: int
    result: str
    error: str
    created: str
    idempotency_key: str | None


def add_token(connection: Connection, new: Token) -> None:
    """Keep a new token."""
    connection.execute(insert(token).values(**{**asdict(new), "scopes": " ".join(new.scopes)}))


def find_token(connection: Connection, digest: str) -> Token | None:
    """Look a token up by the digest of its secret."""
    row = connection.execute(select(token).where(token.c.digest == digest)).first()
    return None if row is None else _token(row)


def tokens(connection: Connection) -> list[Token]:
    """Return all tokens, oldest first."""
    return [_token(row) for row in connection.execute(select(token).order_by(token.c.token_id))]


def revoke_token(connection: Connection, token_id: str, when: str) -> bool:
    """Mark a token as revoked; tell whether there is one."""
    changed = connection.execute(update(token).where(token.c.token_id == token_id).values(revoked=when))
    return bool(changed.rowcount)


def add_job(connection: Connection, new: Job) -> None:
    """Keep a new job."""
    connection.execute(insert(job).values(**asdict(new)))


def find_job(connection: Connection, job_id: str) -> Job | None:
    """Look a job up."""
    row = connection.execute(select(job).where(job.c.job_id == job_id)).first()
    return None if row is None else Job(**row._asdict())


def job_called(connection: Connection, name: str) -> Job | None:
    """Return the job whose idempotency key begins with a name."""
    row = connection.execute(select(job).where(job.c.idempotency_key.startswith(name, autoescape=True))).first()
    return None if row is None else Job(**row._asdict())


def change_job(connection: Connection, job_id: str, **values: str | int) -> None:
    """Change some columns of a job."""
    connection.execute(update(job).where(job.c.job_id == job_id).values(**values))


def jobs_in_state(connection: Connection, state: JobState) -> list[Job]:
    """Return the jobs in a state, oldest first."""
    rows = connection.execute(select(job).where(job.c.state == state).order_by(job.c.job_id))
    return [Job(**row._asdict()) for row in rows]


def _token(row: Row[tuple[object, ...]]) -> Token:
    fields = row._asdict()
    return Token(**{**fields, "scopes": tuple(fields["scopes"].split())})
