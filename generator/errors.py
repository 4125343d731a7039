"""What can go wrong while making music.

Every message says, in one paragraph, what was wrong (with the value), where, and what to do.
"""


class GeneratorError(Exception):
    """Base of every error raised by this package."""


class ScoreError(GeneratorError):
    """A score, or a file that should hold one, is not what it must be."""


class MidiError(ScoreError):
    """A file is not a Standard MIDI File that can be read, or a score cannot be written as one."""


class RequestError(GeneratorError):
    """A generation request asks for something that does not exist or is out of bounds."""


class RenderError(GeneratorError):
    """A score cannot be turned into sound."""


class TrainingError(GeneratorError):
    """A corpus or a setting cannot be trained on."""


class ModelError(GeneratorError):
    """A model cannot be loaded or used."""


class ModelCardError(ModelError):
    """A model card is missing, malformed or contradicts itself."""


class AlteredWeightsError(ModelError):
    """A weights file is not the file that its model card names."""


class DeviceError(ModelError):
    """The device that was asked for does not exist on this machine."""
