"""The ISCC Audio-Code: a short, public, similarity-preserving name of a sound (ISO 24138)."""

from typing import Final

import iscc_core
import numpy as np

from fingerprint.chroma import Fingerprint
from fingerprint.errors import InsufficientEvidenceError

_BITS: Final = 64


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
        ValueError: They are not two codes of one kind and length.
    """
    return iscc_core.iscc_distance(one, other)
