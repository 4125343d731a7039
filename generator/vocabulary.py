"""The words a prompt may use, and what each of them sets.

This table is the whole of what a prompt can say; nothing else in it has an effect. A rule *says* a
control or only *hints* at it: "adagio" says a tempo, "sad" hints at a slow one. What is said must
agree; a hint that does not agree with what is said gives way. Names of composers are not rules:
the model imitates nobody by name.

Tempos are quarter notes a minute in every metre: a jig in 6/8 at 168 has 112 beats a minute.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

ControlName: TypeAlias = Literal["mode", "tonic", "metre", "tempo_bpm", "density", "register", "era", "bars", "seconds"]
Value: TypeAlias = int | str
"""Metres are written `3/4`; a tonic is a pitch class, 0 for C."""

MODES: Final = ("major", "minor")
METRES: Final = ("2/4", "3/4", "4/4", "2/2", "6/8", "3/8", "9/8", "12/8")
DENSITIES: Final = ("sparse", "medium", "busy")
REGISTERS: Final = ("low", "middle", "high")
ERAS: Final = ("classical", "early-romantic", "late-romantic")
MIN_TEMPO: Final = 40
MAX_TEMPO: Final = 200
MIN_SECONDS: Final = 5
MAX_SECONDS: Final = 300
MAX_BARS: Final = 600

PITCH_CLASS_NAMES: Final = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True, slots=True)
class Effect:
    """What a word does to one control.

    Attributes:
        control: The control.
        values: The values that remain; the seed chooses among them.
        firm: Whether the word says it, or only hints at it.
    """

    control: ControlName
    values: tuple[Value, ...]
    firm: bool

    @property
    def value(self) -> str:
        """The values as text, such as `minor`, `3/4 or 3/8` or `112-144`."""
        if self.control == "tempo_bpm" and len(self.values) > 1:
            return f"{self.values[0]}-{self.values[-1]}"
        return " or ".join(describe(self.control, value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Rule:
    """Words that mean the same, and what they set; rules without effects are always fulfilled."""

    words: tuple[str, ...]
    effects: tuple[Effect, ...]

    def describe(self) -> str:
        """The rule as one line of text."""
        effects = (
            f"{'sets' if effect.firm else 'hints at'} {effect.control} {effect.value}" for effect in self.effects
        )
        return f"{', '.join(self.words)}: {'; '.join(effects) or 'is always so'}"


def describe(control: ControlName, value: Value) -> str:
    """One value of a control as text."""
    if control == "tonic" and isinstance(value, int):
        return PITCH_CLASS_NAMES[value]
    return str(value)


def says(control: ControlName, *values: Value) -> Effect:
    """An effect that holds."""
    return Effect(control, values, firm=True)


def hints(control: ControlName, *values: Value) -> Effect:
    """An effect that holds unless something firmer speaks against it."""
    return Effect(control, values, firm=False)


def tempo(low: int, high: int) -> Effect:
    """Says a tempo between two numbers of quarter notes a minute, both included."""
    return says("tempo_bpm", *range(low, high + 1))


def pace(low: int, high: int) -> Effect:
    """Hints at such a tempo."""
    return hints("tempo_bpm", *range(low, high + 1))


TEMPO_RULES: Final = (
    Rule(("prestissimo",), (tempo(184, 200),)),
    Rule(("very fast", "very quick", "as fast as possible"), (tempo(160, 200),)),
    Rule(("presto",), (tempo(160, 184),)),
    Rule(("vivace", "lively"), (tempo(136, 168),)),
    Rule(("allegro vivace", "allegro molto", "molto allegro", "allegro assai"), (tempo(136, 164),)),
    Rule(("fast", "quick", "quickly", "rapid", "up-tempo", "uptempo"), (tempo(126, 172),)),
    Rule(("allegro", "allegro con brio", "brisk"), (tempo(112, 144),)),
    Rule(("allegro moderato", "allegro ma non troppo", "allegro non troppo"), (tempo(104, 126),)),
    Rule(("allegretto",), (tempo(100, 120),)),
    Rule(("moderato", "moderate", "medium tempo", "mid-tempo"), (tempo(88, 118),)),
    Rule(("andantino", "andante con moto"), (tempo(80, 100),)),
    Rule(("andante", "walking pace"), (tempo(72, 92),)),
    Rule(("larghetto", "adagietto"), (tempo(58, 72),)),
    Rule(("slow", "slowly", "low tempo"), (tempo(44, 76),)),
    Rule(("adagio", "adagio cantabile"), (tempo(50, 68),)),
    Rule(("largo", "lento"), (tempo(42, 58),)),
    Rule(("grave", "very slow", "very slowly"), (tempo(40, 52),)),
)

MOOD_RULES: Final = (
    Rule(
        ("sad", "mournful", "sorrowful", "melancholy", "melancholic", "lament", "elegy", "elegiac"),
        (hints("mode", "minor"), pace(48, 80), hints("density", "sparse", "medium")),
    ),
    Rule(
        ("tragic", "funereal", "funeral", "desolate", "grieving"),
        (hints("mode", "minor"), pace(44, 66), hints("register", "low", "middle")),
    ),
    Rule(
        ("dark", "gloomy", "brooding", "ominous", "mysterious", "sombre", "somber"),
        (hints("mode", "minor"), pace(54, 96), hints("register", "low")),
    ),
    Rule(
        ("nostalgic", "wistful", "bittersweet", "longing", "yearning"),
        (hints("mode", "minor"), pace(60, 92)),
    ),
    Rule(
        ("calm", "peaceful", "gentle", "tranquil", "serene", "dreamy", "soothing", "relaxed"),
        (pace(52, 84), hints("density", "sparse", "medium")),
    ),
    Rule(("tender", "quiet", "intimate", "delicate"), (pace(56, 92), hints("density", "sparse", "medium"))),
    Rule(("warm", "hopeful", "optimistic"), (hints("mode", "major"), hints("register", "middle"))),
    Rule(
        ("cheerful", "happy", "joyful", "merry", "sunny", "carefree", "good-humoured"),
        (hints("mode", "major"), pace(108, 152)),
    ),
    Rule(
        ("bright", "playful", "light-hearted", "graceful", "elegant"),
        (hints("mode", "major"), pace(96, 138)),
    ),
    Rule(
        ("triumphant", "heroic", "festive", "celebratory", "jubilant"),
        (hints("mode", "major"), pace(104, 144), hints("density", "medium", "busy")),
    ),
    Rule(
        ("solemn", "stately", "majestic", "noble", "dignified"),
        (pace(56, 88), hints("density", "sparse", "medium")),
    ),
    Rule(
        ("stormy", "furious", "agitated", "angry", "tempestuous", "turbulent", "fierce"),
        (hints("mode", "minor"), pace(128, 176), hints("density", "busy")),
    ),
    Rule(
        ("dramatic", "passionate", "intense", "restless", "urgent"),
        (hints("mode", "minor"), pace(108, 152), hints("density", "medium", "busy")),
    ),
    Rule(("energetic", "driving", "exciting", "vigorous"), (pace(124, 168), hints("density", "busy"))),
)

MODE_RULES: Final = (
    Rule(("major", "major key", "major mode"), (says("mode", "major"),)),
    Rule(("minor", "minor key", "minor mode"), (says("mode", "minor"),)),
)

METRE_RULES: Final = (
    Rule(("waltz", "valse"), (says("metre", "3/4"), pace(120, 176))),
    Rule(("minuet", "menuet", "menuetto"), (says("metre", "3/4"), pace(100, 138))),
    Rule(("scherzo",), (says("metre", "3/4"), pace(144, 200))),
    Rule(("mazurka", "polonaise", "ländler"), (says("metre", "3/4"), pace(96, 144))),
    Rule(("sarabande",), (says("metre", "3/4"), pace(50, 72))),
    Rule(("march",), (says("metre", "4/4", "2/4", "2/2"), pace(100, 126))),
    Rule(("polka",), (says("metre", "2/4"), pace(108, 132))),
    Rule(("gavotte", "bourrée", "bourree"), (says("metre", "2/2"), pace(112, 152))),
    Rule(("hymn", "chorale"), (says("metre", "4/4"), pace(60, 88), hints("density", "sparse", "medium"))),
    Rule(("jig", "gigue"), (says("metre", "6/8", "12/8"), pace(150, 192))),
    Rule(("tarantella",), (says("metre", "6/8"), pace(172, 200))),
    Rule(("siciliano", "siciliana", "pastorale"), (says("metre", "6/8", "12/8"), pace(56, 84))),
    Rule(("barcarolle", "barcarole"), (says("metre", "6/8"), pace(72, 100))),
    Rule(
        ("lullaby", "berceuse", "cradle song"),
        (says("metre", "6/8", "3/4"), pace(54, 80), hints("density", "sparse", "medium")),
    ),
    Rule(("common time",), (says("metre", "4/4"),)),
    Rule(("cut time", "alla breve"), (says("metre", "2/2"),)),
    Rule(("duple time", "duple metre", "duple meter"), (says("metre", "2/4", "2/2"),)),
    Rule(("triple time", "triple metre", "triple meter"), (says("metre", "3/4", "3/8"),)),
    Rule(
        ("compound time", "compound metre", "compound meter"),
        (says("metre", "6/8", "9/8", "12/8"),),
    ),
)

TEXTURE_RULES: Final = (
    Rule(
        ("sparse", "thin texture", "few notes", "long notes", "sustained", "spacious"),
        (says("density", "sparse"),),
    ),
    Rule(("medium density", "moderate density", "flowing"), (says("density", "medium"),)),
    Rule(
        ("busy", "dense", "thick texture", "many notes", "virtuosic", "running notes"),
        (says("density", "busy"),),
    ),
    Rule(
        ("sixteenth notes", "semiquavers", "thirty-second notes", "demisemiquavers"),
        (says("density", "busy"),),
    ),
    Rule(("low", "deep", "low register"), (says("register", "low"),)),
    Rule(("middle register", "mid register"), (says("register", "middle"),)),
    Rule(("high", "high register", "soaring"), (says("register", "high"),)),
)

ERA_RULES: Final = (
    Rule(
        ("classical", "viennese classical", "18th century", "eighteenth century"),
        (says("era", "classical"),),
    ),
    Rule(("early romantic",), (says("era", "early-romantic"),)),
    Rule(("late romantic", "fin de siècle"), (says("era", "late-romantic"),)),
    Rule(
        ("romantic", "19th century", "nineteenth century"),
        (says("era", "early-romantic", "late-romantic"),),
    ),
)

ALWAYS_RULES: Final = (
    Rule(("string quartet", "quartet", "string", "strings", "four voices", "four parts"), ()),
    Rule(("two violins", "violin", "violins", "viola", "cello", "violoncello"), ()),
    Rule(("music", "piece", "composition", "movement", "work", "tune", "dance", "track"), ()),
    Rule(("instrumental", "acoustic", "chamber music"), ()),
)

RULES: Final = (
    *TEMPO_RULES,
    *MOOD_RULES,
    *MODE_RULES,
    *METRE_RULES,
    *TEXTURE_RULES,
    *ERA_RULES,
    *ALWAYS_RULES,
)

FILLERS: Final = frozenset(
    {
        *("a", "an", "the", "this", "that", "some", "one", "i", "me", "my", "we", "us", "it", "is"),
        *("and", "or", "but", "of", "in", "on", "at", "for", "from", "to", "by", "as", "be"),
        *("with", "which", "please", "write", "compose", "make", "create", "generate", "give"),
        *("play", "want", "would", "should", "let", "style", "mood", "feel", "feeling", "character"),
        *("key", "tempo", "time", "metre", "meter", "register", "texture", "era", "period"),
        *("about", "around", "roughly", "lasting", "length", "con", "un", "poco", "molto"),
    }
)
"""Words that say nothing on their own and are passed over."""

NEGATIONS: Final = ("not", "no", "non", "never", "without", "less", "isn't", "don't", "don\u2019t")
"""A word after one of these, or after one of these and a `NEGATION_LINKS`, is not understood."""

NEGATION_LINKS: Final = ("too", "very", "so", "quite", "be", "in", "a", "an", "the", "any")
