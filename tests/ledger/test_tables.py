import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.log import Log


@pytest.fixture
def raw(database: Path, log: Log) -> Iterator[sqlite3.Connection]:
    """The database of a log of 303 entries, opened behind its back."""
    log.append([b"one", b"two", b"three"])
    log.append([b"%d" % number for number in range(300)])
    connection = sqlite3.connect(database, isolation_level=None)
    yield connection
    connection.close()


def rows(raw: sqlite3.Connection) -> list[list[object]]:
    tables = ("entry", "tile", "head", "checkpoint")
    return [raw.execute(f"SELECT * FROM {table}").fetchall() for table in tables]  # noqa: S608 - fixed names


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET data = x'00'",
        "UPDATE entry SET data = x'00' WHERE log_index = 0",
        "UPDATE entry SET appended_at = 'never' WHERE log_index = 2",
        "UPDATE OR REPLACE entry SET log_index = 0 WHERE log_index = 1",
        "DELETE FROM entry",
        "DELETE FROM entry WHERE log_index = 2",
        "INSERT OR REPLACE INTO entry VALUES (1, randomblob(32), 'now', x'00')",
        "REPLACE INTO entry SELECT 303, leaf_hash, 'now', x'00' FROM entry WHERE log_index = 0",
        "INSERT INTO entry VALUES (304, randomblob(32), 'now', x'00')",
        "INSERT INTO entry VALUES (-1, randomblob(32), 'now', x'00')",
        "INSERT INTO entry VALUES (303, x'00', 'now', x'00')",
        "INSERT INTO entry VALUES (2, randomblob(32), 'n', x'') ON CONFLICT DO UPDATE SET data = x''",
        "UPDATE tile SET root = randomblob(32)",
        "DELETE FROM tile",
        "INSERT OR REPLACE INTO tile SELECT * FROM tile",
        "INSERT INTO tile VALUES (-1, 0, randomblob(32), randomblob(512), randomblob(8192))",
        "INSERT INTO tile VALUES (0, 1, x'00', randomblob(512), randomblob(8192))",
        "INSERT INTO tile VALUES (0, 1, randomblob(32), randomblob(511), randomblob(8192))",
        "INSERT INTO tile VALUES (0, 1, randomblob(32), randomblob(512), randomblob(8191))",
        "UPDATE head SET size = 302",
        "UPDATE head SET edge = randomblob(32)",
        "UPDATE head SET id = 2, size = 304",
        "DELETE FROM head",
        "INSERT OR REPLACE INTO head VALUES (1, 400, x'')",
        "INSERT INTO head VALUES (2, 400, x'')",
        "UPDATE checkpoint SET note = x'00'",
        "DELETE FROM checkpoint",
        "INSERT OR REPLACE INTO checkpoint VALUES (303, x'00')",
        "INSERT INTO checkpoint VALUES (302, x'00')",
    ],
)
def test_the_database_itself_refuses_every_change(raw: sqlite3.Connection, statement: str) -> None:
    before = rows(raw)
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(statement)
    assert rows(raw) == before


def test_the_refusal_says_why(raw: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="entry is append-only: DELETE is refused"):
        raw.execute("DELETE FROM entry")


def test_the_next_row_is_taken(raw: sqlite3.Connection) -> None:
    raw.execute("INSERT INTO entry VALUES (303, randomblob(32), 'now', x'00')")
    raw.execute("INSERT INTO tile VALUES (0, 1, randomblob(32), randomblob(512), randomblob(8192))")
    raw.execute("UPDATE head SET size = 304, edge = randomblob(96)")
    raw.execute("INSERT INTO checkpoint VALUES (304, x'00')")
    assert [len(table) for table in rows(raw)] == [304, 2, 1, 3]
