"""Checks a stretch of a log by itself: all that does not need to know what lies before it.

Most of the work of a check is of this kind, so stretches can be shared among processes. Each reads the database for
itself: what is in the log does not change.
"""

import gc
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from sqlalchemy import Connection, Engine

from ledger import store
from ledger.database import open_engine, reading
from ledger.encoding import MAX_NUMBER
from ledger.entry import Entry
from ledger.errors import CheckStoppedError, LedgerError
from ledger.findings import Problem
from ledger.merkle import HASH_BYTES, leaf_hash
from ledger.note import Note
from ledger.rotation import Succession
from ledger.store import StoredCheckpoint
from ledger.tile import TILE_HEIGHT, TILE_WIDTH, Tile, TileId

STRETCH = 16 * TILE_WIDTH
"""Entries of a stretch; each begins at a multiple of this."""

_AHEAD = 3
"""Stretches for each process that are begun before the first of them was taken."""

Found_co = TypeVar("Found_co", covariant=True)
Result = TypeVar("Result")
Inspect = Callable[[Connection, Sequence[Entry]], Found_co]
"""The caller's own check of entries, whose bytes mean nothing to the log; it has to travel to other processes."""


@dataclass(frozen=True, slots=True)
class CheckpointRead:
    """A checkpoint that is stored for a size within a stretch.

    Attributes:
        size: Under which it is stored.
        root: The root that was signed; empty where there is a problem.
        series: Which kind of problem there is, if there is one.
        what: The problem.
    """

    size: int
    root: bytes = b""
    series: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Stretch(Generic[Found_co]):
    """What a stretch of a log holds, and what is wrong with it.

    Attributes:
        start: Its first index, whether there is an entry or not.
        indices: Of the entries that are there, in order.
        leaves: Leaf hashes as they are stored, up to the first entry that is missing.
        problems: Entries that are not what their leaf hash says.
        times: Index and time of each entry that was appended at another time than the one before.
        tiles: Root of each full tile of level 0, computed.
        tile_problems: Series, problem: full tiles that are not as they are computed.
        checkpoints: Those of the sizes above `start` that are reached within, and in the first stretch that of 0.
        found: What the caller's own check says; None where there is none.
    """

    start: int
    indices: Sequence[int]
    leaves: Sequence[bytes]
    problems: Sequence[Problem] = ()
    times: Sequence[tuple[int, str]] = ()
    tiles: Sequence[bytes] = ()
    tile_problems: Sequence[tuple[str, Problem]] = ()
    checkpoints: Sequence[CheckpointRead] = ()
    found: Found_co | None = None


@dataclass(frozen=True, slots=True)
class Examination(Generic[Found_co]):
    """How stretches are examined; it travels to other processes.

    Attributes:
        succession: The log's own keys.
        inspect: The caller's own check.
    """

    succession: Succession
    inspect: Inspect[Found_co] | None = field(default=None)

    def examine(self, connection: Connection, start: int, stop: int) -> Stretch[Found_co]:
        """Checks the stretch `[start, stop)`; what was appended behind it since is not looked at."""
        entries = store.entries(connection, start, stop)
        indices = [entry.index for entry in entries]
        reached = next((place for place, index in enumerate(indices) if index != start + place), len(indices))
        leaves = [_of_full_length(entry.leaf_hash) for entry in entries[:reached]]
        tiles, tile_problems = _tiles(connection, start, leaves)
        return Stretch(
            start,
            range(start, start + reached) if reached == len(indices) else indices,
            leaves,
            [_not_its_hash(entry) for entry in entries if leaf_hash(entry.data) != entry.leaf_hash],
            _times(entries),
            tiles,
            tile_problems,
            [self._read(stored) for stored in store.checkpoints_between(connection, start, stop)],
            None if self.inspect is None else self.inspect(connection, entries),
        )

    def _read(self, stored: StoredCheckpoint) -> CheckpointRead:
        try:
            signed = self.succession.open(stored.note)
        except LedgerError as fault:
            return CheckpointRead(stored.size, series="unsigned", what=str(fault))
        if signed.size != stored.size:
            return CheckpointRead(stored.size, series="size", what=f"Its note is for size {signed.size}.")
        signatures = len(Note.parse(stored.note).signatures)
        if signatures != len(self.succession.signers(signed.size)):
            what = f"It has {signatures} signatures, and not those of the log alone: somebody added to it."
            return CheckpointRead(stored.size, series="added", what=what)
        return CheckpointRead(stored.size, signed.root_hash)


