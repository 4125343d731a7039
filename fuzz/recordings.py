"""Small recordings to begin with: a second of a tone in every format, bare, and with a manifest."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from fingerprint.media import M4A_FILE_TYPE
from fuzz.target import folder
from provenance.assertion import (
    LedgerEvidence,
    LoggedStatement,
    MiningPermission,
    ModelReference,
    SoftwareAgent,
    TrainingMining,
)
from provenance.credential import Credential, create_test_credential
from provenance.identity import digest
from provenance.manifest import embed
from provenance.manifest_draft import ManifestDraft
from tests.fingerprint.movies import SOUND, Track, box, movie, table

if TYPE_CHECKING:
    from pathlib import Path

RATE = 8_000
_ENDINGS = ("wav", "flac", "mp3", "ogg")
DRAFT = ManifestDraft(
    title="Allegro",
    recording_id="01890a5d-ac96-774b-bcce-b302099a8057",
    software_agent=SoftwareAgent("Liner Notes", "0.1.0"),
    source_type="trainedAlgorithmicMedia",
    iscc="ISCC:EIAWUJFCEZZOJYVD",
    training_mining=TrainingMining.uniform(MiningPermission("constrained", "https://label.example/terms")),
    ledger=LedgerEvidence(
        origin="example.com/log",
        leaf_hash=digest(b"leaf"),
        envelope=b"{}",
        tlog_proof="c2sp.org/tlog-proof@v1\nindex 7\n",
        key_envelope=b"{}",
        key_tlog_proof="c2sp.org/tlog-proof@v1\nindex 0\n",
        signer_envelope=b"{}",
        signer_tlog_proof="c2sp.org/tlog-proof@v1\nindex 1\n",
        further=(LoggedStatement(b"{}", "c2sp.org/tlog-proof@v1\nindex 2\n"),),
    ),
    model=ModelReference("quartet-1", digest(b"weights")),
)


@cache
def credential() -> Credential:
    """A test credential of this process."""
    return create_test_credential(folder() / "c2pa")


@cache
def bare(ending: str) -> Path:
    """A file of that format; an m4a is one in its boxes only, and holds no sound that can be heard."""
    path = folder() / f"bare.{ending}"
    if ending == "m4a":
        begin = len(_movie(0)) - len(SOUND)
        path.write_bytes(_movie(begin))
        return path
    wave = (np.sin(np.arange(RATE + 1) / RATE * 2 * np.pi * 440) * 8000).astype(np.int16)
    soundfile.write(str(path), wave, RATE, format=ending.upper())
    return path


@cache
def signed(ending: str) -> Path:
    """The same file with a manifest in it."""
    path = folder() / f"signed.{ending}"
    embed(bare(ending), path, DRAFT, credential())
    return path


def _movie(begin: int) -> bytes:
    """An m4a file whose samples begin at a place."""
    index = movie(Track(chunks=table(b"stco", "I", [begin])))
    return M4A_FILE_TYPE + index.removeprefix(box(b"ftyp", b"M4A ")) + box(b"mdat", SOUND)


def sounds() -> list[bytes]:
    """The files that hold sound."""
    return [bare(ending).read_bytes() for ending in _ENDINGS]
