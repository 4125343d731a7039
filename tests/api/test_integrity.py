import sqlite3
from pathlib import Path

import httpx
import pytest

from api.erasure import erase
from api.history import renditions
from api.home import Home
from api.integrity import fsck
from api.recording import generate
from api.registry import add_party
from api.settings import load_settings
from generator.request import GenerationRequest
from ledger.scrub import Scrubbed
from tests.api.conftest import serving


@pytest.fixture
def database(studio) -> Path:
    return studio.home / "linernotes.db"


def change(database: Path, sql: str) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(sql)
    connection.close()


def problems(linernotes) -> list[str]:
    done = linernotes("log", "fsck", "--json")
    found = done.json["problems"]
    assert done.code == (1 if found else 0)
    assert all(problem["what"] and problem["where"] for problem in found)
    return [f"{problem['where']}: {problem['what']}" for problem in found]


def test_a_sound_home_has_no_problems(studio, linernotes) -> None:
    assert problems(linernotes) == []


@pytest.mark.parametrize(
    ("sql", "where"),
    [
        ("UPDATE recording SET duration_ms = duration_ms + 1", "table recording"),
        ("DELETE FROM rendition", "table rendition"),
        ("UPDATE registration SET log_index = 1 WHERE kind = 'model'", "table registration"),
        ("UPDATE statement SET kind = 'edit' WHERE kind = 'generation'", "table statement"),
        ("UPDATE opening SET value = 'somebody else' WHERE field = 'prompt'", "opening of prompt"),
    ],
)
def test_an_altered_row_is_named(database, linernotes, sql: str, where: str) -> None:
    change(database, sql)
    assert any(where in problem for problem in problems(linernotes))


def test_an_altered_projection_is_repaired_from_the_log(database, linernotes) -> None:
    change(database, "UPDATE recording SET iscc = 'ISCC:X'")
    assert "were repaired" in linernotes("db", "rebuild").out
    assert problems(linernotes) == []


@pytest.mark.parametrize("table", ["entry", "node", "checkpoint"])
def test_the_database_itself_refuses_to_change_the_log(database, table: str) -> None:
    column = {"entry": "data", "node": "hash", "checkpoint": "note"}[table]
    for sql in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = x'00'"):  # noqa: S608 - our own names
        with pytest.raises(sqlite3.DatabaseError):
            change(database, sql)


def test_an_entry_altered_behind_the_triggers_is_found(database, linernotes) -> None:
    connection = sqlite3.connect(database)
    with connection:
        triggers = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE entry SET data = replace(data, 'a', 'b') WHERE log_index = 2")
    connection.close()
    assert any(problem.startswith("entry 2") for problem in problems(linernotes))


def objects(home: Path) -> list[Path]:
    return sorted(path for path in (home / "objects").glob("??/*") if path.is_file())


def test_a_missing_and_an_altered_file_are_named(studio, linernotes) -> None:
    first, second = objects(studio.home)[:2]
    first.unlink()
    second.write_bytes(b"noise")
    found = problems(linernotes)
    assert any("missing" in problem for problem in found)
    assert any("altered" in problem for problem in found)


def test_a_file_no_entry_names_is_a_warning(studio, linernotes) -> None:
    Home(load_settings()).objects.put_bytes(b"left over")
    done = linernotes("log", "fsck", "--json")
    assert (done.code, len(done.json["warnings"])) == (0, 1)


def test_a_generation_without_a_rendition_is_a_warning(studio, linernotes, monkeypatch) -> None:
    """Stopped between recording and sealing: the recording is in the log, and no file was handed out."""
    import api.recording

    def stop(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(api.recording, "seal", stop)
    done = linernotes("generate", "x", "--bars", 3, "--seed", 1, "-o", studio.root / "x.wav")
    assert done.code == 2
    assert not (studio.root / "x.wav").exists()
    report = linernotes("log", "fsck", "--json")
    assert report.code == 0
    assert any("interrupted" in warning["what"] for warning in report.json["warnings"])


def test_an_older_database_put_back_is_refused(studio, linernotes) -> None:
    database = studio.home / "linernotes.db"
    Home(load_settings()).engine.dispose()
    old = database.read_bytes()
    linernotes("party", "add", "--name", "Ada")
    for path in studio.home.glob("linernotes.db*"):
        path.unlink()
    database.write_bytes(old)
    done = linernotes("party", "add", "--name", "Bea")
    assert done.code == 2
    assert "older" in done.err or "roll" in done.err.lower()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO statement SELECT 'x', -1, kind, 'another', time, recording_id FROM statement WHERE log_index = 0",
        (
            "INSERT INTO recording SELECT 'another', 'x', -1, kind, parent_recording_id, content_digest, score_digest, "
            "iscc, duration_ms, time FROM recording"
        ),
        (
            "INSERT INTO rendition SELECT 'x', 1000000, recording_id, part, media_type, asset_digest, content_digest, "
            "manifest_id FROM rendition LIMIT 1"
        ),
        "INSERT INTO registration VALUES ('party', 'nobody', 'x', -5)",
    ],
)
def test_a_row_of_an_entry_that_there_is_not(database, linernotes, sql: str) -> None:
    change(database, sql)
    assert any("rows of entries that there are not" in problem for problem in problems(linernotes))
    assert "were repaired" in linernotes("db", "rebuild").out
    assert problems(linernotes) == []


