"""What licences, territories, days, numbers of people, questions and policies are read by."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from fuzz.target import Target, file_of, require, text_of
from licensing import datafile
from licensing.errors import DataFileError, IdentifierError, PolicyError, QuestionError, TerritoryError
from licensing.expression import normal_form, structure
from licensing.licence import understand
from licensing.moment import parse_day, require_moment
from licensing.party import parse_ipi, parse_isni
from licensing.policy import load_policy
from licensing.question import parse_question
from licensing.terms import UNKNOWN_LICENCE
from licensing.territory import parse_territory
from licensing.vocabulary import Use

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOW = "2026-11-20T10:31:45Z"
_LICENCE_WORDS = (
    b" AND ",
    b" OR ",
    b" WITH ",
    b"(",
    b")",
    b"LicenseRef-a",
    b"DocumentRef-b:LicenseRef-c",
    b"MIT",
    b"https://",
    b"+",
)
_TOML_WORDS = (b"[a]\n", b"[[a]]\n", b"a = ", b"a.", b"'''", b'"""', b"2026-13-40", b"0x", b"inf", b"{", b"[")
_LONGEST_TEXT = 2_000
_LONGEST_FILE = 8_192
"""Policies and settings are their owner's own; long ones are slow to read."""


def _understand(data: bytes) -> None:
    understood = understand(text_of(data))
    if understood.expression != UNKNOWN_LICENCE:
        again = understand(understood.expression).expression
        require(again == understood.expression, "An expression in its normal form has another one.")


def _expression(data: bytes) -> None:
    text = text_of(data)
    normal = normal_form(text)
    if normal is not None:
        require(normal_form(normal) == normal, "An expression in its normal form has another one.")
    structure(text)


def _isni(data: bytes) -> None:
    isni = parse_isni(text_of(data))
    require(parse_isni(isni) == isni, "An ISNI in its normal form has another one.")


def _ipi(data: bytes) -> None:
    ipi = parse_ipi(text_of(data))
    require(parse_ipi(ipi) == ipi, "An IPI name number in its normal form has another one.")


def _moment(data: bytes) -> None:
    text = text_of(data)
    try:
        require_moment(text, "It")
    except QuestionError:
        require(parse_day(parse_day(text).isoformat()) == parse_day(text), "A day is not read as it was written.")


def _question(data: bytes) -> None:
    use, territory, day, *_ = (*text_of(data).split("\n", 2), "", "")
    parse_question(use, territory, day or None, _NOW)


def _policy(data: bytes) -> None:
    load_policy(file_of(data, "policy.toml"))


def _table(data: bytes) -> None:
    datafile.parse(data.decode("utf-8", "replace"), "the file")


def _policies() -> list[bytes]:
    shipped = resources.files("licensing").joinpath("data", "policies", "cautious-1.toml").read_bytes()
    return [shipped.replace(b"cautious-1", b"mine-1", 1), b"a = 1\n[b]\nc = [1, 2.5, 2026-11-20, 'd']\n"]


TARGETS: Sequence[Target] = (
    Target(
        "licensing.licence",
        _understand,
        (),
        lambda: [
            b"CC BY 4.0",
            b"https://creativecommons.org/licenses/by-sa/3.0/de/",
            b"MIT OR Apache-2.0",
            b"All rights reserved",
        ],
        (understand,),
        _LICENCE_WORDS,
    ),
    Target(
        "licensing.expression",
        _expression,
        (),
        lambda: [b"MIT", b"(MIT OR Apache-2.0) AND LicenseRef-a", b"GPL-2.0-only WITH Classpath-exception-2.0"],
        (),
        _LICENCE_WORDS,
    ),
    Target(
        "licensing.territory",
        lambda data: parse_territory(text_of(data)),
        (TerritoryError,),
        lambda: [b"DE", b"Worldwide", b"EU"],
        (parse_territory,),
    ),
    Target(
        "licensing.day",
        _moment,
        (QuestionError,),
        lambda: [b"2026-11-20", _NOW.encode()],
        (parse_day,),
        (b"-02-30", b"T24:00:00Z"),
    ),
    Target(
        "licensing.isni",
        _isni,
        (IdentifierError,),
        lambda: [b"0000 0001 2103 2683", b"ISNI 000000012146438X"],
        (parse_isni,),
    ),
    Target("licensing.ipi", _ipi, (IdentifierError,), lambda: [b"00014107338", b"IPI 14107338"], (parse_ipi,)),
    Target(
        "licensing.question",
        _question,
        (QuestionError,),
        lambda: [b"sync\nDE\n2026-12-24", b"commercial-release\nworldwide"],
        (parse_question, Use.parse),
        (b"\n",),
        _LONGEST_TEXT,
    ),
    Target("licensing.policy", _policy, (PolicyError,), _policies, (load_policy,), _TOML_WORDS, _LONGEST_FILE),
    Target("licensing.table", _table, (DataFileError,), _policies, (datafile.parse,), _TOML_WORDS, _LONGEST_FILE),
)
