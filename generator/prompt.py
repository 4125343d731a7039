"""Reading a prompt: which rules its words match, and which words match none.

The words are compared with `generator.vocabulary`, longest first; keys, metres, tempos and lengths
are recognised by their form (`PATTERNS`). What is left over, emoji included, is handed back.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from generator.errors import RequestError
from generator.vocabulary import (
    FILLERS,
    MAX_BARS,
    MAX_SECONDS,
    MAX_TEMPO,
    METRES,
    MIN_SECONDS,
    MIN_TEMPO,
    NEGATION_LINKS,
    NEGATIONS,
    RULES,
    Effect,
    says,
)

MAX_CHARACTERS: Final = 2_000

_LETTERS: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTALS: Final = {"sharp": 1, "#": 1, "♯": 1, "flat": -1, "b": -1, "♭": -1}
_NUMBERS: Final = {
    word: number
    for number, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
            *("seventeen", "eighteen", "nineteen", "twenty"),
        )
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90}
_ARTICLES: Final = {"a": 1, "an": 1}
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


class Reading(NamedTuple):
    """What was understood of a prompt.

    Attributes:
        effects: The words of each match as they stand in the prompt, and one effect of theirs.
        unmatched: The words that no rule knows, in order, each once.
    """

    effects: tuple[tuple[str, Effect], ...]
    unmatched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A form of words, rather than words, and what it sets.

    Attributes:
        example: How it is written.
        expression: Matches it.
        read: The effects of a match, or None when it means something else after all.
    """

    example: str
    expression: re.Pattern[str]
    read: Callable[[re.Match[str]], tuple[Effect, ...] | None]


def normalise(prompt: str) -> str:
    """The prompt in Unicode normalisation form C.

    Raises:
        RequestError: It has more than `MAX_CHARACTERS` characters, or control characters.
    """
    if len(prompt) > MAX_CHARACTERS:
        raise RequestError(
            f"The prompt has {len(prompt)} characters; at most {MAX_CHARACTERS} are accepted. "
            "Say in a few words what the music should be like."
        )
    for position, letter in enumerate(prompt):
        if unicodedata.category(letter) in {"Cc", "Cs"} and letter not in "\n\r\t":
            raise RequestError(
                f"The prompt has the control character U+{ord(letter):04X} at position {position}. Pass plain text."
            )
    return unicodedata.normalize("NFC", prompt)


def read_prompt(prompt: str) -> Reading:
    """Match a prompt against the rules.

    Raises:
        RequestError: The prompt is not acceptable text, or a number in it is out of bounds.
    """
    text = normalise(prompt)
    effects: list[tuple[str, Effect]] = []
    rest: list[str] = []
    position = 0
    for start, end, found in _chosen(text):
        rest.extend(_words(text[position:start]))
        words = " ".join(text[start:end].split())
        if found is None:
            rest.append(words)
        else:
            effects.extend((words, effect) for effect in found)
        position = end
    rest.extend(_words(text[position:]))
    return Reading(tuple(effects), tuple(dict.fromkeys(rest)))


def parse_key(text: str) -> tuple[int, str | None]:
    """The pitch class of an English key name and its mode, if it names one.

    Args:
        text: Such as `D minor`, `F#`, `Bb major`, `e-flat minor` or `C♯m`.

    Raises:
        RequestError: It is not such a name.
    """
    match = _KEY_NAME.fullmatch(text.strip())
    if match is None:
        raise RequestError(
            f"{text[:40]!r} is not a key. Write an English name: a letter from A to G, # or b "
            "where needed, and major or minor, such as 'D minor', 'F#' or 'Bb major'."
        )
    return _pitch_class(match), _mode(match["mode"]) if match["mode"] else None


def parse_metre(text: str) -> tuple[int, int]:
    """Beats and beat type of a metre such as `3/4`.

    Raises:
        RequestError: It is not one of `METRES`.
    """
    if text not in METRES:
        raise RequestError(f"{text[:40]!r} is not a metre that can be played. Choose one of {', '.join(METRES)}.")
    beats, beat_type = text.split("/")
    return int(beats), int(beat_type)


