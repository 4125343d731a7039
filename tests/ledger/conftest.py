"""A log in a fresh database, and the third-party vectors where they are at hand."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from ledger.database import open_engine
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.note import NoteSigner
from migrations.upgrade import upgrade

# A busy machine is no failure: neither the time of one example nor that of making it is judged.
settings.register_profile("linernotes", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("linernotes")

ROOT = Path(__file__).parents[2]
UPSTREAMS = {
    "transparency-dev-merkle": "transparency-dev/merkle @417fb0c",
    "rfc6962-reference": "transparency-dev/merkle testonly/constants.go @417fb0c",
    "tessera-log": "transparency-dev/tessera @1811ae1",
    "signed-note": "golang/mod sumdb/note @fe2ec04",
    "dsse": "secure-systems-lab/dsse protocol.md @eebf7b5",
    "jcs-cyberphone": "cyberphone/json-canonicalization @19d51d7",
}


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Path]:
    """Finds the folder of one upstream's vectors, or skips the test."""
    home = ROOT / os.environ.get("LINERNOTES_VECTORS", "../shared/vectors")

    def find(name: str) -> Path:
        if not (home / name).is_dir():
            pytest.skip(f"no vectors of {UPSTREAMS[name]} in {home / name}")
        return home / name

    return find


@pytest.fixture(scope="session")
def c2sp() -> Path:
    """The C2SP specifications, whose examples are tests."""
    home = ROOT / os.environ.get("LINERNOTES_STANDARDS", "../shared/standards") / "c2sp"
    if not home.is_dir():
        pytest.skip(f"no C2SP specifications (github.com/C2SP/C2SP) in {home}")
    return home


@pytest.fixture(scope="session")
def signer() -> NoteSigner:
    """The key of the log under test: always the same, so that failures repeat."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    return NoteSigner("example.com/log", Ed25519Signer(key))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The file of the log under test."""
    return tmp_path / "linernotes.db"


@pytest.fixture(scope="session")
def new_engine() -> Iterator[Callable[[Path], Engine]]:
    """Makes an upgraded, empty database in a file."""
    made: list[Engine] = []

    def make(path: Path) -> Engine:
        made.append(open_engine(path))
        upgrade(made[-1])
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test on both databases, unless it reaches into the SQLite file itself."""
    if "engine" in metafunc.fixturenames and "database" not in metafunc.fixturenames:
        metafunc.parametrize("engine", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def engine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An upgraded, empty database."""
    if getattr(request, "param", "sqlite") == "postgresql":
        engine = open_engine(request.getfixturevalue("new_postgresql")())
    else:
        engine = open_engine(tmp_path / "linernotes.db")
        upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def log(engine: Engine, signer: NoteSigner) -> Log:
    """An empty log."""
    return Log(engine, signer)
