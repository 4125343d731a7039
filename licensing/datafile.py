"""Reading the package's TOML data strictly: every key is expected, every value has its type.

The files are written by people, lawyers among them, so each complaint names the file, the table and
the key, and says what would be right.
"""

from __future__ import annotations

import tomllib
from datetime import date, datetime
from importlib import resources
from typing import TYPE_CHECKING, TypeVar

from licensing.errors import DataFileError, LicensingError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from enum import StrEnum

E = TypeVar("E", bound="StrEnum")


class Table:
    """One table of a TOML file, of which every key must be read exactly once."""

    __slots__ = ("_error", "_unread", "_values", "where")

    def __init__(self, values: Mapping[str, object], where: str, error: type[LicensingError] = DataFileError) -> None:
        """Wrap the values of a table.

        Args:
            values: As tomllib gives them.
            where: File and table, for messages.
            error: What to raise.
        """
        self._values = values
        self._unread = set(values)
        self._error = error
        self.where = where

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys in the order of the file; asking does not count as reading."""
        return tuple(self._values)

    def has(self, key: str) -> bool:
        """Tell whether the key is there; asking does not count as reading."""
        return key in self._values

    def text(self, key: str) -> str:
        """Return a text that is not empty, on one line."""
        value = self._take(key)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, "must be a text that is not empty")
        return " ".join(value.split())

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts that are not empty, without a repetition; no key is an empty list."""
        if not self.has(key):
            return ()
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(entry, str) and entry.strip() for entry in value):
            raise self.wrong(key, "must be a list of texts that are not empty")
        if len(set(value)) != len(value):
            raise self.wrong(key, "names something twice")
        return tuple(value)

    def integer(self, key: str, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``."""
        value = self._take(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(key, f"must be a whole number from {low} to {high}")
        return value

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        """Return a whole number, or None when the key is not there."""
        return self.integer(key, low, high) if self.has(key) else None

    def day(self, key: str) -> date:
        """Return a date without a time."""
        value = self._take(key)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.wrong(key, "must be a date such as 2026-11-20, without quotes")
        return value

    def optional_day(self, key: str) -> date | None:
        """Return a date, or None when the key is not there."""
        return self.day(key) if self.has(key) else None

    def flag(self, key: str) -> bool:
        """Return true or false."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def choice(self, key: str, kind: type[E]) -> E:
        """Return a member of a closed set."""
        return self._member(key, self.text(key), kind)

    def choices(self, key: str, kind: type[E]) -> tuple[E, ...]:
        """Return members of a closed set, in the set's order; no key means all of them."""
        if not self.has(key):
            return tuple(kind)
        named = {self._member(key, entry, kind) for entry in self.texts(key)}
        return tuple(member for member in kind if member in named)

    def table(self, key: str) -> Table:
        """Return the table under a key."""
        value = self._take(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table")
        return Table(value, f"{self.where}, [{key}]", self._error)

    def tables(self, key: str) -> Iterator[Table]:
        """Yield the tables of an array of tables; no key is an empty array."""
        value = self._take(key) if self.has(key) else []
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self.wrong(key, "must be an array of tables")
        for number, entry in enumerate(value, start=1):
            yield Table(entry, f"{self.where}, [[{key}]] {number}", self._error)

    def close(self) -> None:
        """Refuse keys that nobody asked for: a misspelt key would silently mean nothing."""
        if self._unread:
            raise self._error(
                f"{self.where} has keys that mean nothing here: {', '.join(sorted(self._unread))}. "
                "Correct their spelling or take them out."
            )

    def wrong(self, key: str, problem: str) -> LicensingError:
        """Return the error that says what is wrong with a key's value."""
        value = shown(str(self._values[key])) if key in self._values else "missing"
        return self._error(f"{self.where}: the key {key} is {value} and {problem}. Correct the file.")

    def _take(self, key: str) -> object:
        if key not in self._values:
            raise self._error(f"{self.where} lacks the key {key}. Add it.")
        self._unread.discard(key)
        return self._values[key]

    def _member(self, key: str, entry: str, kind: type[E]) -> E:
        try:
            return kind(entry)
        except ValueError:
            raise self.wrong(key, f"names {shown(entry)}, which is not one of {', '.join(kind)}") from None


def parse(text: str, where: str, error: type[LicensingError] = DataFileError) -> Table:
    """Read TOML text.

    Raises:
        LicensingError: Of the given class: the text is not TOML.
    """
    try:
        return Table(tomllib.loads(text), where, error)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise error(f"{where} is not TOML: {problem}. Correct the file.") from problem


def load(name: str, error: type[LicensingError] = DataFileError) -> Table:
    """Read one of the package's own data files, such as ``policies/cautious-1.toml``."""
    return parse(resources.files("licensing").joinpath("data", name).read_text(encoding="utf-8"), name, error)


def names(folder: str) -> tuple[str, ...]:
    """Return the names of the TOML files of a data folder, without the ending, in order."""
    entries = resources.files("licensing").joinpath("data", folder).iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")))