# Forms --------------------------------------------------------------------------------------------

_KEY: Final = r"(?P<letter>[A-Ga-g])(?:(?P<sign>(?-i:[#♯b♭]))|[\s-]?(?P<word>sharp|flat))?"
_KEY_NAME: Final = re.compile(rf"{_KEY}[\s-]*(?P<mode>major|minor|maj|min|(?-i:m))?", re.IGNORECASE)
_KEY_NOUN: Final = re.compile(r"\s+(?:key|mode)\b", re.IGNORECASE)
_WORD_NUMBERS: Final = "|".join(sorted(_NUMBERS, key=len, reverse=True))


def _pitch_class(match: re.Match[str]) -> int:
    sign = (match["sign"] or match["word"] or "").casefold()
    return (_LETTERS[match["letter"].casefold()] + _ACCIDENTALS.get(sign, 0)) % 12


def _mode(text: str) -> str:
    return "major" if text.casefold().startswith("maj") else "minor"


def _read_key(match: re.Match[str]) -> tuple[Effect, ...] | None:
    if match["letter"] in "aA" and not (match["sign"] or match["word"]):
        # "a minor theme" and "in a minor key" have an article in them, "in a minor" names a key.
        named = match["before"] or match["letter"] == "A"
        if not named or _KEY_NOUN.match(match.string, match.end()):
            return None
    return says("tonic", _pitch_class(match)), says("mode", _mode(match["mode"]))


def _read_tonic(match: re.Match[str]) -> tuple[Effect, ...] | None:
    altered = match["sign"] or match["word"]
    if match["letter"].islower() or not (match["before"] or altered):
        return None
    return (says("tonic", _pitch_class(match)),)


def _read_metre(match: re.Match[str]) -> tuple[Effect, ...] | None:
    metre = f"{int(match['beats'])}/{int(match['type'])}"
    return (says("metre", metre),) if metre in METRES else None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else (_NUMBERS | _ARTICLES)[text.casefold()]


def _bounded(number: int, low: int, high: int, words: str, unit: str) -> int:
    if not low <= number <= high:
        raise RequestError(
            f"The prompt asks for {words!r}; from {low} to {high} {unit} are possible. Change the number."
        )
    return number


def _read_tempo(match: re.Match[str]) -> tuple[Effect, ...]:
    bpm = int(match["before"] or match["after"])
    unit = "quarter notes a minute"
    return (says("tempo_bpm", _bounded(bpm, MIN_TEMPO, MAX_TEMPO, match[0], unit)),)


def _read_bars(match: re.Match[str]) -> tuple[Effect, ...]:
    return (says("bars", _bounded(_number(match["number"]), 1, MAX_BARS, match[0], "bars")),)


def _read_seconds(match: re.Match[str]) -> tuple[Effect, ...] | None:
    number = _number(match["number"])
    unit = _SECONDS[match["unit"][0].casefold()]
    if unit == 1 and number < MIN_SECONDS and not match["number"].isdecimal():
        return None  # "a second theme", "two second violins"
    half = match["half"] or match["half_after"]
    seconds = unit * number + (unit // 2 if half else 0) + int(match["more"] or 0)
    return (says("seconds", _bounded(seconds, MIN_SECONDS, MAX_SECONDS, match[0], "seconds")),)


def _read_half_minute(_: re.Match[str]) -> tuple[Effect, ...]:
    return (says("seconds", 30),)


def _form(expression: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w/])(?<!\d\.){expression}(?![\w/])", re.IGNORECASE)


