"""Training the built-in model: `python -m generator.quartet.training CORPUS_DIR --out DIR`.

Matrices inside the blocks are trained with Muon (https://arxiv.org/abs/2502.16982), everything
else with AdamW. Every excerpt is transposed at random within the ranges of the instruments, and
conditions are dropped at random. A part of the corpus, by whole works, is never trained on.
"""

import argparse
import json
import logging
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from generator.errors import GeneratorError, TrainingError
from generator.quartet.card import RUN_NAME, WEIGHTS_NAME
from generator.quartet.conditions import FIELDS, FIRST_DROPPED_FIELD, UNKNOWN
from generator.quartet.corpus import (
    Movement,
    excerpts,
    held_out_files,
    read_movements,
    score_files,
)
from generator.quartet.network import NetworkShape, QuartetNetwork
from generator.quartet.stream import NO_TARGET, Stream, delay
from generator.quartet.tokens import DELAY_STEPS, TOKENS, IntArray

LOGGER = logging.getLogger(__name__)

LOG_NAME: Final = "training-log.tsv"

WARM_UP_STEPS: Final = 100
DECAY_SHARE: Final = 0.6
FINAL_RATE_SHARE: Final = 0.02
LARGEST_TRANSPOSITION: Final = 6
DROP_ALL: Final = 0.1
DROP_ONE: Final = 0.1
LOGGED_EXCERPTS: Final = 48


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides what training does, besides the corpus.

    Attributes:
        seed: Of the weights, the order of excerpts and what is dropped.
        steps: Number of updates.
        batch: Excerpts per update.
        frames: Longest excerpt.
        rate: Highest learning rate.
        decay: Weight decay of the matrices inside the blocks.
        dropout: Share of the residual additions that is dropped.
        hold_out_every: One of so many folders of scores is kept from training.
        bfloat16: Whether matrices are multiplied at reduced precision.
        threads: Of the processor.
    """

    seed: int = 1
    steps: int = 3000
    batch: int = 16
    frames: int = 256
    rate: float = 2e-3
    decay: float = 0.1
    dropout: float = 0.1
    hold_out_every: int = 13
    bfloat16: bool = False
    threads: int = 2


class Excerpts:
    """Random batches of transposed excerpts with conditions dropped."""

    def __init__(self, movements: Sequence[Movement], settings: Settings) -> None:
        self._settings = settings
        self._random = np.random.Generator(np.random.Philox(settings.seed))
        self._all = [
            excerpt for movement in movements for excerpt in excerpts(movement, settings.frames, overlapping=True)
        ]
        if not self._all:
            raise TrainingError("No passage of the corpus fits the grid of sixteenths.")
        LOGGER.info("%d excerpts to train on", len(self._all))

    def batch(self) -> Stream:
        """The next batch."""
        return Stream.stack([self._one() for _ in range(self._settings.batch)])

    def _one(self) -> Stream:
        excerpt = self._all[self._random.integers(len(self._all))]
        shifts = excerpt.transpositions(LARGEST_TRANSPOSITION)
        shift = int(self._random.integers(shifts.start, shifts.stop)) if shifts else 0
        tokens, conditions = excerpt.cut(shift)
        return delay(tokens, self._drop(conditions), self._settings.frames)

    def _drop(self, conditions: IntArray) -> IntArray:
        draw = self._random.random(FIELDS)
        dropped = draw < DROP_ONE
        if self._random.random() < DROP_ALL:
            dropped[:] = True
        dropped[:FIRST_DROPPED_FIELD] = False
        return np.where(dropped, UNKNOWN, conditions)


def train(
    network: QuartetNetwork, data: Excerpts, held_out: Sequence[Stream], settings: Settings
) -> Iterator[tuple[int, float, float, float]]:
    """Train in place.

    Yields:
        About forty times: steps done, seconds since the beginning, mean training loss since the
        last line, and held-out loss (nats per voice and step).
    """
    began = time.monotonic()
    optimizers = _optimizers(network, settings)
    losses: list[float] = []
    every = max(1, settings.steps // 40)
    for step in range(settings.steps):
        rate = settings.rate * _rate_share(step, settings.steps)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
            loss = excerpt_loss(network, data.batch())
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())
        if (step + 1) % every == 0 or step + 1 == settings.steps:
            yield (
                step + 1,
                time.monotonic() - began,
                sum(losses) / len(losses),
                mean_loss(network, held_out),
            )
            losses.clear()


def excerpt_loss(network: QuartetNetwork, stream: Stream, reduction: str = "mean") -> Tensor:
    """Cross entropy in nats over every voice and step of a batch."""
    scores = network(
        torch.from_numpy(stream.heard),
        torch.from_numpy(stream.states),
        torch.from_numpy(stream.conditions),
    )
    return functional.cross_entropy(
        scores.reshape(-1, TOKENS).float(),
        torch.from_numpy(stream.targets).reshape(-1),
        ignore_index=NO_TARGET,
        reduction=reduction,
    )


@torch.inference_mode()
def mean_loss(network: QuartetNetwork, streams: Sequence[Stream]) -> float:
    """Mean loss over excerpts, in nats per voice and step."""
    network.eval()
    total, count = 0.0, 0
    for stream in streams:
        total += float(excerpt_loss(network, stream, reduction="sum"))
        count += int((stream.targets != NO_TARGET).sum())
    return total / max(1, count)


def held_out_streams(movements: Sequence[Movement], frames: int, batch: int) -> list[Stream]:
    """Batches of excerpts one after the other, untransposed, with every condition told."""
    parts = [excerpt for movement in movements for excerpt in excerpts(movement, frames, overlapping=False)]
    return [
        Stream.stack([delay(*excerpt.cut(), frames) for excerpt in parts[start : start + batch]])
        for start in range(0, len(parts), batch)
    ]


def load_network(weights: Path, shape: Mapping[str, int]) -> QuartetNetwork:
    """The network whose weights were written by a training run, at single precision."""
    network = QuartetNetwork(NetworkShape(**shape))
    network.load_state_dict({name: tensor.float() for name, tensor in load_file(weights).items()})
    return network


def main(arguments: Sequence[str] | None = None) -> None:
    """Read a corpus, train, and write the weights, the log and the facts of the run."""
    parser = _parser()
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(given)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        _run(options, given)
    except GeneratorError as error:
        parser.error(str(error))


def _run(options: argparse.Namespace, given: Sequence[str]) -> None:
    settings = Settings(**{name: getattr(options, name) for name in Settings.__dataclass_fields__})
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    files = score_files(options.corpus)
    kept = set(held_out_files(files, settings.hold_out_every))
    trained_on = [path for path in files if path not in kept]
    data = Excerpts(read_movements(options.corpus, trained_on), settings)
    held_out = read_movements(options.corpus, sorted(kept))
    streams = held_out_streams(held_out, settings.frames, settings.batch)[: LOGGED_EXCERPTS // settings.batch]
    network = QuartetNetwork(NetworkShape(context=settings.frames + DELAY_STEPS), settings.dropout)
    network.initialise(torch.Generator().manual_seed(settings.seed))
    began, date = time.monotonic(), datetime.now(UTC)
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / LOG_NAME).open("w", encoding="utf-8") as log:
        log.write("steps\tseconds\ttraining_loss\theld_out_loss\n")
        for step, seconds, loss, held_out_loss in train(network, data, streams, settings):
            log.write(f"{step}\t{seconds:.0f}\t{loss:.4f}\t{held_out_loss:.4f}\n")
            log.flush()
            LOGGER.info("%d steps, %.0f s, %.4f, %.4f", step, seconds, loss, held_out_loss)
            _save(network, options.out / WEIGHTS_NAME)
    run = {
        "command": _command(given, options.corpus),
        "date": date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_seconds": round(time.monotonic() - began),
        "hardware": f"{_processor()}, {settings.threads} threads",
        "software": f"Python {platform.python_version()}, torch {torch.__version__}",
        "seed": settings.seed,
        "steps": settings.steps,
        "shape": asdict(network.shape),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "trained_on": [path.stem for path in trained_on],
        "held_out": [path.stem for path in files if path in kept],
    }
    (options.out / RUN_NAME).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generator.quartet.training",
        description="Train the built-in model on a folder of MusicXML scores.",
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    for name, slot in Settings.__dataclass_fields__.items():
        option = "--" + name.replace("_", "-")
        if slot.default is False:
            parser.add_argument(option, action="store_true")
        else:
            parser.add_argument(option, type=type(slot.default), default=slot.default)
    return parser


def _optimizers(network: QuartetNetwork, settings: Settings) -> list[torch.optim.Optimizer]:
    matrices = [weight for weight in network.blocks.parameters() if weight.ndim == 2]  # noqa: PLR2004 - a matrix
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in network.parameters() if id(weight) not in chosen]
    return [
        torch.optim.Muon(
            matrices,
            lr=settings.rate,
            momentum=0.95,
            weight_decay=settings.decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(others, lr=settings.rate, betas=(0.9, 0.95), weight_decay=0.01),
    ]


def _rate_share(step: int, steps: int) -> float:
    """Linear warm-up, a plateau, and a linear decay over the last part."""
    left = (1 - step / steps) / DECAY_SHARE
    return min(1.0, (step + 1) / WARM_UP_STEPS, max(FINAL_RATE_SHARE, left))


def _save(network: QuartetNetwork, path: Path) -> None:
    weights = {name: weight.detach().to(torch.float16).contiguous() for name, weight in network.state_dict().items()}
    save_file(weights, path)


def _command(arguments: Sequence[str], corpus: Path) -> str:
    shown = ["CORPUS_DIR" if argument == str(corpus) else argument for argument in arguments]
    if "--out" in shown:
        shown[shown.index("--out") + 1] = "DIR"
    return "python -m generator.quartet.training " + shlex.join(shown)


def _processor() -> str:
    """The model of the processor, and nothing else about the machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
