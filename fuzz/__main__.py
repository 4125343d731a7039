"""Give every parser of outside bytes what nobody expects, guided by coverage.

python -m fuzz [TARGET…] [--seconds N]      look for defects; what is found is kept in build/fuzz/TARGET
python -m fuzz --replay FILE TARGET         give a kept input to its parser again
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz import bounds, catalogue

KEPT = Path(__file__).parent.parent / "build" / "fuzz"
"""Inputs that led to new places are kept too, and the next run begins with them."""
INPUT_SECONDS = 5
"""How long one input may take, by the clock."""
MOST_MEGABYTES = 2048
"""What a process may grow to, native libraries included."""

_COVERAGE = re.compile(rb"^#\d+\t(INITED|[A-Z_]+)\s+cov: (\d+)", re.MULTILINE)
_FINAL = re.compile(rb"^stat::(\w+):\s+(\d+)", re.MULTILINE)
_DEFECT = re.compile(rb"Test unit written to (\S+)")
_TOLD_LINES = 25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target.

    Attributes:
        runs: Inputs that were tried.
        per_second: How many in a second.
        found: Places of the program that the inputs tried here reached, and those before did not.
        defect: The input that showed a defect; None where none did.
        said: The last lines of the process.
    """

    runs: int
    per_second: int
    found: int
    defect: Path | None
    said: str


def main() -> int:
    """Run what the command line asks for, and return 0 where no defect was found."""
    options = _options()
    if options.replay:
        return _replay(options.replay, *options.targets)
    if importlib.util.find_spec("atheris") is None:
        print(
            "atheris is not installed: pip install atheris. Nothing was tried.",
            file=sys.stderr,
        )
        return 2
    print(f"{'target':28} {'runs':>10} {'runs/s':>8} {'new places':>10}  result", flush=True)
    defects = 0
    for name in options.targets or [target.name for target in catalogue.every()]:
        outcome = _tried(name, options.seconds)
        result = f"defect: python -m fuzz --replay {outcome.defect} {name}" if outcome.defect else "nothing found"
        print(f"{name:28} {outcome.runs:10} {outcome.per_second:8} {outcome.found:10}  {result}", flush=True)
        if outcome.defect:
            defects += 1
            print(outcome.said, file=sys.stderr, flush=True)
    return 1 if defects else 0


def _options() -> argparse.Namespace:
    known = [target.name for target in catalogue.every()]
    parser = argparse.ArgumentParser("python -m fuzz", description=__doc__.splitlines()[0], epilog=", ".join(known))
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="those to try; all when left out")
    parser.add_argument("--seconds", type=int, default=60, help="how long to try each (default: 60)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="give this input to one target")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(known):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if options.replay and len(options.targets) != 1:
        parser.error("a file is given to one target")
    return options


def _replay(path: Path, name: str) -> int:
    taken = bounds.take(catalogue.named(name), path.read_bytes())
    print(f"{'taken' if taken.accepted else 'refused'} in {taken.seconds:.3f} s with {taken.memory} bytes of memory")
    return 0


def _tried(name: str, seconds: int) -> Outcome:
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    limits = (f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MOST_MEGABYTES}", f"-max_total_time={seconds}")
    told = (f"-artifact_prefix={folder}/", "-print_final_stats=1")
    with TemporaryDirectory(prefix="linernotes-fuzz-") as scratch:  # the process ends without clearing up
        command = [sys.executable, "-m", "fuzz.guided", name, str(folder), *limits, *told]
        done = subprocess.run(
            command, cwd=KEPT.parent.parent, env={**os.environ, "TMPDIR": scratch}, capture_output=True, check=False
        )
    return _outcome(done)


def _outcome(done: subprocess.CompletedProcess[bytes]) -> Outcome:
    said = done.stderr + done.stdout  # which is where atheris writes what was raised
    figures = {name: int(value) for name, value in _FINAL.findall(said)}
    coverage = [int(value) for _, value in _COVERAGE.findall(said)] or [0]
    written = _DEFECT.search(said)
    lines = said.decode("utf-8", "replace").splitlines()
    if done.returncode != 0 and written is None:
        raise RuntimeError("\n".join([f"The process ended with {done.returncode}.", *lines[-_TOLD_LINES:]]))
    return Outcome(
        figures.get(b"number_of_executed_units", 0),
        figures.get(b"average_exec_per_sec", 0),
        coverage[-1] - coverage[0],
        Path(os.fsdecode(written[1])) if written else None,
        "\n".join(lines[-_TOLD_LINES:]),
    )


if __name__ == "__main__":
    sys.exit(main())
