"""Durable appends on a slower disk: the same measurements while every commit takes longer.

What many clients gain by sharing a commit depends on what a commit costs, and disks differ by a factor of a hundred.
One client, ours, the floor or the peer, is delayed by strace after every `fsync` and `fdatasync`. Of many clients, ours
and the floor sleep before every commit: strace would hold up threads that wait for no disk.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from sqlalchemy import event

from bench.appends import CLIENTS, Figures, many, single
from bench.logs import new_log
from bench.proofs import crowd_of, peer_alone
from bench.table import markdown

DELAYS_MS: Final = (2.5, 25.0)
"""The first makes a disk of about 350 commits a second."""
ROUNDS: Final = 3
_CALLS: Final = "fsync,fdatasync"


def main() -> None:
    """Measure and print; `alone` on the command line is what runs under strace."""
    if sys.argv[1:] == ["alone"]:
        print(json.dumps(_alone()))
        return
    print("### On a slower disk\n")
    if shutil.which("strace") is None:
        print("This was not measured: strace is not installed, which injects the delays.\n")
        return
    print(
        "`python -m bench.disk`: SQLite, as above, with a delay in every commit: for one client by strace, after every "
        f"synchronisation with the disk; for many, of ours and of the floor, before the commit. Medians of {ROUNDS} "
        "rounds.\n"
    )
    columns = ("delay", "", "Liner Notes", "floor or peer", "goal", "ours / theirs")
    print(markdown(columns, [row for delay in DELAYS_MS for row in _rows(delay)]))


def _rows(delay: float) -> list[tuple[str, ...]]:
    alone = _delayed(delay)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        crowds = [many(folder / f"many-{number}", delay / 1000) for number in range(ROUNDS)]
        crowd = statistics.median(_crowd(folder / f"crowd-{number}", delay / 1000) for number in range(ROUNDS))
    ours, floor = (statistics.median(each[side]["rate"] for each in crowds) for side in ("ours", "floor"))
    rows = [
        ("1 client, p99", alone["ours"], alone["floor"], "at most 3", ".2f", " ms"),
        (f"{CLIENTS} clients, per second", ours, floor, "at least 0.70", ",.0f", ""),
    ]
    if alone["peer"]:
        name = f"{CLIENTS} clients against one appender of pymerkle, unsigned entries, per second"
        rows.append((name, crowd, alone["peer"], "at least 50", ",.0f", ""))
    return [
        (f"{delay:g} ms", what, f"{left:{digits}}{unit}", f"{right:{digits}}{unit}", goal, f"{left / right:.2f}")
        for what, left, right, goal, digits, unit in rows
    ]


def _delayed(milliseconds: float) -> dict[str, float]:
    inject = f"inject={_CALLS}:delay_exit={round(milliseconds * 1000)}"
    traced = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", f"trace={_CALLS}", "-e", inject)
    command = [*traced, sys.executable, "-m", "bench.disk", "alone"]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def _alone() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        rounds: list[Figures] = [single(Path(name) / f"single-{number}") for number in range(ROUNDS)]
    ours, floor = (statistics.median(each[side]["p99"] for each in rounds) for side in ("ours", "floor"))
    return {"ours": ours, "floor": floor, "peer": peer_alone(ROUNDS) or 0.0}


def _crowd(folder: Path, delay: float) -> float:
    folder.mkdir()
    log = new_log(str(folder / "log.db"), folder)
    event.listen(log.engine, "commit", lambda _: time.sleep(delay))
    rate = crowd_of(log)
    log.engine.dispose()
    return rate


if __name__ == "__main__":
    main()
