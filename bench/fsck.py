"""`linernotes log fsck` of a large log, against a floor that hashes the same bytes and verifies the same signatures.

The floor is the bare libraries in as many processes as there are cores: each reads its share of the rows, takes every
envelope apart as far as its signature needs, hashes the entry and the nodes above it, and verifies it. It looks at no
checkpoint, no statement and no table.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api.history import recording
from api.recording import generate
from api.rights import ask, check
from bench.crowd import together
from bench.places import Engine, new_place, opened
from bench.table import markdown
from generator.request import GenerationRequest
from ledger.envelope import pae
from ledger.tile import TILE_WIDTH
from provenance.identity import Digest
from provenance.statement import Statement, Subject, header
from provenance.use_predicate import ExportPredicate

if TYPE_CHECKING:
    from api.home import Draft, Home

ENTRIES: Final = 1_000_000
ROUNDS: Final = 3
BATCH: Final = 10_000
CORES: Final = len(os.sched_getaffinity(0))
SECONDS_OF_MUSIC: Final = 8
_FSCK: Final = (sys.executable, "-m", "api", "log", "fsck", "--json")


def main() -> None:
    """Measure and print; another number of entries can be named on the command line."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    with tempfile.TemporaryDirectory() as folder:
        place = new_place(Path(folder), Engine("SQLite", "", 1))
        [environment] = place.environments
        home = opened(environment)
        filled = _seconds(lambda: _fill(home, size))
        database, key = home.root / "linernotes.db", home.service.verifier.public_key
        bytes_per_entry = database.stat().st_size / size
        home.close()
        floors, ours = [], []
        for _ in range(ROUNDS):
            floors.append(_floor(database, key, size))
            ours.append(_seconds(lambda: _fsck(environment, size)))
    floor, whole = statistics.median(floors), statistics.median(ours)
    print("## Checking a whole log\n")
    print(
        f"`python -m bench.fsck`: a log in SQLite of {size:,} signed statements, most of them about exports of one "
        f"recording; medians of {ROUNDS} runs, in turn with the floor: the same bytes hashed and the same signatures "
        f"verified by the bare libraries, in {CORES} processes. The command is timed from its start to its end. (To "
        f"sign and append them took {filled:.0f} s; they take {bytes_per_entry:,.0f} bytes each, with their tables.)\n"
    )
    rows = [
        ("floor", f"{floor:.1f} s", f"{size / floor:,.0f}", "", ""),
        ("`linernotes log fsck`", f"{whole:.1f} s", f"{size / whole:,.0f}", f"{whole / floor:.2f}", "at most 1.3"),
    ]
    print(markdown(("", "time", "entries per second", "times the floor", "goal"), rows))


def _fill(home: Home, size: int) -> None:
    """Makes a recording, has it checked, and puts exports of it on record until the log has a size."""
    made = generate(home, GenerationRequest("an allegro in D major", seed=1, seconds=SECONDS_OF_MUSIC))
    last = recording(home, made.recording_id)
    checked = check(home, last, ask(home, "commercial-release", "DE", None, None)).leaf_hash
    for start in range(home.log.size(), size, BATCH):
        home.append(
            [_export(home, last.recording_id, last.leaf_hash, checked) for _ in range(min(BATCH, size - start))]
        )


def _export(home: Home, recording_id: str, of: Digest, checked: Digest) -> Draft:
    package = Digest(f"sha256:{os.urandom(32).hex()}")
    predicate = ExportPredicate.model_validate(
        header(ExportPredicate)
        | {"recording_id": recording_id, "of": of, "package_digest": package, "files": 12, "check": checked}
    )
    return home.sign(Statement((Subject(recording_id, package),), predicate))


def _fsck(environment: Mapping[str, str], size: int) -> None:
    done = subprocess.run(_FSCK, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True)
    report = json.loads(done.stdout)
    if (report["entries"], report["problems"], report["warnings"]) != (size, [], []):
        raise RuntimeError(f"the log is not as it was made: {done.stdout[:2000]!r}")


def _floor(database: Path, key: bytes, size: int) -> float:
    cuts = [size * number // CORES for number in range(CORES + 1)]
    shares = [(database, key, start, stop) for start, stop in itertools.pairwise(cuts)]
    seconds, checked = together(_verify_rows, shares)
    if sum(checked) != size:
        raise RuntimeError(f"the floor checked {sum(checked)} entries of {size}")
    return seconds


def _verify_rows(wait: Callable[[], object], database: Path, key: bytes, start: int, stop: int) -> int:
    raw = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    verifier = Ed25519PublicKey.from_public_bytes(key)
    query = "SELECT leaf_hash, data FROM entry WHERE log_index >= ? AND log_index < ? ORDER BY log_index"
    checked = 0
    row: list[bytes] = []
    wait()
    for leaf, data in raw.execute(query, (start, stop)):
        document = json.loads(data)
        message = pae(document["payloadType"], base64.b64decode(document["payload"]))
        for signature in document["signatures"]:
            verifier.verify(base64.b64decode(signature["sig"]), message)
        checked += hashlib.sha256(b"\x00" + data).digest() == leaf
        row.append(leaf)
        if len(row) == TILE_WIDTH:
            _hash_nodes(row)
            row = []
    raw.close()
    return checked


def _hash_nodes(row: list[bytes]) -> None:
    """Hash every node above the leaves of a tile (RFC 6962 section 2.1)."""
    while len(row) > 1:
        row = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
