"""Is every stored file there, and what it was? And what else lies among them?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.draft_files import FOLDER as DRAFTS
from ledger.findings import Problem, shortened
from provenance.errors import ObjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from provenance.identity import Digest
    from provenance.objects import ObjectStore

_SHOWN: Final = 100
"""Strays that are named, of those that may come in thousands."""


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """What was found of the stored files.

    Attributes:
        names: Of all that are there.
        problems: Those that are missing, altered or unreadable.
        strays: Warnings of what lies among them and is none.
    """

    names: frozenset[Digest]
    problems: tuple[Problem, ...]
    strays: tuple[Problem, ...] = ()

    def unnamed(self, named: Collection[str]) -> list[Problem]:
        """Warn of those that no entry names.

        Args:
            named: What the entries name, of which the newest have to be newer than this check.
        """
        what = (
            "no entry names this stored file: its making was interrupted, or goes on; it may be deleted once nothing "
            "is being made"
        )
        return [Problem(what, f"object {name}") for name in sorted(self.names) if name not in named]


def check(objects: ObjectStore, named: Mapping[str, int], progress: Callable[[int, int], None]) -> StoredFiles:
    """Hold every stored file against its name, and ask for those that entries name.

    Args:
        objects: The stored files.
        named: Names that they have to have, each with the index of an entry that names it.
        progress: Told how many were read, of how many.
    """
    try:
        names = frozenset(objects.names())
        strays = list(objects.strays({DRAFTS}))
    except OSError as error:
        what = f"the stored files cannot be listed: {error.strerror}"
        return StoredFiles(frozenset(), (Problem(what, f"file {error.filename!r}"),))
    missing = [
        Problem(f"the stored file {name} is missing; restore it from a backup", f"entry {index}")
        for name, index in named.items()
        if name not in names
    ]
    what = "it lies among the stored files and is none; move it away"
    shown = [Problem(what, f"file {f'{objects.root.name}/{path}'!r}") for path in strays[:_SHOWN]]
    problems = (*missing, *_altered(objects, names, progress))
    return StoredFiles(names, problems, tuple(shortened(shown, len(strays))))


def _altered(objects: ObjectStore, names: frozenset[Digest], progress: Callable[[int, int], None]) -> Iterator[Problem]:
    for done, name in enumerate(sorted(names)):
        progress(done, len(names))
        try:
            if not objects.is_intact(name):
                yield Problem("the stored file was altered; restore it from a backup", f"object {name}")
        except (OSError, ObjectError) as error:
            yield Problem(f"the stored file cannot be read: {error}", f"object {name}")
