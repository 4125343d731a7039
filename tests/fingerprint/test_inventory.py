"""Every change to a stored fingerprint is noticed, and put right to the very rows there were."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from fingerprint import store
from fingerprint.chroma import Fingerprint
from fingerprint.inventory import Edge, Fault, Recorded, check, settle
from fingerprint.tables import METADATA
from ledger.database import open_engine, writing

LENGTHS = (5, 0, 40, 1, 40, 300, 7)
PRINTS = {
    f"r{number}": Fingerprint(np.random.default_rng(number).integers(0, 2**32, length, np.uint32), length * 100)
    for number, length in enumerate(LENGTHS)
}
RECORDED = [
    Recorded(name, "sha256:" + hashlib.sha256(each.to_bytes()).hexdigest(), each.duration_ms, each.algorithm)
    for name, each in PRINTS.items()
]

WHOSE = st.sampled_from(sorted(PRINTS))
VALUES = st.sampled_from(
    ["x", b"\x00", b"\xff", 1.5, -1, 0, 7, 2**63 - 1, bytes(160), bytes(0), "chromaprint-test2 ", "r9"]
)
CHANGES = st.sampled_from(
    [
        "UPDATE OR IGNORE fingerprint SET item_count = :value WHERE recording_id = :one",
        "UPDATE OR IGNORE fingerprint SET recording_id = :value WHERE recording_id = :one",
        "UPDATE OR IGNORE fingerprint SET duration_ms = :value WHERE recording_id = :one",
        "UPDATE OR IGNORE fingerprint SET algorithm = :value WHERE recording_id = :one",
        "UPDATE OR IGNORE fingerprint SET items = :value WHERE recording_id = :one",
        "UPDATE OR IGNORE fingerprint SET start_address = start_address + :by WHERE recording_id = :one",
        "UPDATE OR IGNORE fingerprint SET items = (SELECT items FROM fingerprint WHERE recording_id = :other)",
        "UPDATE OR IGNORE fingerprint SET recording_id = recording_id || '!' WHERE recording_id IN (:one, :other)",
        "UPDATE OR IGNORE fingerprint SET start_address = -1 - start_address",
        "UPDATE OR IGNORE fingerprint SET start_address = start_address + 1000",
        "UPDATE OR IGNORE fingerprint SET recording_id = 'r' || (6 - substr(recording_id, 2)) || '?'",
        "DELETE FROM fingerprint WHERE recording_id = :one",
        "DELETE FROM fingerprint",
        "INSERT OR IGNORE INTO fingerprint VALUES (6, 1, 'nobody', 1, 'chromaprint-test2', x'00000000')",
        "INSERT OR IGNORE INTO fingerprint VALUES (-1, 1, x'00', 1, 'chromaprint-test2', x'00000000')",
    ]
)
TAMPERINGS = st.tuples(
    CHANGES, st.fixed_dictionaries({"one": WHOSE, "other": WHOSE, "by": st.integers(-50, 450), "value": VALUES})
)


def fill(connection: Connection, prints: Mapping[str, Fingerprint] = PRINTS) -> None:
    for name, each in prints.items():
        store.insert_fingerprint(connection, name, each)


def rows(connection: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(text("SELECT * FROM fingerprint ORDER BY start_address"))]


def faults(connection: Connection, step: int = 3) -> list[Fault]:
    """All that is found, some recordings at a time."""
    edge, found = Edge(), []
    for start in range(0, len(RECORDED), step):
        some, edge = check(connection, edge, RECORDED[start : start + step])
        found += some
    return found


def repair(connection: Connection, computed: Mapping[str, Fingerprint], step: int = 3) -> int:
    """Everything that is done to put the rows right."""
    edge, changed = Edge(), 0
    for start in range(0, len(RECORDED), step):
        count, edge = settle(connection, edge, RECORDED[start : start + step], computed)
        changed += count
    unknown = [start for start, name in store.owners(connection) if name not in PRINTS]
    store.delete_fingerprints_at(connection, unknown)
    return changed + len(unknown)


@given(tamperings=st.lists(TAMPERINGS, min_size=1, max_size=4), step=st.integers(1, 8))
def test_whatever_is_changed_is_found_and_put_right(
    tamperings: Sequence[tuple[str, dict[str, object]]], step: int
) -> None:
    engine = open_engine("sqlite://")
    METADATA.create_all(engine)
    with writing(engine) as connection:
        fill(connection)
        before = rows(connection)
        assert faults(connection, step) == []
        for change, values in tamperings:
            connection.execute(text(change), values)
        found = faults(connection, step)
        known = len(PRINTS) - sum(fault.kind == "missing" for fault in found)
        changed = rows(connection) != before
        assert bool(found or store.fingerprint_count(connection) != known) is changed
        assert bool(repair(connection, PRINTS, step)) is changed
        assert rows(connection) == before
        assert faults(connection, step) == []
        assert repair(connection, {}, step) == 0
    engine.dispose()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("DELETE FROM fingerprint WHERE recording_id = 'r2'", "missing"),
        ("UPDATE fingerprint SET items = zeroblob(160) WHERE recording_id = 'r2'", "altered"),
        ("UPDATE fingerprint SET items = 7 WHERE recording_id = 'r2'", "altered"),
        ("UPDATE fingerprint SET duration_ms = 'x' WHERE recording_id = 'r2'", "misdescribed"),
        ("UPDATE fingerprint SET start_address = 9000 WHERE recording_id = 'r6'", "misplaced"),
    ],
)
def test_what_is_wrong_is_named(engine: Engine, change: str, kind: str) -> None:
    with writing(engine) as connection:
        fill(connection)
        connection.execute(text(change))
        [fault] = faults(connection)
        assert (fault.recording_id, fault.kind) == ("r6" if kind == "misplaced" else "r2", kind)
        assert fault.needs_sound is (kind in {"missing", "altered"})
        assert fault.what


@pytest.mark.parametrize("step", [1, 3, 8])
def test_what_cannot_be_computed_again_is_missing_and_nothing_else_is(engine: Engine, step: int) -> None:
    with writing(engine) as connection:
        fill(connection)
        before = rows(connection)
        connection.execute(text("UPDATE fingerprint SET items = zeroblob(8) WHERE recording_id IN ('r2', 'r3')"))
        assert repair(connection, {"r3": PRINTS["r3"]}, step) == 2
        assert [(fault.recording_id, fault.kind) for fault in faults(connection, step)] == [("r2", "missing")]
        stored = list(store.fingerprints_from(connection, 0))
        assert {each.recording_id: each.fingerprint for each in stored} == {
            name: each for name, each in PRINTS.items() if name != "r2"
        }
        assert all(one.end < other.start for one, other in pairwise(stored))
        assert repair(connection, PRINTS, step)
        assert rows(connection) == before


def test_another_fingerprint_is_not_taken_for_the_one_that_was_recorded(engine: Engine) -> None:
    with writing(engine) as connection:
        fill(connection)
        connection.execute(text("DELETE FROM fingerprint WHERE recording_id = 'r5'"))
        repair(connection, {"r5": PRINTS["r4"]})
        assert [fault.kind for fault in faults(connection)] == ["missing"]


def test_what_is_added_meanwhile_finds_its_place(engine: Engine) -> None:
    with writing(engine) as connection:
        fill(connection)
        before = rows(connection)
        connection.execute(text("DELETE FROM fingerprint"))
        fill(connection, {"r6": PRINTS["r6"]})
        repair(connection, PRINTS)
        assert rows(connection) == before
