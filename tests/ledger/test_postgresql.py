"""What PostgreSQL does for the log that SQLite does otherwise: settings, locks, COPY, triggers, and its errors."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger import database, postgresql, store
from ledger.database import appending, open_engine, reading, writing
from ledger.entry import Entry
from ledger.errors import (
    BrokenTransactionError,
    DatabaseBusyError,
    DatabaseUnavailableError,
    InDoubtError,
    LedgerError,
)
from ledger.fsck import check
from ledger.integration import Integrator
from ledger.log import Log, Receipt
from ledger.merkle import leaf_hash
from ledger.note import NoteSigner
from ledger.publisher import Publisher
from ledger.sequencer import Append


@pytest.fixture
def url(new_postgresql: Callable[[], str]) -> str:
    return new_postgresql()


@pytest.fixture
def server(url: str) -> Iterator[Engine]:
    """The database of the log under test."""
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def log(server: Engine, signer: NoteSigner) -> Log:
    return Log(server, signer)


@pytest.fixture(scope="module")
def standing(new_postgresql: Callable[[], str], signer: NoteSigner) -> Iterator[Log]:
    """A log of 300 entries that no test changes."""
    engine = open_engine(new_postgresql())
    log = Log(engine, signer)
    log.append([b"%d" % number for number in range(300)])
    yield log
    engine.dispose()


@pytest.fixture
def impatient(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The same database, for somebody who does not wait."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)
    engine = open_engine(url)
    yield engine
    engine.dispose()


def ask(engine: Engine, statement: str) -> object:
    with engine.connect() as connection:
        return connection.scalar(text(statement))


def replaced(by: str) -> str:
    return f"DROP TRIGGER checkpoint_no_change ON checkpoint; CREATE TRIGGER checkpoint_no_change BEFORE UPDATE ON {by}"


def test_settings(server: Engine, url: str) -> None:
    expected = {
        "synchronous_commit": "on",
        "transaction_isolation": "read committed",
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
        "default_transaction_read_only": "off",
        "application_name": "linernotes",
    }
    assert {name: ask(server, f"SHOW {name}") for name in expected} == expected
    reader = open_engine(url, read_only=True)
    assert ask(reader, "SHOW transaction_read_only") == "on"
    reader.dispose()


def test_a_role_of_other_habits_changes_nothing(server: Engine, url: str) -> None:
    name = server.url.database
    with writing(server) as connection:
        for setting in ("synchronous_commit = off", "default_transaction_isolation = 'serializable'"):
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET {setting}")
    engine = open_engine(url)
    assert ask(engine, "SHOW synchronous_commit") == "on"
    assert ask(engine, "SHOW transaction_isolation") == "read committed"
    engine.dispose()


def test_who_appends_may_not_stand_still_for_long(server: Engine) -> None:
    with appending(server) as connection:
        store.lock(connection)
        assert connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == "10s"
    assert ask(server, "SHOW idle_in_transaction_session_timeout") == "1min"


def test_appenders_wait_for_one_another_and_for_nobody_else(log: Log, server: Engine, impatient: Engine) -> None:
    log.append([b"before"])
    waiting = Log(impatient, log._publisher._signer)  # type: ignore[arg-type]
    with writing(server):
        assert waiting.append([b"a"])[0].index == 1
    with appending(server) as connection:
        store.lock(connection)
        with writing(impatient) as other:
            other.exec_driver_sql("CREATE TABLE thing (x integer)")
        assert waiting.size() == 2
        with pytest.raises(DatabaseBusyError, match=r"kept busy by others for 0 seconds .*lock timeout.*nothing was"):
            waiting.append([b"b"])
    assert waiting.append([b"b"])[0].index == 2


def test_writers_take_turns(server: Engine, impatient: Engine) -> None:
    with writing(server), pytest.raises(DatabaseBusyError), writing(impatient):
        pass
    with writing(impatient):
        pass


def test_a_reader_sees_one_state(log: Log, server: Engine) -> None:
    log.append([b"a"])
    with reading(server) as connection:
        before = store.state(connection)
        log.append([b"b"])
        assert store.state(connection) == before
        with pytest.raises(DatabaseUnavailableError, match="may not be written"):
            connection.exec_driver_sql("DELETE FROM idempotency")
    with reading(server) as connection:
        assert store.state(connection).entries == 2


@pytest.mark.parametrize("count", [1, 2, 300])
def test_rows_come_out_as_they_went_in(server: Engine, count: int) -> None:
    added = [
        Entry(number, number.to_bytes(32, "big"), bytes([number % 256]) * number, "2026-01-01T00:00:00Z")
        for number in range(count)
    ]
    used = {f"clé {number} \t\\N\n": range(number, number + 3) for number in range(count)}
    with appending(server) as connection:
        store.change(connection, [store.entries_added(added), store.idempotency_added(used)])
    with reading(server) as connection:
        assert store.entries(connection, 0, count) == added
        assert store.appended_with(connection, [*used, "another"]) == used


def test_what_is_copied_is_refused_like_what_is_inserted(log: Log, server: Engine) -> None:
    log.append([b"a", b"b"])
    known = log.entry(1)
    for again in ([known], [Entry(2, bytes(32), b"c", known.appended_at), known]):
        with pytest.raises(IntegrityError, match="entry_pkey"), appending(server) as connection:
            store.change(connection, [store.entries_added(again)])
    assert log.append([b"c"])[0].index == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET data = '' WHERE log_index = 1",
        "UPDATE entry SET appended_at = 'never'",
        "DELETE FROM entry WHERE log_index = 299",
        "INSERT INTO entry SELECT * FROM entry ON CONFLICT (log_index) DO UPDATE SET data = ''",
        "TRUNCATE entry",
        "TRUNCATE entry, tile, head, checkpoint CASCADE",
        "UPDATE tile SET root = hashes",
        "DELETE FROM tile",
        "TRUNCATE tile",
        "UPDATE checkpoint SET note = ''",
        "DELETE FROM checkpoint",
        "TRUNCATE checkpoint",
        "UPDATE head SET size = 299",
        "UPDATE head SET edge = ''",
        "UPDATE head SET id = 2",
        "DELETE FROM head",
        "TRUNCATE head",
        "INSERT INTO head VALUES (2, 400, '')",
        "INSERT INTO head VALUES (1, 400, '')",
        "INSERT INTO entry VALUES (300, '', 'now', '')",
        "INSERT INTO entry VALUES (-1, sha256(''), 'now', '')",
        "INSERT INTO tile VALUES (0, 1, sha256(''), '', '')",
        "MERGE INTO entry USING head ON log_index < head.size WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM entry RETURNING *) SELECT count(*) FROM gone",
    ],
)
def test_the_database_itself_refuses_every_change(standing: Log, statement: str) -> None:
    refusals = r"append-only|head only grows|violates|duplicate key"
    with pytest.raises(DBAPIError, match=refusals), writing(standing.engine) as connection:
        connection.exec_driver_sql(statement)
    assert standing.size() == 300
    assert check(standing).problems == ()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE checkpoint DISABLE TRIGGER checkpoint_no_change",
        "ALTER TABLE checkpoint ENABLE REPLICA TRIGGER checkpoint_no_change",
        "ALTER TRIGGER checkpoint_no_change ON checkpoint RENAME TO checkpoint_changes",
        replaced("checkpoint FOR EACH ROW WHEN (false) EXECUTE FUNCTION refuse_change()"),
        replaced("idempotency FOR EACH ROW EXECUTE FUNCTION refuse_change()"),
        replaced("checkpoint FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"),
        replaced("checkpoint FOR EACH ROW EXECUTE FUNCTION refuse_change()"),
        replaced("checkpoint FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()").replace(
            "UPDATE", "UPDATE OR DELETE"
        ),
        replaced("checkpoint FOR EACH ROW EXECUTE FUNCTION refuse_change()").replace(
            "UPDATE", "DELETE OR UPDATE OF size"
        ),
    ],
)
def test_a_trigger_that_refuses_nothing_is_found(log: Log, server: Engine, change: str) -> None:
    log.append([b"a"])
    with writing(server) as connection:
        connection.execute(text(change))
    [problem] = check(log).problems
    assert problem.where == "database"
    assert "checkpoint_no_change is gone" in problem.what


def swallow(connection: Connection, _receipts: Sequence[Receipt]) -> None:
    with pytest.raises(IntegrityError):
        connection.exec_driver_sql("INSERT INTO head VALUES (2, 1, '')")


def swallow_safely(connection: Connection, _receipts: Sequence[Receipt]) -> None:
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.exec_driver_sql("INSERT INTO head VALUES (2, 1, '')")


def test_an_error_that_is_passed_over_is_no_commit(log: Log, server: Engine) -> None:
    with pytest.raises(BrokenTransactionError, match="undone: nothing was recorded"):
        log.append([b"a"], within=swallow)
    with pytest.raises(BrokenTransactionError), writing(server) as connection:
        swallow(connection, [])
    assert log.size() == 0
    assert log.append([b"a"], within=swallow_safely)[0].index == 0


def test_an_error_that_is_passed_over_is_the_fault_of_one(log: Log, server: Engine, signer: NoteSigner) -> None:
    batch = [Append([data], [leaf_hash(data)], within) for data, within in ((b"a", None), (b"b", swallow))]
    Integrator(server, Publisher(server, signer, None), publishes_at_once=True).commit(batch)
    assert batch[0].result()[0].index == 0
    assert isinstance(batch[1].error, BrokenTransactionError)
    assert log.size() == 1


def test_what_the_database_cannot_take_is_the_fault_of_one(log: Log, server: Engine, signer: NoteSigner) -> None:
    batch = [Append([data], [leaf_hash(data)], None, key) for data, key in ((b"a", "a key"), (b"b", "another\0key"))]
    Integrator(server, Publisher(server, signer, None), publishes_at_once=True).commit(batch)
    assert batch[0].result()[0].index == 0
    assert "The database refused the append" in str(batch[1].error)
    assert log.size() == 1


def test_more_at_once_than_there_are_connections(server: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.pool, "_timeout", 0.05)
    held = [server.connect() for _ in range(15)]
    with pytest.raises(DatabaseBusyError, match="All connections of this process"), reading(server):
        pass
    for connection in held:
        connection.close()
    with reading(server):
        pass


def test_deadlocked_transactions_are_told(log: Log, server: Engine) -> None:
    log.append([b"a"], idempotency_key="one")
    log.append([b"b"], idempotency_key="two")
    meeting = threading.Barrier(2)

    def lock(first: str, second: str) -> LedgerError | None:
        statement = text("SELECT 1 FROM idempotency WHERE key = :key FOR UPDATE")
        try:
            with appending(server) as connection:
                connection.exec_driver_sql("SET LOCAL deadlock_timeout = '50ms'")
                connection.execute(statement, {"key": first})
                meeting.wait()
                connection.execute(statement, {"key": second})
        except LedgerError as fault:
            return fault
        return None

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lock, ("one", "two"), ("two", "one")))
    [fault] = [each for each in ended if each is not None]
    assert isinstance(fault, DatabaseBusyError)
    assert "waited for each other (deadlock detected" in str(fault)


@pytest.mark.parametrize(
    ("state", "error", "says"),
    [
        *((state, DatabaseBusyError, says) for state, says in (("40001", "changed by others"), ("57014", "told to"))),
        *((state, DatabaseUnavailableError, says) for state, says in postgresql._REMEDIES.items()),
        ("08006", DatabaseUnavailableError, "it cannot be reached"),
        ("53200", DatabaseUnavailableError, "it lacks memory"),
        ("57P01", DatabaseUnavailableError, "it is being stopped"),
        ("58030", DatabaseUnavailableError, "an error of its disk"),
        ("XX001", DatabaseUnavailableError, "it reports damage"),
    ],
)
def test_errors_have_meanings(standing: Log, state: str, error: type[LedgerError], says: str) -> None:
    with pytest.raises(error) as raised, writing(standing.engine) as connection:
        connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{state}'; END $$")
    assert says in str(raised.value)
    assert "so it is" in str(raised.value)
    assert str(standing.engine.url.database) in str(raised.value)
    assert not isinstance(raised.value, InDoubtError)


def test_mistakes_of_ours_have_none(server: Engine) -> None:
    with pytest.raises(DBAPIError, match="division by zero"), writing(server) as connection:
        connection.exec_driver_sql("SELECT 1 / 0")


def test_a_connection_that_was_cut_while_nobody_used_it_is_made_again(log: Log, server: Engine, url: str) -> None:
    log.append([b"a"])
    with server.connect(), server.connect():
        pass
    operator = open_engine(url)
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert ask(operator, f"SELECT count(pg_terminate_backend(pid)) {others}")
    operator.dispose()
    assert log.append([b"b"])[0].index == 1
    assert log.size() == 2


def too_long(connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL statement_timeout = 1")
    connection.exec_driver_sql("SELECT pg_sleep(9)")


def too_idle(connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 1")
    threading.Event().wait(0.05)
    connection.exec_driver_sql("SELECT 1")


def terminated(connection: Connection) -> None:
    own = connection.scalar(text("SELECT pg_backend_pid()"))
    ask(connection.engine, f"SELECT pg_terminate_backend({own})")
    connection.exec_driver_sql("SELECT pg_sleep(9)")


def too_much(connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL temp_file_limit = 1")
    connection.exec_driver_sql("SET LOCAL work_mem = '64kB'")
    connection.exec_driver_sql("SELECT count(DISTINCT n) FROM generate_series(1, 99999) n")


@pytest.mark.parametrize(
    ("happens", "error", "says"),
    [
        (too_long, DatabaseBusyError, "found that it took too long"),
        (too_idle, DatabaseUnavailableError, "stood still for too long"),
        (terminated, DatabaseUnavailableError, "being stopped"),
        (too_much, DatabaseUnavailableError, "lacks memory or disk"),
    ],
)
def test_what_the_server_ends_by_itself_is_told(
    log: Log, server: Engine, happens: Callable[[Connection], None], error: type[LedgerError], says: str
) -> None:
    with pytest.raises(error, match=says) as raised, appending(server) as connection:
        happens(connection)
    assert not isinstance(raised.value, InDoubtError)
    assert log.append([b"a"])[0].index == 0  # no connection needs help


def test_a_database_that_is_not_there_or_not_set_up(postgresql: str, url: str, signer: NoteSigner) -> None:
    nowhere = open_engine(url.replace("linernotes_test_", "no_such_"))
    with pytest.raises(DatabaseUnavailableError, match="there is no such database"):
        Log(nowhere, signer).size()
    empty = open_engine(postgresql)
    with pytest.raises(DatabaseUnavailableError, match="run `linernotes db upgrade`"):
        Log(empty, signer).size()
    unreachable = open_engine("postgresql://127.0.0.1:1/linernotes")
    with pytest.raises(DatabaseUnavailableError, match="cannot be reached; check that it runs"):
        Log(unreachable, signer).size()
    empty.dispose()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://db.example/x", "x on db.example:"),
        ("postgresql:///x", "x on this machine:"),
        ("postgresql:///x?host=/run/postgresql", "x on this machine:"),
        ("postgresql:///x?host=a.example:1&host=b.example:2", "x on a.example:1 or b.example:2:"),
    ],
)
def test_errors_say_where(url: str, place: str) -> None:
    meant = postgresql.meaning(psycopg.OperationalError("server closed the connection"), make_url(url), 30)
    assert isinstance(meant, DatabaseUnavailableError)
    assert place in str(meant)


def test_read_only(log: Log, url: str, signer: NoteSigner) -> None:
    log.append([b"a"])
    engine = open_engine(url, read_only=True)
    view = Log(engine, signer)
    assert view.entry(0).data == b"a"
    assert check(view).problems == ()
    with pytest.raises(DatabaseUnavailableError, match="may not be written: it is a standby, or"):
        view.append([b"b"])
    engine.dispose()
