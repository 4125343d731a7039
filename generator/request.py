"""What somebody asks for, and what will be composed.

`plan` turns a request into the controls of a model by visible rules:

1. An option of the request holds. Words of the prompt about the same control are overruled.
2. What words say (`generator.vocabulary`) holds. If two words exclude each other, the request is
   refused, because a piece has one key, one metre and one tempo.
3. What words hint at holds as far as it agrees with that and with earlier hints.
4. What is still open is drawn by the seed, from `USUAL` where that leaves a choice: the SHA-256 of
   `linernotes-plan-v1`, the seed and the name of the control, as a number, modulo the choices.

So the same prompt with another seed is another piece, and nothing else in the prompt matters.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from generator.ending import END_SECONDS
from generator.errors import RequestError
from generator.prompt import normalise, parse_key, parse_metre, read_prompt
from generator.vocabulary import (
    DENSITIES,
    ERAS,
    MAX_BARS,
    MAX_SECONDS,
    MAX_TEMPO,
    METRES,
    MIN_SECONDS,
    MIN_TEMPO,
    MODES,
    REGISTERS,
    ControlName,
    Effect,
    Value,
)

MAX_SEED: Final = 2**63 - 1
DEFAULT_SECONDS: Final = 30
SAMPLE_BITS: Final = (16, 24)
_MAX_MODEL_ID: Final = 200

ALL: Final[dict[ControlName, tuple[Value, ...]]] = {
    "mode": MODES,
    "tonic": tuple(range(12)),
    "metre": METRES,
    "tempo_bpm": tuple(range(MIN_TEMPO, MAX_TEMPO + 1)),
    "density": DENSITIES,
    "register": REGISTERS,
    "era": ERAS,
}
"""Every value of each control."""

USUAL: Final[dict[str, tuple[Value, ...]]] = {
    "mode": ("major", "major", "major", "minor", "minor"),
    "tonic major": (0, 2, 3, 4, 5, 7, 8, 9, 10),
    "tonic minor": (0, 2, 4, 5, 7, 9, 11),
    "metre": ("4/4", "4/4", "4/4", "3/4", "3/4", "2/4", "6/8"),
    "tempo_bpm": tuple(range(60, 145)),
    "density": ("medium", "medium", "busy"),
    "register": ("low", "middle", "middle", "high"),
    "era": ERAS,
}
"""What the seed draws from when nothing else is asked for; what occurs twice is twice as likely."""


@dataclass(frozen=True, slots=True)
class Controls:
    """What a model is told.

    Attributes:
        tonic: Pitch class of the home key; 0 is C.
        mode: `major` or `minor`.
        metre: Beats and beat type, one of `METRES`.
        tempo_bpm: Quarter notes a minute in every metre, `MIN_TEMPO` to `MAX_TEMPO`.
        bars: Number of bars, at least 1.
        density: One of `DENSITIES`.
        register: One of `REGISTERS`.
        era: One of `ERAS`.
    """

    tonic: int
    mode: str
    metre: tuple[int, int]
    tempo_bpm: int
    bars: int
    density: str
    register: str
    era: str

    @property
    def seconds(self) -> float:
        """The length of the score; the rendered file lasts `END_SECONDS` longer."""
        return float(self.bars * _bar_seconds(self.metre, self.tempo_bpm))


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What somebody asks for.

    Attributes:
        prompt: At most 2,000 characters, kept in Unicode normalisation form C; may be empty.
        seed: 0 to `MAX_SEED`.
        bars: Length in bars; not together with `seconds`.
        seconds: Length of the rendered file, `MIN_SECONDS` to `MAX_SECONDS`, met to the nearest
            whole bar and at least one; when neither is given and the prompt says nothing,
            `DEFAULT_SECONDS`.
        key: An English key name, such as `D minor` or `F#`.
        tempo: Quarter notes a minute.
        metre: One of `METRES`, written `3/4`.
        density: One of `DENSITIES`.
        register: One of `REGISTERS`.
        era: One of `ERAS`.
        bits: Of each sample: 16 or 24.
        model: Which model is to compose.

    Raises:
        RequestError: A value does not exist or is out of bounds.
    """

    prompt: str
    seed: int
    bars: int | None = None
    seconds: int | None = None
    key: str | None = None
    tempo: int | None = None
    metre: str | None = None
    density: str | None = None
    register: str | None = None
    era: str | None = None
    bits: int = 16
    model: str = "quartet"

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", normalise(self.prompt))
        _check_range(self.seed, 0, MAX_SEED, "seed")
        if self.bars is not None and self.seconds is not None:
            raise RequestError(f"Both bars ({self.bars}) and seconds ({self.seconds}) are given. Give one of them.")
        _check_range(self.bars, 1, MAX_BARS, "number of bars")
        _check_range(self.seconds, MIN_SECONDS, MAX_SECONDS, "length in seconds")
        _check_range(self.tempo, MIN_TEMPO, MAX_TEMPO, "tempo in quarter notes a minute")
        _check_choice(self.density, DENSITIES, "density")
        _check_choice(self.register, REGISTERS, "register")
        _check_choice(self.era, ERAS, "era")
        if self.key is not None:
            parse_key(self.key)
        if self.metre is not None:
            parse_metre(self.metre)
        if self.bits not in SAMPLE_BITS:
            raise RequestError(f"A sample cannot have {self.bits} bits here; choose 16 or 24.")
        if not (0 < len(self.model) <= _MAX_MODEL_ID and self.model.isprintable()):
            raise RequestError(f"{self.model[:40]!r} is not the id of a model. Name a known one.")


