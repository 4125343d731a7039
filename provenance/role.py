"""What a person may say they did to the music: roles of the DDEX allowed-value set ContributorRole (AVS 9).

A role enters the public log, so it is one of a list and never free text.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from provenance.errors import RoleError

ROLES: Final = (
    "Adapter",
    "Arranger",
    "AssistantProducer",
    "Author",
    "CoProducer",
    "Compiler",
    "Composer",
    "ComposerLyricist",
    "Conductor",
    "Creator",
    "DigitalAudioWorkstationEngineer",
    "DigitalEditingEngineer",
    "Editor",
    "Librettist",
    "Lyricist",
    "MusicArranger",
    "MusicCopyist",
    "MusicDirector",
    "Musician",
    "NonLyricAuthor",
    "Performer",
    "Programmer",
    "ProgrammingEngineer",
    "Remixer",
    "Repetiteur",
    "Soloist",
    "SoundDesigner",
    "StringProducer",
    "StringsDirector",
    "StudioMusician",
    "StudioProducer",
    "SubArranger",
    "SubLyricist",
    "Translator",
    "VocalArranger",
)
"""Of all the set's roles, those of people who change music; the others are of film, print, stage and trade."""

_SHOWN: Final = 40
_BY_FOLDED: Final = {role.casefold(): role for role in ROLES}


def require_role(text: str) -> str:
    """Return ``text`` if it is one of :data:`ROLES`, spelt as there.

    Raises:
        RoleError: It is not.
    """
    if text in ROLES:
        return text
    given = text[:_SHOWN]
    close = get_close_matches(given.casefold().replace(" ", ""), _BY_FOLDED, n=1)
    suggestion = f" Did you mean {_BY_FOLDED[close[0]]}?" if close else ""
    raise RoleError(
        f"{given!r} is not a role that is recorded here.{suggestion} A role enters the public log, so it is one of "
        f"these (DDEX ContributorRole): {', '.join(ROLES)}."
    )
