"""Run by Alembic inside the transaction that `migrations.upgrade` has opened."""

import importlib
import importlib.util

from alembic import context
from sqlalchemy import MetaData

_PACKAGES = ("ledger", "fingerprint", "provenance", "licensing", "api")


def _metadata() -> list[MetaData]:
    """The tables of every package that has any, to compare the database with."""
    names = (f"{package}.tables" for package in _PACKAGES)
    found = (name for name in names if importlib.util.find_spec(name) is not None)
    return [importlib.import_module(name).METADATA for name in found]


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=_metadata(),
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