@pytest.mark.parametrize("sql", ["UPDATE opening SET salt = 'text'", "UPDATE opening SET value = x'00ff'"])
def test_an_opening_of_another_type(database, linernotes, sql: str) -> None:
    change(database, sql)
    assert any("the database was changed" in problem for problem in problems(linernotes))


def test_a_folder_in_the_place_of_a_file(studio, linernotes) -> None:
    first = objects(studio.home)[0]
    first.unlink()
    first.mkdir()
    assert any("cannot be read" in problem or "missing" in problem for problem in problems(linernotes))


@pytest.mark.parametrize("damage", ["head", "cut"])
def test_a_home_that_cannot_be_opened_is_reported(database, linernotes, damage: str) -> None:
    if damage == "cut":
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        database.write_bytes(database.read_bytes()[:20_000])
    else:
        connection = sqlite3.connect(database)
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM head")
        connection.commit()
        connection.close()
    assert problems(linernotes)


def test_an_older_database_is_not_shown_to_others_as_the_newest(studio, linernotes) -> None:
    database = studio.home / "linernotes.db"
    Home(load_settings()).engine.dispose()
    old = database.read_bytes()
    linernotes("party", "add", "--name", "Ada")
    for path in studio.home.glob("linernotes.db*"):
        path.unlink()
    database.write_bytes(old)
    for command in (("log", "publish"), ("log", "checkpoint")):
        done = linernotes(*command)
        assert done.code == 2
        assert "older copy of the database" in done.err
    with serving(Home(load_settings())) as url:
        assert [httpx.get(url + path).status_code for path in ("/checkpoint", "/healthz")] == [500, 500]


def test_what_is_not_remembered_beside_the_key_is_named(studio, linernotes) -> None:
    (studio.home / "keys" / "last-checkpoint").unlink()
    for _ in range(2):
        [problem] = problems(linernotes)
        assert problem.startswith("keys/last-checkpoint: it is missing, and the checkpoint of")
    linernotes("party", "add", "--name", "Ada")
    assert problems(linernotes) == []


def test_a_log_that_has_no_checkpoint_yet_has_none_to_remember(tmp_path, linernotes, monkeypatch) -> None:
    monkeypatch.setenv("LINERNOTES_PUBLISH_INTERVAL", "0.5")
    done = linernotes("log", "fsck", "--json", home=tmp_path / "fresh")
    assert not (tmp_path / "fresh" / "keys" / "last-checkpoint").exists()
    assert (done.code, done.json["problems"]) == (0, [])


@pytest.mark.parametrize("junk", [b"junk\n", b"", b"\xff"])
def test_junk_in_place_of_the_keys_of_the_log_is_named(studio, linernotes, junk: bytes) -> None:
    path = studio.home / "keys" / "log-succession"
    before = path.read_bytes()
    path.write_bytes(junk)
    assert linernotes("log", "checkpoint").code == 0
    for _ in range(2):
        [problem] = problems(linernotes)
        assert problem.startswith("keys/log-succession: it should list the keys that the log has had, but does not")
    path.unlink()
    assert problems(linernotes) == []
    assert path.read_bytes() == before


