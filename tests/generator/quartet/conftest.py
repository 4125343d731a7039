"""The shipped model, a small untrained network, and a corpus of a few bars."""

from pathlib import Path

import numpy as np
import pytest
import torch

from generator.card import read_card, read_weights
from generator.quartet.network import NetworkShape, QuartetNetwork
from generator.quartet.sampling import QuartetModel

SMALL = NetworkShape(width=32, layers=2, heads=2, hidden=48, context=67)


@pytest.fixture(scope="session")
def shipped() -> QuartetModel:
    """The built-in model with the weights that are shipped."""
    card = read_card()
    return QuartetModel.load(card, read_weights(None, card), "cpu")


@pytest.fixture
def small_network() -> QuartetNetwork:
    """A network that has learnt nothing, two layers of 32 wide."""
    network = QuartetNetwork(SMALL)
    network.initialise(torch.Generator().manual_seed(3))
    return network.eval()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six folders of one score each, in eight bars of four voices, and a table of composers."""
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(5)
    for number in range(6):
        inside = folder / "scores" / f"Composer_{number % 2}" / f"Work_{number}"
        inside.mkdir(parents=True)
        (inside / f"piece{number}.musicxml").write_text(_score(random), encoding="utf-8")
    table = "path\tname\tborn\nComposer_0\tA\t1750\nComposer_1\tB\t1850\n"
    (folder / "composers.tsv").write_text(table, encoding="utf-8")
    return folder


def _score(random: np.random.Generator) -> str:
    """A scale that turns at random, in parallel tenths and octaves."""
    steps = "CDEFGAB"
    parts = []
    for part, octave in enumerate((5, 4, 4, 3)):
        measures = []
        for measure in range(8):
            attributes = (
                "<attributes><divisions>4</divisions><key><fifths>0</fifths></key>"
                "<time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
                if measure == 0
                else ""
            )
            notes = "".join(
                f"<note><pitch><step>{steps[int(random.integers(7))]}</step>"
                f"<octave>{octave}</octave></pitch><duration>{4 if part else 2}</duration></note>"
                for _ in range(4 if part else 8)
            )
            measures.append(f"<measure>{attributes}{notes}</measure>")
        parts.append(f'<part id="P{part}">{"".join(measures)}</part>')
    return f"<score-partwise>{''.join(parts)}</score-partwise>"