def examined(
    connection: Connection, engine: Engine, examination: Examination[Found_co], processes: int
) -> Iterator[Stretch[Found_co]]:
    """Yields all stretches of a log, in order.

    Args:
        connection: A transaction on the log; a stretch is examined if it holds an entry in it.
        engine: The database, which other processes open for themselves.
        examination: What is done with each.
        processes: How many share the work; with 1 it is done here.

    Raises:
        CheckStoppedError: Another process died.
        LedgerError: The database cannot be read.
    """
    places = _places(connection)
    if processes == 1:
        yield from (examination.examine(connection, *place) for place in places)
        return
    url = engine.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(url, examination)) as pool:
        try:
            begun = (pool.submit(_examine, *place) for place in places)
            yield from cast("Iterator[Stretch[Found_co]]", _in_order(begun, _AHEAD * processes))
        except BrokenProcessPool as fault:
            raise CheckStoppedError(
                "The check was stopped: one of its processes died, most likely because there was not enough memory. "
                "Nothing was changed. Run it again, with less beside it."
            ) from fault
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _places(connection: Connection) -> Iterator[tuple[int, int]]:
    """Yields start and stop of each stretch with entries, as this connection sees them: others may see more by then."""
    last = store.last_index(connection)
    first = store.first_index(connection)
    last = last and min(last, MAX_NUMBER - 1)
    if last is None or first is None:
        yield 0, 0  # where checkpoints of the empty tree belong
    while first is not None and last is not None:
        start = first - first % STRETCH
        yield start, min(start + STRETCH, last + 1)
        first = None if start + STRETCH > last else store.first_index(connection, start + STRETCH)


def _in_order(begun: Iterable[Future[Result]], ahead: int) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    for each in begun:
        waiting.append(each)
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_at_work: tuple[Engine, Examination[object]]


def _begin(url: str, examination: Examination[object]) -> None:
    """Prepares a process of the pool."""
    global _at_work  # noqa: PLW0603 - the one task of this process
    _at_work = (open_engine(url, read_only=True), examination)
    gc.freeze()  # what is there by now stays
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _examine(start: int, stop: int) -> Stretch[object]:
    engine, examination = _at_work
    try:
        with reading(engine) as connection:
            return examination.examine(connection, start, stop)
    except LedgerError:
        raise
    except Exception as fault:  # noqa: BLE001 - one that cannot travel would look like a process that died
        raise CheckStoppedError(
            f"The check was stopped at the entries from {start} on by a defect of the program: {type(fault).__name__}: "
            f"{fault}. Nothing was changed. Report this."
        ) from None


def _of_full_length(leaf: bytes) -> bytes:
    """A hash as it is stored, or, where something else is, one that fits nothing."""
    return leaf if len(leaf) == HASH_BYTES else bytes(HASH_BYTES)


def _not_its_hash(entry: Entry) -> Problem:
    return Problem("The bytes do not have the leaf hash that was recorded.", f"entry {entry.index}")


def _times(entries: Sequence[Entry]) -> list[tuple[int, str]]:
    times: list[tuple[int, str]] = []
    for entry in entries:
        if not times or times[-1][1] != entry.appended_at:
            times.append((entry.index, entry.appended_at))
    return times


def _tiles(
    connection: Connection, start: int, leaves: Sequence[bytes]
) -> tuple[list[bytes], list[tuple[str, Problem]]]:
    computed = [
        Tile.complete(b"".join(leaves[at : at + TILE_WIDTH]))
        for at in range(0, len(leaves) - len(leaves) % TILE_WIDTH, TILE_WIDTH)
    ]
    places = [TileId(0, position) for position in range(start >> TILE_HEIGHT, (start >> TILE_HEIGHT) + len(computed))]
    stored = store.tiles(connection, places)
    problems = [
        fault
        for place, tile in zip(places, computed, strict=True)
        if (fault := tile_fault(place, tile, stored.get(place))) is not None
    ]
    return [tile.root for tile in computed], problems


def tile_fault(place: TileId, computed: Tile, stored: Tile | None) -> tuple[str, Problem] | None:
    """Says what is wrong with a full tile: series and problem, or None."""
    where = f"tile {place.level}/{place.position}"
    if stored is None:
        return "missing", Problem("The tile is missing.", where)
    if stored != computed:
        return "tile", Problem("The tile does not hold the hashes of what is below it.", where)
    return None
