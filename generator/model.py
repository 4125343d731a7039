"""Music models: something that composes, and loading one.

Nothing is loaded before every weights file has been found to be the one that the model's card
names.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from generator.card import ModelCard, read_card, read_weights, verify_weights

if TYPE_CHECKING:
    from generator.request import Controls, GenerationRequest
    from generator.score import Score

Device: TypeAlias = Literal["auto", "cpu", "cuda"]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of bars that are done, and the number of bars in all."""

__all__ = [
    "Device",
    "ModelCard",
    "MusicModel",
    "Progress",
    "load_model",
    "read_card",
    "verify_weights",
]


class MusicModel(Protocol):
    """Something that composes."""

    @property
    def card(self) -> "ModelCard":
        """What the model is."""

    def compose(
        self,
        request: "GenerationRequest",
        controls: "Controls",
        progress: Progress | None = None,
    ) -> "Score":
        """The piece that a request asks for; the same request gives the same notes.

        Raises:
            RequestError: The model cannot do what the controls say.
        """


def load_model(directory: Path | None = None, device: Device = "auto") -> MusicModel:
    """Load the model in a folder, or the built-in one.

    Args:
        directory: A folder with weights and a card; None for the built-in model.
        device: `auto` takes the processor, on which the built-in model is fast and gives the
            same notes everywhere; `cuda` insists on a graphics card.

    Raises:
        ModelCardError: There is no card, or it is not one.
        AlteredWeightsError: A file is missing, or not the one that the card names.
        DeviceError: The device does not exist here.
        ModelError: The weights are not those of the network in the card.
    """
    from generator.quartet.sampling import QuartetModel  # noqa: PLC0415 - imports torch

    card = read_card(directory)
    return QuartetModel.load(card, read_weights(directory, card), device)
