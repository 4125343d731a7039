"""Composing: drawing tokens from the network, one frame after the other.

The same seed gives the same notes in every run, process and thread setting: the network runs on
one thread, the random number of every token depends on nothing but the seed and the token's
place, and drawing happens at double precision. Long pieces are composed through a window that is
moved on at bar lines, so that time grows with length and memory does not.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor

from generator.card import ModelCard
from generator.errors import DeviceError, ModelCardError, ModelError, RequestError
from generator.model import Device, Progress
from generator.quartet.card import ARCHITECTURE
from generator.quartet.conditions import (
    FIRST_DROPPED_FIELD,
    MAX_BAR_FRAMES,
    UNKNOWN,
    Layout,
    lay_out,
)
from generator.quartet.network import Cache, NetworkShape, QuartetNetwork
from generator.quartet.performance import to_score
from generator.quartet.rules import BoolArray, Rules
from generator.quartet.stream import delay
from generator.quartet.tokens import (
    DELAY_STEPS,
    FIRST_PITCH,
    HOLD,
    REST,
    SILENT,
    STATE_HOLD,
    STATE_ONSET,
    STATE_REST,
    VOICES,
    IntArray,
    begin_with_onsets,
)

if TYPE_CHECKING:
    from generator.request import Controls, GenerationRequest
    from generator.score import Score

LOWEST_TEMPERATURE: Final = 0.8
HIGHEST_TEMPERATURE: Final = 1.5
HIGHEST_GUIDANCE: Final = 4.0
MAX_LAYERS: Final = 64
MAX_WIDTH: Final = 2048
MAX_CONTEXT: Final = 8192
WEIGHT_TYPES: Final = (torch.float16, torch.float32)
_MOST_TIMES_ITS_WEIGHTS: Final = 2

_STATE_OF: Final = {HOLD: STATE_HOLD, REST: STATE_REST}
_ONE_THREAD: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Taste:
    """How tokens are drawn from the network's distribution.

    Attributes:
        temperature: Below 0.8 the model repeats itself without end, so that is refused.
        nucleus: The likeliest tokens that together have this probability are drawn from.
        guidance: How far the conditions are exaggerated against not being told them
            (classifier-free guidance, https://arxiv.org/abs/2207.12598); 0 is not at all.

    Raises:
        RequestError: A value is out of bounds.
    """

    temperature: float = 1.0
    nucleus: float = 0.95
    guidance: float = 0.5

    def __post_init__(self) -> None:
        if not LOWEST_TEMPERATURE <= self.temperature <= HIGHEST_TEMPERATURE:
            raise RequestError(
                f"The temperature is {self.temperature}; it must lie in {LOWEST_TEMPERATURE} to "
                f"{HIGHEST_TEMPERATURE}. Below that the model repeats itself, above it wanders."
            )
        if not 0 < self.nucleus <= 1:
            raise RequestError(f"The nucleus is {self.nucleus}; it is a probability above 0.")
        if not 0 <= self.guidance <= HIGHEST_GUIDANCE:
            raise RequestError(f"The guidance is {self.guidance}; it must lie in 0 to {HIGHEST_GUIDANCE}.")


class QuartetModel:
    """The built-in model, loaded."""

    def __init__(self, card: ModelCard, network: QuartetNetwork, device: torch.device) -> None:
        self.card = card
        self._network = network.to(device).eval()
        self._device = device

    @classmethod
    def load(cls, card: ModelCard, weights: Mapping[str, bytes], device: Device) -> "QuartetModel":
        """Build the network of a card and put verified weights into it.

        Raises:
            DeviceError: The device does not exist here.
            ModelCardError: The card describes another kind of network, or an impossible one.
            ModelError: The weights are not those of the network in the card.
        """
        shape, tensors = _shape(card), _tensors(card, weights)
        _require_enough(card, shape, tensors)
        network = QuartetNetwork(shape)
        _require_fitting(card, tensors, network)
        network.load_state_dict({name: weight.float() for name, weight in tensors.items()})
        return cls(card, network, _device(device))

    def compose(
        self,
        request: "GenerationRequest",
        controls: "Controls",
        progress: Progress | None = None,
    ) -> "Score":
        """The piece that a request asks for; the same request gives the same notes.

        Raises:
            RequestError: The metre cannot be laid on a grid of sixteenths.
        """
        layout = lay_out(controls)
        tokens = self.compose_tokens(layout, request.seed, Taste(), progress)
        return to_score(tokens, layout, controls.tempo_bpm)

    def compose_tokens(self, layout: Layout, seed: int, taste: Taste, progress: Progress | None = None) -> IntArray:
        """Tokens (frames by voices) of a piece that is laid out."""
        with _one_thread(), torch.inference_mode():
            return _Composition(self._network, self._device, layout, seed, taste).run(progress)


class _Composition:
    """One piece being composed."""

    def __init__(
        self,
        network: QuartetNetwork,
        device: torch.device,
        layout: Layout,
        seed: int,
        taste: Taste,
    ) -> None:
        self._network = network
        self._device = device
        self._layout = layout
        self._taste = taste
        frames = len(layout.conditions)
        self._rules = Rules(layout.tonic, layout.mode, frames, layout.bar_frames)
        self._tokens = np.full((frames, VOICES), REST, np.int64)
        self._sounding = [SILENT] * VOICES
        self._uniform = np.random.Generator(np.random.Philox(key=seed)).random((frames, VOICES))

    def run(self, progress: Progress | None) -> IntArray:
        """Compose window after window, each of which begins with bars that are there already."""
        bar_frames, bars = self._layout.bar_frames, len(self._layout.bars)
        window_bars = (self._network.shape.context - DELAY_STEPS) // bar_frames
        kept_bars = window_bars // 2
        first, done = 0, 0
        while done < bars:
            end = min(first + window_bars, bars)
            for frame in self._window(first * bar_frames, done * bar_frames, end * bar_frames):
                if progress is not None and frame % bar_frames == 0:
                    progress(frame // bar_frames, bars)
            first, done = end - kept_bars, end
        return self._tokens

    def _window(self, first: int, done: int, end: int) -> Iterator[int]:
        """Compose the frames `done` to `end`, seeing those from `first` on.

        Yields:
            After every frame, how many are done in all voices.
        """
        window = self._layout.conditions[first:end]
        known = delay(self._excerpt(first, done), window, end - first)
        heard, states = known.heard, known.states
        conditions = self._embedded_conditions(known.conditions)
        cache = Cache(self._network.shape, len(conditions), self._device)
        ready = done - first
        if ready:
            self._advance(heard[:ready], states[:ready], conditions[:, :ready], cache)
        for step in range(ready, end - first + DELAY_STEPS):
            here = slice(step, step + 1)
            scores = self._advance(heard[here], states[here], conditions[:, here], cache)
            for voice in range(VOICES):
                frame = first + step - voice
                if not done <= frame < end:
                    continue
                token = self._write(frame, voice, scores[voice])
                if step + 1 < len(heard):
                    heard[step + 1, voice] = self._sounding[voice]
                    states[step + 1, voice] = _STATE_OF.get(token, STATE_ONSET)
            if step - ready >= DELAY_STEPS:
                yield first + step - DELAY_STEPS + 1

    def _excerpt(self, first: int, done: int) -> IntArray:
        """What is there already, beginning as an excerpt in training does."""
        tokens = self._tokens[first:done]
        if not len(tokens):
            return tokens
        held = [
            int(column[column != HOLD][-1]) if (column != HOLD).any() else REST
            for column in self._tokens[: first + 1].T
        ]
        return begin_with_onsets(tokens, held)

    def _embedded_conditions(self, told: IntArray) -> Tensor:
        """Conditions of a window; a second row has them dropped where guidance needs it."""
        rows = [told]
        if self._taste.guidance:
            dropped = told.copy()
            dropped[:, FIRST_DROPPED_FIELD:] = UNKNOWN[FIRST_DROPPED_FIELD:]
            rows.append(dropped)
        return self._network.embed_conditions(torch.from_numpy(np.stack(rows)).to(self._device))

    def _advance(self, heard: IntArray, states: IntArray, conditions: Tensor, cache: Cache) -> NDArray[np.float64]:
        """Scores (voices by tokens) after the last of some steps."""
        notes = self._network.embed_notes(
            torch.from_numpy(heard[None]).to(self._device),
            torch.from_numpy(states[None]).to(self._device),
        )
        scores = self._network.advance(notes + conditions, cache)[:, -1].double().cpu().numpy()
        if self._taste.guidance:
            told, dropped = scores
            return np.asarray(told + self._taste.guidance * (told - dropped))
        return np.asarray(scores[0])

    def _write(self, frame: int, voice: int, scores: NDArray[np.float64]) -> int:
        allowed = self._rules.allowed(frame, voice)
        token = draw(scores, allowed, float(self._uniform[frame, voice]), self._taste)
        self._rules.wrote(frame, voice, token)
        self._tokens[frame, voice] = token
        if token != HOLD:
            self._sounding[voice] = SILENT if token == REST else token - FIRST_PITCH + 1
        return token


def draw(scores: NDArray[np.float64], allowed: BoolArray, uniform: float, taste: Taste) -> int:
    """The token that a uniform number in [0, 1) falls on.

    The likeliest tokens, as many as the nucleus needs, are lined up in the order of the tokens
    and not of their likelihood, so that rounding in the network cannot swap their places.
    """
    scaled = np.where(allowed, scores, -np.inf) / taste.temperature
    weights = np.exp(scaled - scaled.max())
    order = np.argsort(-weights, kind="stable")
    reached = np.cumsum(weights[order])
    nucleus = order[: int(np.searchsorted(reached, taste.nucleus * reached[-1])) + 1]
    lined_up = np.zeros_like(weights)
    lined_up[nucleus] = weights[nucleus]
    ends = np.cumsum(lined_up)
    place = int(np.searchsorted(ends, uniform * ends[-1], "right"))
    return min(place, int(nucleus.max()))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run the network on one thread; the setting belongs to the process and is put back."""
    with _ONE_THREAD:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _device(device: Device) -> torch.device:
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "The device cuda was asked for, but no usable graphics card is found on this machine. "
            "Use auto or cpu: the built-in model composes faster than real time on one core."
        )
    return torch.device("cuda" if device == "cuda" else "cpu")


