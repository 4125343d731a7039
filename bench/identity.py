"""When a sound is a recording and nothing else: honest copies beside mash-ups.

What is left of a file when the recording is taken away tells them apart. The peer is the share of fingerprint bits that
differ, which does not.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.table import markdown
from fingerprint.audio import Audio, decode, encode
from fingerprint.chroma import SECONDS_PER_ITEM, Fingerprint, fingerprint
from fingerprint.likeness import SHOWN_BELOW, remainder
from generator.model import load_model
from generator.render import render
from generator.request import GenerationRequest, plan

PROMPTS = ("a calm adagio in D minor", "a busy allegro in G major", "a lively march", "a sparse largo")
SECONDS = 24
LEVELS = (-3, -6, -10, -15, -20, -25)
_FULL_SCALE = 32_768
_HEADROOM = 0.98
_ITEM_BITS = 32
_SYLLABLES = -0.3

Signal = NDArray[np.float64]

Kinds = tuple[tuple[str, str, tuple[str, ...]], ...]
"""A name, the ending of a file, and what ffmpeg is told to make of it."""

COPIES: Kinds = (
    *((f"mp3 {rate} kbit/s", "mp3", ("-b:a", f"{rate}k")) for rate in (64, 96, 128, 160, 192, 256, 320)),
    *((f"mp3 V{level}", "mp3", ("-q:a", str(level))) for level in (4, 2, 0)),
    *((f"aac {rate} kbit/s", "m4a", ("-c:a", "aac", "-b:a", f"{rate}k")) for rate in (64, 96, 128, 160, 192, 256)),
    *((f"ogg vorbis q{level}", "ogg", ("-c:a", "libvorbis", "-q:a", str(level))) for level in range(7)),
    *((f"ogg opus {rate} kbit/s", "ogg", ("-c:a", "libopus", "-b:a", f"{rate}k")) for rate in (64, 128, 192)),
    ("flac", "flac", ()),
    ("8 bits", "wav", ("-c:a", "pcm_u8")),
    *((f"{rate} Hz", "wav", ("-ar", str(rate))) for rate in (8000, 22_050, 48_000)),
    *((f"{level:+d} dB", "wav", ("-af", f"volume={level}dB")) for level in (-12, -6, 6)),
    ("mono", "wav", ("-ac", "1")),
    ("without its first 0.7 s", "wav", ("-ss", "0.7")),
    ("without its last 0.9 s", "wav", ("-t", str(SECONDS - 2.9))),
    ("without its first 0.7 s, mp3 192 kbit/s", "mp3", ("-ss", "0.7", "-b:a", "192k")),
)
CHANGES: Kinds = tuple(
    (name, "wav", ("-af", change))
    for name, change in (
        ("bass +3 dB", "bass=g=3"),
        ("treble +6 dB", "treble=g=6"),
        ("1 kHz -6 dB", "equalizer=f=1000:t=o:w=2:g=-6"),
        ("compressor 4:1", "acompressor=threshold=0.05:ratio=4"),
        ("echo", "aecho=0.8:0.7:40|60:0.3|0.2"),
        ("1 % faster", "atempo=1.01"),
    )
)


@dataclass(frozen=True)
class Measured:
    """One kind of sound, over all pieces: shares of fingerprint bits that differ, and decibels left."""

    errors: list[float]
    left: list[float]

    @property
    def taken(self) -> int:
        """How often it is taken for the recording."""
        return sum(each <= SHOWN_BELOW for each in self.left)

    @property
    def worst(self) -> str:
        """The addition that is hardest to notice."""
        often = f", taken {self.taken} of {len(self.left)}" if self.taken else ""
        return f"{min(self.left):+.0f} dB, {100 * min(self.errors):.1f} %{often}"


def main() -> None:
    """Measure and print."""
    print("## Identity by sound\n")
    print(
        f"`python -m bench.identity`: {len(PROMPTS)} pieces of {SECONDS} s by the built-in model. A file is taken for "
        f"a recording by its sound when at its worst moment (0.6 s) at most {SHOWN_BELOW:.0f} dB are left of it.\n"
    )
    pieces = [_piece(seed, prompt) for seed, prompt in enumerate(PROMPTS)]
    with tempfile.TemporaryDirectory() as name:
        _print_converted("honest copies", COPIES, pieces, Path(name))
        _print_added(pieces)
        _print_converted("nothing added, and changed", CHANGES, pieces, Path(name))


def _print_converted(title: str, kinds: Kinds, pieces: list[Audio], folder: Path) -> None:
    found = {name: Measured([], []) for name, _, _ in kinds}
    for piece in pieces:
        encode(piece, folder / "piece.wav", media_type="audio/wav")
        known = fingerprint(piece)
        for name, ending, options in kinds:
            start = 0.7 if "first" in name else 0.0
            _measure(found[name], _converted(folder, ending, options), piece, known, start)
    rows = [
        (
            name,
            f"{100 * max(each.errors):.1f} %",
            f"{min(each.left):+.0f} to {max(each.left):+.0f} dB",
            f"{each.taken} of {len(each.left)}",
        )
        for name, each in found.items()
    ]
    print(
        markdown((title, "fingerprint bits that differ", "left at the worst moment", "taken for the recording"), rows)
    )


def _print_added(pieces: list[Audio]) -> None:
    found: dict[str, dict[int, Measured]] = {}
    for number, piece in enumerate(pieces):
        music, known = _signal(piece), fingerprint(piece)
        for name, added in _added(music, _signal(pieces[number - 1]), piece.sample_rate):
            for level in LEVELS:
                each = found.setdefault(name, {}).setdefault(level, Measured([], []))
                mixed = _audio(music + added * 10 ** (level / 20), piece.sample_rate)
                _measure(each, mixed, piece, known, 0.0)
    columns = ("added, at this level relative to the music", *(f"{level} dB" for level in LEVELS))
    print("Least left at the worst moment, and fewest fingerprint bits that differ:\n")
    rows = [(name, *(each.worst for each in levels.values())) for name, levels in found.items()]
    print(markdown(columns, rows))


def _measure(measured: Measured, sound: Audio, piece: Audio, known: Fingerprint, start: float) -> None:
    items = fingerprint(sound).items
    offset = round(start / SECONDS_PER_ITEM)
    count = min(len(items), len(known.items) - offset)
    errors = np.bitwise_count(items[:count] ^ known.items[offset : offset + count])
    measured.errors.append(float(errors.mean()) / _ITEM_BITS)
    measured.left.append(remainder(sound, piece, start))


def _added(music: Signal, other: Signal, rate: int) -> Iterator[tuple[str, Signal]]:
    """Sounds as loud as the music, by name."""
    random = np.random.default_rng(len(music))
    count = len(music)
    voice = _voice(count, rate)
    brief = np.where((np.arange(count) // (2 * rate) == count // (4 * rate))[:, None], voice, 0.0)
    beside = np.zeros_like(music)
    beside[: len(other)] = other[:count]
    power = np.square(music).mean()
    yield "another recording", beside * np.sqrt(power / np.square(beside).mean())
    for name, sound in (
        ("white noise", random.normal(size=music.shape)),
        ("a voice", voice),
        ("cymbals", _struck(count, rate, 0.25, random)),
        ("a bass drum", _struck(count, rate, 0.5, None)),
    ):
        yield name, sound * np.sqrt(power / np.square(sound).mean())
    yield "a voice for two seconds", brief * np.sqrt(power / np.square(voice).mean())


def _voice(count: int, rate: int) -> Signal:
    """Gliding tones with three formants, in syllables."""
    time = np.arange(count) / rate
    pitch = 180 + 40 * np.sin(2 * np.pi * 0.3 * time) + 5 * np.sin(2 * np.pi * 5.5 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    sound = np.zeros(count)
    for number in range(1, 24):
        level = sum(
            share * np.exp(-(((180 * number - formant) / width) ** 2))
            for share, formant, width in ((1.0, 600, 500), (0.6, 1500, 600), (0.3, 2700, 700))
        )
        sound += level * np.sin(number * phase)
    return _both(sound * (np.sin(2 * np.pi * 1.3 * time) > _SYLLABLES))


def _struck(count: int, rate: int, every: float, random: np.random.Generator | None) -> Signal:
    """Bright noise, or without a source of it a low thud, again and again."""
    sound = np.zeros(count)
    length = round(0.2 * rate)
    time = np.arange(length) / rate
    for start in range(0, count - length, round(every * rate)):
        if random is None:
            stroke = np.sin(2 * np.pi * (55 * time + 4 * np.exp(-30 * time))) * np.exp(-15 * time)
        else:
            stroke = np.diff(random.normal(size=length + 2), 2) * np.exp(-time / 0.012)
        sound[start : start + length] += stroke
    return _both(sound)


def _both(sound: Signal) -> Signal:
    return np.stack([sound, sound], axis=1)


def _signal(piece: Audio) -> Signal:
    return piece.samples.astype(np.float64) / _FULL_SCALE


def _audio(signal: Signal, rate: int) -> Audio:
    peak = max(1.0, float(np.abs(signal).max()) / _HEADROOM)
    return Audio(np.rint(signal / peak * (_FULL_SCALE - 1)).astype(np.int16), rate)


def _converted(folder: Path, ending: str, options: tuple[str, ...]) -> Audio:
    target = folder / f"copy.{ending}"
    program = shutil.which("ffmpeg") or "ffmpeg"
    subprocess.run((program, "-v", "error", "-y", "-i", folder / "piece.wav", *options, target), check=True)
    return decode(target)


def _piece(seed: int, prompt: str) -> Audio:
    request = GenerationRequest(prompt, seed=seed, seconds=SECONDS)
    _, mix = render(load_model(None, "cpu").compose(request, plan(request).controls, None), 16)
    return Audio(mix.samples, mix.sample_rate)


if __name__ == "__main__":
    main()
