"""People and organisations that hold rights, and the numbers the world knows them by."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, NewType

from licensing.errors import IdentifierError, PartyError, shown

if TYPE_CHECKING:
    from licensing.document import Json

PartyId = NewType("PartyId", str)
"""A pseudonym: random, and says nothing of whom it stands for."""

MAX_NAME = 200
_ISNI_DIGITS = 16
_IPI_DIGITS = 11
_IPI_MODULUS = 101


@unique
class PartyKind(StrEnum):
    """What a party is."""

    PERSON = "person"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who may hold rights.

    Attributes:
        id: The pseudonym under which the party is known in public.
        name: Private: it is not in :meth:`public_document`, nor in the party's ``repr``.
        isni: 16 characters, or empty.
        ipi: IPI name number, 11 digits, or empty.

    Raises:
        PartyError: The name or id is empty or too long.
        IdentifierError: The ISNI or IPI is not in its normal form; give it through :func:`parse_isni`
            or :func:`parse_ipi`.
    """

    id: PartyId
    kind: PartyKind
    name: str = field(repr=False)
    isni: str = field(default="", repr=False)
    ipi: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for word, text in (("name", self.name), ("id", self.id)):
            if not text.strip() or len(text) > MAX_NAME:
                raise PartyError(f"A party's {word} has {len(text)} characters: give 1 to {MAX_NAME}.")
        if self.isni and parse_isni(self.isni) != self.isni:
            raise IdentifierError(f"The ISNI {shown(self.isni)} is not 16 characters without spaces: leave them out.")
        if self.ipi and parse_ipi(self.ipi) != self.ipi:
            raise IdentifierError(f"The IPI name number {shown(self.ipi)} is not 11 digits: add the leading zeros.")

    @classmethod
    def new(cls, kind: str, name: str, *, isni: str = "", ipi: str = "") -> Party:
        """Make a party under a fresh pseudonym.

        Args:
            kind: ``person`` or ``organisation``.
            name: As the party is called.
            isni: With or without spaces, or empty.
            ipi: IPI name number, with or without leading zeros, or empty.

        Raises:
            PartyError: One of them is not what it must be.
        """
        if kind not in set(PartyKind):
            raise PartyError(f"A party is a {' or '.join(PartyKind)}, not {shown(kind)}: give one of these.")
        number = PartyId(f"party-{secrets.token_hex(16)}")
        return cls(number, PartyKind(kind), name, parse_isni(isni) if isni else "", parse_ipi(ipi) if ipi else "")

    def public_document(self) -> dict[str, Json]:
        """Return what may be published of the party: its pseudonym and kind."""
        return {"id": self.id, "kind": self.kind.value}


def parse_isni(text: str) -> str:
    """Check an ISNI (ISO 27729) and return its 16 characters without spaces.

    The last character is the check digit of ISO 7064 MOD 11-2.

    Raises:
        IdentifierError: Its form or check digit is wrong; the message gives the right digit.
    """
    compact = re.sub(r"[\s-]", "", text.removeprefix("ISNI").removeprefix("https://isni.org/isni/")).upper()
    if not re.fullmatch(r"\d{15}[\dX]", compact, re.ASCII):
        raise IdentifierError(
            f"{shown(text)} is not an ISNI: it has {_ISNI_DIGITS} characters, all digits but for a last X. "
            "Look it up at isni.org."
        )
    expected = _mod_11_2(compact[:-1])
    if compact[-1] != expected:
        raise IdentifierError(
            f"The ISNI {shown(text)} ends in {compact[-1]} where its other digits give {expected}: "
            f"did you mean {compact[:-1]}{expected}? Look it up at isni.org."
        )
    return compact


def parse_ipi(text: str) -> str:
    """Check an IPI name number (CISAC) and return its 11 digits.

    The last two digits are check digits by modulus 101 over weights 10 to 2.

    Raises:
        IdentifierError: Its form or check digits are wrong; the message gives the right ones.
    """
    compact = re.sub(r"[\s.-]", "", text.removeprefix("IPI"))
    if not re.fullmatch(r"\d{9,11}", compact, re.ASCII):
        raise IdentifierError(
            f"{shown(text)} is not an IPI name number: it has 9 to {_IPI_DIGITS} digits. "
            "Ask the party or its society for it."
        )
    digits = compact.zfill(_IPI_DIGITS)
    expected = _mod_101(digits[:-2])
    if digits[-2:] != expected:
        raise IdentifierError(
            f"The IPI name number {shown(text)} ends in {digits[-2:]} where its other digits give {expected}: "
            f"did you mean {digits[:-2]}{expected}? Ask the party or its society for it."
        )
    return digits


def _mod_11_2(digits: str) -> str:
    total = 0
    for digit in digits:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return "X" if check == len("0123456789") else str(check)


def _mod_101(digits: str) -> str:
    weights = range(len(digits) + 1, 1, -1)
    remainder = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % _IPI_MODULUS
    return f"{(_IPI_MODULUS - remainder) % _IPI_MODULUS % 100:02d}"
