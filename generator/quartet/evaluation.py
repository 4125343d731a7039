"""How well the model predicts quartets it has not seen, beside simpler models.

`python -m generator.quartet.evaluation CORPUS_DIR` prints the mean loss in nats per voice and
sixteenth on the held-out scores of the corpus, or on the scores of any other folder, for the
network and for counted models that were fitted to the same training scores in the same run.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from generator.card import Baseline, EvaluationFacts
from generator.errors import GeneratorError, TrainingError
from generator.quartet.card import EVALUATION_NAME, RUN_NAME, WEIGHTS_NAME
from generator.quartet.conditions import FIRST_DROPPED_FIELD, POSITION, UNKNOWN
from generator.quartet.corpus import Movement, excerpts, read_movements, score_files
from generator.quartet.network import QuartetNetwork
from generator.quartet.stream import NO_TARGET, Stream
from generator.quartet.tokens import (
    FRAMES_PER_QUARTER,
    SOUNDING_IDS,
    STATE_IDS,
    TOKENS,
    VOICES,
    IntArray,
    sounding,
)
from generator.quartet.training import (
    held_out_streams,
    load_network,
    mean_loss,
)

BATCH: Final = 16
EXCERPT_FRAMES: Final = 256
TRANSPOSITIONS: Final = 3
"""Semitones either way by which the counted models are fitted too."""
BACK_OFF: Final = 8.0
"""How many observations the next simpler model is worth."""

Context: TypeAlias = Callable[[IntArray, IntArray], IntArray]
Passage: TypeAlias = tuple[IntArray, IntArray]


@dataclass(frozen=True, slots=True)
class Level:
    """A way to look at what went before a token.

    Attributes:
        context: From tokens and conditions to the context (below `size`) of each frame and voice.
        size: How many contexts there are.
        siblings: So many contexts in a row share one context of the next simpler level.
    """

    context: Context
    size: int
    siblings: int = 1


@dataclass(frozen=True, slots=True)
class CountedModel:
    """Token frequencies in contexts, each level backing off to the simpler one before it."""

    name: str
    levels: tuple[Level, ...]

    def losses(self, fitted_to: Sequence[Passage], passages: Sequence[Passage]) -> float:
        """Mean loss on some passages, in nats per voice and frame, after fitting to others."""
        table = self._fit(fitted_to)
        total, count = 0.0, 0
        for tokens, conditions in passages:
            context = self.levels[-1].context(tokens, conditions)
            total -= float(np.log(table[_VOICE, context, tokens]).sum())
            count += tokens.size
        return total / count

    def _fit(self, passages: Sequence[Passage]) -> NDArray[np.float64]:
        """Probabilities, voices by contexts by tokens."""
        table = np.full((VOICES, 1, TOKENS), 1 / TOKENS)
        for level in self.levels:
            counts = np.zeros((VOICES, level.size, TOKENS))
            for tokens, conditions in passages:
                np.add.at(counts, (_VOICE, level.context(tokens, conditions), tokens), 1)
            simpler = table[:, np.arange(level.size) // level.siblings]
            seen = counts.sum(axis=2, keepdims=True)
            table = (counts + BACK_OFF * simpler) / (seen + BACK_OFF)
        return table


def nothing(tokens: IntArray, _: IntArray) -> IntArray:
    """No context."""
    return np.zeros_like(tokens)


def token_before(tokens: IntArray, _: IntArray) -> IntArray:
    """The voice's token in the frame before."""
    return _one_later(tokens, TOKENS)


def sounding_before(tokens: IntArray, _: IntArray) -> IntArray:
    """The voice's pitch in the frame before, and whether it was struck there."""
    heard, states = sounding(tokens)
    return _one_later(heard * STATE_IDS + states, SOUNDING_IDS * STATE_IDS - 1)


def sounding_and_beat(tokens: IntArray, conditions: IntArray) -> IntArray:
    """The voice's pitch in the frame before, and the sixteenth of the beat."""
    beat = conditions[:, POSITION, None] % FRAMES_PER_QUARTER
    return sounding_before(tokens, conditions) * FRAMES_PER_QUARTER + beat


