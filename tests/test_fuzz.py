"""What comes from outside never breaks a parser: the targets of `fuzz` in small, and a target for every parser."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from fuzz import bounds, catalogue, found
from fuzz.mutation import mutated
from fuzz.target import Target

ROOT = Path(__file__).parent.parent
TARGETS = {target.name: target for target in catalogue.every()}
EXAMPLES, COSTLY_EXAMPLES = 25, 5
REFUSED_BY_CHANCE = {"answers.tsa"}
"""Their seeds answer a question that is asked with another nonce each time."""

PACKAGES = ("ledger", "provenance", "fingerprint", "generator", "licensing")
READING = re.compile(r"(parse|read|load|open|decode|unpack|receive|understand|sniff|from)(_\w+)?")
OUTSIDE = re.compile(r"\b(bytes|str|Path|BinaryIO|object)\b")
NOT_FUZZED = {
    "fingerprint.ffmpeg:decode_mp4": "another program reads the file, and `fingerprint.m4a` what is read before",
    "generator.quartet.corpus:read_movements": "training reads a folder of MusicXML files, by `generator.musicxml`",
    "generator.quartet.training:load_network": "training reads the weights that it wrote",
    "ledger.bounded_file:read_bounded": "it gives the bytes as they are; whoever asks for them reads them",
    "ledger.database:open_engine": "a database of one's own; its name is in the settings",
    "licensing.datafile:load": "the package's own data, by `licensing.datafile:parse`",
    "provenance.objects:ObjectStore.read": "a stored file by the digest of its bytes, which it must have",
    "provenance.openscore:read_corpus": "the tables of the corpus that the shipped model learned from",
}
"""Functions that are named like readers of outside bytes, and why none of the targets is about them."""


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_what_is_sound_is_taken(target: Target) -> None:
    taken = [target.takes(seed) for seed in target.seeds()]
    assert any(taken) or target.name in REFUSED_BY_CHANCE


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_whatever_becomes_of_it_the_parser_keeps_its_promises(target: Target) -> None:
    seeds = target.seeds()
    for seed in seeds:
        target.takes(seed)  # what is read once for all, such as data of the package, is not counted

    @settings(
        max_examples=COSTLY_EXAMPLES if target.costly else EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(mutated(seeds, target.words))
    def keeps(data: bytes) -> None:
        bounds.take(target, data[: target.max_bytes])

    keeps()


@pytest.mark.parametrize(("name", "made"), found.INPUTS, ids=found.NAMES)
def test_what_was_found_once_is_not_found_again(name: str, made: Callable[[], bytes]) -> None:
    data = made()
    assert len(data) <= TARGETS[name].max_bytes
    for seed in TARGETS[name].seeds():
        TARGETS[name].takes(seed)
    bounds.take(TARGETS[name], data)


def test_every_parser_of_outside_bytes_has_a_target() -> None:
    covered = {f"{each.__module__}:{each.__qualname__}" for target in TARGETS.values() for each in target.covers}
    parsers = set(readers())
    assert parsers - covered - NOT_FUZZED.keys() == set(), (
        "give each a target in fuzz/targets, or a reason in NOT_FUZZED"
    )
    assert NOT_FUZZED.keys() <= parsers - covered, "a reason for what is not there any more, or is fuzzed"


def readers() -> Iterator[str]:
    """The public functions that are named like a reading and take what can come from outside."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for owner, function in functions(ast.parse(path.read_text(encoding="utf-8"))):
                if READING.fullmatch(function.name) and takes_outside_bytes(function):
                    yield f"{module}:{owner}{function.name}"


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield "", node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from ((f"{node.name}.", each) for each in node.body if isinstance(each, ast.FunctionDef))


def takes_outside_bytes(function: ast.FunctionDef) -> bool:
    arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    return any(OUTSIDE.search(ast.unparse(each.annotation)) for each in arguments if each.annotation is not None)


def test_an_input_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PATIENCE", 0.1)

    def never_ending(_data: bytes) -> None:
        while True:
            pass

    with pytest.raises(bounds.UnboundedError, match="still at it"):
        bounds.take(Target("a.b", never_ending, (), list, ()), b"")


def test_an_input_that_takes_too_much_memory_is_noticed() -> None:
    with pytest.raises(bounds.UnboundedError, match="bytes of memory"):
        bounds.take(Target("a.b", lambda _: bytes(2**27), (), list, ()), b"")
