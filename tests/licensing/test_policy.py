from pathlib import Path

import pytest

from licensing import datafile
from licensing.errors import PolicyError
from licensing.policy import DEFAULT_POLICY, load_policy, read_policy, shipped_policy
from licensing.vocabulary import Effect, Result

FOLDER = Path(datafile.__file__).parent / "data" / "policies"
CAUTIOUS = (FOLDER / "cautious-1.toml").read_text(encoding="utf-8")


def changed(old: str, new: str, number: int = 1) -> str:
    assert old in CAUTIOUS
    return CAUTIOUS.replace(old, new, number)


@pytest.mark.parametrize("version", datafile.names("policies"))
def test_every_shipped_policy_is_sound_and_named_after_its_file(version: str) -> None:
    policy = shipped_policy(version)
    assert policy.version == version
    assert policy.purpose
    for weight in (policy.weights, policy.output, policy.training_input, policy.contributions):
        results = [weight.result(effect).severity for effect in Effect]
        assert results == sorted(results)
        assert results[0] == Result.ALLOW.severity
        assert weight.result(Effect.UNKNOWN) is not Result.ALLOW
        assert weight.why


def test_the_default_is_cautious() -> None:
    policy = shipped_policy()
    assert policy.version == DEFAULT_POLICY == "cautious-1"
    assert policy.compositions.weighed
    assert policy.compositions.in_copyright is Result.HOLD
    assert policy.weights.prohibited is Result.DENY


def test_the_looser_and_the_stricter_lie_on_either_side() -> None:
    loose, default, strict = (shipped_policy(name) for name in ("permissive-1", "cautious-1", "strict-1"))
    for effect in Effect:
        severities = [policy.weights.result(effect).severity for policy in (loose, default, strict)]
        assert severities == sorted(severities)
    assert not loose.compositions.weighed
    assert strict.compositions.in_copyright is Result.DENY


def test_the_digest_is_of_the_content_and_not_of_the_layout(tmp_path: Path) -> None:
    mine = changed('version = "cautious-1"', 'version = "mine-1"')
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(mine, encoding="utf-8")
    two.write_text("# a comment\n\n" + mine, encoding="utf-8")
    assert load_policy(one).digest == load_policy(two).digest != shipped_policy().digest
    two.write_text(mine.replace('partly = "HOLD"', 'partly = "HOLD" # same', 1), encoding="utf-8")
    assert load_policy(one).digest == load_policy(two).digest
    two.write_text(mine.replace("a person decides", "somebody decides", 1), encoding="utf-8")
    assert load_policy(one).digest != load_policy(two).digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed('unknown = "HOLD"', 'unknown = "ALLOW"'), "in every policy"),
        (changed('partly = "HOLD"', 'partly = "ALLOW"'), "in every policy"),
        (changed('prohibited = "DENY"', 'prohibited = "ALLOW"'), "in every policy"),
        (changed('undetermined = "HOLD"', 'undetermined = "ALLOW"'), "in every policy"),
        (changed('no-data = "HOLD"', 'no-data = "ALLOW"'), "in every policy"),
        (changed('in-copyright = "HOLD"', 'in-copyright = "ALLOW"'), "in every policy"),
        (
            changed('unknown = "HOLD"', 'unknown = "DENY"').replace('prohibited = "DENY"', 'prohibited = "HOLD"', 1),
            "weighs less than unknown",
        ),
        (
            changed('undetermined = "HOLD"', 'undetermined = "DENY"'),
            "in-copyright is 'HOLD' and weighs less than undetermined",
        ),
        (changed('partly = "HOLD"', 'partly = "DENY"'), "weighs less than partly"),
        (changed('unexamined = "ALLOW"', 'unexamined = "DENY"'), "weighs less than unexamined"),
        (changed('prohibited = "DENY"', 'prohibited = "NO"'), "which is not one of ALLOW, HOLD, DENY"),
        (changed("[output]", "[outputs]"), "lacks the key output"),
        (changed("weighed = true", "wieghed = true"), "lacks the key weighed"),
        (
            changed("weighed = true", "weighed = false"),
            "keys that mean nothing here: in-copyright, no-data, undetermined",
        ),
        (changed("dated = 2026-11-20", 'dated = "today"'), "must be a date"),
        (CAUTIOUS + "\n[extra]\n", "keys that mean nothing here: extra"),
        ("version = ", "is not TOML"),
    ],
)
def test_refuses_what_is_unsound_or_misspelt(text: str, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(datafile.parse(text, "mine.toml", PolicyError))
    assert words in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_says_which_policies_there_are() -> None:
    with pytest.raises(PolicyError, match=r"no policy 'reckless': name one of cautious-1, permissive-1, strict-1"):
        shipped_policy("reckless")


def test_a_policy_of_ones_own_has_a_name_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(CAUTIOUS, encoding="utf-8")
    with pytest.raises(PolicyError, match="calls itself cautious-1"):
        load_policy(path)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read as UTF-8"):
        load_policy(tmp_path / "missing.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes('title = "vorsichtig für alle"'.encode("latin-1"))
    with pytest.raises(PolicyError, match="cannot be read as UTF-8"):
        load_policy(latin)
