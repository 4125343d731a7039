"""Requests and plans: bounds, precedence, contradictions, the seed's choices and the length."""

import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.ending import END_SECONDS
from generator.errors import RequestError
from generator.prompt import parse_key, parse_metre
from generator.request import ALL, DEFAULT_SECONDS, MAX_SEED, USUAL, Controls, GenerationRequest, Match, plan
from generator.score import TICKS_PER_QUARTER, Bar, Note, Score, Tempo, Voice
from generator.vocabulary import (
    DENSITIES,
    ERAS,
    MAX_BARS,
    MAX_SECONDS,
    METRES,
    MIN_SECONDS,
    PITCH_CLASS_NAMES,
    REGISTERS,
    RULES,
)

seeds = st.integers(0, MAX_SEED)
options = st.fixed_dictionaries(
    {},
    optional={
        "key": st.sampled_from([*PITCH_CLASS_NAMES, "D minor", "Ab major"]),
        "tempo": st.integers(40, 200),
        "metre": st.sampled_from(METRES),
        "density": st.sampled_from(DENSITIES),
        "register": st.sampled_from(REGISTERS),
        "era": st.sampled_from(ERAS),
    },
)
words = st.sampled_from([words for rule in RULES for words in rule.words])


def controls(prompt: str = "", seed: int = 1, **given_options: object) -> Controls:
    return plan(GenerationRequest(prompt, seed, **given_options)).controls


def bar_seconds(chosen: Controls) -> Fraction:
    beats, beat_type = chosen.metre
    return Fraction(beats * 4 * 60, beat_type * chosen.tempo_bpm)


@given(seeds, options, st.lists(words, max_size=4))
def test_a_plan_is_possible_and_always_the_same(seed: int, chosen: dict[str, object], prompt: list[str]) -> None:
    request = GenerationRequest(" ".join(prompt), seed, **chosen)
    try:
        made = plan(request)
    except RequestError as error:
        assert "exclude each other" in str(error)  # noqa: PT017 - other prompts are fine
        return
    assert plan(request) == made
    values = made.controls
    assert values.tonic in ALL["tonic"]
    assert f"{values.metre[0]}/{values.metre[1]}" in METRES
    assert values.tempo_bpm in ALL["tempo_bpm"]
    for control in ("mode", "density", "register", "era"):
        assert getattr(values, control) in ALL[control]


@given(seeds, options, st.lists(words, max_size=4))
def test_options_win(seed: int, chosen: dict[str, str | int], prompt: list[str]) -> None:
    try:
        made = plan(GenerationRequest(" ".join(prompt), seed, **chosen))
    except RequestError:
        return
    tonic, mode = parse_key(str(chosen.get("key", "C")))
    expected = {
        "tonic": tonic if "key" in chosen else None,
        "mode": mode if "key" in chosen else None,
        "metre": parse_metre(str(chosen["metre"])) if "metre" in chosen else None,
        "tempo_bpm": chosen.get("tempo"),
        **{name: chosen.get(name) for name in ("density", "register", "era")},
    }
    for control, value in expected.items():
        assert value is None or getattr(made.controls, control) == value


@given(seeds, words)
def test_a_word_alone_is_obeyed(seed: int, word: str) -> None:
    [rule] = [rule for rule in RULES if word in rule.words]
    made = plan(GenerationRequest(word, seed))
    assert made.matched == tuple(Match(word, effect.control, effect.value) for effect in rule.effects)
    assert made.overruled == made.unmatched_words == ()
    for effect in rule.effects:
        value = getattr(made.controls, effect.control)
        assert (f"{value[0]}/{value[1]}" if effect.control == "metre" else value) in effect.values


def test_a_hint_gives_way_to_what_is_said() -> None:
    made = plan(GenerationRequest("a sad waltz, presto, in D major", 3))
    assert (made.controls.mode, made.controls.metre) == ("major", (3, 4))
    assert 160 <= made.controls.tempo_bpm <= 184
    assert [(match.words, match.control) for match in made.overruled] == [("sad", "mode"), ("sad", "tempo_bpm")]
    assert ("waltz", "tempo_bpm") in [(match.words, match.control) for match in made.matched]
    assert not set(made.matched) & set(made.overruled)


def test_an_earlier_hint_wins_over_a_later_one() -> None:
    made = plan(GenerationRequest("calm, then stormy", 1))
    assert {match.words for match in made.overruled} == {"stormy"}
    assert made.unmatched_words == ("then",)
    assert made.controls.mode == "minor"


def test_words_that_overlap_meet() -> None:
    assert 126 <= controls("fast allegro").tempo_bpm <= 144
    assert controls("triple time waltz").metre == (3, 4)