_VOICE: Final = np.arange(VOICES)[None]
_UNIGRAM: Final = Level(nothing, 1)
_TOKEN: Final = Level(token_before, TOKENS + 1, TOKENS + 1)
_HEARD: Final = SOUNDING_IDS * STATE_IDS
COUNTED_MODELS: Final = (
    CountedModel("unigram", (_UNIGRAM,)),
    CountedModel("first-order Markov on tokens", (_UNIGRAM, _TOKEN)),
    CountedModel(
        "first-order Markov on sounding pitch and beat",
        (
            _UNIGRAM,
            Level(sounding_before, _HEARD, _HEARD),
            Level(sounding_and_beat, _HEARD * FRAMES_PER_QUARTER, FRAMES_PER_QUARTER),
        ),
    ),
)


def evaluate(network: QuartetNetwork, trained_on: Sequence[Movement], held_out: Sequence[Movement]) -> EvaluationFacts:
    """Losses of the network and of counted models on the same excerpts.

    Raises:
        TrainingError: No passage of the held-out scores fits the grid of sixteenths.
    """
    streams = held_out_streams(held_out, EXCERPT_FRAMES, BATCH)
    if not streams:
        raise TrainingError("No passage of the held-out scores fits the grid of sixteenths.")
    passages = list(_passages(held_out, transpositions=0))
    fitted_to = list(_passages(trained_on, TRANSPOSITIONS))
    return EvaluationFacts(
        held_out_loss=_decimal(mean_loss(network, streams)),
        unconditioned_loss=_decimal(mean_loss(network, [_untold(stream) for stream in streams])),
        tokens=sum(int((stream.targets != NO_TARGET).sum()) for stream in streams),
        baselines=tuple(Baseline(model.name, _decimal(model.losses(fitted_to, passages))) for model in COUNTED_MODELS),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and write it beside the weights when that is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m generator.quartet.evaluation", description="Evaluate the built-in model."
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR")
    parser.add_argument("--weights", type=Path, required=True, metavar="DIR")
    parser.add_argument("--on", type=Path, metavar="DIR", help="other scores than those held out")
    parser.add_argument("--write", action="store_true", help=f"write {EVALUATION_NAME} in DIR")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        _run(options)
    except GeneratorError as error:
        parser.error(str(error))


def _run(options: argparse.Namespace) -> None:
    run = json.loads((options.weights / RUN_NAME).read_text(encoding="utf-8"))
    files = {path.stem: path for path in score_files(options.corpus)}
    trained_on = read_movements(options.corpus, _named(files, run["trained_on"]))
    if options.on is None:
        held_out = read_movements(options.corpus, _named(files, run["held_out"]))
    else:
        held_out = read_movements(options.on, score_files(options.on))
    network = load_network(options.weights / WEIGHTS_NAME, run["shape"])
    facts = evaluate(network, trained_on, held_out)
    for name, loss in _table(facts):
        sys.stdout.write(f"{loss}  {name}\n")
    sys.stdout.write(f"over {facts.tokens} tokens\n")
    if options.write:
        text = json.dumps(asdict(facts), indent=1) + "\n"
        (options.weights / EVALUATION_NAME).write_text(text, encoding="utf-8")


def _table(facts: EvaluationFacts) -> Iterator[tuple[str, str]]:
    for baseline in facts.baselines:
        yield baseline.name, baseline.loss
    yield "network, told only metre and position", facts.unconditioned_loss
    yield "network", facts.held_out_loss


def _named(files: Mapping[str, Path], names: Sequence[str]) -> list[Path]:
    missing = [name for name in names if name not in files]
    if missing:
        raise TrainingError(
            f"The corpus lacks {len(missing)} of the scores that the training names, such as "
            f"{missing[0]!r}: give the folder of the same corpus."
        )
    return [files[name] for name in names]


def _passages(movements: Sequence[Movement], transpositions: int) -> Iterator[Passage]:
    for movement in movements:
        for excerpt in excerpts(movement, EXCERPT_FRAMES, overlapping=False):
            for semitones in excerpt.transpositions(transpositions) or (0,):
                yield excerpt.cut(semitones)


def _untold(stream: Stream) -> Stream:
    conditions = stream.conditions.copy()
    conditions[..., FIRST_DROPPED_FIELD:] = UNKNOWN[FIRST_DROPPED_FIELD:]
    return replace(stream, conditions=conditions)


def _one_later(values: IntArray, first: int) -> IntArray:
    return np.concatenate([np.full((1, values.shape[1]), first, np.int64), values[:-1]])


def _decimal(value: float) -> str:
    return f"{value:.4f}"


if __name__ == "__main__":
    main()
