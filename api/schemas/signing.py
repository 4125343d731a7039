"""Keys made, statements signed, and what became of them."""

from __future__ import annotations

from typing import Literal

from api.schemas.base import Answer


class KeyMade(Answer):
    """A new key; its private half stays in its file."""

    keyid: str
    path: str
    registration: str


class Signed(Answer):
    """A signed statement in a file."""

    kind: str
    keyids: list[str]
    leaf_hash: str
    path: str


class Recorded(Answer):
    """An entry of the log."""

    kind: str
    leaf_hash: str
    log_index: int


class RecordedList(Answer):
    """Entries of the log, in their order."""

    entries: list[Recorded]


class KeyEvidenceWritten(Answer):
    """What a log says about its keys, in a file.

    Attributes:
        statements: How many statements about keys there are.
        tree_size: As of how many entries.
        cosigned: Whether the checkpoint has the cosignatures of the witnesses' quorum.
    """

    path: str
    statements: int
    tree_size: int
    cosigned: bool


class EndingShown(Answer):
    """What ended a key."""

    from_index: int
    log_index: int
    by: str
    reason: str
    successor: str


class KeyTerm(Answer):
    """The entries in which a key's signatures count: from its registration to the one before ``stop``."""

    keyid: str
    role: Literal["log", "service", "party", "c2pa", "witness", "owner"]
    party: str
    log_index: int
    leaf_hash: str
    stop: int | None
    ending: EndingShown | None
