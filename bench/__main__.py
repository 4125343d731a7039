"""``make bench``: run every script and write ``docs/benchmarks.md``."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

SCRIPTS = (
    *("provenance_cost", "generation", "verification", "recognition", "identity"),
    *("appends", "disk", "proofs", "http", "fsck"),
)
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Each section is made by the command that it names, all of them by `make bench`; on {date}: {processor}, {cores} cores,
Python {python}, {system}. The machine is shared, so read medians and ratios. Nothing here is asserted in the tests.
"""


def processor() -> str:
    """The name of the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Run the scripts named on the command line, or all of them."""
    sections = []
    for name in sys.argv[1:] or SCRIPTS:
        command = [sys.executable, "-m", f"bench.{name}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(done.stdout)
        sections.append(done.stdout)
    if not sys.argv[1:]:
        head = HEAD.format(
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            processor=processor(),
            cores=os.cpu_count(),
            python=platform.python_version(),
            system=platform.system(),
        )
        PAGE.write_text("\n".join([head, *sections]), encoding="utf-8")


if __name__ == "__main__":
    main()
