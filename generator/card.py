"""The model card: what a model is, where it comes from, and which files are its weights.

A model is a folder: weights as safetensors, and `model-card.json`, which names every weights
file by digest. Reading a card and verifying the files needs no machine learning library.
"""

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import rfc8785

from generator.errors import AlteredWeightsError, ModelCardError
from generator.score import JSON, Digest

BUILT_IN: Final = Path(__file__).parent / "quartet" / "weights"
CARD_NAME: Final = "model-card.json"
WEIGHTS_LICENCE: Final = "CC0-1.0"
WEIGHTS_ENDING: Final = ".safetensors"

MAX_CARD_BYTES: Final = 2**20
MAX_WEIGHTS_BYTES: Final = 2**30


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of weights: its name inside the folder, its digest and its size in bytes."""

    name: str
    digest: Digest
    bytes: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """The network, as it must be built to take the weights.

    Attributes:
        kind: Which network; `quartet-decoder` is the built-in one.
        width: Of the residual stream.
        layers: Number of blocks.
        heads: Of the attention in each block.
        hidden: Width inside the feed-forward part of a block.
        context: Most steps it looks back on.
    """

    kind: str
    width: int
    layers: int
    heads: int
    hidden: int
    context: int


@dataclass(frozen=True, slots=True)
class CorpusRoots:
    """Merkle roots over the items of a corpus, sorted by each of three keys."""

    identifier: Digest
    file: Digest
    content: Digest


@dataclass(frozen=True, slots=True)
class CorpusReference:
    """The corpus a model was trained on: its name, the number of its items, and its roots."""

    id: str
    items: int
    roots: CorpusRoots


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """How the weights came about.

    Attributes:
        command: The command line, with the corpus folder written as CORPUS_DIR.
        date: When training began, RFC 3339 UTC.
        duration_seconds: How long it took.
        hardware: Model of the processor and number of threads.
        software: Versions.
        seed: Of the weights and of the order of the excerpts.
        steps: Number of updates.
        trained_on: File names, without ending, of the scores that were trained on.
        held_out: Those that were not.
    """

    command: str
    date: str
    duration_seconds: int
    hardware: str
    software: str
    seed: int
    steps: int
    trained_on: tuple[str, ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A simpler model, and its held-out loss (nats per voice and step, decimal text)."""

    name: str
    loss: str


