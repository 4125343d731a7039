import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.errors import DatabaseBusyError
from ledger.note import NoteSigner
from ledger.stamper import Keep, Report, Stamper, State
from ledger.timestamp import TimeStamp, stamped_bytes, verify
from ledger.tsa import TimeStampAuthority
from tests.ledger.local_tsa import LocalTsa, closed_port, neighbour, served

WAIT = 20
"""Seconds after which something that should have happened will not: far more than it ever takes."""
SOON = (0.001, 0.002)

Start = Callable[..., Stamper]


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    return LocalTsa.make(tmp_path_factory.mktemp("tsa") / "local")


@pytest.fixture
def note(signer: NoteSigner) -> Callable[[int], bytes]:
    return lambda size: sign_checkpoint(Checkpoint(signer.name, size, bytes(32)), signer)


@pytest.fixture
def kept() -> "queue.Queue[tuple[int, TimeStamp]]":
    return queue.Queue()


@pytest.fixture
def start(tsa: LocalTsa, kept: "queue.Queue[tuple[int, TimeStamp]]") -> Iterator[Start]:
    """Starts stampers, and ends them with the test."""
    with ExitStack() as stack:

        def begin(url: str, keep: Keep | None = None, limit: float = WAIT, **options: object) -> Stamper:
            authority = TimeStampAuthority(url, tsa.roots, limit)
            stamper = Stamper(authority, keep or (lambda *pair: kept.put(pair)), **options)
            stack.callback(stamper.close, WAIT)
            return stamper

        yield begin


@pytest.fixture
def url(tsa: LocalTsa) -> Iterator[str]:
    with served(tsa.respond) as url:
        yield url


def until(stamper: Stamper, state: State) -> None:
    """Waits for a state: the stamper's thread tells of each change."""
    with stamper._changed:
        assert stamper._changed.wait_for(lambda: stamper.report.state == state, WAIT), stamper.report


def test_a_checkpoint_is_stamped_and_kept(tsa: LocalTsa, url: str, start: Start, note, kept) -> None:
    stamper = start(url)
    assert stamper.report.state == "idle"
    stamper.submit(note(5))
    size, stamp = kept.get(timeout=WAIT)
    assert size == 5
    assert verify(stamp.token, stamped_bytes(note(5)), tsa.roots) == stamp
    until(stamper, "stamped")
    assert stamper.report.size == 5
    assert stamp.gen_time in stamper.report.detail
    assert stamper.report.since.endswith("Z")


def test_every_nth_checkpoint_is_due(url: str, start: Start, note, kept) -> None:
    stamper = start(url, every=3, behind=1)
    for size in range(1, 9):
        stamper.submit(note(size))
        if size in {2, 5, 8}:  # the first comes early: one before it was never stamped
            assert kept.get(timeout=WAIT)[0] == size
    stamper.submit(note(9), now=True)
    assert kept.get(timeout=WAIT)[0] == 9
    for size in (10, 11, 12):  # and the count begins again
        assert kept.empty()
        stamper.submit(note(size))
    assert kept.get(timeout=WAIT)[0] == 12


def test_only_the_newest_waits(url: str, start: Start, note, kept) -> None:
    begun, go = threading.Event(), threading.Event()

    def slowly(size: int, stamp: TimeStamp) -> None:
        begun.set()
        assert go.wait(WAIT)
        kept.put((size, stamp))

    stamper = start(url, keep=slowly)
    stamper.submit(note(1))
    assert begun.wait(WAIT)
    for size in range(2, 500):
        stamper.submit(note(size))
    go.set()
    assert [kept.get(timeout=WAIT)[0] for _ in range(2)] == [1, 499]
    assert stamper.wait_for(499, WAIT)
    assert kept.empty()


@pytest.mark.parametrize("neighbour_of", ["silent", "dead"])
def test_nothing_waits_for_an_authority(neighbour_of: str, start: Start, note, kept) -> None:
    """With nobody there, checkpoints are taken while the first of them is still being asked about."""
    with ExitStack() as stack:
        url = stack.enter_context(neighbour()) if neighbour_of == "silent" else closed_port()
        stamper = start(url, retry_seconds=(WAIT, WAIT))
        for size in range(1, 500):
            stamper.submit(note(size))
            assert not stamper.wait_for(size, WAIT)
        assert kept.empty()
        if neighbour_of == "silent":  # and is still being asked about the first
            assert stamper.report.state == "idle"
    until(stamper, "unreachable")
    assert "cannot be reached" in stamper.report.detail
    assert stamper.report.size is None


@pytest.mark.parametrize(
    ("pause", "drops"),
    [(0.0, ()), (0.02, tuple(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 80)), (0.0, (b"nonsense\r\n",))],
)
def test_an_authority_out_of_reach_is_reported_once(
    pause: float, drops: tuple, start: Start, note, caplog: pytest.LogCaptureFixture
) -> None:
    asked = [threading.Event() for _ in range(4)]
    with neighbour(*(bytes([drop]) if isinstance(drop, int) else drop for drop in drops), pause=pause) as url:
        stamper = start(url, limit=0.1, retry_seconds=SOON)
        counted = iter(asked)
        attempt = stamper._attempt

        def watched(note: bytes) -> Report:
            if (next_ := next(counted, None)) is not None:
                next_.set()
            return attempt(note)

        stamper._attempt = watched
        stamper.submit(note(1))
        until(stamper, "unreachable")
        since = stamper.report.since
        assert all(event.wait(WAIT) for event in asked)
        assert stamper.report.since == since
        stamper.close(WAIT)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "unreachable" in caplog.text


