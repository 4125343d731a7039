"""The table of words: every rule is possible, consistent and can be printed."""

import re
import unicodedata
from collections import Counter
from typing import get_args

import pytest

from generator import vocabulary
from generator.request import ALL
from generator.vocabulary import FILLERS, MAX_TEMPO, MIN_TEMPO, NEGATIONS, RULES, ControlName, Rule, describe

WORDS = [(words, rule) for rule in RULES for words in rule.words]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.words[0])
def test_every_effect_is_a_choice_among_existing_values(rule: Rule) -> None:
    controls = [effect.control for effect in rule.effects]
    assert len(set(controls)) == len(controls)
    for effect in rule.effects:
        assert set(effect.values) <= set(ALL[effect.control])
        assert 0 < len(effect.values) < len(ALL[effect.control])


def test_every_group_is_in_the_table() -> None:
    groups = [value for name, value in vars(vocabulary).items() if re.fullmatch(r"[A-Z]+_RULES", name)]
    assert sorted(map(id, RULES)) == sorted(id(rule) for group in groups for rule in group)


def test_no_words_are_in_two_rules() -> None:
    counted = Counter(re.sub(r"[\s-]+", " ", words) for words, _ in WORDS)
    assert [words for words, count in counted.items() if count > 1] == []


def test_words_are_written_as_they_are_compared() -> None:
    for words, _ in WORDS:
        assert words == unicodedata.normalize("NFC", words).casefold().strip()


def test_fillers_and_negations_mean_nothing_themselves() -> None:
    assert not FILLERS & {words for words, _ in WORDS}
    assert not FILLERS & set(NEGATIONS)


@pytest.mark.parametrize("composer", ["bach", "haydn", "mozart", "beethoven", "schubert", "brahms", "dvořák"])
def test_composers_are_not_words(composer: str) -> None:
    assert not any(composer in words for words, _ in WORDS)


def test_rules_can_be_printed() -> None:
    printed = {rule.words[0]: rule.describe() for rule in RULES}
    assert printed["waltz"] == "waltz, valse: sets metre 3/4; hints at tempo_bpm 120-176"
    assert printed["minor"] == "minor, minor key, minor mode: sets mode minor"
    assert printed["romantic"].endswith("sets era early-romantic or late-romantic")
    assert printed["instrumental"].endswith("is always so")


def test_values_can_be_printed() -> None:
    assert [describe("tonic", value) for value in (0, 6, 10)] == ["C", "F#", "Bb"]
    assert vocabulary.tempo(90, 90).value == "90"


def test_controls_without_a_table_are_the_lengths() -> None:
    assert set(get_args(ControlName)) - set(ALL) == {"bars", "seconds"}
    assert (ALL["tempo_bpm"][0], ALL["tempo_bpm"][-1]) == (MIN_TEMPO, MAX_TEMPO)