@dataclass(frozen=True, slots=True)
class Match:
    """One thing that words of the prompt set.

    Attributes:
        words: As they stand in the prompt.
        control: What they are about.
        value: What they say about it, such as `minor` or `112-144`.
    """

    words: str
    control: str
    value: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be composed, and why.

    Attributes:
        controls: For the model.
        unmatched_words: Words of the prompt that no rule knows; they have no effect.
        matched: What the words set, in the order of the prompt.
        overruled: What words asked for that gave way to an option or to firmer words.
    """

    controls: Controls
    unmatched_words: tuple[str, ...]
    matched: tuple[Match, ...]
    overruled: tuple[Match, ...]


def plan(request: GenerationRequest) -> Plan:
    """The controls that a request comes to.

    Raises:
        RequestError: Words of the prompt contradict each other, a number in it is out of bounds,
            or it comes to more bars than `MAX_SECONDS` have at every tempo that remains.
    """
    reading = read_prompt(request.prompt)
    choices = _Choices(request, reading.effects)
    mode = choices.word("mode")
    tonic = choices.number("tonic", f"tonic {mode}")
    bars, seconds = choices.length()
    if bars is not None:
        choices.shorten(bars)
    metre = parse_metre(choices.word("metre"))
    if bars is not None:
        choices.shorten(bars, metre)
    tempo = choices.number("tempo_bpm")
    if bars is None:
        bars = _bars_in(seconds, metre, tempo)
    controls = Controls(
        tonic=tonic,
        mode=mode,
        metre=metre,
        tempo_bpm=tempo,
        bars=bars,
        density=choices.word("density"),
        register=choices.word("register"),
        era=choices.word("era"),
    )
    return Plan(
        controls=controls,
        unmatched_words=reading.unmatched,
        matched=choices.matches(overruled=False),
        overruled=choices.matches(overruled=True),
    )


def _bars_in(seconds: int, metre: tuple[int, int], tempo_bpm: int) -> int:
    """The bars whose file, with its end, lasts nearest to the seconds; of two, the longer one."""
    bars = (seconds - Fraction(END_SECONDS)) / _bar_seconds(metre, tempo_bpm)
    return max(1, math.floor(bars + Fraction(1, 2)))


def _bar_seconds(metre: tuple[int, int], tempo_bpm: int) -> Fraction:
    beats, beat_type = metre
    return Fraction(beats * 4 * 60, beat_type * tempo_bpm)


def _options(request: GenerationRequest) -> dict[ControlName, Value]:
    """What the request fixes, in the terms of the vocabulary."""
    tonic, mode = parse_key(request.key) if request.key is not None else (None, None)
    fixed: dict[ControlName, Value | None] = {
        "tonic": tonic,
        "mode": mode,
        "metre": request.metre,
        "tempo_bpm": request.tempo,
        "density": request.density,
        "register": request.register,
        "era": request.era,
        "bars": request.bars,
        "seconds": request.seconds,
    }
    return {control: value for control, value in fixed.items() if value is not None}


class _Choices:
    """The values of each control that are left, and what had to give way."""

    def __init__(self, request: GenerationRequest, effects: Sequence[tuple[str, Effect]]) -> None:
        self._seed = request.seed
        self._options = _options(request)
        self._effects = effects
        self._overruled: set[int] = set()
        self._left = {control: self._settle(control, values) for control, values in ALL.items()}

    def matches(self, *, overruled: bool) -> tuple[Match, ...]:
        """What the words set, or what gave way."""
        return tuple(
            Match(words, effect.control, effect.value)
            for index, (words, effect) in enumerate(self._effects)
            if (index in self._overruled) is overruled
        )

    def word(self, control: ControlName) -> str:
        """The value of a control that is a word."""
        return str(self._draw(control, control))

    def number(self, control: ControlName, usual: str = "") -> int:
        """The value of a control that is a number."""
        return int(self._draw(control, usual or control))

    def length(self) -> tuple[int | None, int]:
        """The bars that are wanted, if any, and else the seconds."""
        options = {"bars", "seconds"} & self._options.keys()
        bars = self._settle("bars", ())
        seconds = self._settle("seconds", ())
        if options:
            for index, (_, effect) in enumerate(self._effects):
                if effect.control in {"bars", "seconds"} - options:
                    self._overruled.add(index)
            bars, seconds = (
                values if control in options else () for control, values in (("bars", bars), ("seconds", seconds))
            )
        elif bars and seconds:
            raise RequestError(f"The prompt asks for {bars[0]} bars and for {seconds[0]} seconds. Ask for one of them.")
        return (
            int(bars[0]) if bars else None,
            int(seconds[0]) if seconds else DEFAULT_SECONDS,
        )

    def shorten(self, bars: int, metre: tuple[int, int] | None = None) -> None:
        """Leave only metres, or tempos of a metre, at which `MAX_SECONDS` have that many bars."""

        def fits(metre: tuple[int, int], tempo: Value) -> bool:
            return bars <= _bars_in(MAX_SECONDS, metre, int(tempo))

        tempos = self._left["tempo_bpm"]
        if metre is None:
            self._left["metre"] = tuple(
                value for value in self._left["metre"] if any(fits(parse_metre(str(value)), tempo) for tempo in tempos)
            )
        else:
            self._left["tempo_bpm"] = tuple(tempo for tempo in tempos if fits(metre, tempo))
        if not self._left["metre"]:
            raise RequestError(
                f"{bars} bars last longer than {MAX_SECONDS} seconds at the metre and tempo that "
                "are asked for. Ask for fewer bars or a faster tempo."
            )

    def _settle(self, control: ControlName, values: tuple[Value, ...]) -> tuple[Value, ...]:
        """The values that the option, else the words, leave; no values to begin with means any."""
        mine = [
            (index, words, effect) for index, (words, effect) in enumerate(self._effects) if effect.control == control
        ]
        option = self._options.get(control)
        if option is not None:
            self._overruled |= {index for index, _, effect in mine if option not in effect.values}
            return (option,)
        said: list[str] = []
        for index, words, effect in sorted(mine, key=lambda item: not item[2].firm):
            agreed = tuple(value for value in values or effect.values if value in effect.values)
            if agreed:
                values = agreed
                said.append(repr(words))
            elif effect.firm:
                raise RequestError(
                    f"The prompt says both {' and '.join(said)} and {words!r}, which exclude each "
                    f"other: the {control.removesuffix('_bpm')} cannot be {effect.value} as well. Keep one of them, or "
                    "set the value with an option."
                )
            else:
                self._overruled.add(index)
        return values

    def _draw(self, control: ControlName, usual: str) -> Value:
        left = self._left[control]
        pool = [value for value in USUAL[usual] if value in left] or left
        preimage = f"linernotes-plan-v1\n{self._seed}\n{control}"
        number = int.from_bytes(hashlib.sha256(preimage.encode()).digest()[:8])
        return pool[number % len(pool)]


def _check_range(value: int | None, low: int, high: int, what: str) -> None:
    if value is not None and not low <= value <= high:
        raise RequestError(f"The {what} is {value}; it must lie in {low} to {high}. Change it.")


def _check_choice(value: str | None, choices: Sequence[str], what: str) -> None:
    if value is not None and value not in choices:
        raise RequestError(f"The {what} {value[:40]!r} does not exist. Choose one of {', '.join(choices)}.")
