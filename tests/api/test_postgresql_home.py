"""A whole home on PostgreSQL: the same story, and erasure by the procedure that is documented."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from api.erasure import erase
from api.home import Home
from api.integrity import fsck, rebuild
from api.registry import add_party, parties
from api.settings import Settings
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
    assert erased["left_to_do"]


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
    """The steps that are left to the administrator are those of docs/operations.md."""
    from ledger.database import open_engine

    home = Home(Settings(home=tmp_path / "home", database=server.url, device="cpu"))
    kept = add_party(home, "Somebody Else Whose Name Stays")
    party = add_party(home, NAME)
    with home.reading() as connection:
        salt = store.openings(connection, party.leaf_hash)["name"].salt
    admin = open_engine(server.url).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.exec_driver_sql("CHECKPOINT")
    assert holding(server, NAME.encode())
    assert erase(home, party.party_id).left_to_do
    with admin.connect() as connection:
        connection.exec_driver_sql("ALTER SYSTEM SET wal_recycle = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
        for _ in range(2):
            connection.exec_driver_sql("CHECKPOINT")
            connection.exec_driver_sql("SELECT pg_switch_wal()")
        connection.exec_driver_sql("CHECKPOINT")
    admin.dispose()
    assert holding(server, NAME.encode()) == []
    assert holding(server, salt) == []
    assert holding(server, kept.name.encode())
    assert fsck(home).problems == ()
    assert rebuild(home)[1]
    assert {each.name for each in parties(home).parties} == {"", kept.name}
    home.engine.dispose()
