"""Submitting the newest checkpoint of a home's log to the witnesses of a policy."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from api.errors import UsageError
from api.schemas.witness import WitnessAnswer, WitnessSubmission
from ledger.bounded_file import read_bounded
from ledger.checkpoint import Checkpoint
from ledger.cosignature import cosigned_at
from ledger.errors import PolicyError
from ledger.note import Note
from ledger.policy import MAX_POLICY_BYTES, Policy
from ledger.witness_client import submit

if TYPE_CHECKING:
    from pathlib import Path

    from api.home import Home
    from ledger.note import Signature
    from ledger.witness_client import Answer


def read_policy(path: Path) -> Policy:
    """Read a policy whose witnesses can be asked.

    Raises:
        UsageError: It is no policy, or no witness of it has a URL.
        OSError: It cannot be read.
    """
    try:
        policy = Policy.parse(read_bounded(path, MAX_POLICY_BYTES))
    except PolicyError as error:
        raise UsageError(f"{path} is not a tlog-policy: {error}") from error
    if not any(witness.url for witness in policy.witnesses):
        raise UsageError(f"{path} names no witness that can be asked: put a URL at the end of a witness line.")
    return policy


def submit_newest(home: Home, policy: Policy, deadline_seconds: float) -> WitnessSubmission:
    """Ask the witnesses of a policy to cosign the newest checkpoint, and keep it when the quorum is reached.

    Args:
        home: Whose log it is.
        policy: Whom to ask, and how many are needed.
        deadline_seconds: When to stop waiting.

    Raises:
        WitnessError: The policy has more witnesses than a note has room for.
        LogDamagedError: The cosigned checkpoint that is kept is damaged.
    """
    submission = submit(home.log, policy.witnesses, cosigned=home.cosigned.read(), deadline_seconds=deadline_seconds)
    try:
        policy.check(submission.note)
        missing = ""
        home.cosigned.keep(submission.note)
    except PolicyError as error:
        missing = str(error)
    checkpoint = Checkpoint.parse(Note.parse(submission.note).text)
    return WitnessSubmission(
        origin=checkpoint.origin,
        tree_size=checkpoint.size,
        quorum_reached=not missing,
        detail=missing,
        witnesses=[_shown(answer) for answer in submission.answers],
        checkpoint=submission.note.decode(),
    )


def _shown(answer: Answer) -> WitnessAnswer:
    return WitnessAnswer(
        witness=_text(answer.witness.name),
        vkey=answer.witness.verifier.vkey,
        url=_text(answer.witness.url or ""),
        result=answer.result.value,
        detail=answer.detail,
        cosigned_at=_time(answer.cosignature) if answer.cosignature else None,
    )


def _text(octets: str) -> str:
    """Names and URLs of a policy are opaque octets, which JSON cannot hold."""
    return octets.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _time(cosignature: Signature) -> str:
    seconds = cosigned_at(cosignature)
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):  # a witness may state any time up to 2^63-1
        return f"{seconds} seconds since 1970"