@pytest.mark.parametrize(
    "prompt",
    [
        "fast slow",
        "D minor or F major",
        "major minor",
        "waltz march",
        "sparse busy",
        "8 bars 16 bars",
        "8 bars in 20 seconds",
    ],
)
def test_words_that_exclude_each_other_are_refused(prompt: str) -> None:
    with pytest.raises(RequestError, match=r"exclude each other|Ask for one of them"):
        plan(GenerationRequest(prompt, 1))


def test_an_option_settles_a_contradiction() -> None:
    made = plan(GenerationRequest("fast slow", 1, tempo=60))
    assert made.controls.tempo_bpm == 60
    assert [match.words for match in made.matched] == ["slow"]
    assert [match.words for match in made.overruled] == ["fast"]


def test_a_contradiction_is_explained() -> None:
    with pytest.raises(RequestError) as caught:
        plan(GenerationRequest("a slow and fast piece", 1))
    assert str(caught.value) == (
        "The prompt says both 'slow' and 'fast', which exclude each other: the tempo cannot be 126-172 as well. "
        "Keep one of them, or set the value with an option."
    )


# The seed -----------------------------------------------------------------------------------------


def test_another_seed_is_another_piece() -> None:
    assert len({controls(seed=seed) for seed in range(100)}) > 90


def test_the_choices_of_a_seed_never_change() -> None:
    """These values are in the records of recordings that were made."""
    assert controls(seed=0) == Controls(7, "minor", (6, 8), 100, 16, "medium", "high", "classical")
    assert controls(seed=MAX_SEED) == Controls(11, "minor", (2, 4), 93, 22, "busy", "high", "classical")


@given(seeds, st.text(st.characters(categories=["So", "Lo"]), max_size=30))
def test_unmatched_words_change_nothing(seed: int, text: str) -> None:
    assert controls(text, seed) == controls("", seed)


@given(seeds)
def test_open_controls_are_drawn_from_what_is_usual(seed: int) -> None:
    drawn = controls(seed=seed)
    assert drawn.tonic in USUAL[f"tonic {drawn.mode}"]
    assert drawn.tempo_bpm in USUAL["tempo_bpm"]


def test_every_usual_value_occurs() -> None:
    drawn = [controls(seed=seed) for seed in range(600)]
    for control in ("mode", "density", "register", "era"):
        assert {getattr(each, control) for each in drawn} == set(USUAL[control])
    assert {f"{each.metre[0]}/{each.metre[1]}" for each in drawn} == set(USUAL["metre"])
    assert {each.tonic for each in drawn if each.mode == "minor"} == set(USUAL["tonic minor"])


def test_importing_requests_imports_nothing_heavy() -> None:
    code = "import sys, generator.request; print(sorted({'numpy', 'torch', 'sqlalchemy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The length ---------------------------------------------------------------------------------------


@given(seeds, options, st.integers(MIN_SECONDS, MAX_SECONDS))
def test_seconds_are_met_to_the_bar(seed: int, chosen: dict[str, object], seconds: int) -> None:
    made = controls(seed=seed, seconds=seconds, **chosen)
    off = made.bars * bar_seconds(made) + Fraction(END_SECONDS) - seconds
    assert off <= bar_seconds(made) / 2 or made.bars == 1
    assert off >= -bar_seconds(made) / 2
    assert made.bars >= 1
    assert made.seconds == pytest.approx(float(made.bars * bar_seconds(made)))


def played_score(made: Controls) -> Score:
    """The bars of a plan, with one long note in each."""
    beats, beat_type = made.metre
    length = TICKS_PER_QUARTER * 4 * beats // beat_type
    starts = [index * length for index in range(made.bars)]
    return Score(
        "",
        tuple(Bar(start, length, beats, beat_type) for start in starts),
        (Tempo.from_bpm(0, made.tempo_bpm),),
        (Voice("Viola", 41, tuple(Note(start, length, 60) for start in starts)),),
    )


@pytest.mark.parametrize("tempo", [53, 97, 200])
@pytest.mark.parametrize("metre", METRES)
@pytest.mark.parametrize("seconds", [5, 30, 61, 300])
def test_the_file_lasts_as_long_as_was_asked(seconds: int, metre: str, tempo: int) -> None:
    made = controls(seconds=seconds, metre=metre, tempo=tempo)
    score = played_score(made)
    lasts = score.seconds(score.length) + END_SECONDS
    assert abs(lasts - seconds) <= float(bar_seconds(made)) / 2 + 0.001


