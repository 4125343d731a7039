"""What text is taken from outside: the one rule of the command line, of the HTTP interface, and of what they call.

Text is kept, hashed, signed and shown to people, so it is Unicode that can be written as UTF-8, without
characters that command a terminal or turn the text around them (Unicode Standard Annexes 9 and 44). What people
are called by stands on one line, and has something to see on it.
"""

from __future__ import annotations

import re
import unicodedata

from provenance.errors import TextError

_REFUSED = re.compile(
    "(?P<surrogate>[\ud800-\udfff])"
    "|(?P<control>[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f])"
    "|(?P<turning>[\u202a-\u202e\u2066-\u2069])"
)
_WHY = {
    "surrogate": "is half a character, as when bytes are not UTF-8. Write it in UTF-8; rename a file that has it in "
    "its name",
    "control": "is a control character. Leave it out",
    "turning": "turns the text around it, so that it reads otherwise than it is. Leave it out",
}
_BREAKS = re.compile("[\t\n\r\u2028\u2029]")
_JOINERS = frozenset("\u200c\u200d")
"""Invisible, and needed: Persian, the scripts of India and emoji are written with them."""
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that show nothing by themselves."""


def require_plain(text: str, what: str, *, breaks: bool = True) -> str:
    """Return ``text`` as it is, if it is text.

    Args:
        text: What somebody wrote.
        what: What it is, to begin a sentence with.
        breaks: Whether it may have line breaks and tabs.

    Raises:
        TextError: It has a lone surrogate, a control character, or a character that overrides the direction of writing.
    """
    found = _REFUSED.search(text)
    if found is not None:
        raise TextError(f"{what} has {_position(text, found.start())}, which {_WHY[found.lastgroup or '']}.")
    broken = None if breaks else _BREAKS.search(text)
    if broken is not None:
        raise TextError(f"{what} has {_position(text, broken.start())}, a line break or tab. Write it on one line.")
    return text


def require_line(text: str, what: str, *, most: int) -> str:
    """Return a name or title: in Unicode normalisation form C, and without spaces around it.

    Args:
        text: What somebody wrote.
        what: What it is, to begin a sentence with.
        most: Characters that are taken.

    Raises:
        TextError: It is not plain text, takes more than one line, is too long, has invisible characters, or has
            nothing to be seen.
    """
    if len(text) > most:
        raise TextError(f"{what} has {len(text)} characters, and at most {most} are taken. Shorten it.")
    line = unicodedata.normalize("NFC", require_plain(text, what, breaks=False).strip())
    for position, character in enumerate(line):
        if unicodedata.category(character) == "Cf" and character not in _JOINERS:
            raise TextError(f"{what} has {_position(line, position)}, which cannot be seen. Leave it out.")
    if line and unicodedata.category(line[0]).startswith("M"):
        raise TextError(f"{what} begins with {_position(line, 0)}, a mark that belongs on a letter before it.")
    if not any(unicodedata.category(character)[0] in "LNPS" for character in line if character not in _BLANKS):
        raise TextError(f"{what} is empty: there is nothing to be seen in it. Write 1 to {most} characters.")
    return line


def _position(text: str, position: int) -> str:
    return f"U+{ord(text[position]):04X} as character {position + 1}"
