"""Roles for production on PostgreSQL: who may do what to which table.

The owner migrates, makes the server's files forget what was erased, and is nobody to work as: it could switch the
triggers off. The writer runs the program: it adds to the log and cannot change what is there. The reader asks
questions, and sees nothing private.
"""

import api.tables
import fingerprint.tables
import provenance.tables
from ledger.segments import CHECKPOINT_ROLE, FUNCTIONS
from ledger.tables import CHECKPOINT, ENTRY, HEAD, IDEMPOTENCY, TILE, TIMESTAMP

WRITER = "linernotes_writer"
READER = "linernotes_reader"

_LOG = (ENTRY, TILE, CHECKPOINT, TIMESTAMP)
_RECORDS = (fingerprint.tables.FINGERPRINT,)
_PROJECTIONS = (
    *provenance.tables.PROJECTIONS,
    fingerprint.tables.POSTING_SEGMENT,
    fingerprint.tables.POSTING_BUCKET,
)
_OPERATIONAL = tuple(api.tables.METADATA.sorted_tables)

_WRITES: dict[str, str] = {
    **{table.name: "SELECT, INSERT" for table in (*_LOG, *_RECORDS)},
    HEAD.name: "SELECT, UPDATE (size, edge)",
    **{table.name: "SELECT, INSERT, DELETE" for table in (*_PROJECTIONS, *provenance.tables.PRIVATE, IDEMPOTENCY)},
    **{table.name: "SELECT, INSERT, UPDATE, DELETE" for table in _OPERATIONAL},
    "alembic_version": "SELECT",
}
"""What the writer may do. Projections are rebuilt, openings erased, and idempotency keys forgotten by DELETE."""
_READS = ("alembic_version", *(table.name for table in (*_LOG, HEAD, *_RECORDS, *_PROJECTIONS)))
"""What the reader may see: nothing of the openings, of jobs, which hold prompts, or of tokens."""


def tables() -> frozenset[str]:
    """Returns the names of the tables whose rights are stated here: all there are."""
    return frozenset(_WRITES)


def statements() -> tuple[str, ...]:
    """Returns the statements that make the roles and give them their rights in one database.

    The owner runs them in that database after every upgrade; it takes a superuser the first time, to make the roles,
    and to let the owner move the server's write-ahead log on (`ledger.segments`). They take back whatever else was
    granted, and may be repeated at any time.
    """
    both = f"{WRITER}, {READER}"
    return (
        *(_create(role) for role in (WRITER, READER)),
        _close_to_others(),
        _let_the_owner_scrub(),
        f"REVOKE ALL ON {', '.join(_WRITES)} FROM PUBLIC, {both}",
        *(f"GRANT {rights} ON {table} TO {WRITER}" for table, rights in _WRITES.items()),
        f"GRANT SELECT ON {', '.join(_READS)} TO {READER}",
    )


def script() -> str:
    """Returns the statements as `psql` reads them."""
    return "".join(f"{statement};\n" for statement in statements())


def _close_to_others() -> str:
    """Nobody but the roles, the owner and superusers may connect, or make tables, not even temporary ones."""
    return (
        "DO $$ DECLARE here text := 'DATABASE ' || quote_ident(current_database());"
        " there text := 'SCHEMA ' || quote_ident(current_schema()); BEGIN"
        " EXECUTE 'REVOKE ALL ON ' || here || ' FROM PUBLIC';"
        f" EXECUTE 'GRANT CONNECT ON ' || here || ' TO {WRITER}, {READER}';"
        " EXECUTE 'REVOKE ALL ON ' || there || ' FROM PUBLIC';"
        f" EXECUTE 'GRANT USAGE ON ' || there || ' TO {WRITER}, {READER}'; END $$"
    )


def _let_the_owner_scrub() -> str:
    """The owner of the database gets the rights of `linernotes db scrub`, if whoever runs this may give them."""
    has = " AND ".join(f"has_function_privilege(owner, '{function}', 'EXECUTE')" for function in FUNCTIONS)
    return (
        "DO $$ DECLARE owner name; BEGIN"
        " owner := pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database();"
        f" IF NOT (pg_has_role(owner, '{CHECKPOINT_ROLE}', 'USAGE') AND {has}) THEN"
        f" EXECUTE 'GRANT {CHECKPOINT_ROLE} TO ' || quote_ident(owner);"
        f" EXECUTE 'GRANT EXECUTE ON FUNCTION {', '.join(FUNCTIONS)} TO ' || quote_ident(owner); END IF;"
        " EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING USING MESSAGE = owner ||"
        " ' cannot complete `linernotes db scrub` until a superuser has run these statements in this database';"
        " END $$"
    )


def _create(role: str) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}')"
        f" THEN CREATE ROLE {role} LOGIN; END IF; END $$"
    )
