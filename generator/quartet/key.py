"""The key in which a passage sounds, estimated from its pitch classes.

MusicXML states a key signature but rarely a mode, and music modulates without changing its
signature; so the key is heard: the profile of pitch classes is correlated with those of the 24
keys (Krumhansl and Schmuckler's method with the profiles of Temperley, *The Cognition of Basic
Musical Structures*, 2001).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

KEYS: Final = 24
"""0 to 11 are the major keys on C, C sharp, … B, and 12 to 23 the minor ones."""
NO_KEY: Final = 24

_MAJOR: Final = (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0)
_MINOR: Final = (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0)
_SIGNATURE_BONUS: Final = 0.12


def _profiles() -> NDArray[np.float64]:
    rolled = np.array([np.roll(mode, tonic) for mode in (_MAJOR, _MINOR) for tonic in range(12)])
    centred = rolled - rolled.mean(axis=1, keepdims=True)
    return np.asarray(centred / rolled.std(axis=1, keepdims=True), np.float64)


_PROFILES: Final = _profiles()


def estimate_key(weights: NDArray[np.float64], fifths: int) -> int:
    """The key that fits best.

    Args:
        weights: How long each of the 12 pitch classes sounds, in any unit.
        fifths: The key signature, which favours its own major and minor key a little.

    Returns:
        A key number below `KEYS`, or `NO_KEY` when nothing sounds.
    """
    if not weights.any():
        return NO_KEY
    score = _PROFILES @ ((weights - weights.mean()) / (weights.std() + 1e-9)) / 12
    score[(7 * fifths) % 12] += _SIGNATURE_BONUS
    score[12 + (7 * fifths + 9) % 12] += _SIGNATURE_BONUS
    return int(score.argmax())


def transpose_key(key: int, semitones: int) -> int:
    """The key that many semitones higher; `NO_KEY` stays."""
    return key if key >= KEYS else (key % 12 + semitones) % 12 + 12 * (key // 12)


def key_fifths(tonic: int, mode: str) -> int:
    """The signature (sharps positive) of the key on a pitch class, at most six accidentals."""
    major_tonic = tonic if mode == "major" else (tonic + 3) % 12
    fifths = (7 * major_tonic) % 12
    return fifths - 12 if fifths > 6 else fifths  # noqa: PLR2004 - six sharps, else flats