@pytest.mark.parametrize(("status", "kind"), [(500, "text/html"), (200, "text/plain")])
def test_a_refusal_is_reported(tsa: LocalTsa, status: int, kind: str, start: Start, note, kept) -> None:
    with served(tsa.respond, status=status, kind=kind) as url:
        stamper = start(url, retry_seconds=(WAIT, WAIT))
        stamper.submit(note(1))
        until(stamper, "refused")
        assert str(status) in stamper.report.detail
    assert kept.empty()


def test_an_authority_that_comes_back_is_asked_again(tsa: LocalTsa, start: Start, note, kept, caplog) -> None:
    caplog.set_level(logging.INFO)
    answers = iter([b"hello", b"nonsense"])
    with served(lambda query: next(answers, None) or tsa.respond(query)) as url:
        stamper = start(url, retry_seconds=SOON)
        stamper.submit(note(1))
        assert kept.get(timeout=WAIT)[0] == 1
        until(stamper, "stamped")
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]


def test_a_newer_checkpoint_takes_the_place_of_one_that_failed(tsa: LocalTsa, start: Start, note, kept) -> None:
    asked, go = threading.Event(), threading.Event()

    def late(query: bytes) -> bytes:
        if not asked.is_set():
            asked.set()
            assert go.wait(WAIT)
            return b""
        return tsa.respond(query)

    with served(late) as url:
        stamper = start(url, retry_seconds=SOON)
        stamper.submit(note(1))
        assert asked.wait(WAIT)
        stamper.submit(note(2))
        go.set()
        assert kept.get(timeout=WAIT)[0] == 2
        until(stamper, "stamped")
        assert stamper._waiting is None
    assert kept.empty()


def test_pauses_grow(start: Start, note) -> None:
    stamper = start(closed_port(), retry_seconds=(1.0, 10.0))
    pauses: list[float] = []
    wait, enough = stamper._next, threading.Event()

    def recorded(pause: float) -> bytes | None:
        pauses.append(pause)
        if len(pauses) == 7:
            enough.set()
            return None
        return wait(0.0)

    stamper._next = recorded
    stamper.submit(note(1))
    assert enough.wait(WAIT)
    assert pauses == [0.0, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_stamp_that_could_not_be_kept_is_asked_for_again(url: str, start: Start, note, kept) -> None:
    faults = iter([DatabaseBusyError("the database was locked"), ValueError("a defect")])

    def keep(size: int, stamp: TimeStamp) -> None:
        if (fault := next(faults, None)) is not None:
            raise fault
        kept.put((size, stamp))

    stamper = start(url, keep=keep, retry_seconds=SOON)
    states: list[tuple[str, str]] = []
    conclude = stamper._conclude
    stamper._conclude = lambda report, again: (states.append((report.state, report.detail)), conclude(report, again))
    stamper.submit(note(4))
    assert kept.get(timeout=WAIT)[0] == 4
    until(stamper, "stamped")
    assert [state for state, _ in states] == ["not-kept", "not-kept", "stamped"]
    assert "locked" in states[0][1]


def test_an_authority_that_answers_is_waited_for(url: str, start: Start, note, kept) -> None:
    stamper = start(url)
    stamper.submit(note(3))
    until(stamper, "stamped")
    for size in range(4, 8):
        stamper.submit(note(size))
        assert stamper.wait_for(size, WAIT)
        assert kept.queue[-1][0] == size
    stamper.submit(note(2))  # a smaller one, that came late, takes nothing back
    assert stamper.wait_for(7, WAIT)
    assert not stamper.wait_for(8, 0.0)


def test_one_that_fails_is_not_waited_for_any_longer(tsa: LocalTsa, start: Start, note) -> None:
    answers = iter([True])
    with served(lambda query: tsa.respond(query) if next(answers, False) else b"") as url:
        stamper = start(url, retry_seconds=(WAIT, WAIT))
        stamper.submit(note(1))
        until(stamper, "stamped")
        stamper.submit(note(2))
        assert not stamper.wait_for(2, 50 * WAIT)
        assert stamper.report.state == "refused"
        assert stamper.wait_for(1, 50 * WAIT)


def test_what_is_no_checkpoint_harms_nothing(url: str, start: Start, note, kept) -> None:
    stamper = start(url, retry_seconds=SOON)
    stamper.submit(b"nonsense")
    until(stamper, "refused")
    stamper.submit(note(3))
    assert kept.get(timeout=WAIT)[0] == 3


def test_after_the_end_nothing_is_asked(url: str, start: Start, note, kept) -> None:
    stamper = start(url)
    stamper.submit(note(1))
    kept.get(timeout=WAIT)
    stamper.close(WAIT)
    stamper.submit(note(2))
    assert not stamper._thread.is_alive()
    assert kept.empty()
    start(url).close()  # one that never began
