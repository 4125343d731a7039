"""A whole home on PostgreSQL: the same story, and what becomes of what is erased by somebody who may do everything.

What the roles of docs/operations.md may do, each, is tried in test_operations.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from api.erasure import PRIVATE_TABLES, erase
from api.errors import NothingThereError
from api.home import Home
from api.integrity import fsck, rebuild
from api.recording import generate
from api.registry import add_party, parties
from api.settings import Settings
from generator.request import GenerationRequest
from ledger.database import open_engine
from ledger.errors import DatabaseBusyError
from ledger.scrub import Scrubbed, scrub, scrubbed_up_to
from provenance import store
from tests import postgresql as servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "Zacharias Quetzalcoatl Featherstonehaugh"


def test_the_story_on_postgresql(
    new_postgresql: Callable[[], str],
    linernotes: Callable[..., object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LINERNOTES_DATABASE", new_postgresql())
    home, take = tmp_path / "home", tmp_path / "take.wav"
    made = linernotes(
        "generate", "a calm adagio in D", "--seconds", "8", "--seed", "4", "-o", take, "--json", home=home
    )
    assert made.code == 0, made.err
    assert not (home / "linernotes.db").exists()
    assert linernotes("verify", take, "--json", home=home).json["verified"] is True
    assert linernotes("verify", take, "--json", home=tmp_path / "empty").json["verified"] is True
    recording = made.json["recording_id"]
    assert linernotes("check", take, "--use", "commercial-release", "--territory", "DE", home=home).code == 0
    assert linernotes("identify", take, "--json", home=home).json["matches"][0]["recording_id"] == recording
    package = tmp_path / "package.zip"
    assert linernotes("export", recording, "-o", package, home=home).code == 0
    assert linernotes("verify", package, "--json", home=home).json["verified"] is True
    assert linernotes("audit", "membership", "--composer", "Haydn", home=home).code == 0
    assert linernotes("log", "fsck", "--json", home=home).json["problems"] == []
    assert "the same as before" in linernotes("db", "rebuild", home=home).out
    erased = linernotes("erase", recording, "--json", home=home).json
    assert {each["field"] for each in erased["erased"]} >= {"prompt"}
    assert linernotes("erase", recording, home=home).code == 3


def test_a_home_that_shares_a_database_need_not_have_signed(new_postgresql: Callable[[], str], tmp_path: Path) -> None:
    home = Home(Settings(home=tmp_path / "home", database=new_postgresql(), device="cpu"))
    home.last_checkpoint.unlink()
    report = fsck(home)
    assert report.problems == ()
    assert [warning.where for warning in report.warnings] == ["keys/last-checkpoint"]
    home.close()


def test_what_may_still_be_in_files_is_named_as_users_know_it(
    new_postgresql: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.erasure._ROWS_AT_ONCE", 2)
    monkeypatch.setattr("api.erasure.scrub", lambda *_: Scrubbed(done=False))
    home = Home(Settings(home=tmp_path / "home", database=new_postgresql(), device="cpu"))
    with pytest.raises(NothingThereError) as refusal:
        erase(home, "nobody")
    assert "files" not in str(refusal.value)  # nothing was erased yet
    made = generate(home, GenerationRequest("a calm adagio, foggy", seed=5, bars=2))
    erase(home, made.recording_id)
    [warning] = fsck(home).warnings
    assert warning.where == "database"
    assert f"(prompt, unmatched_words of the recording {made.recording_id})" in warning.what
    ids = [add_party(home, f"{NAME} {number}").party_id for number in range(3)]
    for number, each in enumerate(ids):
        erase(home, each)
        named = [f"name of the party {each}" for each in reversed(ids[: number + 1])]
        first = f"prompt, unmatched_words of the recording {made.recording_id}" if number < 2 else "and others before"
        with pytest.raises(NothingThereError, match=re.escape(f"({'; '.join([*named, first])})")):
            erase(home, each)
    home.close()


@pytest.fixture
def server() -> Iterator[servers.Server]:
    """A server of its own, whose files are looked into."""
    reason = servers.why_not()
    if reason is not None:
        pytest.skip(reason)
    with TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with servers.private_server(Path(folder) / "server") as private:
            yield private


def holding(server: servers.Server, value: bytes) -> list[str]:
    return [
        str(path.relative_to(server.folder))
        for path in (server.folder / "data").rglob("*")
        if path.is_file() and value in path.read_bytes()
    ]


def test_an_erased_name_is_in_no_file_of_the_server(server: servers.Server, tmp_path: Path) -> None:
    home = Home(Settings(home=tmp_path / "home", database=server.url, device="cpu"))
    kept = add_party(home, "Somebody Else Whose Name Stays")
    party = add_party(home, NAME)
    with home.reading() as connection:
        salt = store.openings(connection, party.leaf_hash)["name"].salt
    admin = open_engine(server.url).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for statement in ("ANALYZE", "CHECKPOINT", "SELECT pg_switch_wal()", "CHECKPOINT"):
            connection.exec_driver_sql(statement)
    admin.dispose()
    assert holding(server, NAME.encode())
    assert holding(server, salt)
    erased = erase(home, party.party_id)
    assert len(erased.erased) == 1
    assert erased.left_to_do == []
    assert holding(server, NAME.encode()) == []
    assert holding(server, salt) == []
    assert holding(server, kept.name.encode())
    assert scrubbed_up_to(home.engine, PRIVATE_TABLES) == home.log.size()
    with pytest.raises(NothingThereError, match=r"erased before\.$"):
        erase(home, party.party_id)
    assert fsck(home).problems == ()
    assert rebuild(home)[1]
    assert {each.name for each in parties(home).parties} == {"", kept.name}
    home.engine.dispose()


def test_whoever_is_in_the_way_is_waited_for_and_named(
    server: servers.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is written anew takes deleted rows along for those who might still read them."""
    monkeypatch.setattr("ledger.scrub.PATIENCE_SECONDS", 0)
    monkeypatch.setattr("ledger.database.BUSY_SECONDS", 1)
    home = Home(Settings(home=tmp_path / "home", database=server.url, device="cpu"))
    party = add_party(home, NAME)
    other = open_engine(server.url).execution_options(isolation_level="REPEATABLE READ")
    with other.connect() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM entry")
        with pytest.raises(DatabaseBusyError, match=r"the table opening keeps them.*run `linernotes db scrub`"):
            erase(home, party.party_id)
        with pytest.raises(NothingThereError, match="may still be in the files"):
            erase(home, party.party_id)
        reader.exec_driver_sql("SELECT count(*) FROM opening")  # which locks it, until the transaction ends
        with pytest.raises(DatabaseBusyError, match="stays deleted, but its bytes may still be") as refusal:
            scrub(home.engine, PRIVATE_TABLES)
        assert "nothing was recorded" not in str(refusal.value)
    other.dispose()
    assert holding(server, NAME.encode())
    assert scrub(home.engine, PRIVATE_TABLES).done
    assert holding(server, NAME.encode()) == []
    home.engine.dispose()
