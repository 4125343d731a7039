"""What can go wrong while reading, fingerprinting and recognising audio.

Every message says what was wrong, where, and what to do next.
"""


class FingerprintError(Exception):
    """Base of every error of this package."""


class AudioError(FingerprintError):
    """A file is not audio that can be read here, or audio cannot be written as asked."""


class InsufficientEvidenceError(FingerprintError):
    """The audio says too little about itself to recognise it by: too short, too uniform."""


class AudioCodeError(FingerprintError):
    """A text that should be an ISCC Audio-Code is none."""


class SilentAudioError(InsufficientEvidenceError):
    """The audio is silence, and all silence is alike."""


class MissingProgramError(FingerprintError):
    """A system package that is needed (ffmpeg, libchromaprint) is not installed."""


class DuplicateFingerprintError(FingerprintError):
    """The recording already has a fingerprint; nothing is ever replaced."""


class DamagedFingerprintError(FingerprintError):
    """Stored fingerprint bytes are not what they were when they were written."""
