"""Recognition of the home's own recordings: ten-second mp3 excerpts, and Audio-Codes of lossy copies.

The peer for the Audio-Code is another piece by the same model and renderer, which must look different.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from pathlib import Path

from bench.table import markdown
from fingerprint.audio import Audio, decode, encode
from fingerprint.chroma import fingerprint
from fingerprint.index import Index
from fingerprint.iscc import audio_code, distance
from generator.model import load_model
from generator.render import render
from generator.request import GenerationRequest, plan
from ledger.database import open_engine, writing
from migrations.upgrade import upgrade

PIECES = 24
SECONDS = 30
CLIP_SECONDS = 10
KINDS = {"mp3": "audio/mpeg", "m4a": "audio/mp4"}


def main() -> None:
    """Measure and print."""
    print("## Recognition\n")
    print(f"`python -m bench.recognition`: {PIECES} pieces of {SECONDS} s by the built-in model.\n")
    sounds = [_sound(seed) for seed in range(PIECES)]
    known, strangers = sounds[: PIECES // 2], sounds[PIECES // 2 :]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = open_engine(folder / "index.db")
        upgrade(engine)
        index = Index(engine)
        with writing(engine) as connection:
            for number, sound in enumerate(known):
                index.add(connection, str(number), fingerprint(sound))
        _excerpts(index, folder, known, strangers)
        _codes(folder, sounds)


def _excerpts(index: Index, folder: Path, known: list[Audio], strangers: list[Audio]) -> None:
    times: list[float] = []

    def best(sound: Audio, start: float) -> str:
        first = int(start * sound.sample_rate)
        clip = Audio(sound.samples[first : first + CLIP_SECONDS * sound.sample_rate], sound.sample_rate)
        encode(clip, folder / "clip.mp3", media_type="audio/mpeg")
        began = time.perf_counter()
        matches = index.identify(fingerprint(decode(folder / "clip.mp3")))
        times.append(time.perf_counter() - began)
        return matches[0].recording_id if matches else ""

    starts = (0.0, 3.7, 8.2, 15.1)
    hits = [best(sound, start) == str(n) for n, sound in enumerate(known) for start in starts]
    false = [best(sound, start) != "" for sound in strangers for start in starts]
    rows = [
        ("excerpts of known recordings found", f"{sum(hits)} of {len(hits)}"),
        ("excerpts of unknown recordings matched", f"{sum(false)} of {len(false)}"),
        ("decode, fingerprint and look up, median", f"{statistics.median(times) * 1000:.0f} ms"),
    ]
    print(markdown(("ten-second mp3 excerpts", ""), rows))


def _codes(folder: Path, sounds: list[Audio]) -> None:
    codes = [audio_code(fingerprint(sound)) for sound in sounds]
    rows = []
    for kind, media_type in KINDS.items():
        found = []
        for sound, code in zip(sounds, codes, strict=True):
            path = folder / f"copy.{kind}"
            encode(sound, path, media_type=media_type)  # type: ignore[arg-type]
            found.append(distance(code, audio_code(fingerprint(decode(path)))))
        rows.append((f"{kind} copy of the same piece", statistics.median(found), max(found)))
    others = [distance(one, other) for one, other in itertools.combinations(codes, 2)]
    rows.append(("another piece (median, smallest)", statistics.median(others), min(others)))
    print(markdown(("bits of 64 in which Audio-Codes differ", "median", "largest"), rows))
    print("`verify` accepts a lossy copy up to 8 bits.\n")


def _sound(seed: int) -> Audio:
    request = GenerationRequest("", seed=seed, seconds=SECONDS)
    planned = plan(request)
    _, mix = render(load_model(None, "cpu").compose(request, planned.controls, None), 16)
    return Audio(mix.samples, mix.sample_rate)


if __name__ == "__main__":
    main()
