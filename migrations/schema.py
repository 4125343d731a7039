"""Whether a database still has the tables that the migrations made, with all their columns and indices."""

from collections.abc import Iterable, Iterator

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData

import api.tables
import fingerprint.tables
import ledger.tables
import provenance.tables

_METADATA: tuple[MetaData, ...] = (
    ledger.tables.METADATA,
    fingerprint.tables.METADATA,
    provenance.tables.METADATA,
    api.tables.METADATA,
)


def faults(connection: Connection) -> list[tuple[str, str]]:
    """Returns what is missing or has become something else: table, and what is wrong with it.

    What somebody added is passed over: an operator may have an index or a table of his own.

    Args:
        connection: To a database that is at the newest revision.

    Raises:
        DatabaseUnavailableError: The database cannot be read.
    """
    return [fault for metadata in _METADATA for fault in _faults(connection, metadata)]


def _faults(connection: Connection, metadata: MetaData) -> Iterator[tuple[str, str]]:
    ours = {table.name for table in metadata.sorted_tables}
    context = MigrationContext.configure(
        connection,
        opts={"include_name": lambda name, kind, _parents: kind != "table" or name in ours, "compare_type": True},
    )
    found = list(compare_metadata(context, metadata))
    missing = {difference[1].name for difference in found if difference[0] == "add_table"}
    yield from ((table, "the table is missing") for table in sorted(missing))
    for difference in found:
        # one, or all that concern a column
        for each in difference if isinstance(difference, list) else [difference]:
            yield from ((table, what) for table, what in _said(each) if table not in missing)


def _said(difference: tuple[object, ...]) -> Iterable[tuple[str, str]]:
    """Says what one of Alembic's differences means: its kind, and the things that are concerned."""
    kind, *things = difference
    match kind, things:
        case "add_column", [_, table, column]:
            return [(str(table), f"its column {_name(column)} is missing")]
        case (("add_index" | "add_constraint" | "add_fk"), [rule]):
            return [(_name(getattr(rule, "table", None)), f"its index or constraint {_name(rule)} is missing")]
        case (("modify_nullable" | "modify_type" | "modify_default"), [_, table, column, *_]):
            return [(str(table), f"its column {column} is not as it was made")]
        case _:
            return []


def _name(thing: object) -> str:
    return str(getattr(thing, "name", None) or "without a name")