@pytest.mark.parametrize(
    ("seconds", "metre", "tempo"), [(5, "4/4", 120), (5, "3/8", 200), (5, "12/8", 53), (30, "4/4", 97), (30, "6/8", 61)]
)
def test_the_rendered_file_lasts_as_long_as_was_asked(seconds: int, metre: str, tempo: int) -> None:
    from generator.render import render

    made = controls(seconds=seconds, metre=metre, tempo=tempo)
    _, mix = render(played_score(made))
    assert abs(mix.seconds - seconds) <= float(bar_seconds(made)) / 2 + 0.001


def test_one_bar_is_the_least() -> None:
    made = controls(seconds=5, metre="12/8", tempo=40)
    assert (made.bars, made.seconds) == (1, 9.0)


@given(seeds, st.integers(1, 400))
def test_bars_are_kept_and_last_at_most_five_minutes(seed: int, bars: int) -> None:
    made = controls(seed=seed, bars=bars)
    assert made.bars == bars
    assert made.seconds + END_SECONDS <= MAX_SECONDS + bar_seconds(made) / 2


@given(seeds, options)
def test_the_bars_of_the_longest_piece_can_be_asked_for(seed: int, chosen: dict[str, object]) -> None:
    """What the seconds come to is accepted as bars, and one bar more is not."""
    longest = controls(seed=seed, seconds=MAX_SECONDS, **chosen)
    fixed = {"metre": f"{longest.metre[0]}/{longest.metre[1]}", "tempo": longest.tempo_bpm}
    if longest.bars <= MAX_BARS:
        assert controls(seed=seed, bars=longest.bars, **fixed).bars == longest.bars
    if longest.bars < MAX_BARS:
        with pytest.raises(RequestError, match=f"{longest.bars + 1} bars last longer than 300 seconds"):
            controls(seed=seed, bars=longest.bars + 1, **fixed)


@pytest.mark.parametrize("seed", range(20))
def test_so_many_bars_that_only_one_metre_is_left(seed: int) -> None:
    made = controls(seed=seed, bars=600)
    assert (made.metre, made.bars) == ((3, 8), 600)
    assert 181 <= made.tempo_bpm <= 200


@pytest.mark.parametrize("chosen", [{"metre": "4/4"}, {"tempo": 60}])
def test_too_many_bars_are_refused_whatever_the_seed(chosen: dict[str, object]) -> None:
    for seed in range(20):
        with pytest.raises(RequestError, match="600 bars last longer than 300 seconds"):
            controls(seed=seed, bars=600, **chosen)


def test_the_usual_length() -> None:
    made = controls(tempo=60, metre="4/4")
    assert made.seconds + END_SECONDS == pytest.approx(DEFAULT_SECONDS, abs=2)


def test_the_prompt_may_say_the_length() -> None:
    assert controls("16 bars").bars == 16
    assert controls("two minutes, 3/4, 90 bpm").bars == 59


def test_an_option_overrules_the_length_in_the_prompt() -> None:
    made = plan(GenerationRequest("16 bars, two minutes", 1, bars=4))
    assert made.controls.bars == 4
    assert [match.words for match in made.overruled] == ["16 bars", "two minutes"]
    made = plan(GenerationRequest("16 bars", 1, seconds=30, tempo=120, metre="4/4"))
    assert made.controls.bars == 14


# Bounds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is"),
        ({"seconds": 4}, "length in seconds is 4; it must lie in 5 to 300"),
        ({"seconds": 301}, "length in seconds is 301"),
        ({"bars": 0}, "number of bars is 0; it must lie in 1 to 600"),
        ({"bars": 8, "seconds": 30}, "Give one of them"),
        ({"tempo": 39}, "tempo in quarter notes a minute is 39"),
        ({"tempo": 201}, "is 201"),
        ({"key": "H-Dur"}, "'H-Dur' is not a key"),
        ({"metre": "7/8"}, "'7/8' is not a metre"),
        ({"density": "thick"}, "density 'thick' does not exist. Choose one of sparse, medium, busy"),
        ({"register": "bass"}, "register 'bass' does not exist"),
        ({"era": "baroque"}, "era 'baroque' does not exist"),
        ({"bits": 8}, "8 bits"),
        ({"model": ""}, "is not the id of a model"),
        ({"prompt": "x" * 2**20}, "1048576 characters"),
        ({"prompt": "\x00"}, "control character"),
    ],
)
def test_requests_out_of_bounds_are_refused(chosen: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        GenerationRequest(**{"prompt": "", "seed": 1, **chosen})
    assert "\n" not in str(caught.value)


def test_the_prompt_is_kept_composed() -> None:
    assert GenerationRequest("bourre\u0301e", 0).prompt == "bourrée"
