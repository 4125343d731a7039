"""Names of people and titles of works, compared as a careful reader would.

Two names are the same only when every word that was asked for has its place in the known one; they are other
names only when nothing in them is alike. All that lies between is similar, and what is written in another script
cannot be compared by its letters at all: a yes or a no on such grounds could be wrong.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from enum import IntEnum
from typing import TYPE_CHECKING

from provenance.errors import TextError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CLOSE = 0.8
"""Similarity (difflib ratio) from which words that are not equal are alike: one letter of five is another."""
_CLOSE_IN_FOUR = 0.75
_FOUR = 4
_SHORT = 3
"""Words of fewer letters are alike only when they are equal."""
_LETTERS = str.maketrans(dict(zip("łøđðħŧ\u0131", "loddhti", strict=True)) | {"þ": "th", "æ": "ae", "œ": "oe"})
"""Letters that Unicode takes apart into nothing simpler."""
_SIGNS = str.maketrans({"♭": " flat ", "♯": " sharp ", "#": " sharp "})
_SOUNDS = str.maketrans("wyjzc", "viisk")
"""Letters that languages exchange for one another: Glazunov and Glasunow, Haydn and Haidn."""
_PARTICLES = frozenset(("van", "von", "de", "der", "den", "di", "da", "del", "du", "des", "d", "la", "le", "l")) | {
    *("zu", "zur", "ten", "ter", "af", "av")
}
_ADDRESS = frozenset(("sir", "dame", "dr", "prof"))
"""What a name is written with or without, and tells nobody apart."""
_PARTS = re.compile(r"[,;()\[\]“”„\"«»/]|\s[\u2013\u2014-]\s")
_NUMBER = "no"
_KEYS = frozenset("abcdefgh")
_MODES = frozenset(("major", "minor", "flat", "sharp"))


class Likeness(IntEnum):
    """How a name that is asked for stands to a known one."""

    OTHER = 0
    INCOMPARABLE = 1
    SIMILAR = 2
    SAME = 3


def words(name: str) -> tuple[str, ...]:
    """Return the words of a name in order, without case, accents and punctuation."""
    plain = unicodedata.normalize("NFKD", name).casefold().translate(_LETTERS).translate(_SIGNS)
    marks = (char for char in unicodedata.normalize("NFKD", plain) if not unicodedata.category(char).startswith("M"))
    return tuple("".join(char if char.isalnum() else " " for char in marks).split())


def require_words(name: str, what: str) -> str:
    """Return a name that can be looked for.

    Raises:
        TextError: It has neither letters nor digits: every name would match it.
    """
    if not words(name):
        raise TextError(
            f"{what} {name[:80]!r} has neither letters nor digits, so there is nothing to look for. Write the name as "
            "it stands in print, or ask by file, which needs no names."
        )
    return name


def scripts(name: str) -> frozenset[str]:
    """Return the scripts of a name's letters, by the names that Unicode gives them, such as ``Latin``."""
    letters = (char for word in words(name) for char in word if unicodedata.category(char) in {"Lu", "Ll", "Lt", "Lo"})
    return frozenset(unicodedata.name(letter, "UNKNOWN").partition(" ")[0].capitalize() for letter in letters)


def compare_people(asked: str, known: str) -> Likeness:
    """Compare what a person is called.

    The same are the family name alone, and the family name with given names or their initials in any order; what
    belongs to nobility may be there or not: ``Beethoven``, ``L. v. Beethoven`` and ``BEETHOVEN, Ludwig`` are Ludwig
    van Beethoven. Every further name leaves a doubt: Franz Joseph Haydn is Joseph Haydn, Michael Haydn is not.

    Args:
        asked: With at least one word.
        known: Family name last, or first and followed by a comma.
    """
    given, family = _person(known)
    if not family or not scripts(asked) <= scripts(known):
        return Likeness.INCOMPARABLE
    said = words(asked)
    at = _find(said, family)
    if at is not None:
        rest = said[:at] + said[at + len(family) :]
        return Likeness.SIMILAR if _unaccounted(rest, given) else Likeness.SAME
    return Likeness.SIMILAR if _are_similar(said, given, family) else Likeness.OTHER


def tells_people_apart(asked: str) -> bool:
    """Tell whether a person's name has more than initials, particles and forms of address."""
    return bool(_telling(words(asked)))


