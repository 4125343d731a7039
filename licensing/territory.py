"""Territories by ISO 3166-1 alpha-2 code, and the whole world."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache

from licensing import datafile
from licensing.errors import TerritoryError, shown


@dataclass(frozen=True, slots=True, order=True)
class Territory:
    """One country or area, or the whole world.

    Attributes:
        code: ISO 3166-1 alpha-2 in capitals, or ``worldwide``.
        name: Short English name.
    """

    code: str
    name: str

    def __str__(self) -> str:
        return self.name if self == WORLDWIDE else f"{self.name} ({self.code})"


WORLDWIDE = Territory("worldwide", "the whole world")


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """Every territory there is, what people call them, and the groups they belong to.

    Attributes:
        territories: By code, in order.
        aliases: Other names in lower case, each with its code.
        groups: Members of each group, in order.
    """

    territories: dict[str, Territory]
    aliases: dict[str, str]
    groups: dict[str, tuple[str, ...]]


@lru_cache(maxsize=1)
def gazetteer() -> Gazetteer:
    """Return the gazetteer of ``data/territories.toml``."""
    table = datafile.load("territories.toml")
    table.text("source")
    table.day("read")
    names, aliases, groups = table.table("names"), table.table("aliases"), table.table("groups")
    table.close()
    territories = {code: Territory(code, names.text(code)) for code in names.keys}
    return Gazetteer(
        territories,
        {name.casefold(): aliases.text(name) for name in aliases.keys},
        {name: groups.texts(name) for name in groups.keys},
    )


def parse_territory(text: str) -> Territory:
    """Read a territory as typed by a person: a code in any case, or ``worldwide``.

    Raises:
        TerritoryError: It is not one; the message offers what may have been meant.
    """
    known = gazetteer()
    typed = text.strip()
    if typed.lower() == WORLDWIDE.code:
        return WORLDWIDE
    if territory := known.territories.get(typed.upper()):
        return territory
    if members := known.groups.get(typed.upper()):
        raise TerritoryError(
            f"{typed.upper()} is not a territory but a group of {len(members)}: ask for one of its members "
            f"({', '.join(members)}), or for worldwide."
        )
    raise TerritoryError(
        f"There is no territory {shown(text)} in ISO 3166-1: give a two-letter code such as DE, or worldwide."
        + _suggestion(typed, known)
    )


def _suggestion(typed: str, known: Gazetteer) -> str:
    called = {territory.name.casefold(): code for code, territory in known.territories.items()} | known.aliases
    name = typed.casefold()
    near = [name] if name in called else difflib.get_close_matches(name, called, n=3, cutoff=0.75)
    codes = dict.fromkeys(called[name] for name in near)
    return (
        f" Did you mean {' or '.join(f'{code} ({known.territories[code].name})' for code in codes)}?" if codes else ""
    )
