"""Training, on a corpus of a few bars."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from generator.card import ModelCard, read_card, verify_weights
from generator.errors import ModelCardError, TrainingError
from generator.quartet import card, evaluation, training
from generator.quartet.conditions import FIRST_DROPPED_FIELD, KEY, UNKNOWN
from generator.quartet.corpus import read_movements, score_files
from generator.quartet.stream import NO_TARGET
from generator.quartet.training import Excerpts, Settings

SETTINGS = Settings(steps=6, batch=2, frames=64, hold_out_every=6, threads=1)


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that a very short training leaves behind, evaluated."""
    folder = tmp_path_factory.mktemp("weights")
    threads = torch.get_num_threads()
    try:
        training.main(
            [
                *(str(corpus), "--out", str(folder), "--steps", "6", "--batch", "2"),
                *("--frames", "256", "--hold-out-every", "6", "--threads", "1"),
            ]
        )
    finally:
        torch.set_num_threads(threads)
    evaluation.main([str(corpus), "--weights", str(folder), "--write"])
    return folder


def test_batches_depend_on_the_seed_only(corpus: Path) -> None:
    movements = read_movements(corpus, score_files(corpus))
    first, same = (Excerpts(movements, SETTINGS) for _ in range(2))
    other = Excerpts(movements, Settings(seed=2, batch=2, frames=64))
    batch = first.batch()
    assert batch.targets.shape == (2, 67, 4)
    assert np.array_equal(batch.targets, same.batch().targets)
    assert not np.array_equal(batch.targets, other.batch().targets)


def test_conditions_are_dropped_now_and_then_but_never_the_metre(corpus: Path) -> None:
    data = Excerpts(read_movements(corpus, score_files(corpus)), SETTINGS)
    conditions = np.concatenate([data.batch().conditions for _ in range(40)])
    dropped = (conditions[:, 0] == UNKNOWN).mean(axis=0)
    assert 0.05 < dropped[KEY] < 0.4
    assert (dropped[:FIRST_DROPPED_FIELD] == 0).all()


def test_nothing_to_train_on_is_said() -> None:
    with pytest.raises(TrainingError, match="No passage"):
        Excerpts([], SETTINGS)


def test_training_lowers_the_loss(corpus: Path) -> None:
    movements = read_movements(corpus, score_files(corpus))
    settings = Settings(steps=40, batch=4, frames=64, rate=4e-3, dropout=0.0)
    network = training.QuartetNetwork(training.NetworkShape(32, 1, 2, 64, 67))
    network.initialise(torch.Generator().manual_seed(1))
    streams = training.held_out_streams(movements, 64, 4)
    before = training.mean_loss(network, streams)
    lines = list(training.train(network, Excerpts(movements, settings), streams, settings))
    assert before == pytest.approx(np.log(67), rel=0.05)
    assert lines[-1][0] == 40
    assert lines[-1][3] < 0.8 * before


def test_loss_skips_what_has_no_target(small_network: training.QuartetNetwork) -> None:
    tokens = np.full((4, 4), 5)
    conditions = np.zeros((4, len(UNKNOWN)), np.int64)
    short = training.Stream.stack([training.delay(tokens, conditions, 4)])
    padded = training.Stream.stack([training.delay(tokens, conditions, 9)])
    assert (padded.targets != NO_TARGET).sum() == 16
    assert training.mean_loss(small_network, [short]) == pytest.approx(
        training.mean_loss(small_network, [padded]), rel=1e-5
    )


def test_a_run_leaves_its_facts_behind(run: Path, corpus: Path) -> None:
    facts = json.loads((run / card.RUN_NAME).read_text(encoding="utf-8"))
    assert facts["command"].startswith("python -m generator.quartet.training CORPUS_DIR --out DIR")
    assert str(corpus) not in json.dumps(facts)
    assert facts["held_out"] == ["piece3"] or len(facts["held_out"]) == 1
    assert sorted(facts["trained_on"] + facts["held_out"]) == [f"piece{i}" for i in range(6)]
    log = (run / training.LOG_NAME).read_text(encoding="utf-8").splitlines()
    assert log[0].split("\t") == ["steps", "seconds", "training_loss", "held_out_loss"]
    assert log[-1].startswith("6\t")
    network = training.load_network(run / card.WEIGHTS_NAME, facts["shape"])
    assert facts["parameters"] == sum(weight.numel() for weight in network.parameters())


def test_a_card_is_written_and_written_again_with_a_corpus(run: Path, tmp_path: Path) -> None:
    without = card.write_card(run, None)
    assert without.corpus is None
    assert verify_weights(run) == without
    roots = {name: f"sha256:{digit * 64}" for name, digit in zip(ROOTS, "123", strict=True)}
    manifest = tmp_path / "corpus.json"
    manifest.write_text(json.dumps({"id": "few-bars", "items": [{}] * 6, "roots": roots}))
    card.main(["--weights", str(run), "--corpus-manifest", str(manifest)])
    told = read_card(run)
    assert told.corpus is not None
    assert (told.corpus.id, told.corpus.items) == ("few-bars", 6)
    assert told.corpus.roots.content == "sha256:" + "3" * 64
    assert told.weights_digest == without.weights_digest
    assert ModelCard.from_document(told.to_document()) == told
    assert float(told.evaluation.held_out_loss) > 0


ROOTS = ("identifier", "file", "content")


def test_a_card_needs_its_records(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelCardError, match=r"training-run\.json cannot be read"):
        card.write_card(tmp_path, None)
    manifest = tmp_path / "corpus.json"
    manifest.write_text("[]")
    with pytest.raises(ModelCardError, match="must hold a JSON object"):
        card.write_card(run, manifest)
    manifest.write_text('{"id": "x"}')
    with pytest.raises(ModelCardError, match="lack something"):
        card.write_card(run, manifest)


def test_evaluating_needs_the_same_corpus(
    run: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.musicxml").write_bytes(score_files(corpus)[0].read_bytes())
    with pytest.raises(SystemExit) as caught:
        evaluation.main([str(tmp_path), "--weights", str(run)])
    assert caught.value.code == 2
    assert "lacks 5 of the scores" in capsys.readouterr().err


@pytest.mark.parametrize("command", [training.main, card.main])
def test_commands_say_what_is_wrong_in_a_paragraph(
    command: Callable[[list[str]], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {
        training.main: [str(tmp_path), "--out", str(tmp_path / "out")],
        card.main: ["--weights", str(tmp_path)],
    }[command]
    with pytest.raises(SystemExit) as caught:
        command(arguments)
    assert caught.value.code == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_any_other_folder_can_be_evaluated(
    run: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.musicxml").write_bytes(score_files(corpus)[0].read_bytes())
    evaluation.main([str(corpus), "--weights", str(run), "--on", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "unigram" in printed
    assert "over 512 tokens" in printed
