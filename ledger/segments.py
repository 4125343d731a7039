"""The segments of a PostgreSQL server's write-ahead log, which keep what was deleted until they are written over.

A segment that is not needed any more is renamed to become a later one, and keeps its old bytes until its turn comes.
Whoever switches to the next segment fills the rest of the present one with zeros; so once every segment that exists
has had its turn, none holds old bytes (PostgreSQL documentation, "WAL Configuration"; `CopyXLogRecordToWAL`).
"""

from typing import Final

from sqlalchemy.engine.interfaces import DBAPICursor

CHECKPOINT_ROLE: Final = "pg_checkpoint"
"""Predefined role of those who may CHECKPOINT."""
FUNCTIONS: Final = ("pg_switch_wal()", "pg_ls_waldir()")
"""What moves the log on and tells its segments; only superusers may call them unless they give others the right."""

_MAY: Final = " AND ".join(
    [
        f"pg_has_role('{CHECKPOINT_ROLE}', 'USAGE')",
        *(f"has_function_privilege('{function}', 'EXECUTE')" for function in FUNCTIONS),
    ]
)
_TIMELINE_DIGITS: Final = 8


def may_be_turned(cursor: DBAPICursor) -> bool:
    """Returns whether this user has the rights that `turn_all` takes."""
    return bool(_one(cursor, f"SELECT {_MAY}"))


def turn_all(cursor: DBAPICursor) -> tuple[str, ...]:
    """Gives every segment that exists its turn, so that nothing is left of what the log said before.

    It writes about as much as the segments hold (five of 16 MB on an idle server with the usual settings). Others may
    go on working.

    Args:
        cursor: Without a transaction.

    Returns:
        Positions of segments that the server keeps all the same, with their bytes: for a replication slot or an
        archive, or because of wal_keep_size.
    """
    before = _present(cursor)
    _turn(cursor)  # what was written before is given up now, and what can be used again has its later name
    last = max(_segments(cursor))
    while _present(cursor) <= last:
        _turn(cursor)
    return tuple(segment for segment in _segments(cursor) if segment <= before)


def copies_elsewhere(cursor: DBAPICursor) -> bool:
    """Returns whether the server archives its log or hands it to others."""
    return bool(
        _one(
            cursor,
            "SELECT current_setting('archive_mode') <> 'off' OR EXISTS (SELECT FROM pg_replication_slots)"
            " OR EXISTS (SELECT FROM pg_stat_replication)",
        )
    )


def _turn(cursor: DBAPICursor) -> None:
    """Begin the next segment. The checkpoint gives up the last one, and writes something, or there would be no next."""
    cursor.execute("CHECKPOINT")
    cursor.execute("SELECT pg_switch_wal()")
    cursor.execute("CHECKPOINT")


def _present(cursor: DBAPICursor) -> str:
    return str(_one(cursor, "SELECT pg_walfile_name(pg_current_wal_lsn())"))[_TIMELINE_DIGITS:]


def _segments(cursor: DBAPICursor) -> list[str]:
    """Return the positions of all segments, in order: their names without the timeline."""
    cursor.execute("SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'")
    return sorted(str(name)[_TIMELINE_DIGITS:] for (name,) in cursor.fetchall())


def _one(cursor: DBAPICursor, query: str) -> object:
    cursor.execute(query)
    [[value]] = cursor.fetchall()
    return value
