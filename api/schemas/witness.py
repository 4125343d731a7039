"""What witnesses said about the log."""

from __future__ import annotations

from typing import Literal

from api.schemas.base import Answer


class WitnessAnswer(Answer):
    """What one witness answered.

    Attributes:
        witness: Its name in the policy.
        result: Whether it cosigned, or why not.
        detail: What happened, and what to do.
        cosigned_at: When it cosigned (RFC 3339).
    """

    witness: str
    vkey: str
    url: str
    result: Literal["cosigned", "overtaken", "contradicted", "refused", "unreachable"]
    detail: str
    cosigned_at: str | None


class WitnessSubmission(Answer):
    """A checkpoint was submitted to the witnesses of a policy.

    Attributes:
        origin: Identity of the log.
        tree_size: Size that the checkpoint states.
        quorum_reached: Whether the policy accepts the checkpoint with the cosignatures that it has now.
        detail: Why not, where it does not.
        witnesses: One for each witness of the policy that has a URL.
        checkpoint: The checkpoint with all its signatures.
    """

    origin: str
    tree_size: int
    quorum_reached: bool
    detail: str
    witnesses: list[WitnessAnswer]
    checkpoint: str
