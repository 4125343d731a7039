"""Asking witnesses to cosign a log's newest checkpoint, by C2SP tlog-witness.

All are asked at once, and none is waited for longer than the deadline. What a witness gives is
checked with the key that the policy names before it is taken.
"""

import enum
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from ledger.add_checkpoint import MAX_ANSWER_BYTES, SIZE_TYPE, AddCheckpoint, parse_cosignature, parse_size
from ledger.checkpoint import Checkpoint
from ledger.cosignature import with_signatures
from ledger.errors import AddCheckpointError, RemoteError, SignatureError, WitnessError, shown
from ledger.note import MAX_SIGNATURES, Note, Signature, open_note
from ledger.policy import Witness
from ledger.proof import ConsistencyProof
from ledger.remote import Remote, RemoteAnswer

DEADLINE_SECONDS = 10.0
_PATH = "/add-checkpoint"
_TEXT = "text/plain; charset=utf-8"
_QUOTED_BYTES = 200
_FOREIGN = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class WitnessedLog(Protocol):
    """What is needed of a log; `ledger.log.Log` is one."""

    def checkpoint(self) -> bytes:
        """Returns the newest checkpoint, a signed note."""
        ...

    def consistency_proof(self, old_size: int, new_size: int | None = None) -> ConsistencyProof:
        """Proves that the tree of one size extends the tree of a smaller one, of at least 1."""
        ...


