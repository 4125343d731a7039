"""The ISCC Audio-Code: a short, public, similarity-preserving name of a sound (ISO 24138)."""

import re
from typing import Final

import iscc_core
import numpy as np

from fingerprint.chroma import Fingerprint
from fingerprint.errors import AudioCodeError, InsufficientEvidenceError

_BITS: Final = 64
_CODE: Final = re.compile(r"ISCC:EIA[Q-Z2-7][A-Z2-7]{12}")


def audio_code(fingerprint: Fingerprint) -> str:
    """The 64-bit Audio-Code v0 of a fingerprint, written `ISCC:EIA…`.

    The standard wants the items as signed 32-bit integers.

    Raises:
        InsufficientEvidenceError: The fingerprint has no items; all such sounds would share one
            code.
    """
    if len(fingerprint.items) == 0:
        raise InsufficientEvidenceError(
            f"a sound of {fingerprint.duration_ms} ms is too short for an ISCC Audio-Code: it has "
            "no fingerprint items. Give at least 3 seconds."
        )
    signed = np.ascontiguousarray(fingerprint.items).view(np.int32).tolist()
    return iscc_core.gen_audio_code_v0(signed, bits=_BITS)["iscc"]


def distance(one: str, other: str) -> int:
    """How many of the 64 bits of two Audio-Codes differ; unrelated sounds differ in about half.

    Raises:
        AudioCodeError: One of them is not a 64-bit Audio-Code.
    """
    return iscc_core.iscc_distance(_sound(one), _sound(other))


def _sound(code: str) -> str:
    """An Audio-Code v0 of 64 bits: a header of two bytes, 0x22 0x01, and the eight bytes of the code, in base32."""
    if not _CODE.fullmatch(code):
        raise AudioCodeError(
            f"{code[:40]!r} is not a 64-bit ISCC Audio-Code: that is ISCC:EIA and 13 more letters and digits of "
            "base32. Compute it again from the sound."
        )
    return code