def fingerprints(database: Path) -> list[list[tuple[object, ...]]]:
    connection = sqlite3.connect(database)
    tables = ("fingerprint", "posting_segment", "posting_bucket")
    found = [connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]  # noqa: S608
    connection.close()
    return found


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE fingerprint SET items = zeroblob(length(items))",
        "UPDATE fingerprint SET items = 12345678901234",
        "DELETE FROM fingerprint",
        "UPDATE fingerprint SET recording_id = 'somebody-elses'",
        "UPDATE fingerprint SET recording_id = x'ff'",
        "UPDATE fingerprint SET duration_ms = duration_ms + 1",
        "UPDATE fingerprint SET item_count = 'x'",
        "UPDATE fingerprint SET start_address = 7",
        "INSERT INTO fingerprint VALUES (9000, 1, 'nobody', 1, 'chromaprint-test2', x'00000000')",
        "UPDATE posting_bucket SET postings = zeroblob(length(postings))",
        "DELETE FROM posting_bucket",
        "UPDATE posting_segment SET posting_count = 'x'",
    ],
)
def test_an_altered_fingerprint_index_is_found_and_made_again(studio, database, linernotes, monkeypatch, sql) -> None:
    assert "the same as before" in linernotes("db", "rebuild").out
    monkeypatch.setattr("fingerprint.index.SEAL_ITEMS", 10)
    assert problems(linernotes) == []
    before = fingerprints(database)
    assert all(before)
    change(database, sql)
    found = problems(linernotes)
    assert found
    assert all("fingerprint" in problem and "db rebuild" in problem for problem in found)
    assert "were repaired" in linernotes("db", "rebuild").out
    assert problems(linernotes) == []
    assert fingerprints(database) == before
    assert "the same as before" in linernotes("db", "rebuild").out
    assert [m["recording_id"] for m in linernotes("identify", studio.wav, "--json").json["matches"]] == [
        studio.recording_id
    ]


def test_fingerprints_of_several_recordings_get_their_places_back(studio, database, linernotes) -> None:
    for seed in (2, 3):
        path = studio.root / f"{seed}.wav"
        assert linernotes("generate", "x", "--bars", 2 * seed, "--seed", seed, "-o", path).code == 0
    before = fingerprints(database)
    connection = sqlite3.connect(database)
    with connection:
        first, second, third = (name for (name,) in connection.execute("SELECT recording_id FROM fingerprint"))
        connection.execute("UPDATE fingerprint SET recording_id = 'x' WHERE recording_id = ?", (first,))
        connection.execute("UPDATE fingerprint SET recording_id = ? WHERE recording_id = ?", (first, third))
        connection.execute("DELETE FROM fingerprint WHERE recording_id = ?", (second,))
    connection.close()
    assert {problem.split(":")[0] for problem in problems(linernotes)} >= {f"fingerprint of recording {first}"}
    assert "were repaired" in linernotes("db", "rebuild").out
    assert problems(linernotes) == []
    assert fingerprints(database)[0] == before[0]


def test_a_fingerprint_whose_sound_is_gone_is_named(studio, database, linernotes) -> None:
    linernotes("generate", "x", "--bars", 4, "--seed", 2, "-o", studio.root / "2.wav")
    before = fingerprints(database)[0]
    home = Home(load_settings())
    [master] = [each for each in renditions(home, studio.recording_id) if each.media_type == "audio/wav"]
    path = home.objects.path(master.asset_digest)
    home.close()
    path.rename(studio.root / "kept")
    change(database, "UPDATE fingerprint SET items = zeroblob(length(items))")
    done = linernotes("db", "rebuild")
    assert done.code == 2
    assert studio.recording_id in done.err
    assert master.asset_digest in done.err
    assert len(problems(linernotes)) == 2
    (studio.root / "kept").rename(path)
    [missing] = problems(linernotes)
    assert missing.startswith(f"fingerprint of recording {studio.recording_id}: it is missing")
    assert "were repaired" in linernotes("db", "rebuild").out
    assert problems(linernotes) == []
    assert fingerprints(database)[0] == before


@pytest.mark.parametrize("table", ["idempotency", "job", "edit_draft", "timestamp", "posting_bucket", "opening"])
def test_a_table_that_is_gone(database, linernotes, table: str) -> None:
    change(database, f"DROP TABLE {table}")
    found = problems(linernotes)
    what = "the table is missing: it was changed behind the log's back; restore the database from its backup"
    assert [each for each in found if each.startswith(f"table {table}:")] == [f"table {table}: {what}"]


@pytest.mark.parametrize(
    ("sql", "where"),
    [
        ("ALTER TABLE opening RENAME COLUMN salt TO pepper", "table opening: its column salt is missing"),
        ("ALTER TABLE recording RENAME COLUMN iscc TO code", "table recording: its column iscc is missing"),
        ("DROP INDEX opening_leaf", "table opening: its index or constraint opening_leaf is missing"),
        ("DELETE FROM alembic_version", "database: The database states the revision None"),
        ("UPDATE registration SET log_index = 'abc' WHERE kind = 'corpus'", "table registration"),
        ("UPDATE registration SET log_index = x'00'", "table registration"),
        ("UPDATE registration SET leaf_hash = 7", "table registration"),
    ],
)
def test_what_a_release_never_made_is_a_problem_and_the_rest_is_checked(
    studio, database, linernotes, sql: str, where: str
) -> None:
    objects(studio.home)[0].unlink()
    change(database, sql)
    found = problems(linernotes)
    assert any(each.startswith(where) for each in found), found
    if "alembic" not in sql:  # with which nothing can be opened
        assert any("is missing; restore it from a backup" in each for each in found)


