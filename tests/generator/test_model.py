"""Model cards, and the promise that nothing but the named weights is ever loaded."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import torch
from safetensors.torch import load_file, save_file

from generator.card import (
    BUILT_IN,
    CARD_NAME,
    MAX_CARD_BYTES,
    ModelCard,
    WeightsFile,
    read_card,
    verify_weights,
    weights_digest,
)
from generator.errors import AlteredWeightsError, DeviceError, ModelCardError, ModelError
from generator.model import load_model
from generator.quartet.network import NetworkShape, QuartetNetwork
from generator.request import Controls, GenerationRequest
from generator.score import Digest

WEIGHTS = "quartet.safetensors"
CONTROLS = Controls(0, "major", (4, 4), 100, 3, "medium", "middle", "classical")
REQUEST = GenerationRequest("", seed=1)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped model that may be changed."""
    for name in (WEIGHTS, CARD_NAME):
        shutil.copyfile(BUILT_IN / name, tmp_path / name)
    return tmp_path


def give_card(model: Path, **changes: Any) -> ModelCard:
    """Write a card that fits the weights as they now are."""
    files = []
    for path in sorted(model.glob("*.safetensors")):
        data = path.read_bytes()
        digest = Digest("sha256:" + hashlib.sha256(data).hexdigest())
        files.append(WeightsFile(path.name, digest, len(data)))
    card = replace(
        read_card(),
        id="changed",
        files=tuple(files),
        weights_digest=weights_digest(files),
        **changes,
    )
    (model / CARD_NAME).write_text(json.dumps(card.to_document()), encoding="utf-8")
    return card


def change_card(model: Path, path: tuple[Any, ...], value: object) -> None:
    document: Any = {"": json.loads((model / CARD_NAME).read_bytes())}
    inside = document
    for step in ("", *path)[:-1]:
        inside = inside[step]
    inside[("", *path)[-1]] = value
    (model / CARD_NAME).write_text(json.dumps(document[""]), encoding="utf-8")


def test_the_shipped_card_says_what_is_shipped() -> None:
    card = verify_weights()
    assert card == read_card(BUILT_IN)
    assert card.id == "quartet-1"
    assert card.licence == "CC0-1.0"
    assert card.parent is None
    assert [file.name for file in card.files] == [WEIGHTS]
    assert card.files[0].bytes <= 16 * 2**20
    assert card.parameters == sum(w.numel() for w in load_file(BUILT_IN / WEIGHTS).values())
    assert card.parameters <= 8_000_000
    assert len(card.training.trained_on) + len(card.training.held_out) == 110
    assert not set(card.training.trained_on) & set(card.training.held_out)
    assert "CORPUS_DIR" in card.training.command
    assert len(card.limits) >= 4


def test_the_shipped_model_is_far_better_than_counting() -> None:
    evaluation = read_card().evaluation
    losses = {baseline.name: float(baseline.loss) for baseline in evaluation.baselines}
    loss = float(evaluation.held_out_loss)
    assert loss <= 0.45 * losses["first-order Markov on tokens"]
    assert loss < float(evaluation.unconditioned_loss) < min(losses.values())


def test_cards_are_canonical_documents() -> None:
    card = read_card()
    again = json.loads(rfc8785.dumps(card.to_document()))
    assert ModelCard.from_document(again) == card


def test_the_weights_digest_does_not_depend_on_the_order_of_files() -> None:
    files = [WeightsFile(name, Digest("sha256:" + name * 64), 1) for name in "ab"]
    listed = [{"name": name, "digest": "sha256:" + name * 64} for name in "ab"]
    expected = "sha256:" + hashlib.sha256(rfc8785.dumps(listed)).hexdigest()
    assert weights_digest(files) == weights_digest(files[::-1]) == expected


def test_one_flipped_bit_is_refused(model: Path) -> None:
    expected = read_card(model).files[0].digest
    data = bytearray((model / WEIGHTS).read_bytes())
    data[len(data) // 2] ^= 1
    (model / WEIGHTS).write_bytes(data)
    found = "sha256:" + hashlib.sha256(data).hexdigest()
    for refuse in (verify_weights, load_model):
        with pytest.raises(AlteredWeightsError) as caught:
            refuse(model)
        for part in (WEIGHTS, expected, found):
            assert part in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(b""), "expected sha256"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "a file of more than"),
    ],
)
def test_missing_and_resized_weights_are_refused(model: Path, change: Callable[[Path], object], says: str) -> None:
    change(model / WEIGHTS)
    with pytest.raises(AlteredWeightsError, match=says):
        verify_weights(model)


def test_the_notes_come_from_the_weights(model: Path) -> None:
    shipped = load_model().compose(REQUEST, CONTROLS)
    assert load_model(model).compose(REQUEST, CONTROLS) == shipped
    network = QuartetNetwork(NetworkShape())
    network.initialise(torch.Generator().manual_seed(99))
    save_file({n: w.half() for n, w in network.state_dict().items()}, model / WEIGHTS)
    card = give_card(model)
    other = load_model(model)
    assert other.card == card
    assert other.card.weights_digest != read_card().weights_digest
    assert other.compose(REQUEST, CONTROLS).digest != shipped.digest