def compare_titles(asked: str, known: str) -> Likeness:
    """Compare titles of works.

    The same is the whole title, or a part of it as commas, brackets, quotation marks, numbers and the key divide it:
    ``String Quartet No.12``, ``Op.96`` and ``American`` each are of ``String Quartet No.12 in F major, Op.96
    (“American”)``; ``Quartet`` and ``F major`` are not.

    Args:
        asked: With at least one word.
        known: As a source gives it.
    """
    said = words(asked)
    told, starts, ends = _marked(known)
    if any(told[at : at + len(said)] == said and at + len(said) in ends for at in starts):
        return Likeness.SAME
    if all(any(_are_alike(word, other) for other in told) for word in said):
        return Likeness.SIMILAR
    return Likeness.OTHER if scripts(asked) <= scripts(known) else Likeness.INCOMPARABLE


def _person(known: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The given names, particles among them, and the family name without any."""
    before, comma, after = known.partition(",")
    if comma and words(before):
        given, family = words(after), words(before)
    else:
        *first, last = [each for each in map(words, known.split()) if each] or [()]
        given, family = tuple(word for each in first for word in each), last
    while len(family) > 1 and family[0] in _PARTICLES:
        given, family = (*given, family[0]), family[1:]
    return given, family


def _unaccounted(rest: Sequence[str], given: Sequence[str]) -> bool:
    """Whether a word beside the family name is neither a given name, nor the initial of one, nor a form of address."""
    unused = list(given)
    optional = _ADDRESS | _PARTICLES if _PARTICLES & set(given) else _ADDRESS
    for word in sorted(rest, key=len, reverse=True):
        fits = next((name for name in unused if _abbreviates(word, name)), None)
        if fits is not None:
            unused.remove(fits)
        elif word not in optional:
            return True
    return False


def _are_similar(said: Sequence[str], given: Sequence[str], family: Sequence[str]) -> bool:
    whole, names = (*given, *family), [word for word in said if word not in _PARTICLES | _ADDRESS]
    if not _telling(said):
        return all(any(_abbreviates(word, name) for name in whole) for word in said)
    if _find([_sound(word) for word in said], [_sound(name) for name in family]) is not None:
        return True
    if any(_ratio("".join(names), "".join(written)) >= _CLOSE for written in (family, whole)):
        return True
    if all(_fits(word, whole) for word in names):
        return True
    near = next((word for word in names for name in family if _are_alike(word, name)), None)
    others = [word for word in names if word != near]
    return near is not None and (not others or any(_fits(word, given) for word in others))


def _fits(word: str, given: Iterable[str]) -> bool:
    return any(_are_alike(word, name) or _abbreviates(word, name) for name in given)


def _abbreviates(word: str, name: str) -> bool:
    return word == name or (len(word) == 1 and name.startswith(word))


def _telling(said: Sequence[str]) -> list[str]:
    return [word for word in said if len(word) > 1 and word not in _PARTICLES | _ADDRESS]


def _are_alike(word: str, other: str) -> bool:
    if word == other:
        return True
    if min(len(word), len(other)) < _SHORT:
        return False
    close = _CLOSE_IN_FOUR if len(word) == len(other) == _FOUR else _CLOSE
    return other.startswith(word) or _ratio(word, other) >= close


def _ratio(word: str, other: str) -> float:
    pairs = ((word, other), (_sound(word), _sound(other)))
    return max(difflib.SequenceMatcher(None, *pair, autojunk=False).ratio() for pair in pairs)


def _sound(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word.replace("ph", "f").replace("ck", "k").translate(_SOUNDS))


def _find(said: Sequence[str], family: Sequence[str]) -> int | None:
    length = len(family)
    return next((at for at in range(len(said) - length + 1) if tuple(said[at : at + length]) == tuple(family)), None)


def _marked(title: str) -> tuple[tuple[str, ...], set[int], set[int]]:
    """The words of a title, where a part of it may begin, and where one may end."""
    told: list[str] = []
    starts: set[int] = set()
    ends: set[int] = set()
    for part in map(words, _PARTS.split(title)):
        if not part:
            continue
        if not told or not _is_numbered(part):
            starts.add(len(told))
        ends |= {len(told) + at for at in range(1, len(part)) if _is_numbered(part[at:]) or _is_key(part[at:])}
        told += part
        ends.add(len(told))
    return tuple(told), starts, ends


def _is_numbered(part: Sequence[str]) -> bool:
    return len(part) > 1 and part[0] == _NUMBER and part[1].isdigit()


def _is_key(part: Sequence[str]) -> bool:
    return len(part) > 1 and part[0] == "in" and part[1] in _KEYS and (len(part) == 2 or part[2] in _MODES)  # noqa: PLR2004 - in F