@pytest.mark.parametrize(("before", "after"), [(0, -1), (4, -1), (2, 2**62)])
def test_an_entry_at_a_place_that_there_is_not(database, linernotes, before: int, after: int) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("DROP TRIGGER entry_no_update")
        connection.execute("UPDATE entry SET log_index = ? WHERE log_index = ?", (after, before))
    connection.close()
    found = problems(linernotes)
    assert any(problem.startswith(f"entry {after}:") for problem in found), found
    assert any(problem.startswith(f"entry {before + 1}:") for problem in found), found


def test_strays_among_the_stored_files_are_warnings(studio, linernotes) -> None:
    stray = objects(studio.home)[0].parent / ".DS_Store"
    stray.touch()
    (studio.home / "objects" / "zz").mkdir()
    (studio.home / "objects" / "drafts").mkdir(exist_ok=True)
    done = linernotes("log", "fsck", "--json")
    assert (done.code, done.json["problems"]) == (0, [])
    assert [warning["where"] for warning in done.json["warnings"]] == [
        f"file 'objects/{stray.parent.name}/.DS_Store'",
        "file 'objects/zz'",
    ]


def test_a_folder_in_place_of_the_cosigned_checkpoint(studio, linernotes) -> None:
    (studio.home / "cosigned-checkpoint").mkdir()
    [problem] = problems(linernotes)
    assert problem.startswith("cosigned checkpoint: the file ")
    assert "cannot be read: Is a directory" in problem


@pytest.mark.parametrize("loss", ["file", "rows"])
def test_a_log_that_is_gone_is_one_report(studio, database, linernotes, loss: str) -> None:
    if loss == "file":
        for path in studio.home.glob("linernotes.db*"):
            path.unlink()
    else:
        connection = sqlite3.connect(database)
        with connection:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {name}")
            for table in ("entry", "tile", "checkpoint", "statement", "registration", "recording", "rendition"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            connection.execute("UPDATE head SET size = 0, edge = x''")
        connection.close()
    [problem] = problems(linernotes)
    assert problem.startswith("log: The log ")
    assert "has 0 entries, but a checkpoint for" in problem
    assert linernotes("log", "fsck").code == 1


def test_a_database_of_a_newer_release_is_one_report(database, linernotes) -> None:
    change(database, "UPDATE alembic_version SET version_num = '9999_future'")
    [problem] = problems(linernotes)
    assert problem.startswith("database: The database is at revision '9999_future'")


def test_a_key_that_cannot_be_used_is_no_fault_of_the_log(studio, linernotes) -> None:
    (studio.home / "keys" / "service.pem").write_bytes(b"junk")
    done = linernotes("log", "fsck", "--json")
    assert (done.code, done.out) == (2, "")


def test_what_is_erased_during_the_check_is_not_lost(studio, monkeypatch) -> None:
    """Other processes read the entries that there were, and tables as they are by then."""
    from provenance.stretch import Reader

    home = Home(load_settings())
    party = add_party(home, "Ada")
    read = Reader.__call__
    done: list[str] = []

    def later(reader: Reader, _connection: object, entries: object) -> object:
        if not done:
            done.append(party.party_id)
            erase(home, party.party_id)
        with home.reading() as connection:
            return read(reader, connection, entries)

    monkeypatch.setattr(Reader, "__call__", later)
    monkeypatch.setattr("api.erasure.scrub", lambda *_: Scrubbed(done=False))  # which would wait for the check
    report = fsck(home)
    assert done
    assert report.problems == ()
    assert [warning.where for warning in report.warnings] == ["database"]  # it is still in the file
    home.close()


def test_what_is_made_during_the_check_is_not_interrupted(studio) -> None:
    home = Home(load_settings())
    made: list[str] = []

    def make(stage: str, _done: int, _total: int) -> None:
        if stage == "checking tables" and not made:
            made.append(generate(home, GenerationRequest("x", seed=3, bars=2)).recording_id)

    report = fsck(home, make)
    assert made
    assert (report.problems, report.warnings) == ((), ())
    home.close()
