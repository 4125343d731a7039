import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.log import Log


@pytest.fixture
def raw(database: Path, log: Log) -> Iterator[sqlite3.Connection]:
    """The database of a log of three entries, opened behind its back."""
    log.append([b"one", b"two", b"three"])
    connection = sqlite3.connect(database, isolation_level=None)
    yield connection
    connection.close()


def rows(raw: sqlite3.Connection) -> list[list[object]]:
    tables = ("entry", "node", "checkpoint")
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
        "REPLACE INTO entry SELECT 3, leaf_hash, 'now', x'00' FROM entry WHERE log_index = 0",
        "INSERT INTO entry VALUES (4, randomblob(32), 'now', x'00')",
        "INSERT INTO entry VALUES (-1, randomblob(32), 'now', x'00')",
        "INSERT INTO entry VALUES (3, x'00', 'now', x'00')",
        "INSERT INTO entry VALUES (2, randomblob(32), 'n', x'') ON CONFLICT DO UPDATE SET data = x''",
        "UPDATE node SET hash = randomblob(32)",
        "DELETE FROM node",
        "INSERT OR REPLACE INTO node VALUES (1, 0, randomblob(32))",
        "INSERT INTO node VALUES (0, 0, randomblob(32))",
        "INSERT INTO node VALUES (1, 1, x'00')",
        "UPDATE checkpoint SET note = x'00'",
        "DELETE FROM checkpoint",
        "INSERT OR REPLACE INTO checkpoint VALUES (3, x'00')",
        "INSERT INTO checkpoint VALUES (2, x'00')",
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
    raw.execute("INSERT INTO entry VALUES (3, randomblob(32), 'now', x'00')")
    raw.execute("INSERT INTO node VALUES (1, 1, randomblob(32))")
    raw.execute("INSERT INTO checkpoint VALUES (4, x'00')")
    assert [len(table) for table in rows(raw)] == [4, 2, 2]
