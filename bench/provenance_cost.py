"""What provenance costs: from "PCM ready" to "recorded, embedded, verifiable", against its unavoidable parts.

The floor, measured in the same run on the same sound: read the file once and hash it, fingerprint it, let the C2PA
engine sign it, wait until the signed file and its name are on the disk, and make the two durable commits. It is the
sum of bare calls, without any code of ours in between.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
from pathlib import Path

import c2pa

from api.content import Kept, describe, keep, measure
from api.home import Home
from api.recording import _generation, _indexed, _sealed, _silent
from api.settings import Settings
from api.weights import OpenedModel, open_model
from bench.table import Clock, markdown, milliseconds
from fingerprint.audio import Audio, encode
from fingerprint.chroma import fingerprint
from generator.render import render
from generator.request import GenerationRequest, Plan, plan
from generator.take import Take

RUNS = 21
LENGTHS = (30, 240)
ENTRY_BYTES = 3_000


def main() -> None:
    """Measure and print."""
    print("## Cost of provenance\n")
    print("`python -m bench.provenance_cost`: medians of", RUNS, "runs, stereo 16-bit wav.\n")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Settings(home=Path(folder) / "home", device="cpu"))
        for seconds in LENGTHS:
            rows += _measure(home, seconds)
    print(markdown(("", *(f"{seconds} s wav" for seconds in LENGTHS)), _sideways(rows)))
    print("Goal: overhead above the floor at most 25 %. Keeping the parts is storage, and is shown apart.\n")


def _measure(home: Home, seconds: int) -> list[tuple[str, str]]:
    request = GenerationRequest("an allegro in D major", seed=1, seconds=seconds)
    planned = plan(request)
    model = open_model(home, request.model)
    score = model.compose(request, planned.controls, None)
    take = Take(score, *render(score, 16))
    clock = Clock()
    for _ in range(RUNS + 1):
        # Both sides come after the same work, into a fresh folder, with nothing left to write for the other.
        for side in (_floor, _ours):
            with clock.timing("parts"):
                kept = keep(home, take)
            os.sync()
            side(home, model, request, planned, take, kept, clock)
    for runs in clock.runs.values():
        runs.pop(0)  # the first run warms caches and is not counted
    parts = ("read + SHA-256", "chromaprint", "C2PA signing", "durable file", "two durable commits")
    floor = sum(clock.median(part) for part in parts)
    ours = clock.median("ours")
    return [
        *((part, milliseconds(clock.median(part))) for part in parts),
        ("**floor**", f"**{milliseconds(floor)}**"),
        ("**Liner Notes**", f"**{milliseconds(ours)}**"),
        ("**overhead**", f"**{(ours / floor - 1) * 100:+.0f} %**"),
        ("apart: keeping four stems, MIDI and score", milliseconds(clock.median("parts"))),
    ]


def _ours(
    home: Home,
    model: OpenedModel,
    request: GenerationRequest,
    planned: Plan,
    take: Take,
    kept: Kept,
    clock: Clock,
) -> None:
    with clock.timing("ours"), home.objects.staging() as staging:
        measured = measure(take.mix)
        content = describe(measured, kept)
        draft = _generation(home, model, request, planned, content)
        [receipt] = home.append([draft], also=_indexed(home, draft, measured))
        _sealed(home, staging, draft, receipt.index, measured, "audio/wav", _silent)


def _floor(
    home: Home,
    _model: OpenedModel,
    _request: GenerationRequest,
    _planned: Plan,
    take: Take,
    _kept: Kept,
    clock: Clock,
) -> None:
    with home.objects.staging() as folder:
        plain, signed = folder / "plain.wav", folder / "signed.wav"
        audio = Audio(take.mix.samples, take.mix.sample_rate)
        encode(audio, plain, media_type="audio/wav")
        clock.call("read + SHA-256", lambda: hashlib.sha256(plain.read_bytes()).digest())
        clock.call("chromaprint", lambda: fingerprint(audio))
        clock.call("C2PA signing", lambda: _sign(home, plain, signed))
        clock.call("durable file", lambda: _sync(signed, folder))
        database = _database(folder / "floor.db")
        with clock.timing("two durable commits"):
            for _ in range(2):
                database.execute("INSERT INTO entry (data) VALUES (?)", (os.urandom(ENTRY_BYTES),))
                database.commit()
        database.close()


def _sync(*paths: Path) -> None:
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def _sign(home: Home, plain: Path, signed: Path) -> None:
    credential = home.credential
    info = c2pa.C2paSignerInfo(
        credential.algorithm.encode(), credential.certificate_chain, credential.private_key, None
    )
    definition = {
        "claim_generator_info": [{"name": "floor", "version": "1"}],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {
                    "actions": [
                        {
                            "action": "c2pa.created",
                            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
                        }
                    ]
                },
            },
            {"label": "org.example.bytes", "data": {"text": "x" * 12_000}},
        ],
    }
    context = c2pa.Context.from_dict(
        {"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_after_sign": False}}
    )
    with plain.open("rb") as source, signed.open("w+b") as target:
        c2pa.Builder(json.dumps(definition), context=context).sign(
            c2pa.Signer.from_info(info), "audio/wav", source, target
        )


def _database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, data BLOB)")
    database.commit()
    return database


def _sideways(rows: list[tuple[str, str]]) -> list[tuple[str, ...]]:
    names = list(dict.fromkeys(name for name, _ in rows))
    return [(name, *(value for other, value in rows if other == name)) for name in names]


if __name__ == "__main__":
    main()
