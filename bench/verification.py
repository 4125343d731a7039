"""`linernotes verify FILE`: the whole process, cold, on a 30 s wav, and what it is made of.

The floor is a process that imports the same libraries and does nothing with them.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from api.home import Home
from api.recording import generate
from api.settings import Settings
from bench.table import Clock, markdown, milliseconds
from fingerprint.audio import decode
from fingerprint.chroma import fingerprint
from fingerprint.digest import pcm_digest
from fingerprint.iscc import audio_code
from generator.request import GenerationRequest
from provenance import manifest

RUNS = 9
LIBRARIES = (
    "import typer, numpy, soundfile, c2pa, pydantic, acoustid, iscc_core; "
    "import cryptography.hazmat.primitives.asymmetric.ed25519"
)


def main() -> None:
    """Measure and print."""
    print("## Verification\n")
    print(f"`python -m bench.verification`: medians of {RUNS} processes, 30 s stereo 16-bit wav, an empty home.\n")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "take.wav"
        home = Home(Settings(home=Path(folder) / "home", device="cpu"))
        generate(home, GenerationRequest("an allegro in D major", seed=1, seconds=30), wav)
        environment = {**os.environ, "LINERNOTES_HOME": str(Path(folder) / "empty")}
        command = [str(Path(sys.executable).parent / "linernotes"), "verify", str(wav)]
        rows = [
            ("python alone", milliseconds(_process([sys.executable, "-c", "pass"], environment))),
            (
                "**floor: python and the libraries**",
                milliseconds(_process([sys.executable, "-c", LIBRARIES], environment)),
            ),
            *_parts(wav),
            ("**`linernotes verify`, whole process**", f"**{milliseconds(_process(command, environment))}**"),
        ]
        print(markdown(("", "median"), rows))
        print(f"Imports torch: {'yes' if _imports(command, environment, 'torch') else 'no'}; ", end="")
        print(f"sqlalchemy: {'yes' if _imports(command, environment, 'sqlalchemy') else 'no'}. Goal: at most 0.8 s.\n")


def _parts(wav: Path) -> list[tuple[str, str]]:
    clock = Clock()
    for _ in range(RUNS):
        clock.call("C2PA: read and validate", lambda: manifest.read(wav))
        audio = decode(wav)
        clock.call("decode", lambda: decode(wav))
        clock.call("content digest", lambda: pcm_digest(audio))
        print_ = fingerprint(audio)
        clock.call("chromaprint", lambda: fingerprint(audio))
        clock.call("ISCC", lambda: audio_code(print_))
    return [(name, milliseconds(clock.median(name))) for name in clock.runs]


def _process(command: list[str], environment: dict[str, str]) -> float:
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _imports(command: list[str], environment: dict[str, str], module: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return any(line.rpartition("|")[2].strip() == module for line in done.stderr.splitlines())


if __name__ == "__main__":
    main()