def test_pickles_are_refused(model: Path) -> None:
    (model / WEIGHTS).write_bytes(pickle.dumps({"head.weight": 1}))
    give_card(model)
    with pytest.raises(ModelError, match="not a safetensors file"):
        load_model(model)


def extra(weights: dict[str, torch.Tensor]) -> None:
    weights["extra"] = torch.zeros(1)


def missing(weights: dict[str, torch.Tensor]) -> None:
    del weights["head.weight"]


def reshaped(weights: dict[str, torch.Tensor]) -> None:
    weights["head.weight"] = weights["head.weight"].T.contiguous()


def whole_numbers(weights: dict[str, torch.Tensor]) -> None:
    weights["head.weight"] = weights["head.weight"].to(torch.int32)


def not_a_number(weights: dict[str, torch.Tensor]) -> None:
    weights["head.weight"][0, 0] = float("nan")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (extra, "extra are missing, unknown or of another shape"),
        (missing, r"head\.weight are missing"),
        (reshaped, r"head\.weight are missing, unknown or of another shape"),
        (whole_numbers, r"torch\.int32"),
        (not_a_number, "not finite"),
    ],
)
def test_weights_of_another_network_are_refused(
    model: Path, change: Callable[[dict[str, torch.Tensor]], None], says: str
) -> None:
    weights = load_file(model / WEIGHTS)
    change(weights)
    save_file(weights, model / WEIGHTS)
    give_card(model)
    with pytest.raises(ModelError, match=says):
        load_model(model)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("id",), 5, "'id' of the model card must be text"),
        (("parameters",), 1.5, "must be a whole number"),
        (("parameters",), -1, "must be a whole number"),
        (("weights_digest",), "sha256:0", "64 hexadecimal digits"),
        (("weights_digest",), "sha256:" + "0" * 64, "amounts to"),
        (("files", 0, "name"), "../quartet.safetensors", "only plain names"),
        (("files", 0, "name"), "quartet.bin", "only plain names"),
        (("files", 0, "bytes"), 2**40, "at most"),
        (("files",), {}, "must be a list"),
        (("files",), [3], "must be an object"),
        (("corpus",), {"id": "x", "items": 1}, "no field 'roots'"),
        (("training", "split", "held_out"), [1], "a list of texts"),
        (("limits",), "none", "must be a list"),
        (("parent",), "me", "64 hexadecimal digits"),
        (("colour",), "red", "unknown fields: colour"),
    ],
)
def test_malformed_cards_are_refused(model: Path, path: tuple[Any, ...], value: object, says: str) -> None:
    change_card(model, path, value)
    with pytest.raises(ModelCardError, match=says):
        read_card(model)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("architecture", "kind"), "oracle", "only 'quartet-decoder' is known"),
        (("architecture", "width"), 10**9, "no network that can be"),
        (("architecture", "heads"), 5, "no network that can be"),
        (("architecture", "context"), 10, "no network that can be"),
    ],
)
def test_impossible_networks_are_refused(model: Path, path: tuple[Any, ...], value: object, says: str) -> None:
    change_card(model, path, value)
    with pytest.raises(ModelCardError, match=says):
        load_model(model)


@pytest.mark.parametrize("name", [CARD_NAME, WEIGHTS])
def test_what_waits_or_never_ends_is_refused(model: Path, name: str) -> None:
    (model / name).unlink()
    os.mkfifo(model / name)
    with pytest.raises(ModelError, match="not a regular file"):
        verify_weights(model)
    (model / name).unlink()
    (model / name).symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="not a regular file"):
        verify_weights(model)


def test_a_network_that_its_weights_cannot_fill_is_not_built(model: Path) -> None:
    """A card of two kilobytes could describe one of twenty gigabytes."""
    change_card(model, ("architecture", "layers"), 64)
    with pytest.raises(ModelError, match=r"describes a network of \d+ numbers, and its weights hold 2782080"):
        load_model(model)


def test_folders_without_a_card_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelCardError, match="cannot be read"):
        read_card(tmp_path)
    (tmp_path / CARD_NAME).write_text("[" * 100_000)
    with pytest.raises(ModelCardError, match="is not JSON"):
        read_card(tmp_path)
    (tmp_path / CARD_NAME).write_bytes(b" " * (MAX_CARD_BYTES + 1))
    with pytest.raises(ModelCardError, match="larger than"):
        read_card(tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card here")
def test_a_graphics_card_that_is_not_there_is_said() -> None:
    with pytest.raises(DeviceError, match="cuda was asked for"):
        load_model(device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card with CUDA here")
def test_a_graphics_card_is_used_where_it_is() -> None:
    assert len(load_model(device="cuda").compose(REQUEST, CONTROLS).bars) == 3


def test_cards_are_read_without_torch() -> None:
    code = (
        "import sys; from generator.model import read_card, verify_weights; verify_weights(); "
        "sys.exit(bool({'torch', 'numpy', 'safetensors'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