class Result(enum.StrEnum):
    """What became of asking one witness."""

    COSIGNED = "cosigned"
    """It gave a cosignature that verifies."""
    OVERTAKEN = "overtaken"
    """It has cosigned a newer checkpoint of this log already: another process was faster."""
    CONTRADICTED = "contradicted"
    """It has seen another history, or a longer one, than this log has now."""
    REFUSED = "refused"
    """It does not know the log or its key, or its answer is not one that can be taken."""
    UNREACHABLE = "unreachable"
    """It is not there, does not answer in time, or cannot cosign at the moment."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one witness answered.

    Attributes:
        witness: The witness, as the policy has it.
        result: What became of asking it.
        detail: What happened, for people; what is to be done, where something is.
        cosignature: Verified; None unless it cosigned.
    """

    witness: Witness
    result: Result
    detail: str
    cosignature: Signature | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint that was submitted to some witnesses.

    Attributes:
        note: The checkpoint with the log's signature and every cosignature that was given.
        answers: One for each witness that has a URL.
    """

    note: bytes
    answers: tuple[Answer, ...]


def submit(
    log: WitnessedLog,
    witnesses: Sequence[Witness],
    *,
    cosigned: bytes | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Submission:
    """Asks witnesses to cosign the newest checkpoint of a log.

    Args:
        log: The log.
        witnesses: Whom to ask; those without a URL are left out.
        cosigned: The checkpoint of this log that was cosigned last, if it is known: it tells what
            each witness has seen, and spares it a question. Its cosignatures are kept where it is
            the newest checkpoint still.
        deadline_seconds: When to stop waiting, from now.

    Raises:
        WitnessError: They are more witnesses than a note has room for.
        LedgerError: The log itself cannot be read.
    """
    deadline = time.monotonic() + deadline_seconds
    asked = [witness for witness in witnesses if witness.url is not None]
    note = Note.parse(log.checkpoint())
    if len(note.signatures) + len(asked) > MAX_SIGNATURES:
        raise WitnessError(
            f"The policy has {len(asked)} witnesses with a URL, but a note holds {MAX_SIGNATURES} signatures in all; "
            "name fewer, or submit under several policies."
        )
    before = Note.parse(cosigned) if cosigned is not None else None
    calls = [_Call(log, witness, note, _seen_size(before, witness, note)) for witness in asked]
    for call in calls:
        call.start(deadline)
    answers = tuple(call.answer(deadline) for call in calls)
    kept = _kept(before, asked) if before is not None and before.text == note.text else ()
    given = [answer.cosignature for answer in answers if answer.cosignature is not None]
    return Submission(with_signatures(note, [*kept, *given]).format(), answers)


def _seen_size(cosigned: Note | None, witness: Witness, note: Note) -> int:
    """The size that a witness is known to have cosigned; 0, which makes it tell, when nothing is."""
    if cosigned is None or not _kept(cosigned, [witness]):
        return 0
    seen = Checkpoint.parse(cosigned.text).size
    return seen if seen <= Checkpoint.parse(note.text).size else 0


def _kept(cosigned: Note, witnesses: Sequence[Witness]) -> tuple[Signature, ...]:
    """The cosignatures of a note that are by these witnesses, and true."""
    try:
        return open_note(cosigned.format(), [witness.verifier for witness in witnesses]).signatures
    except SignatureError:
        return ()


@dataclass(slots=True)
class _Call:
    """One witness being asked, in a thread that nobody has to wait for."""

    log: WitnessedLog
    witness: Witness
    note: Note
    old_size: int
    _answer: Answer | None = None
    _fault: Exception | None = None
    _connection: Remote | None = None
    _done: threading.Event = field(default_factory=threading.Event)

    def start(self, deadline: float) -> None:
        threading.Thread(target=self._run, args=[deadline], name="witness", daemon=True).start()

    def answer(self, deadline: float) -> Answer:
        """Waits for the answer until the deadline, and hangs up on a witness that gave none."""
        self._done.wait(max(0.0, deadline - time.monotonic()))
        if self._fault is not None:
            raise self._fault
        if self._answer is None and self._connection is not None:
            self._connection.hang_up()
        return self._answer or self._got(Result.UNREACHABLE, "It did not answer before the deadline.")

    def _run(self, deadline: float) -> None:
        try:
            self._answer = self._asked(deadline)
        except (AddCheckpointError, SignatureError) as fault:
            self._answer = self._got(Result.REFUSED, str(fault))
        except RemoteError as fault:
            self._answer = self._got(Result.UNREACHABLE, str(fault))
        except Exception as fault:  # noqa: BLE001 - the log's own: it is raised where it is waited for
            self._fault = fault
        finally:
            self._done.set()

    def _asked(self, deadline: float) -> Answer:
        connection = self._connection = Remote(self.witness.url or "", deadline, max_answer_bytes=MAX_ANSWER_BYTES)
        try:
            answer = connection.post(_PATH, self._request(self.old_size), _TEXT)
            if answer.status == HTTPStatus.CONFLICT:
                size = _stated_size(answer)
                if size > Checkpoint.parse(self.note.text).size:
                    return self._behind(size)
                answer = connection.post(_PATH, self._request(size), _TEXT)
        finally:
            connection.close()
        return self._judged(answer.status, answer.body)

    def _request(self, old_size: int) -> bytes:
        size = Checkpoint.parse(self.note.text).size
        path = self.log.consistency_proof(old_size, size).path if 0 < old_size < size else ()
        return AddCheckpoint(old_size, path, self.note).format()

    def _judged(self, status: int, body: bytes) -> Answer:
        if status == HTTPStatus.OK:
            cosignature = parse_cosignature(body, self.note.text, self.witness.verifier)
            return self._got(Result.COSIGNED, "It cosigned the checkpoint.", cosignature)
        said = f"It answered {status}: {shown(body[:_QUOTED_BYTES].decode('utf-8', 'replace'))}."
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            return self._got(
                Result.CONTRADICTED,
                f"{said} It has seen another history of this log than the log has now: the log was changed or forked, "
                "or there are two copies of it. Compare with the checkpoint that the witness publishes, and run "
                "`linernotes log fsck`.",
            )
        if status in _FOREIGN:
            return self._got(
                Result.REFUSED, f"{said} Give its operator the log's verifier key, and check the URL in the policy."
            )
        if status == HTTPStatus.CONFLICT:
            return self._got(
                Result.OVERTAKEN, f"{said} Another process submits checkpoints of this log at the same time."
            )
        if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._got(Result.UNREACHABLE, f"{said} Try again later.")
        return self._got(Result.REFUSED, f"{said} It is not a witness that speaks C2SP tlog-witness.")

    def _behind(self, size: int) -> Answer:
        """The witness has cosigned a larger tree: either the log has grown meanwhile, or it has shrunk."""
        now = Checkpoint.parse(Note.parse(self.log.checkpoint()).text).size
        if now >= size:
            return self._got(
                Result.OVERTAKEN, f"It has cosigned the newer checkpoint at size {size} already; submit that one."
            )
        return self._got(
            Result.CONTRADICTED,
            f"It states that it has cosigned this log at size {size}, but the log has {now} entries now. If the "
            "checkpoint that the witness publishes bears this log's signature, entries were lost: put back the newest "
            "copy of the database, and append nothing before.",
        )

    def _got(self, result: Result, detail: str, cosignature: Signature | None = None) -> Answer:
        return Answer(self.witness, result, detail, cosignature)


def _stated_size(answer: RemoteAnswer) -> int:
    """The size that a witness says it has cosigned; without the type of such an answer, it is somebody else's."""
    if answer.media_type != SIZE_TYPE:
        raise AddCheckpointError(
            f"It answered {answer.status} with the type {shown(answer.media_type)}, where a witness states a size as "
            f"{SIZE_TYPE}; check the URL in the policy."
        )
    return parse_size(answer.body)
