"""One target under atheris, in a process of its own, which ends at the first defect: see `fuzz.__main__`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import atheris

from fuzz import catalogue

if TYPE_CHECKING:
    from fuzz.target import Target

PACKAGES = ["ledger", "fingerprint", "generator", "provenance", "licensing", "api"]
"""What inputs are chosen by: those that lead to new places of this program."""


def main() -> None:
    """Run a target: its name, the folder of its inputs, and the options of libFuzzer."""
    name, folder, *options = sys.argv[1:]
    with atheris.instrument_imports(include=PACKAGES, enable_loader_override=False):
        target = catalogue.named(name)
    inputs, words = _prepare(target, Path(folder))

    def give(data: bytes) -> None:
        target.takes(data)

    own = [f"-max_len={target.max_bytes}", *([f"-dict={words}"] if target.words else [])]
    atheris.Setup([name, str(inputs), *own, *options], give)
    atheris.Fuzz()


def _prepare(target: Target, folder: Path) -> tuple[Path, Path]:
    """Write the seeds beside the inputs that earlier runs found, and the words of the target."""
    inputs, words = folder / "inputs", folder / "words"
    inputs.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (inputs / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)  # as libFuzzer names them
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words), encoding="ascii")
    return inputs, words


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
