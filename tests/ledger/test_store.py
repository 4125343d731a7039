import sqlite3
from pathlib import Path

from sqlalchemy import Engine, event

from ledger import store
from ledger.database import reading
from ledger.log import Log
from ledger.tile import Tile, TileId


def test_no_question_of_an_append_or_a_proof_scans_a_table(engine: Engine, database: Path, log: Log) -> None:
    log.append([b"%d" % number for number in range(1100)])
    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.startswith("SELECT") and isinstance(values, tuple):
            asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    log.append([b"one more", b"two more"])
    log.tlog_proof(3)
    log.tlog_proof(1090)
    log.consistency_proof(5)
    log.entry_by_leaf(log.entry(2).leaf_hash)
    list(log.entries(2, 4))
    event.remove(engine, "before_cursor_execute", note)
    assert len(asked) > 8
    raw = sqlite3.connect(database)
    for statement, values in asked:
        plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
        # a walk in the order of a key, which LIMIT 1 ends at the first row
        walks = {"SCAN checkpoint", "SCAN entry"} if "LIMIT" in statement else set()
        steps = [step for step in plan if step != "SCAN CONSTANT ROW" and not step.startswith("SCALAR SUBQUERY")]
        assert all("SEARCH" in step or "INDEX" in step or step in walks for step in steps), plan
    raw.close()


def test_tiles_that_are_full(engine: Engine, log: Log) -> None:
    log.append([b"%d" % number for number in range(700)])
    with reading(engine) as connection:
        assert store.tile_count(connection) == 2
        wanted = [TileId(0, number) for number in range(40)]
        found = store.tiles(connection, [*wanted, TileId(1, 0)])
        assert set(found) == set(wanted[:2])
        assert found[wanted[1]] == Tile.complete(b"".join(store.leaf_hashes(connection, 256, 512)))
        assert store.tile_roots(connection, 0, 0, 9) == [found[tile].root for tile in wanted[:2]]


def test_missing_guards_are_named(engine: Engine, database: Path) -> None:
    with reading(engine) as connection:
        assert store.missing_guards(connection) == []
    raw = sqlite3.connect(database)
    raw.execute("DROP TRIGGER entry_no_delete")
    raw.close()
    with reading(engine) as connection:
        assert store.missing_guards(connection) == ["entry_no_delete"]