@dataclass(frozen=True, slots=True)
class EvaluationFacts:
    """How well the weights predict scores they were not trained on.

    Attributes:
        held_out_loss: Nats per voice and step, decimal text.
        unconditioned_loss: The same when the network is told only metre and position.
        tokens: How many tokens were predicted.
        baselines: Fitted to the same training scores, measured on the same held-out ones.
    """

    held_out_loss: str
    unconditioned_loss: str
    tokens: int
    baselines: tuple[Baseline, ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is, where it comes from, and what it cannot do.

    Attributes:
        id: Short name.
        architecture: The network.
        parameters: How many numbers were learnt.
        files: The weights files.
        weights_digest: SHA-256 of the RFC 8785 list of the files' names and digests.
        corpus: What it was trained on; None when nobody says.
        training: How.
        evaluation: With what result.
        licence: SPDX expression of the weights' licence.
        limits: What it cannot do, a sentence each.
        parent: Weights digest of the model that was fine-tuned; None when it began from nothing.

    Raises:
        ModelCardError: The weights digest does not follow from the files.
    """

    id: str
    architecture: Architecture
    parameters: int
    files: tuple[WeightsFile, ...]
    weights_digest: Digest
    corpus: CorpusReference | None
    training: TrainingFacts
    evaluation: EvaluationFacts
    licence: str
    limits: tuple[str, ...]
    parent: Digest | None = None

    def __post_init__(self) -> None:
        if self.weights_digest != (expected := weights_digest(self.files)):
            raise ModelCardError(
                f"The card of model {self.id!r} states the weights digest {self.weights_digest}, "
                f"but its list of files amounts to {expected}: the card was altered, or written "
                "by hand. Get the model again from where it came from."
            )

    def to_document(self) -> dict[str, JSON]:
        """The card as a document of integers and text, for RFC 8785."""
        corpus = self.corpus
        return {
            "id": self.id,
            "architecture": {
                "kind": self.architecture.kind,
                "width": self.architecture.width,
                "layers": self.architecture.layers,
                "heads": self.architecture.heads,
                "hidden": self.architecture.hidden,
                "context": self.architecture.context,
            },
            "parameters": self.parameters,
            "files": [{"name": file.name, "digest": file.digest, "bytes": file.bytes} for file in self.files],
            "weights_digest": self.weights_digest,
            "corpus": None
            if corpus is None
            else {
                "id": corpus.id,
                "items": corpus.items,
                "roots": {
                    "identifier": corpus.roots.identifier,
                    "file": corpus.roots.file,
                    "content": corpus.roots.content,
                },
            },
            "training": {
                "command": self.training.command,
                "date": self.training.date,
                "duration_seconds": self.training.duration_seconds,
                "hardware": self.training.hardware,
                "software": self.training.software,
                "seed": self.training.seed,
                "steps": self.training.steps,
                "split": {
                    "trained_on": list(self.training.trained_on),
                    "held_out": list(self.training.held_out),
                },
            },
            "evaluation": {
                "held_out_loss": self.evaluation.held_out_loss,
                "unconditioned_loss": self.evaluation.unconditioned_loss,
                "tokens": self.evaluation.tokens,
                "baselines": [{"name": baseline.name, "loss": baseline.loss} for baseline in self.evaluation.baselines],
            },
            "licence": self.licence,
            "limits": list(self.limits),
            "parent": self.parent,
        }

    @classmethod
    def from_document(cls, document: object) -> "ModelCard":
        """The card that `to_document` wrote.

        Raises:
            ModelCardError: A field is missing, unknown or of the wrong type.
        """
        card = _Fields(document, "the model card")
        made = cls(
            id=card.text("id"),
            architecture=_read_architecture(card.part("architecture")),
            parameters=card.whole("parameters"),
            files=tuple(_read_file(item) for item in card.parts("files")),
            weights_digest=card.digest("weights_digest"),
            corpus=None if card.is_null("corpus") else _read_corpus(card.part("corpus")),
            training=_read_training(card.part("training")),
            evaluation=_read_evaluation(card.part("evaluation")),
            licence=card.text("licence"),
            limits=card.texts("limits"),
            parent=None if card.is_null("parent") else card.digest("parent"),
        )
        card.close()
        return made


def weights_digest(files: Sequence[WeightsFile]) -> Digest:
    """Digest over a model's weights: of the RFC 8785 list of {name, digest}, sorted by name."""
    listed = sorted(
        ({"name": file.name, "digest": file.digest} for file in files),
        key=lambda file: file["name"],
    )
    return Digest("sha256:" + hashlib.sha256(rfc8785.dumps(listed)).hexdigest())


def read_card(directory: Path | None = None) -> ModelCard:
    """The card of the model in a folder, or of the built-in one. Nothing else is read.

    Raises:
        ModelCardError: There is no card, or it is not one.
    """
    path = (directory or BUILT_IN) / CARD_NAME
    try:
        with _opened(path) as file:
            data = file.read(MAX_CARD_BYTES + 1)
    except OSError as error:
        raise ModelCardError(
            f"{path} cannot be read: {error.strerror}. A model is a folder with its weights and "
            f"a {CARD_NAME}; give such a folder."
        ) from error
    if len(data) > MAX_CARD_BYTES:
        raise ModelCardError(f"{path} is larger than {MAX_CARD_BYTES} bytes; no card is.")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelCardError(f"{path} is not JSON ({error}).") from error
    return ModelCard.from_document(document)


def verify_weights(directory: Path | None = None) -> ModelCard:
    """Check that every weights file is the one that the card names.

    Returns:
        The card.

    Raises:
        ModelCardError: There is no card, or it is not one.
        AlteredWeightsError: A file is missing, or another one.
    """
    card = read_card(directory)
    read_weights(directory, card)
    return card


def read_weights(directory: Path | None, card: ModelCard) -> dict[str, bytes]:
    """The bytes of every weights file by name, each of which matches the card.

    Raises:
        AlteredWeightsError: A file is missing, or another one.
    """
    return {file.name: _verified_bytes(directory or BUILT_IN, file) for file in card.files}


def _opened(path: Path) -> BinaryIO:
    """Open a file that is one: a pipe would be waited for, and a device never ends."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return os.fdopen(descriptor, "rb")


def _verified_bytes(directory: Path, file: WeightsFile) -> bytes:
    path = directory / file.name
    try:
        with _opened(path) as opened:
            data = opened.read(file.bytes + 1)
    except OSError as error:
        raise AlteredWeightsError(
            f"{path}, which the model card names, cannot be read: {error.strerror}. "
            "Get the model again from where it came from."
        ) from error
    found = "sha256:" + hashlib.sha256(data).hexdigest()
    if len(data) > file.bytes:
        found = f"a file of more than {file.bytes} bytes"
    if found != file.digest:
        raise AlteredWeightsError(
            f"{path} is not the file that the model card names: expected {file.digest}, found "
            f"{found}. Nothing was loaded. Get the model again from where it came from, or give "
            "changed weights a card of their own."
        )
    return data


def _read_architecture(fields: "_Fields") -> Architecture:
    made = Architecture(
        fields.text("kind"),
        *(fields.whole(name) for name in ("width", "layers", "heads", "hidden", "context")),
    )
    fields.close()
    return made


def _read_file(fields: "_Fields") -> WeightsFile:
    made = WeightsFile(fields.text("name"), fields.digest("digest"), fields.whole("bytes"))
    fields.close()
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", made.name)
    if not plain or not made.name.endswith(WEIGHTS_ENDING):
        raise ModelCardError(
            f"The model card names the weights file {made.name[:100]!r}; only plain names that "
            f"end in {WEIGHTS_ENDING} are loaded, for other formats can run code."
        )
    if made.bytes > MAX_WEIGHTS_BYTES:
        raise ModelCardError(
            f"The model card says that {made.name} has {made.bytes} bytes; at most {MAX_WEIGHTS_BYTES} are read."
        )
    return made


def _read_corpus(fields: "_Fields") -> CorpusReference:
    roots = fields.part("roots")
    made = CorpusReference(
        fields.text("id"),
        fields.whole("items"),
        CorpusRoots(*(roots.digest(name) for name in ("identifier", "file", "content"))),
    )
    roots.close()
    fields.close()
    return made


def _read_training(fields: "_Fields") -> TrainingFacts:
    split = fields.part("split")
    made = TrainingFacts(
        command=fields.text("command"),
        date=fields.text("date"),
        duration_seconds=fields.whole("duration_seconds"),
        hardware=fields.text("hardware"),
        software=fields.text("software"),
        seed=fields.whole("seed"),
        steps=fields.whole("steps"),
        trained_on=split.texts("trained_on"),
        held_out=split.texts("held_out"),
    )
    split.close()
    fields.close()
    return made


def _read_evaluation(fields: "_Fields") -> EvaluationFacts:
    baselines = []
    for item in fields.parts("baselines"):
        baselines.append(Baseline(item.text("name"), item.text("loss")))
        item.close()
    made = EvaluationFacts(
        held_out_loss=fields.text("held_out_loss"),
        unconditioned_loss=fields.text("unconditioned_loss"),
        tokens=fields.whole("tokens"),
        baselines=tuple(baselines),
    )
    fields.close()
    return made


class _Fields:
    """An object of a card whose fields are taken one by one; none may be left over."""

    def __init__(self, document: object, where: str) -> None:
        if not isinstance(document, Mapping):
            raise ModelCardError(f"{where} must be an object; found {type(document).__name__}.")
        self._left = dict(document)
        self._where = where

    def text(self, name: str) -> str:
        value = self._take(name)
        if not isinstance(value, str):
            raise self._wrong(name, "text", value)
        return value

    def whole(self, name: str) -> int:
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(name, "a whole number", value)
        return value

    def digest(self, name: str) -> Digest:
        value = self.text(name)
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
            raise self._wrong(name, "sha256: and 64 hexadecimal digits", value)
        return Digest(value)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._list(name)
        if not all(isinstance(item, str) for item in value):
            raise self._wrong(name, "a list of texts", value)
        return tuple(str(item) for item in value)

    def part(self, name: str) -> "_Fields":
        return _Fields(self._take(name), f"{name} of {self._where}")

    def parts(self, name: str) -> "list[_Fields]":
        where = f"of {self._where}"
        return [_Fields(item, f"{name}[{i}] {where}") for i, item in enumerate(self._list(name))]

    def is_null(self, name: str) -> bool:
        if name in self._left and self._left[name] is None:
            del self._left[name]
            return True
        return False

    def close(self) -> None:
        if self._left:
            raise ModelCardError(f"{self._where} has unknown fields: {', '.join(map(str, self._left))[:200]}.")

    def _list(self, name: str) -> Sequence[object]:
        value = self._take(name)
        if not isinstance(value, list | tuple):
            raise self._wrong(name, "a list", value)
        return value

    def _take(self, name: str) -> object:
        if name not in self._left:
            raise ModelCardError(f"{self._where} has no field {name!r}.")
        value: object = self._left.pop(name)
        return value

    def _wrong(self, name: str, wanted: str, value: object) -> ModelCardError:
        return ModelCardError(f"{name!r} of {self._where} must be {wanted}; found {str(value)[:80]!r}.")