def _shape(card: ModelCard) -> NetworkShape:
    told = card.architecture
    if told.kind != ARCHITECTURE:
        raise ModelCardError(
            f"The card of model {card.id!r} describes a network of the kind {told.kind[:40]!r}; "
            f"only {ARCHITECTURE!r} is known here."
        )
    possible = (
        0 < told.layers <= MAX_LAYERS
        and 0 < told.heads <= told.width <= MAX_WIDTH
        and told.width % (2 * told.heads) == 0
        and 0 < told.hidden <= 8 * MAX_WIDTH
        and 2 * MAX_BAR_FRAMES + DELAY_STEPS <= told.context <= MAX_CONTEXT
    )
    if not possible:
        raise ModelCardError(
            f"The card of model {card.id!r} describes {told}, which is no network that can be "
            "built. Get the model again from where it came from."
        )
    return NetworkShape(told.width, told.layers, told.heads, told.hidden, told.context)


def _tensors(card: ModelCard, weights: Mapping[str, bytes]) -> dict[str, Tensor]:
    """The tensors of the weights files, as they are."""
    found: dict[str, Tensor] = {}
    for name, data in weights.items():
        try:
            found |= load_tensors(data)
        except SafetensorError as error:
            raise ModelError(
                f"{name} of model {card.id!r} is not a safetensors file ({error}); other formats "
                "are not loaded, for they can run code."
            ) from error
    return found


