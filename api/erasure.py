"""Erasure: the opening of a commitment is deleted, and the log says that it was.

What the log holds does not change, so every proof stays valid; but nobody can show any more, nor test
a guess, what a commitment stood for. What has left the home (packages, disclosures) cannot be recalled.

The files of the database are rewritten after that. Where this was interrupted, the next start of a home on SQLite does
it; of a server, whoever asks is told that its owner has to.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from api.draft_files import DraftFiles
from api.errors import NothingThereError, UsageError
from api.schemas.erasure import ErasedField, Erasure
from api.store import edit_drafts_about, forget_call_of, remove_edit_draft
from ledger.errors import LedgerError
from ledger.scrub import is_owed, owe, scrub, scrubbed_up_to
from provenance import store
from provenance.errors import DamagedObjectError, UnknownRecordingError
from provenance.identity import digest_from_text
from provenance.recording_predicate import EditPredicate
from provenance.source_predicate import PartyPredicate
from provenance.statement import Statement, Subject, header
from provenance.use_predicate import ErasurePredicate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from api.home import Draft, Home
    from ledger.log import Receipt
    from provenance.identity import Digest

PRIVATE_TABLES = ("opening", "job", "edit_draft")
_ROWS_AT_ONCE: Final = 1_000
_NAMED: Final = 3
"""Erasures that a message names."""
_START_SECONDS: Final = 2.0
"""How long a start waits for whoever is in the way: he may be the one who erases at this moment."""
_log = logging.getLogger("linernotes")


def erase(home: Home, name: str, fields: Sequence[str] = ()) -> Erasure:
    """Delete openings, put their erasure on record, and rewrite the files they were in.

    What waits for the signature of a party, or would be a recording, is withdrawn with its files.

    Args:
        home: Whose openings.
        name: Id of a recording or a party, or leaf hash of a statement.
        fields: Which members; all that are private when left out, and what waits for a signature.

    Raises:
        NothingThereError: There is no such thing, or nothing of it is held.
        UsageError: It has no such private member.
        DatabaseBusyError: The openings are gone, but a copy of the database's pages could not be removed yet.
        DatabaseUnavailableError: The same, because the database failed afterwards; else nothing was done.
    """
    held = {leaf: set(openings) for leaf in _leaves(home, name) if (openings := _openings(home, leaf))}
    waiting = [] if fields else _waiting(home, name)
    if not held and not waiting:
        raise NothingThereError(
            f"Nothing private is held about {name[:80]!r}: there is no such recording, party or statement, or it was "
            f"erased before.{''.join(f' {each}' for each in (*_handed_in(home, name), *still_in_files(home)))}"
        )
    chosen = {leaf: sorted(names & set(fields) if fields else names) for leaf, names in held.items()}
    if missing := set(fields) - {each for names in chosen.values() for each in names}:
        known = sorted({each for names in held.values() for each in names})
        raise UsageError(
            f"Nothing private called {', '.join(sorted(missing))[:80]!r} is held about it; there is {', '.join(known)}."
        )
    chosen = {leaf: names for leaf, names in chosen.items() if names}
    drafts = [_statement(home, leaf, names) for leaf, names in chosen.items()]

    def forget(connection: Connection, _receipts: Sequence[Receipt]) -> None:
        for leaf, names in chosen.items():
            store.delete_openings(connection, leaf, names)
            forget_call_of(connection, leaf)
        owe(connection)

    receipts = home.append(drafts, also=forget) if drafts else []
    withdrawn = _withdrawn(home, waiting)
    scrubbed = scrub(home.engine, PRIVATE_TABLES)
    erased = [
        ErasedField(leaf_hash=leaf, field=each, log_index=receipt.index)
        for (leaf, names), receipt in zip(chosen.items(), receipts, strict=True)
        for each in names
    ]
    return Erasure(erased=erased, withdrawn=withdrawn, left_to_do=[*_handed_in(home, name), *scrubbed.left_to_do])


def finish(home: Home) -> None:
    """Rewrite the file of a home on SQLite where that was interrupted before; what stands in the way is logged."""
    try:
        if _is_left_over(home):
            scrub(home.engine, PRIVATE_TABLES, _START_SECONDS)
    except LedgerError as fault:
        _log.warning("An erasure was not completed; the next start tries again. %s", fault)


def still_in_files(home: Home) -> list[str]:
    """Say which erasures are not completed in the files of the database: one paragraph, or none."""
    if home.engine.dialect.name == "sqlite":
        what = (
            "What was erased last may still be in the files of the database: the rewriting of them was interrupted, or "
            "goes on at this moment. If this stays so, stop the other programs that use the home, and run `linernotes "
            "db scrub`."
        )
        return [what] if _is_left_over(home) else []
    since = list(islice(_erased_since(home, scrubbed_up_to(home.engine, PRIVATE_TABLES)), _NAMED + 1))
    if not since:
        return []
    named = "; ".join(since[:_NAMED]) + ("; and others before" if len(since) > _NAMED else "")
    what = (
        f"What was erased last may still be in the files of the database server ({named}), "
        'until the owner of the tables has run `linernotes db scrub` (docs/operations.md, "Erasing").'
    )
    return [what]


def _is_left_over(home: Home) -> bool:
    """Whether the file of a home on SQLite may hold what was erased; early releases left no mark in it."""
    if home.engine.dialect.name != "sqlite":
        return False
    owed = is_owed(home.engine)
    return next(_erasures(home, 0), None) is not None if owed is None else owed


def _erased_since(home: Home, size: int) -> Iterator[str]:
    """Yield what the entries of the log from an index on erased, the newest first, as a user would look it up."""
    for leaf in _erasures(home, size):
        erased = home.statement(leaf).predicate
        if isinstance(erased, ErasurePredicate):
            yield f"{', '.join(erased.fields)} of {_called(home, erased.of)}"


def _erasures(home: Home, size: int) -> Iterator[Digest]:
    """Yield the leaf hashes of the erasures from an index on, the newest first."""
    stop = home.log.size()
    while stop > size:
        with home.reading() as connection:
            found = store.leaves_of_kind(connection, ErasurePredicate.KIND, size, stop, _ROWS_AT_ONCE)
        yield from (leaf for leaf, _ in found)
        stop = found[-1][1] if found else size


def _called(home: Home, leaf: str) -> str:
    """What a user calls that which a statement is about."""
    predicate = home.statement(leaf).predicate
    if isinstance(predicate, PartyPredicate):
        return f"the party {predicate.party_id}"
    recording_id = getattr(predicate, "recording_id", None)
    return f"the recording {recording_id}" if recording_id else f"the statement {leaf}"


def _handed_in(home: Home, name: str) -> list[str]:
    """Say which files that people handed in lie here as they came, texts and all: earlier releases kept them."""
    said = []
    for leaf in _leaves(home, name):
        try:
            predicate = home.statement(leaf).predicate
        except UnknownRecordingError:
            continue
        files = predicate.content.files if isinstance(predicate, EditPredicate) else ()
        for file in (each for each in files if each.role == "source"):
            with suppress(DamagedObjectError):  # it was deleted
                path = home.objects.path(file.asset_digest).relative_to(home.root)
                said.append(
                    f"The file {file.name} that was handed in for the edit {name} (its role is `source`) was kept by "
                    f"an earlier release with all its texts, and an erasure does not reach it: delete {path} in the "
                    'home (docs/operations.md, "Erasing").'
                )
    return said


def _leaves(home: Home, name: str) -> list[Digest]:
    with home.reading() as connection:
        party = store.find_registration(connection, "party", name)
        found = [leaf for leaf, _, _ in store.leaves_about(connection, name)]
    if party is not None:
        found.append(party.leaf_hash)
    if found:
        return found
    try:
        return [digest_from_text(name)]
    except ValueError:
        return []


def _openings(home: Home, leaf: Digest) -> dict[str, object]:
    with home.reading() as connection:
        return dict(store.openings(connection, leaf))


def _waiting(home: Home, name: str) -> list[str]:
    with home.reading() as connection:
        return edit_drafts_about(connection, name)


def _withdrawn(home: Home, waiting: Sequence[str]) -> list[str]:
    """Withdraw what waits for a signature; what was signed at the same moment is on record."""
    with home.writing() as connection:
        withdrawn = [draft_id for draft_id in waiting if remove_edit_draft(connection, draft_id)]
        if withdrawn:
            owe(connection)
    for draft_id in withdrawn:
        DraftFiles(home.objects).remove(draft_id)
    return withdrawn


def _statement(home: Home, leaf: Digest, fields: Sequence[str]) -> Draft:
    predicate = ErasurePredicate.model_validate(header(ErasurePredicate) | {"of": leaf, "fields": tuple(fields)})
    return home.sign(Statement((Subject(leaf, leaf),), predicate))
