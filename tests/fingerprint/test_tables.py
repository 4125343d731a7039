"""The migration makes exactly the tables that the code expects."""

from pathlib import Path

from sqlalchemy import MetaData, inspect

from fingerprint.tables import METADATA
from ledger.database import open_engine
from migrations.upgrade import upgrade


def described(database: MetaData | Path) -> dict[str, object]:
    engine = open_engine("sqlite://") if isinstance(database, MetaData) else open_engine(database)
    with engine.connect() as connection:
        if isinstance(database, MetaData):
            database.create_all(connection)
        inspector = inspect(connection)
        found = {
            table: (
                [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)],
                inspector.get_pk_constraint(table)["constrained_columns"],
                [each["column_names"] for each in inspector.get_unique_constraints(table)],
                [(each["constrained_columns"], each["referred_table"]) for each in inspector.get_foreign_keys(table)],
            )
            for table in METADATA.tables
        }
    engine.dispose()
    return found


def test_the_migration_and_the_code_agree(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "migrated.db")
    upgrade(engine)
    engine.dispose()
    assert described(tmp_path / "migrated.db") == described(METADATA)
