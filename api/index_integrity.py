"""Is every recording found by its own fingerprint? And if not: what the log and the stored sounds can put right.

Of the fingerprints the log has the digests, from which nothing can be computed; they are computed from the master of
the recording. The postings follow from the fingerprints.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from fingerprint import inventory
from fingerprint import store as fingerprint_store
from fingerprint.audio import decode
from fingerprint.chroma import fingerprint
from fingerprint.errors import FingerprintError
from fingerprint.inventory import Edge, Recorded
from ledger import store as ledger_store
from ledger.database import appending
from ledger.envelope import Envelope
from ledger.findings import Findings
from provenance import store
from provenance.errors import ObjectError, ProvenanceError
from provenance.recording_predicate import EditPredicate, GenerationPredicate
from provenance.statement import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from api.home import Home
    from fingerprint.chroma import Fingerprint
    from ledger.findings import Problem
    from provenance.recording_predicate import Content

_AT_ONCE: Final = 256
_SHOWN: Final = 20
_REBUILD: Final = "rebuild the index: linernotes db rebuild"


def faults(home: Home) -> tuple[Problem, ...]:
    """Say where the fingerprint index is not what the log makes it; of each kind the first, and how many more.

    Every fingerprint is held against the digest in the statement that made its recording, and the postings against
    the fingerprints. The entries and the rows of the recordings have to be in order.

    Args:
        home: What to check.
    """
    findings = Findings()
    with home.reading() as connection:
        edge, known = Edge(), 0
        for some in _in_parts(_recording_entries(connection)):
            recorded = [each for each, _ in _made(connection, some)]
            found, edge = inventory.check(connection, edge, recorded)
            known += len(recorded) - sum(fault.kind == "missing" for fault in found)
            for fault in found:
                where = f"fingerprint of recording {fault.recording_id}"
                findings.one_of_many(fault.kind, f"{fault.what}; {_REBUILD}", where)
        if fingerprint_store.fingerprint_count(connection) != known:
            for _, name in _of_no_recording(connection):
                findings.one_of_many("unknown", f"the log has no such recording; {_REBUILD}", f"fingerprint of {name}")
        if not findings.problems:
            for what in home.index.faults(connection):
                findings.one_of_many("postings", f"{what}; {_REBUILD}", "fingerprint index")
    return findings.problems


def mend(home: Home) -> bool:
    """Put the fingerprint index right, from the log and the stored sounds.

    Sounds are fingerprinted while nothing is locked, and what was found out is kept from time to time: what was
    interrupted can be begun again.

    Args:
        home: Whose entries and whose rows of recordings are in order.

    Returns:
        Whether there was anything to put right.

    Raises:
        ObjectError: Some fingerprints cannot be made again; everything else was put right.
        DatabaseUnavailableError: Whoever asks may not change fingerprints.
    """
    lost: dict[str, str] = {}
    changed, edge = 0, Edge()
    with home.reading() as connection:
        indices = _recording_entries(connection)
    for some in _in_parts(indices):
        count, edge = _mended(home, some, edge, lost)
        changed += count
    with appending(home.engine) as connection:
        ledger_store.lock(connection)
        newer = _recording_entries(connection, indices[-1] + 1 if indices else 0)
        for some in _in_parts(newer):
            count, edge = inventory.settle(connection, edge, [each for each, _ in _made(connection, some)], {})
            changed += count
        expected = len(indices) + len(newer) - len(lost)
        extra = fingerprint_store.fingerprint_count(connection) != expected
        unknown = [start for start, _ in _of_no_recording(connection)] if extra else []
        fingerprint_store.delete_fingerprints_at(connection, unknown)
    with home.writing() as connection:
        sound = not changed and not unknown and not any(home.index.faults(connection))
        if not sound:
            home.index.rebuild(connection)
    if lost:
        raise ObjectError(_loss(lost))
    return not sound


def _mended(home: Home, indices: array[int], edge: Edge, lost: dict[str, str]) -> tuple[int, Edge]:
    """Put the fingerprints of some recordings right; says how many were not, and where they end."""
    with home.reading() as connection:
        made = _made(connection, indices)
        recorded = [each for each, _ in made]
        found, end = inventory.check(connection, edge, recorded)
        needed = {fault.recording_id for fault in found if fault.needs_sound}
        sounds = {
            each.recording_id: _sounds(connection, each, content)
            for each, content in made
            if each.recording_id in needed
        }
    if not found:
        return 0, end
    computed: dict[str, Fingerprint] = {}
    for each in recorded:
        if each.recording_id in sounds:
            try:
                computed[each.recording_id] = _computed(home, each, sounds[each.recording_id])
            except (FingerprintError, ProvenanceError) as error:
                lost[each.recording_id] = str(error)
    with appending(home.engine) as connection:
        ledger_store.lock(connection)
        return inventory.settle(connection, edge, recorded, computed)


def _computed(home: Home, recorded: Recorded, sounds: list[str]) -> Fingerprint:
    """Return the fingerprint of a recording as its stored sound gives it.

    Raises:
        ObjectError: There is no such file, or it does not give the fingerprint that was recorded.
        FingerprintError: It cannot be fingerprinted.
    """
    if not sounds:
        raise ObjectError("No signed file was ever made of it: its making was interrupted.")
    found = fingerprint(decode(home.objects.path(sounds[0])))
    if not recorded.is_of(found):
        raise ObjectError(
            f"The stored file {sounds[0]} does not give the fingerprint that was recorded: it was altered (restore it "
            "from a backup), or another release of libchromaprint made the fingerprint."
        )
    return found


def _sounds(connection: Connection, recorded: Recorded, content: Content) -> list[str]:
    """Return the files that carry the very sound of a recording, by asset digest: its master first."""
    files = store.renditions(connection, recorded.recording_id)
    return [each.asset_digest for each in files if (each.part, each.content_digest) == ("mix", content.content_digest)]


def _recording_entries(connection: Connection, start: int = 0) -> array[int]:
    """Return the indices of the entries from one on that made recordings, in log order: eight bytes each."""
    indices: array[int] = array("q")
    before = None
    while newest := store.recordings(connection, before=before, limit=_AT_ONCE):
        indices.extend(each.log_index for each in newest if each.log_index >= start)
        before = newest[-1].log_index
        if before < start:
            break
    indices.reverse()
    return indices


def _in_parts(indices: array[int]) -> Iterator[array[int]]:
    for start in range(0, len(indices), _AT_ONCE):
        yield indices[start : start + _AT_ONCE]


def _made(connection: Connection, indices: array[int]) -> list[tuple[Recorded, Content]]:
    """Return what the entries at some indices say of the sound that they made."""
    made = []
    for index in indices:
        entry = ledger_store.entry(connection, index)
        predicate = None if entry is None else parse(Envelope.parse(entry.data).payload).predicate
        if isinstance(predicate, GenerationPredicate | EditPredicate):
            content, found = predicate.content, predicate.content.fingerprint
            recorded = Recorded(predicate.recording_id, found.digest, found.duration_ms, found.algorithm)
            made.append((recorded, content))
    return made


def _of_no_recording(connection: Connection) -> Iterator[tuple[int, object]]:
    """Yield the addresses of fingerprints whose recordings the log does not know, and what the rows call those."""
    for start, name in fingerprint_store.owners(connection):
        if not isinstance(name, str) or store.find_recording(connection, name) is None:
            yield start, name


def _loss(lost: dict[str, str]) -> str:
    shown = [f"{name}: {why}" for name, why in lost.items()][:_SHOWN]
    more = f" (and {len(lost) - len(shown)} more)" if len(lost) > len(shown) else ""
    return (
        f"The fingerprints of {len(lost)} recordings cannot be made again, so that these recordings are not found by "
        f"their sound; everything else was rebuilt. {' '.join(shown)}{more} Restore the files, and rebuild again."
    )
