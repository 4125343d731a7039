"""Writing the model card: `python -m generator.quartet.card --weights DIR …`.

The card is put together from what training and evaluation wrote beside the weights and from the
manifest of the corpus, so that it can be written again without training again.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from generator.card import (
    CARD_NAME,
    WEIGHTS_ENDING,
    WEIGHTS_LICENCE,
    Architecture,
    Baseline,
    CorpusReference,
    CorpusRoots,
    EvaluationFacts,
    ModelCard,
    TrainingFacts,
    WeightsFile,
    weights_digest,
)
from generator.errors import ModelCardError
from generator.score import Digest

MODEL_ID: Final = "quartet-1"
WEIGHTS_NAME: Final = "quartet.safetensors"
RUN_NAME: Final = "training-run.json"
EVALUATION_NAME: Final = "evaluation.json"
ARCHITECTURE: Final = "quartet-decoder"

LIMITS: Final = (
    (
        "It writes for two violins, viola and cello in the manner of its corpus, and nothing else: no "
        "other instruments, no words, no percussion, no sound of its own."
    ),
    (
        "Its grid is the sixteenth: no triplets, no faster notes, no grace notes, no double stops; "
        "tempo and loudness within a piece are not learnt."
    ),
    (
        "It hears about sixteen bars back; themes do not return from further away, and form comes "
        "from the plan it is given, not from what it learnt."
    ),
    (
        "The last chord is a rule and not learnt. Openings are often thin, and prompts reach it only "
        "as key, mode, metre, tempo, length, density, register and era."
    ),
    (
        "The held-out scores are of the same kind as the ones trained on: the loss says nothing about "
        "other music. Passages off the grid were left out of training and of the evaluation."
    ),
)


def write_card(directory: Path, corpus_manifest: Path | None) -> ModelCard:
    """Write the card of the weights in a folder.

    Args:
        directory: Holds the weights, `training-run.json` and `evaluation.json`.
        corpus_manifest: JSON with `id`, `items` and `roots`; None leaves the corpus unnamed.

    Raises:
        ModelCardError: A file is missing or is not what it must be.
    """
    run, evaluation = _read(directory / RUN_NAME), _read(directory / EVALUATION_NAME)
    files = tuple(_weights_file(path) for path in sorted(directory.glob(f"*{WEIGHTS_ENDING}")))
    try:
        card = ModelCard(
            id=MODEL_ID,
            architecture=Architecture(ARCHITECTURE, **run["shape"]),
            parameters=run["parameters"],
            files=files,
            weights_digest=weights_digest(files),
            corpus=None if corpus_manifest is None else _corpus(_read(corpus_manifest)),
            training=TrainingFacts(
                command=run["command"],
                date=run["date"],
                duration_seconds=run["duration_seconds"],
                hardware=run["hardware"],
                software=run["software"],
                seed=run["seed"],
                steps=run["steps"],
                trained_on=tuple(run["trained_on"]),
                held_out=tuple(run["held_out"]),
            ),
            evaluation=EvaluationFacts(
                held_out_loss=evaluation["held_out_loss"],
                unconditioned_loss=evaluation["unconditioned_loss"],
                tokens=evaluation["tokens"],
                baselines=tuple(Baseline(**baseline) for baseline in evaluation["baselines"]),
            ),
            licence=WEIGHTS_LICENCE,
            limits=LIMITS,
        )
    except (KeyError, TypeError) as error:
        raise ModelCardError(
            f"The records beside the weights in {directory}, or the corpus manifest, lack "
            f"something ({error}); run the training and the evaluation again."
        ) from error
    document = card.to_document()
    ModelCard.from_document(document)
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    (directory / CARD_NAME).write_text(text, encoding="utf-8")
    return card


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the card from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m generator.quartet.card", description="Write the card of trained weights."
    )
    parser.add_argument("--weights", type=Path, required=True, metavar="DIR")
    parser.add_argument("--corpus-manifest", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    try:
        write_card(options.weights, options.corpus_manifest)
    except ModelCardError as error:
        parser.error(str(error))


def _weights_file(path: Path) -> WeightsFile:
    data = path.read_bytes()
    return WeightsFile(path.name, Digest("sha256:" + hashlib.sha256(data).hexdigest()), len(data))


def _corpus(manifest: Mapping[str, Any]) -> CorpusReference:
    roots = manifest["roots"]
    return CorpusReference(
        id=manifest["id"],
        items=len(manifest["items"]),
        roots=CorpusRoots(roots["identifier"], roots["file"], roots["content"]),
    )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelCardError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(document, dict):
        raise ModelCardError(f"{path} must hold a JSON object; found {type(document).__name__}.")
    return document


if __name__ == "__main__":
    main()
