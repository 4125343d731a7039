"""The log itself."""

from __future__ import annotations

from typing import Literal

from api.schemas.base import Answer


class ProblemFound(Answer):
    """Something that does not hold."""

    what: str
    where: str


class Fsck(Answer):
    """The outcome of rehashing everything: no problems means whole."""

    entries: int
    problems: list[ProblemFound]
    warnings: list[ProblemFound]


class ProofWritten(Answer):
    """A proof was written to a file."""

    path: str
    log_index: int
    leaf_hash: str
    tree_size: int


class ExportMade(Answer):
    """A package was written."""

    path: str
    recording_id: str
    package_digest: str
    leaf_hash: str
    log_index: int
    verdict: str
    files: list[str]


class Health(Answer):
    """The service answers, and its database can be read.

    Attributes:
        log_size: Entries of the log.
        timestamps: How the log's time stamps go in this process; ``off`` where no authority is configured.
        timestamps_since: When the last one came, or the first of the failures in a row since; empty before the first.
    """

    status: Literal["ok"]
    log_size: int
    timestamps: Literal["off", "idle", "stamped", "refused", "unreachable", "not-kept"] = "off"
    timestamps_since: str = ""