def _require_enough(card: ModelCard, shape: NetworkShape, found: Mapping[str, Tensor]) -> None:
    """Refuse to build a network that its weights cannot fill: a few numbers in a card would take all memory."""
    numbers = sum(weight.numel() for weight in found.values())
    if shape.parameters > _MOST_TIMES_ITS_WEIGHTS * numbers:
        raise ModelError(
            f"The card of model {card.id!r} describes a network of {shape.parameters} numbers, and its weights hold "
            f"{numbers}. Get the model again from where it came from."
        )


def _require_fitting(card: ModelCard, found: Mapping[str, Tensor], network: QuartetNetwork) -> None:
    """The tensors must be exactly those of the network, and finite numbers of 16 or 32 bits."""
    expected = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    shapes = {name: tuple(weight.shape) for name, weight in found.items()}
    if shapes != expected:
        wrong = sorted(name for name in shapes | expected if shapes.get(name) != expected.get(name))
        raise ModelError(
            f"The weights of model {card.id!r} are not those of the network in its card: "
            f"{', '.join(wrong)[:300]} are missing, unknown or of another shape."
        )
    for name, weight in found.items():
        if weight.dtype not in WEIGHT_TYPES or not bool(torch.isfinite(weight).all()):
            raise ModelError(
                f"The weights {name!r} of model {card.id!r} are {weight.dtype} or not finite; "
                "16 or 32 bit floating-point numbers are expected."
            )
