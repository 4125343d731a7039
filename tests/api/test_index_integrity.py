"""The fingerprint index of a home on PostgreSQL: found altered, and made again, by whoever may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url, text

from api.home import Home
from api.integrity import fsck, rebuild
from api.recording import generate
from api.settings import Settings
from fingerprint.index import Index
from generator.request import GenerationRequest
from ledger.database import open_engine, writing
from ledger.errors import DatabaseUnavailableError
from migrations import roles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import Engine, Row

TAMPERINGS = (
    "UPDATE fingerprint SET items = decode(repeat('00', length(items)), 'hex')",
    "DELETE FROM fingerprint",
    "UPDATE fingerprint SET recording_id = 'somebody-elses'",
    "UPDATE fingerprint SET start_address = start_address + 7, duration_ms = duration_ms + 1",
    "DELETE FROM posting_bucket",
    "UPDATE posting_bucket SET postings = decode(repeat('00', length(postings)), 'hex')",
)


def tamper(engine: Engine, sql: str) -> None:
    with writing(engine) as connection:
        connection.execute(text(sql))


def rows(engine: Engine) -> list[Sequence[Row[tuple[object, ...]]]]:
    with engine.connect() as connection:
        return [
            connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).all()  # noqa: S608 - our own names
            for table in ("fingerprint", "posting_segment", "posting_bucket")
        ]


def test_an_altered_index_is_found_and_made_again(
    new_postgresql: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fingerprint.index.SEAL_ITEMS", 10)
    home = Home(Settings(home=tmp_path / "home", device="cpu", database=new_postgresql()))
    made = generate(home, GenerationRequest("a busy allegro in D major", seed=11, bars=6))
    print_ = home.index.stored(made.recording_id)
    assert print_ is not None
    with home.writing() as connection:
        assert home.index.seal(connection)
    assert rebuild(home) == (home.log.size(), True)
    before = rows(home.engine)
    assert all(before)
    for sql in TAMPERINGS:
        tamper(home.engine, sql)
        assert fsck(home).problems, sql
        assert rebuild(home) == (home.log.size(), False)
        assert rows(home.engine) == before
        assert fsck(home).problems == ()
        assert [each.recording_id for each in Index(home.engine).identify(print_)] == [made.recording_id]
    home.close()


def test_the_writer_adds_what_is_missing_and_changes_nothing(new_postgresql: Callable[[], str], tmp_path: Path) -> None:
    url = new_postgresql()
    owner = open_engine(url)
    with writing(owner) as connection:
        for statement in roles.statements():
            connection.exec_driver_sql(statement)
    writer = make_url(url).set(username=roles.WRITER, password=None).render_as_string()
    try:
        home = Home(Settings(home=tmp_path / "home", device="cpu", database=writer))
    except DatabaseUnavailableError as fault:
        pytest.skip(f"{roles.WRITER} may not log in without a password ({fault}): its rights were not tried")
    made = generate(home, GenerationRequest("a busy allegro in D major", seed=11, bars=2))
    before = rows(owner)[0]
    tamper(owner, "DELETE FROM fingerprint")
    assert rebuild(home) == (home.log.size(), False)
    assert rows(owner)[0] == before
    assert fsck(home).problems == ()
    tamper(owner, TAMPERINGS[0])
    with pytest.raises(DatabaseUnavailableError, match="may not do that there"):
        rebuild(home)
    assert [made.recording_id in problem.where for problem in fsck(home).problems] == [True]
    home.close()
    as_owner = Home(Settings(home=tmp_path / "home", device="cpu", database=url))
    assert rebuild(as_owner) == (as_owner.log.size(), False)
    assert rows(owner)[0] == before
    as_owner.close()
    owner.dispose()
