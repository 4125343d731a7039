"""The network: a small decoder-only transformer with four output heads, one per voice.

Pre-norm blocks (https://arxiv.org/abs/2002.04745) with rotary positions
(https://arxiv.org/abs/2104.09864).
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.quartet.conditions import FIELD_SIZES
from generator.quartet.tokens import SOUNDING_IDS, STATE_IDS, TOKENS, VOICES


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """How large the network is.

    Attributes:
        width: Of the residual stream, a multiple of twice the number of heads.
        layers: Number of blocks.
        heads: Of the attention in each block.
        hidden: Width inside the feed-forward part of a block.
        context: Most steps the network can look back on, itself included.
    """

    width: int = 192
    layers: int = 6
    heads: int = 3
    hidden: int = 768
    context: int = 259

    @property
    def parameters(self) -> int:
        """How many numbers such a network learns, without building it."""
        embedded = VOICES * (SOUNDING_IDS + STATE_IDS + TOKENS) + sum(FIELD_SIZES)
        block = 4 * self.width + 2 * self.hidden + 2
        return self.width * (embedded + self.layers * block + 1)


class Cache:
    """Keys and values of the steps so far, for one excerpt or a batch of them."""

    def __init__(self, shape: NetworkShape, batch: int, device: torch.device) -> None:
        size = (shape.layers, 2, batch, shape.heads, shape.context, shape.width // shape.heads)
        self.entries = torch.zeros(size, device=device)
        self.steps = 0


class Block(nn.Module):
    """Attention and a feed-forward part, each beside the residual stream."""

    def __init__(self, shape: NetworkShape, dropout: float) -> None:
        super().__init__()
        self.heads = shape.heads
        self.dropout = nn.Dropout(dropout)
        self.attention_norm = nn.LayerNorm(shape.width, bias=False)
        self.attention_in = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.attention_out = nn.Linear(shape.width, shape.width, bias=False)
        self.forward_norm = nn.LayerNorm(shape.width, bias=False)
        self.forward_in = nn.Linear(shape.width, shape.hidden, bias=False)
        self.forward_out = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, stream: Tensor, turn: Tensor, cached: Tensor | None, start: int) -> Tensor:
        """Advance the residual stream (batch by steps by width).

        Args:
            stream: The residual stream of the new steps.
            turn: Cosines and sines of their positions, 2 by steps by half a head.
            cached: Keys and values of this layer, which the new ones are written into.
            start: The number of steps before the new ones.
        """
        batch, steps, width = stream.shape
        projected = self.attention_in(self.attention_norm(stream))
        query, key, value = projected.view(batch, steps, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key = rotate(query, turn), rotate(key, turn)
        if cached is None:
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            end = start + steps
            cached[0, :, :, start:end] = key
            cached[1, :, :, start:end] = value
            mixed = functional.scaled_dot_product_attention(
                query, cached[0, :, :, :end], cached[1, :, :, :end], is_causal=steps > 1
            )
        mixed = mixed.transpose(1, 2).reshape(batch, steps, width)
        stream = stream + self.dropout(self.attention_out(mixed))
        inner = functional.gelu(self.forward_in(self.forward_norm(stream)), approximate="tanh")
        return cast("Tensor", stream + self.dropout(self.forward_out(inner)))


class QuartetNetwork(nn.Module):
    """From what was heard and what is wanted to scores for every token of every voice."""

    turns: Tensor
    heard_offsets: Tensor
    state_offsets: Tensor
    field_offsets: Tensor

    def __init__(self, shape: NetworkShape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.dropout = nn.Dropout(dropout)
        self.heard = nn.Embedding(VOICES * SOUNDING_IDS, shape.width)
        self.state = nn.Embedding(VOICES * STATE_IDS, shape.width)
        self.condition = nn.Embedding(sum(FIELD_SIZES), shape.width)
        self.blocks = nn.ModuleList(Block(shape, dropout) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width, bias=False)
        self.head = nn.Linear(shape.width, VOICES * TOKENS, bias=False)
        sizes = torch.tensor([0, *FIELD_SIZES[:-1]])
        voices = torch.arange(VOICES)
        self.register_buffer("turns", _turns(shape), persistent=False)
        self.register_buffer("heard_offsets", voices * SOUNDING_IDS, persistent=False)
        self.register_buffer("state_offsets", voices * STATE_IDS, persistent=False)
        self.register_buffer("field_offsets", sizes.cumsum(0), persistent=False)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights afresh; what feeds the residual stream starts smaller with depth."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02, generator=generator)
        std = 0.02 / math.sqrt(2 * self.shape.layers)
        for name, weight in self.blocks.named_parameters():
            if name.endswith(("attention_out.weight", "forward_out.weight")):
                nn.init.normal_(weight, std=std, generator=generator)

    def embed_notes(self, heard: Tensor, states: Tensor) -> Tensor:
        """What the notes heard (batch by steps by voices) add to the residual stream."""
        notes = self.heard(heard + self.heard_offsets).sum(2)
        return cast("Tensor", notes + self.state(states + self.state_offsets).sum(2))

    def embed_conditions(self, conditions: Tensor) -> Tensor:
        """What conditions (batch by steps by fields) add to the residual stream."""
        return cast("Tensor", self.condition(conditions + self.field_offsets).sum(2))

    def forward(self, heard: Tensor, states: Tensor, conditions: Tensor) -> Tensor:
        """Scores (batch by steps by voices by tokens) of what comes at each step.

        Args:
            heard: batch by steps by voices.
            states: batch by steps by voices.
            conditions: batch by steps by fields.
        """
        stream = self.embed_notes(heard, states) + self.embed_conditions(conditions)
        return self.advance(self.dropout(stream))

    def advance(self, stream: Tensor, cache: Cache | None = None) -> Tensor:
        """Scores of what comes at each step, from the embedded stream of the steps.

        Args:
            stream: batch by steps by width.
            cache: Where to continue; it is extended by these steps. More than one step at a time
                is only possible into an empty cache.
        """
        start = 0 if cache is None else cache.steps
        steps = stream.shape[1]
        turn = self.turns[:, start : start + steps]
        for index, block in enumerate(self.blocks):
            stream = block(stream, turn, None if cache is None else cache.entries[index], start)
        if cache is not None:
            cache.steps += steps
        scores = self.head(self.norm(stream))
        return cast("Tensor", scores.view(*stream.shape[:2], VOICES, TOKENS))


def rotate(vectors: Tensor, turn: Tensor) -> Tensor:
    """Turn pairs of components by the angles of their positions."""
    cos, sin = turn
    left, right = vectors.chunk(2, -1)
    return torch.cat([left * cos - right * sin, right * cos + left * sin], -1)


def _turns(shape: NetworkShape) -> Tensor:
    half = shape.width // shape.heads // 2
    frequencies = 10_000.0 ** -(torch.arange(half, dtype=torch.float64) / half)
    angles = torch.outer(torch.arange(shape.context, dtype=torch.float64), frequencies)
    return torch.stack([angles.cos(), angles.sin()]).float()
