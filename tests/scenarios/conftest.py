"""Who else is in the stories: somebody who trusts the studio's log, and somebody who forges."""

from pathlib import Path

import pytest

from provenance.credential import Credential, create_test_credential
from tests.conftest import Studio


@pytest.fixture
def policy(studio: Studio) -> Path:
    """The policy of whoever trusts the studio's log."""
    path = studio.root / "policy"
    path.write_text(f"log {(studio.home / 'keys' / 'log.vkey').read_text().strip()}\nquorum none\n")
    return path


@pytest.fixture
def forger(tmp_path: Path) -> Credential:
    """Somebody with our software and a certificate of their own."""
    return create_test_credential(tmp_path / "forger")
