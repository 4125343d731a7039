"""A disk that fails under an appending process. A sample: `make soak` tries every call."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.database import writing
from ledger.errors import BrokenTransactionError, DatabaseUnavailableError
from ledger.log import Log
from ledger.note import NoteSigner
from tests.ledger import failing
from tests.ledger.failing import Failure

FAILURES = [
    (Failure("fdatasync", "EIO", 3), "quit"),  # of the write-ahead log, whose commit is complete in it
    (Failure("fdatasync", "EIO", 3, lasts=True), "quit"),
    (Failure("fdatasync", "EIO", 10), "retry"),  # of the database itself
    (Failure("pwrite64", "EIO", 20), "quit"),
    (Failure("pwrite64", "short", 31), "retry"),
    (Failure("pwrite64", "ENOSPC", 46), "retry"),  # of the last checkpoint
    (Failure("write", "ENOSPC", 1), "retry"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log to start with."""
    return failing.template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="module")
def traced() -> None:
    reason = failing.why_not()
    if reason is not None:
        pytest.skip(f"{reason}: a failing disk was not tried")


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(("failure", "at_fault"), FAILURES, ids=str)
def test_a_call_that_fails_costs_nothing_that_was_acknowledged(
    made: Path, tmp_path: Path, failure: Failure, at_fault: str
) -> None:
    failing.survive(made, tmp_path / "run", failure, quits=at_fault == "quit")


def test_writes_that_are_cut_short_cost_nothing_that_was_acknowledged(made: Path, tmp_path: Path) -> None:
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit is not installed: writes were not cut short")
    assert failing.survive_limit(made, tmp_path / "run", 50_000)


@pytest.mark.usefixtures("database")
def test_a_transaction_that_sqlite_gave_up_is_no_commit(log: Log, engine: Engine) -> None:
    with pytest.raises(BrokenTransactionError, match="nothing was recorded"):
        log.append([b"a"], within=lambda connection, _: connection.exec_driver_sql("ROLLBACK"))
    with pytest.raises(BrokenTransactionError), writing(engine) as connection:
        connection.exec_driver_sql("ROLLBACK")
    assert log.size() == 0
    assert log.append([b"a"])[0].index == 0


@pytest.mark.parametrize("happens", ["removed", "replaced"])
def test_a_file_that_is_not_there_any_more_takes_no_entries(
    database: Path, log: Log, signer: NoteSigner, made: Path, happens: str
) -> None:
    log.append([b"a"])
    if happens == "removed":
        database.rename(database.with_name("elsewhere"))
    else:
        shutil.copy(made, database.with_name("other"))
        database.with_name("other").replace(database)
    with pytest.raises(DatabaseUnavailableError, match="moved, removed or replaced while it was open"):
        log.append([b"b"])
    assert log.size() == 1
