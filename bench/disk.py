"""Durable appends on a slower disk: the same measurements while every synchronisation with the disk takes longer.

What many clients gain by sharing a commit depends on what a commit costs, and disks differ by a factor of a hundred.
The delays are injected by strace, which stops the program at nothing but `fsync` and `fdatasync`.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.appends import CLIENTS, Figures, many, single
from bench.proofs import peer_appends
from bench.table import markdown

DELAYS_MS: Final = (2.5, 25.0)
"""The first makes a disk of about 350 commits a second, which is a usual one for a server in a data centre."""
ROUNDS: Final = 3
_CALLS: Final = "fsync,fdatasync"


def main() -> None:
    """Measure and print; `measure` on the command line is what runs under strace."""
    if sys.argv[1:] == ["measure"]:
        print(json.dumps(_measure()))
        return
    print("### On a slower disk\n")
    if shutil.which("strace") is None:
        print("This was not measured: strace is not installed, which injects the delays.\n")
        return
    print(
        f"`python -m bench.disk`: SQLite, as above, with a delay after every synchronisation with the disk (strace); "
        f"medians of {ROUNDS} rounds.\n"
    )
    columns = ("delay", "", "Liner Notes", "floor or peer", "goal", "ours / theirs")
    print(markdown(columns, [row for delay in DELAYS_MS for row in _rows(delay, _delayed(delay))]))


def _delayed(milliseconds: float) -> dict[str, Figures]:
    inject = f"inject={_CALLS}:delay_exit={round(milliseconds * 1000)}"
    traced = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", f"trace={_CALLS}", "-e", inject)
    command = [*traced, sys.executable, "-m", "bench.disk", "measure"]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def _measure() -> dict[str, Figures]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        singles = [single(folder / f"single-{number}") for number in range(ROUNDS)]
        crowds = [many(folder / f"many-{number}") for number in range(ROUNDS)]
        alone, theirs, crowd, _ = peer_appends(ROUNDS) or (0.0,) * 4
    return {
        "single": _medians(singles),
        "many": _medians(crowds),
        "peer": {"ours": {"alone": alone, "crowd": crowd}, "floor": {"alone": theirs, "crowd": theirs}},
    }


def _medians(rounds: list[Figures]) -> Figures:
    return {
        side: {name: statistics.median(each[side][name] for each in rounds) for name in rounds[0][side]}
        for side in rounds[0]
    }


def _rows(delay: float, measured: dict[str, Figures]) -> list[tuple[str, ...]]:
    one, many_at_once, peer = (measured[name] for name in ("single", "many", "peer"))
    rows = [
        ("1 client, p99", one, "p99", "at most 3", ".2f", " ms"),
        (f"{CLIENTS} clients, per second", many_at_once, "rate", "at least 0.70", ",.0f", ""),
    ]
    if peer["floor"]["crowd"]:
        name = f"{CLIENTS} clients, against one appender of pymerkle, per second"
        rows.append((name, peer, "crowd", "at least 50", ",.0f", ""))
    return [
        (
            f"{delay:g} ms",
            name,
            f"{figures['ours'][key]:{digits}}{unit}",
            f"{figures['floor'][key]:{digits}}{unit}",
            goal,
            f"{figures['ours'][key] / figures['floor'][key]:.2f}",
        )
        for name, figures, key, goal, digits, unit in rows
    ]


if __name__ == "__main__":
    main()
