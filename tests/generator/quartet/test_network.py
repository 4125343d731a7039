"""The network itself."""

import numpy as np
import pytest
import torch

from generator.quartet.conditions import FIELD_SIZES
from generator.quartet.network import Cache, NetworkShape, QuartetNetwork, rotate
from generator.quartet.tokens import SOUNDING_IDS, STATE_IDS, TOKENS, VOICES

STEPS = 20


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(1)
    return (
        torch.from_numpy(random.integers(SOUNDING_IDS, size=(2, STEPS, VOICES))),
        torch.from_numpy(random.integers(STATE_IDS, size=(2, STEPS, VOICES))),
        torch.from_numpy(random.integers(FIELD_SIZES, size=(2, STEPS, len(FIELD_SIZES)))),
    )


@pytest.mark.parametrize("shape", [NetworkShape(), NetworkShape(6, 3, 1, 7, 300)])
def test_the_size_of_a_network_is_known_without_it(shape: NetworkShape) -> None:
    assert shape.parameters == sum(weight.numel() for weight in QuartetNetwork(shape).parameters())


@torch.inference_mode()
def test_step_by_step_agrees_with_all_at_once(small_network: QuartetNetwork, inputs: tuple[torch.Tensor, ...]) -> None:
    whole = small_network(*inputs)
    assert whole.shape == (2, STEPS, VOICES, TOKENS)
    heard, states, conditions = inputs
    stream = small_network.embed_notes(heard, states) + small_network.embed_conditions(conditions)
    cache = Cache(small_network.shape, 2, torch.device("cpu"))
    parts = [small_network.advance(stream[:, :7], cache)]
    parts += [small_network.advance(stream[:, s : s + 1], cache) for s in range(7, STEPS)]
    assert cache.steps == STEPS
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_nothing_is_seen_before_it_happens(small_network: QuartetNetwork, inputs: tuple[torch.Tensor, ...]) -> None:
    heard, states, conditions = inputs
    later = heard.clone()
    later[:, 10:] = 0
    before, after = (small_network(h, states, conditions) for h in (heard, later))
    torch.testing.assert_close(before[:, :10], after[:, :10])
    assert not torch.allclose(before[:, 10:], after[:, 10:])


@torch.inference_mode()
def test_voices_and_fields_are_told_apart(small_network: QuartetNetwork, inputs: tuple[torch.Tensor, ...]) -> None:
    heard, states, conditions = inputs
    swapped = heard.flip(-1)
    assert not torch.allclose(small_network.embed_notes(heard, states), small_network.embed_notes(swapped, states))
    one = torch.zeros(1, 1, len(FIELD_SIZES), dtype=torch.long)
    embedded = set()
    for field in range(len(FIELD_SIZES)):
        told = one.clone()
        told[..., field] = 1
        embedded.add(float(small_network.embed_conditions(told).sum()))
    assert len(embedded) == len(FIELD_SIZES)
    assert conditions.shape[-1] == len(FIELD_SIZES)


def test_initial_weights_follow_from_the_seed() -> None:
    networks = [QuartetNetwork(NetworkShape(32, 1, 2, 32, 67)) for _ in range(3)]
    for network, seed in zip(networks, (4, 4, 5), strict=True):
        network.initialise(torch.Generator().manual_seed(seed))
    first, same, other = (network.state_dict() for network in networks)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    out, into = first["blocks.0.forward_out.weight"], first["blocks.0.forward_in.weight"]
    assert out.std() < into.std()


def test_rotation_keeps_length_and_depends_on_distance_only() -> None:
    turns = QuartetNetwork(NetworkShape(32, 1, 2, 32, 67)).turns
    query, key = torch.randn(2, 1, 1, 16, generator=torch.Generator().manual_seed(1))

    def product(at: int, back: int) -> torch.Tensor:
        turned = [rotate(v, turns[:, p : p + 1]) for v, p in ((query, at), (key, at - back))]
        return (turned[0] * turned[1]).sum()

    torch.testing.assert_close(product(10, 3), product(60, 3), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rotate(query, turns[:, 9:10]).norm(), query.norm())
