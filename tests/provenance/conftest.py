"""A studio for the tests of manifests: a credential, small audio files, and two drafts."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import numpy as np
import pytest
import soundfile

from provenance.assertion import (
    LedgerEvidence,
    MiningPermission,
    ModelReference,
    SoftwareAgent,
    TrainingMining,
)
from provenance.credential import create_test_credential, trust_anchor
from provenance.identity import Digest
from provenance.manifest import embed, read
from provenance.manifest_draft import ManifestDraft

if TYPE_CHECKING:
    from pathlib import Path

    from provenance.manifest_report import ManifestReport

os.environ["ENCYPHER_C2PA_TELEMETRY"] = "0"

MEDIA_TYPES = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "m4a": "audio/mp4"}
FRAMES = 6000
AGENT = SoftwareAgent("Liner Notes", "0.1.0")
ISCC = "ISCC:EIDSJBBKJJ2IJICKMCHKUTROQYRGWAEEHIFIBBBKJI6INKCLMYCCA2Q"
NEW = ManifestDraft(
    title="Allegro für vier",
    recording_id="01890a5d-ac96-774b-bcce-b302099a8057",
    software_agent=AGENT,
    source_type="trainedAlgorithmicMedia",
    iscc=ISCC,
    training_mining=TrainingMining(
        ai_generative_training=MiningPermission("notAllowed"),
        ai_inference=MiningPermission("allowed"),
        ai_training=MiningPermission("notAllowed"),
        data_mining=MiningPermission("constrained", "https://label.example/terms"),
    ),
    ledger=LedgerEvidence(
        origin="linernotes.example/log",
        leaf_hash=Digest("sha256:" + "5a" * 32),
        envelope=bytes(range(256)) * 4,
        tlog_proof="c2sp.org/tlog-proof@v1\nindex 7\n",
        key_envelope=b'{"payload":"e30="}',
        key_tlog_proof="c2sp.org/tlog-proof@v1\nindex 0\n",
        signer_envelope=b"{}",
        signer_tlog_proof="c2sp.org/tlog-proof@v1\nindex 1\n",
    ),
    model=ModelReference("quartet-1", Digest("sha256:" + "11" * 32)),
)
EDITED = replace(
    NEW,
    recording_id="01890a5d-ac96-774b-bcce-b302099a8058",
    source_type="compositeWithTrainedAlgorithmicMedia",
    model=None,
    edits=("three notes of the viola re-pitched", "tempo 96 to 88"),
)


class Studio:
    """What the tests record with; every file is made once."""

    new = NEW
    edited = EDITED

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.credential = create_test_credential(folder / "c2pa")
        self.anchor = trust_anchor(folder / "c2pa")

    def audio(self, ending: str) -> Path:
        path = self.folder / f"bare.{ending}"
        if not path.exists():
            wave = (np.sin(np.arange(FRAMES) / 8000 * 2 * np.pi * 440) * 8000).astype(np.int16)
            if ending == "m4a":
                source = self.audio("wav")
                command = ["ffmpeg", "-v", "error", "-i", source, "-map_metadata", "-1", "-c:a", "aac", path]
                subprocess.run(command, check=True)
            else:
                soundfile.write(path, wave, 8000, format=ending.upper())
        return path

    def signed(self, ending: str) -> Path:
        path = self.folder / f"signed.{ending}"
        if not path.exists():
            embed(self.audio(ending), path, NEW, self.credential)
        return path

    def report(self, path: Path, trust_anchors: bytes | None = None) -> ManifestReport:
        """Read a file that has credentials."""
        report = read(path, trust_anchors)
        assert report is not None
        return report

    def second_opinion(self, data: bytes, ending: str, anchor: bytes | None = None) -> Any:
        """Return the report of another engine, which trusts nobody but the given anchor and stays offline."""
        trust = None if anchor is None else anchor.decode()
        media_type = MEDIA_TYPES[ending]
        return encypher_c2pa.verify(data, media_type, trust_pem=trust, no_default_trust=True, online=False)

    def claim(self, path: Path) -> Any:
        """Return the active manifest as the engine shows it in detail."""
        with path.open("rb") as file, c2pa.Reader(MEDIA_TYPES[path.suffix[1:]], file) as reader:
            document = json.loads(reader.detailed_json())
        return document["manifests"][document["active_manifest"]]

    def sign_by_hand(self, definition: dict[str, object], target: Path, remote_url: str | None = None) -> None:
        """Sign with the engine alone, as another program would."""
        chain, key = self.credential.certificate_chain, self.credential.private_key
        with (
            self.audio("wav").open("rb") as source,
            target.open("w+b") as file,
            c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", chain, key, None)) as signer,
            c2pa.Builder(json.dumps(definition)) as builder,
        ):
            if remote_url is not None:
                builder.set_no_embed()
                builder.set_remote_url(remote_url)
            builder.sign(signer, "audio/wav", source, file)

    def by_hand(self, *assertions: dict[str, object]) -> dict[str, object]:
        """Return the definition of a new manifest with further assertions."""
        composite = "http://cv.iptc.org/newscodes/digitalsourcetype/composite"
        created = {"action": "c2pa.created", "digitalSourceType": composite}
        actions = {"label": "c2pa.actions.v2", "created": True, "data": {"actions": [created]}}
        return {"claim_generator_info": [{"name": "another", "version": "1"}], "assertions": [actions, *assertions]}

    def flipped(self, path: Path, folder: Path, position: int, bit: int = 1) -> Path:
        """Copy a file with one bit of one byte changed."""
        target = folder / f"flipped{path.suffix}"
        data = bytearray(path.read_bytes())
        data[position] ^= bit
        target.write_bytes(data)
        return target


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(tmp_path_factory.mktemp("studio"))
