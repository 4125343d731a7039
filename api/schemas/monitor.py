"""What a monitor saw."""

from __future__ import annotations

from api.schemas.base import Answer


class EntrySeen(Answer):
    """An entry of a log that is followed.

    Attributes:
        kind: Of its statement; ``unreadable`` when it is none that this version knows.
        about: Names of what the statement is about.
        time: When it was made, as it says itself.
        keyids: Who signed it, as it says itself; whether those keys may is not asked here.
    """

    log_index: int
    leaf_hash: str
    kind: str
    about: list[str]
    time: str
    keyids: list[str]


class MonitorReport(Answer):
    """What is new in a log, all of it verified against the signed checkpoint.

    Every entry is in at least one report: one that could not be handed over, or whose monitor was killed
    before it had remembered that, is told again by the next. ``log_index`` tells which one it is.

    Attributes:
        new_entries: How many came since the last look that was handed over.
        entries: Those of them that were asked for.
    """

    origin: str
    tree_size: int
    root_hash: str
    new_entries: int
    entries: list[EntrySeen]
