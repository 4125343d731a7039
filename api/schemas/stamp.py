"""Trusted time: what the log's time stamps say, and whether they hold."""

from __future__ import annotations

from typing import Literal

from api.schemas.base import Answer


class StampShown(Answer):
    """The time stamp of one checkpoint (RFC 3161).

    Attributes:
        tree_size: Of the checkpoint: how many entries had been made by then. What the token itself says is empty
            where it cannot be read.
        gen_time: When, by the clock of the authority.
        authority: Subject of the authority's certificate, as the certificate says.
        serial: The token's number at that authority, a decimal.
        policy: Object identifier of the policy it was made under.
        message_digest: Of the checkpoint as the log signed it.
        taken_at: When it was kept, by our own clock.
        result: Whether it holds under the roots that were given; without any, it is not checked.
        files: Where it was written with its checkpoint, for other tools; nothing unless asked for.
    """

    tree_size: int
    gen_time: str
    authority: str
    serial: str
    policy: str
    message_digest: str
    taken_at: str
    result: Literal["pass", "fail", "not-checked"]
    detail: str
    files: list[str]


class StampList(Answer):
    """The newest time stamps of the log, the newest first.

    Attributes:
        checkpoints_since: How many checkpoints were signed after the newest that was stamped: where that goes on
            growing, no authority answers.
    """

    stamps: list[StampShown]
    checkpoints_since: int
