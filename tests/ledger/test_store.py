import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from ledger import store
from ledger.database import reading
from ledger.errors import LogDamagedError
from ledger.log import Log
from ledger.merkle import NodeId


def test_no_question_of_an_append_or_a_proof_scans_a_table(engine: Engine, database: Path, log: Log) -> None:
    log.append([b"%d" % number for number in range(11)])
    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.startswith("SELECT") and isinstance(values, tuple):
            asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    log.append([b"one more", b"two more"])
    log.tlog_proof(3)
    log.consistency_proof(5)
    log.entry_by_leaf(log.entry(2).leaf_hash)
    list(log.entries(2, 4))
    event.remove(engine, "before_cursor_execute", note)
    assert len(asked) > 8
    raw = sqlite3.connect(database)
    for statement, values in asked:
        plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
        # "SCAN checkpoint" is a walk in the order of its key, which LIMIT 1 ends at the first row
        assert all("SEARCH" in step or "INDEX" in step or step == "SCAN checkpoint" for step in plan), plan
    raw.close()


def test_nodes_of_every_level(engine: Engine, log: Log) -> None:
    log.append([b"%d" % number for number in range(5)])
    wanted = [NodeId(0, 4), NodeId(1, 0), NodeId(1, 1), NodeId(2, 0)]
    with reading(engine) as session:
        assert set(store.node_hashes(session, wanted)) == set(wanted)
        assert store.node_count(session) == 3
        assert set(store.level_nodes(session, 1, 0, 2)) == {NodeId(1, 0), NodeId(1, 1)}
        for missing in (NodeId(0, 5), NodeId(1, 2), NodeId(3, 0)):
            with pytest.raises(LogDamagedError, match=f"level {missing.level}, position"):
                store.node_hashes(session, [*wanted, missing])


def test_missing_guards_are_named(engine: Engine, database: Path) -> None:
    with reading(engine) as session:
        assert store.missing_guards(session) == []
    raw = sqlite3.connect(database)
    raw.execute("DROP TRIGGER entry_no_delete")
    raw.close()
    with reading(engine) as session:
        assert store.missing_guards(session) == ["entry_no_delete"]