PATTERNS: Final = (
    Pattern(
        "D minor, F# major, key of B flat major",
        _form(rf"(?P<before>(?:in|key\s+of)\s+)?{_KEY}[\s-]?(?P<mode>major|minor|maj|min)"),
        _read_key,
    ),
    Pattern("in D, key of Bb, F#", _form(rf"(?P<before>(?:in|key\s+of)\s+)?{_KEY}"), _read_tonic),
    Pattern(
        "3/4, in 6/8 time",
        _form(r"(?:in\s+)?(?P<beats>\d{1,2})/(?P<type>\d{1,2})(?:\s+(?:time|metre|meter))?"),
        _read_metre,
    ),
    Pattern(
        "120 bpm, ♩ = 96",
        _form(
            r"(?:(?:at\s+)?(?P<before>\d{1,6})[\s-]*(?:bpm|beats\s+per\s+minute)"
            r"|♩\s*=\s*(?P<after>\d{1,6}))"
        ),
        _read_tempo,
    ),
    Pattern(
        "8 bars, sixteen measures, 12-bar",
        _form(rf"(?P<number>\d{{1,6}}|{_WORD_NUMBERS})[\s-]+(?:bars?|measures?)"),
        _read_bars,
    ),
    Pattern(
        "30 seconds, 90s, two minutes, 1 min 30 s, two and a half minutes, a minute and a half",
        _form(
            rf"(?P<number>\d{{1,6}}(?=[\d\s-]|[smh])|(?:an?|{_WORD_NUMBERS})(?=[\s-]))"
            r"(?P<half>\s+and\s+a\s+half)?[\s-]*"
            r"(?P<unit>s|secs?|seconds?|mins?|minutes?|hours?)"
            r"(?:(?P<half_after>\s+and\s+a\s+half)"
            r"|(?:\s+and)?\s+(?P<more>\d{1,2})\s*s(?:ec(?:ond)?s?)?)?"
        ),
        _read_seconds,
    ),
    Pattern("half a minute", _form(r"half\s+a\s+minute"), _read_half_minute),
)


# Matching -----------------------------------------------------------------------------------------

_Found = tuple[int, int, tuple[Effect, ...] | None]


def _spaced(words: str) -> str:
    return r"[\s-]+".join(map(re.escape, words.split()))


_BY_WORDS: Final = {re.sub(r"[\s-]+", " ", words): rule.effects for rule in RULES for words in rule.words}
_PHRASES: Final = re.compile(
    rf"(?<!\w)(?:{'|'.join(map(_spaced, sorted(_BY_WORDS, key=len, reverse=True)))})(?!\w)",
    re.IGNORECASE,
)
_NEGATED: Final = re.compile(
    rf"(?<!\w)(?:{'|'.join(NEGATIONS)})(?:\s+(?:{'|'.join(NEGATION_LINKS)}))*\s+\Z", re.IGNORECASE
)
_NEGATION_REACH: Final = 60


def _candidates(text: str) -> Iterator[_Found]:
    for match in _PHRASES.finditer(text):
        words = re.sub(r"[\s-]+", " ", match[0]).casefold()
        yield match.start(), match.end(), _BY_WORDS[words]
    for pattern in PATTERNS:
        for match in pattern.expression.finditer(text):
            effects = pattern.read(match)
            if effects is not None:
                yield match.start(), match.end(), effects


def _chosen(text: str) -> Iterator[_Found]:
    """Matches that do not overlap: the leftmost, then the longest. Negated ones have no effects."""
    position = 0
    for start, end, effects in sorted(_candidates(text), key=lambda found: (found[0], -found[1])):
        if start < position:
            continue
        reach = max(position, start - _NEGATION_REACH)
        negated = _NEGATED.search(text, reach, start)
        yield (start, end, effects) if negated is None else (negated.start(), end, None)
        position = end


def _words(text: str) -> Iterator[str]:
    for word in text.split():
        bare = _without_punctuation(word)
        if bare and bare.casefold() not in FILLERS:
            yield bare


def _without_punctuation(word: str) -> str:
    inner = [index for index, letter in enumerate(word) if not _is_punctuation(letter)]
    return word[inner[0] : inner[-1] + 1] if inner else ""


def _is_punctuation(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category.startswith(("P", "Z")) or category == "Cf"
