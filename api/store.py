"""Reading and writing the operational tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import delete, func, insert, or_, select, update

from api.tables import edit_draft, job, token

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

JobState = Literal["queued", "running", "done", "failed"]
DraftState = Literal["waiting", "recorded", "sealed"]
_SEPARATOR = "\n"


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
        idempotency_key: Token, key and request of the call, as digests; None when the client gave no key, and from
            some time after the job ended: see :func:`forget_calls`.
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


@dataclass(frozen=True, slots=True)
class EditDraft:
    """An edit that was handed out over HTTP to be signed.

    Attributes:
        token_id: Of the token that asked for it, and may send the signature.
        state: ``waiting`` for the signature; ``recorded`` in the log, and not sealed yet; ``sealed``.
        recording_id: The recording that it will be.
        party_id: Whose signature it waits for.
        payload: The statement, byte for byte as it was handed out.
        mix: Asset digest of its sound, which is kept beside the files that the statement names.
        expires: When it is forgotten: unsigned, or with the answer that was given to the signature.
        envelope: Digest of the envelope that was sent; empty while it waits.
        leaf_hash: Of the entry that it became; empty while it waits.
        result: JSON of the answer, when sealed.
        left_out: What the edited file said in words, by kind; nothing of it is kept.
    """

    draft_id: str
    token_id: str
    state: DraftState
    recording_id: str
    party_id: str
    payload: bytes
    mix: str
    created: str
    expires: str
    envelope: str = ""
    leaf_hash: str = ""
    result: str = ""
    left_out: tuple[str, ...] = ()


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


def forget_calls(connection: Connection, before: str) -> None:
    """Forget what was called how, for jobs that ended and were asked for before a moment.

    What is kept of a request shows nothing, but whoever can guess its key can test a guess of its prompt.
    """
    over = (job.c.created < before, job.c.state.in_(("done", "failed")), job.c.idempotency_key.is_not(None))
    connection.execute(update(job).where(*over).values(idempotency_key=None))


def forget_call_of(connection: Connection, leaf_hash: str) -> None:
    """Forget how the job was called that made a recording, given the leaf hash of its generation."""
    made = job.c.result.contains(leaf_hash, autoescape=True)
    connection.execute(update(job).where(made).values(idempotency_key=None))


def jobs_in_state(connection: Connection, state: JobState) -> list[Job]:
    """Return the jobs in a state, oldest first."""
    rows = connection.execute(select(job).where(job.c.state == state).order_by(job.c.job_id))
    return [Job(**row._asdict()) for row in rows]


def add_edit_draft(connection: Connection, new: EditDraft) -> None:
    """Keep an edit that waits for its signature."""
    connection.execute(insert(edit_draft).values(**{**asdict(new), "left_out": _SEPARATOR.join(new.left_out)}))


def find_edit_draft(connection: Connection, draft_id: str) -> EditDraft | None:
    """Look one up."""
    row = connection.execute(select(edit_draft).where(edit_draft.c.draft_id == draft_id)).first()
    return None if row is None else _edit_draft(row)


def edit_drafts_in_state(connection: Connection, state: DraftState) -> list[EditDraft]:
    """Return those in a state, oldest first."""
    rows = connection.execute(select(edit_draft).where(edit_draft.c.state == state).order_by(edit_draft.c.draft_id))
    return [_edit_draft(row) for row in rows]


def count_edit_drafts(connection: Connection, token_id: str | None = None) -> int:
    """Return how many wait for a signature: all, or those that a token asked for."""
    query = select(func.count()).select_from(edit_draft).where(edit_draft.c.state == "waiting")
    if token_id is not None:
        query = query.where(edit_draft.c.token_id == token_id)
    return connection.scalar(query) or 0


def change_edit_draft(connection: Connection, draft_id: str, before: DraftState, **values: str) -> bool:
    """Change some columns of one that is in a state; tell whether it was."""
    where = (edit_draft.c.draft_id == draft_id, edit_draft.c.state == before)
    return bool(connection.execute(update(edit_draft).where(*where).values(**values)).rowcount)


def remove_edit_draft(connection: Connection, draft_id: str) -> bool:
    """Forget one that waits; tell whether it did."""
    where = (edit_draft.c.draft_id == draft_id, edit_draft.c.state == "waiting")
    return bool(connection.execute(delete(edit_draft).where(*where)).rowcount)


def remove_expired_edit_drafts(connection: Connection, moment: str) -> list[str]:
    """Forget those whose time is over, but none that is in the log and not sealed yet; return their ids."""
    over = (edit_draft.c.expires <= moment, edit_draft.c.state != "recorded")
    return list(connection.scalars(delete(edit_draft).where(*over).returning(edit_draft.c.draft_id)))


def edit_drafts_with_files(connection: Connection) -> set[str]:
    """Return the ids of those whose files are still needed."""
    return set(connection.scalars(select(edit_draft.c.draft_id).where(edit_draft.c.state != "sealed")))


def edit_drafts_about(connection: Connection, name: str) -> list[str]:
    """Return the ids of those that wait, and are of a party, or would be a recording."""
    named = or_(edit_draft.c.party_id == name, edit_draft.c.recording_id == name)
    query = select(edit_draft.c.draft_id).where(edit_draft.c.state == "waiting", named)
    return list(connection.scalars(query.order_by(edit_draft.c.draft_id)))


def _edit_draft(row: Row[tuple[object, ...]]) -> EditDraft:
    fields = row._asdict()
    left_out = tuple(fields["left_out"].split(_SEPARATOR)) if fields["left_out"] else ()
    return EditDraft(**{**fields, "payload": bytes(fields["payload"]), "left_out": left_out})


def _token(row: Row[tuple[object, ...]]) -> Token:
    fields = row._asdict()
    return Token(**{**fields, "scopes": tuple(fields["scopes"].split())})
