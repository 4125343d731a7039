"""Following a served log through the command line."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import api
from api.home import Home
from api.registry import add_party
from api.settings import Settings
from ledger.cosignature import Cosigner, with_signatures
from ledger.keys import Ed25519Signer
from ledger.log_source import HttpSource
from ledger.note import Note
from ledger.tile import TilePath
from tests.api.conftest import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENTRIES = 1000
BUNDLES = (0, 1, 2, 3)


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[tuple[Home, str, Path]]:
    """A served home, where it is served, and a policy that accepts its log."""
    home = Home(Settings(home=tmp_path / "home", device="cpu"))
    policy = tmp_path / "policy"
    policy.write_text(f"log {home.log_vkey}\nquorum none\n")
    with serving(home) as url:
        yield home, url, policy


def test_new_entries_are_told_once(
    followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path
) -> None:
    home, url, policy = followed
    asked = ("log", "monitor", url, "--policy", policy, "--memory", tmp_path / "memory")
    first = linernotes(*asked, "--json").json
    assert first["new_entries"] == first["tree_size"] == home.log.size()
    assert {each["kind"] for each in first["entries"]} >= {"key", "party", "corpus", "model"}
    party = add_party(home, "Somebody").party_id
    home.log.append([b"what no version knows"])
    done = linernotes(*asked, "--kind", "party", "--word", party.upper(), "--json").json
    assert done["new_entries"] == 2
    assert [each["about"] for each in done["entries"]] == [[party]]
    shown = linernotes(*asked)
    assert shown.code == 0
    assert "0 new entries, 0 of interest" in shown.out


def test_what_is_of_interest(followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path) -> None:
    home, url, policy = followed
    home.log.append([b"what no version knows"])

    def kinds(*options: str) -> list[str]:
        memory = tmp_path / f"memory {' '.join(options)[:40]}"
        done = linernotes("log", "monitor", url, "--policy", policy, "--memory", memory, "--json", *options)
        return [each["kind"] for each in json.loads(done.out)["entries"]]

    assert kinds("--kind", "unreadable") == ["unreadable"]
    assert kinds("--kind", "model", "--kind", "corpus") == ["corpus", "model"]
    assert kinds("--keyid", home.service.keyid, "--kind", "party") == ["party"]
    assert kinds("--keyid", "sha256:" + "0" * 64) == []
    assert kinds("--word", "no such word") == []


def test_a_log_that_forked_is_a_failed_check(
    followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path: Path
) -> None:
    home, url, policy = followed
    asked = ("log", "monitor", url, "--policy", policy, "--memory", tmp_path / "memory")
    home.engine.dispose()
    shutil.copytree(home.root, tmp_path / "fork")
    (tmp_path / "fork" / "service.lock").unlink(missing_ok=True)
    home.log.append([b"one"])
    assert linernotes(*asked).code == 0
    fork = Home(Settings(home=tmp_path / "fork", device="cpu"))
    fork.log.append([b"another"])
    with serving(fork) as other:
        done = linernotes("log", "monitor", other, *asked[3:])
    assert done.code == 1
    assert "does not extend" in done.out


def test_it_is_used_wrongly(
    followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path: Path
) -> None:
    _, url, policy = followed
    asked = ("--policy", policy, "--memory", tmp_path / "memory")
    (tmp_path / "nonsense").write_text("nonsense")
    for arguments in (
        ("http://127.0.0.1:1", *asked),
        ("ftp://127.0.0.1", *asked),
        (f"{url}/nowhere", *asked),
        ("ftp://127.0.0.1", *asked, "--every", "0.1"),
        (f"{url}?a=b", *asked, "--every", "0.1"),
        (url, "--policy", tmp_path / "nonsense"),
        (url, "--policy", tmp_path / "missing"),
        (url, "--policy", policy, "--memory", tmp_path / "no" / "folder"),
        (url, "--policy", policy, "--memory", tmp_path / "nonsense"),
        (url, *asked, "--json", "--every", "1"),
    ):
        done = linernotes("log", "monitor", *arguments)
        assert done.code == 2, (arguments, done.out, done.err)


def test_a_memory_in_the_home_when_none_is_named(
    followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path: Path
) -> None:
    _, url, policy = followed
    own = tmp_path / "own"
    assert linernotes("log", "monitor", url, "--policy", policy, home=own).code == 0
    assert "0 new entries" in linernotes("log", "monitor", f"{url}/", "--policy", policy, home=own).out
    assert [path.name for path in own.iterdir()] == ["monitor"]


def test_it_begins_where_it_is_asked_to(
    followed: tuple[Home, str, Path], linernotes: Callable[..., object], tmp_path: Path
) -> None:
    home, url, policy = followed
    size = home.log.size()
    asked = ("log", "monitor", url, "--policy", policy, "--json")
    later = linernotes(*asked, "--memory", tmp_path / "later", "--from", size - 1).json
    assert [each["log_index"] for each in later["entries"]] == [size - 1]
    now = linernotes(*asked, "--memory", tmp_path / "now", "--from-now").json
    assert (now["new_entries"], now["tree_size"], now["entries"]) == (0, size, [])
    home.log.append([b"one", b"two"])
    for options in (("--from-now",), ("--from", 0), ()):
        shutil.copy(tmp_path / "now", tmp_path / "copy")
        grown = linernotes(*asked, "--memory", tmp_path / "copy", *options).json
        assert [each["log_index"] for each in grown["entries"]] == [size, size + 1], options
    for options in (("--from", 1, "--from-now"), ("--from", size + 3), ("--from", -1)):
        assert linernotes(*asked, "--memory", tmp_path / "wrong", *options).code == 2, options
    assert not (tmp_path / "wrong").exists()


@dataclass
class Mirror:
    """A copy of a log whose owner decides what it gives.

    Attributes:
        files: What lies behind each path; any other path is answered with 404.
        silent: A path that is not answered at all until `released`.
        failing: The status of every answer in place of the files; 0 for connections that break off.
    """

    files: dict[str, bytes]
    silent: str = ""
    failing: int | None = None
    asked: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def serving(self) -> Iterator[str]:
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == mirror.silent:
                    mirror.asked.set()
                    mirror.released.wait(60)
                    return
                if mirror.failing == 0:
                    return
                body = None if mirror.failing else mirror.files.get(self.path)
                self.send_response(mirror.failing or (404 if body is None else 200))
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            self.released.set()
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Path]:
    """Everything a mirror needs of a log of a thousand entries, and a policy that accepts it."""
    root = tmp_path_factory.mktemp("copied")
    home = Home(Settings(home=root / "home", device="cpu"))
    home.log.append([b"entry %d" % number for number in range(home.log.size(), ENTRIES)])
    files = {"/checkpoint": home.log.checkpoint()}
    for level in (0, None):
        for index in BUNDLES:
            path = TilePath(level, index, min(256, ENTRIES - 256 * index))
            files[f"/{path.format()}"] = home.log.tile(path)
    (root / "policy").write_text(f"log {home.log_vkey}\nquorum none\n")
    home.close()
    return files, root / "policy"


def bundle_path(index: int) -> str:
    return "/" + TilePath(None, index, min(256, ENTRIES - 256 * index)).format()


def indices(lines: str) -> list[int]:
    """The entries that the lines of a table tell of."""
    return [int(line.split()[0]) for line in lines.splitlines() if line.split() and line.split()[0].isdigit()]


def remembered(memory: Path) -> int:
    return int(json.loads(memory.read_text())["size"])


@pytest.mark.parametrize("hidden", [0, 2, 3])
def test_a_bundle_that_is_hidden_once_is_told_of_later(
    copied: tuple[dict[str, bytes], Path], linernotes: Callable[..., object], tmp_path: Path, hidden: int
) -> None:
    files, policy = copied
    mirror = Mirror({path: data for path, data in files.items() if path != bundle_path(hidden)})
    with mirror.serving() as url:
        lines = ("log", "monitor", url, "--policy", policy, "--memory", tmp_path / "lines")
        document = ("log", "monitor", url, "--policy", policy, "--memory", tmp_path / "document", "--json")
        first = linernotes(*lines)
        assert (first.code, indices(first.out)) == (2, list(range(256 * hidden)))
        assert remembered(tmp_path / "lines") == 256 * hidden
        nothing = linernotes(*document)
        assert (nothing.code, nothing.out) == (2, "")
        assert remembered(tmp_path / "document") == 0
        mirror.files = files
        assert indices(linernotes(*lines).out) == list(range(256 * hidden, ENTRIES))
        told = linernotes(*document).json
        assert [each["log_index"] for each in told["entries"]] == list(range(ENTRIES))
        assert told["new_entries"] == ENTRIES
        assert linernotes(*document).json["entries"] == []


@pytest.mark.parametrize("json_", [(), ("--json",)], ids=["lines", "json"])
@pytest.mark.parametrize("reached", [1, 3])
def test_a_monitor_that_is_killed_has_told_what_it_remembers(
    copied: tuple[dict[str, bytes], Path],
    linernotes: Callable[..., object],
    tmp_path: Path,
    reached: int,
    json_: tuple[str, ...],
) -> None:
    """It is killed while it waits for a bundle, with all that it was given before in its hands."""
    files, policy = copied
    mirror = Mirror(files, silent=bundle_path(reached))
    memory = tmp_path / "memory"
    with mirror.serving() as url:
        asked = ("log", "monitor", url, "--policy", policy, "--memory", memory, *json_)
        with started(tmp_path, *asked) as monitor:
            assert mirror.asked.wait(60)
            monitor.kill()
        printed = (tmp_path / "printed").read_text()
        mirror.silent = ""
        mirror.released.set()
        told = list(range(0 if json_ else 256 * reached))
        assert indices(printed) == told
        assert remembered(memory) == len(told)
        rest = linernotes(*asked)
        left = [each["log_index"] for each in rest.json["entries"]] if json_ else indices(rest.out)
        assert left == list(range(len(told), ENTRIES))


@pytest.mark.parametrize("json_", [(), ("--json",)], ids=["lines", "json"])
def test_what_nobody_reads_is_not_remembered(
    copied: tuple[dict[str, bytes], Path], tmp_path: Path, json_: tuple[str, ...]
) -> None:
    """Whoever reads stops after a few lines: the pipe fills, and the monitor is killed while it waits."""
    files, policy = copied
    memory = tmp_path / "memory"
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with Mirror(files).serving() as url:
        asked = ("log", "monitor", url, "--policy", policy, "--memory", memory, *json_)
        with started(tmp_path, *asked, stdout=writing) as monitor:
            os.close(writing)
            assert os.read(reading, 100)
            monitor.kill()
    os.close(reading)
    assert remembered(memory) == 0


def test_an_output_that_is_closed_or_full_moves_nothing(copied: tuple[dict[str, bytes], Path], tmp_path: Path) -> None:
    files, policy = copied
    with Mirror(files).serving() as url, Path("/dev/full").open("wb") as full:
        for number, options in enumerate(((), ("--json",))):
            memory = tmp_path / f"memory {number}"
            asked = ("log", "monitor", url, "--policy", policy, "--memory", memory, *options)
            reading, writing = os.pipe()
            os.close(reading)
            for output in (writing, full.fileno()):
                with started(tmp_path, *asked, stdout=output) as monitor:
                    assert monitor.wait() != 0
                assert remembered(memory) == 0
            os.close(writing)


@contextmanager
def started(folder: Path, *arguments: object, stdout: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A command as a process of its own, which prints into a file unless it is told where."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINERNOTES_")}
    environment |= {"PYTHONPATH": str(Path(api.__file__).parent.parent), "LINERNOTES_HOME": str(folder / "own")}
    with (folder / "printed").open("wb") as file:
        command = [sys.executable, "-m", "api", *map(str, arguments)]
        output = file if stdout is None else stdout
        with subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, env=environment) as process:
            yield process


def test_tiles_that_disagree_are_a_failed_check_and_no_fork(
    copied: tuple[dict[str, bytes], Path], linernotes: Callable[..., object], tmp_path: Path
) -> None:
    files, policy = copied
    tile = "/" + TilePath(0, 1).format()
    with Mirror(files | {tile: bytes(len(files[tile]))}).serving() as url:
        asked = ("log", "monitor", url, "--policy", policy, "--memory", tmp_path / "memory")
        lines, document = linernotes(*asked), linernotes(*asked, "--json")
    assert (lines.code, document.code, document.out) == (1, 1, "")
    for said in (lines.out, document.err):
        assert "do not lead to its checkpoint" in said
        assert "contradict" not in said


def bad_signature(files: dict[str, bytes]) -> dict[str, bytes]:
    note = files["/checkpoint"]
    return {"/checkpoint": note[:-8] + bytes([note[-8] ^ 1]) + note[-7:]}


def false_tile(files: dict[str, bytes]) -> dict[str, bytes]:
    path = "/" + TilePath(0, 3, ENTRIES - 768).format()
    return {path: bytes(len(files[path]))}


def false_bundle(files: dict[str, bytes]) -> dict[str, bytes]:
    return {bundle_path(3): files[bundle_path(3)].replace(b"entry 999", b"entry 998")}


@pytest.mark.parametrize(
    ("lie", "code", "said"),
    [
        (bad_signature, 2, "does not accept the checkpoint"),
        (false_tile, 1, "do not lead to its checkpoint"),
        (false_bundle, 2, "other bytes for entry 999"),
    ],
)
def test_it_goes_on_after_a_failure_and_ends_at_a_lie(
    copied: tuple[dict[str, bytes], Path],
    linernotes: Callable[..., object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lie: Callable[[dict[str, bytes]], dict[str, bytes]],
    code: int,
    said: str,
) -> None:
    """What the other side does changes in each pause; what was told before a failure is not told again."""
    files, policy = copied
    memory = tmp_path / "memory"
    mirror = Mirror(files, failing=0)
    came_to: list[int] = []

    def silent() -> None:
        mirror.failing, mirror.silent = None, "/checkpoint"

    def hidden() -> None:
        mirror.silent, mirror.files = "", {path: data for path, data in files.items() if path != bundle_path(3)}

    def lying() -> None:
        mirror.failing, mirror.files = None, files | lie(files)

    changes = [lambda: setattr(mirror, "failing", 503), silent, hidden, lambda: setattr(mirror, "failing", 500), lying]

    def pause(seconds: float) -> None:
        assert seconds == 7
        came_to.append(remembered(memory) if memory.exists() else 0)
        changes.pop(0)()

    monkeypatch.setattr("api.commands.monitor.time.sleep", pause)
    monkeypatch.setattr("api.monitoring.HttpSource", partial(HttpSource, answer_seconds=0.5))
    with mirror.serving() as url:
        done = linernotes("log", "monitor", url, "--policy", policy, "--memory", memory, "--every", "7")
        failures = [line for line in done.err.splitlines() if "It is asked again in 7 seconds." in line]
        assert (done.code, len(failures), changes) == (code, 5, [])
        for line, what in zip(
            failures,
            ("could not be asked", "answers 503", "did not answer in time", "(404:", "answers 500"),
            strict=True,
        ):
            assert url in line
            assert what in line
    assert said in done.out + done.err
    assert came_to == [0, 0, 0, 768, 768]
    assert indices(done.out) == list(range(768))
    assert remembered(memory) == 768


def test_it_waits_for_a_quorum_that_is_not_reached_yet(
    copied: tuple[dict[str, bytes], Path],
    linernotes: Callable[..., object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A witness that is late proves nothing against the log; nothing is taken in before it has looked on."""
    files, policy = copied
    witness, asking, memory = Cosigner("witness.example/w", Ed25519Signer.generate()), tmp_path / "asking", "memory"
    asking.write_text(policy.read_text().replace("quorum none", f"witness w {witness.vkey}\nquorum w"))
    note = Note.parse(files["/checkpoint"])
    cosigned = with_signatures(note, [witness.cosign(note.text, 1_700_000_000)]).format()
    mirror = Mirror(dict(files))
    came_to: list[int | None] = []

    def pause(_: float) -> None:
        came_to.append(remembered(tmp_path / memory) if (tmp_path / memory).exists() else None)
        mirror.files["/checkpoint"] = cosigned if len(came_to) == 1 else bad_signature(files)["/checkpoint"]

    monkeypatch.setattr("api.commands.monitor.time.sleep", pause)
    with mirror.serving() as url:
        asked = ("log", "monitor", url, "--policy", asking, "--memory", tmp_path / memory)
        done = linernotes(*asked, "--every", "7")
        waited, ended = done.err.splitlines()
        assert "does not reach the quorum 'w'" in waited
        assert str(asking) in waited
        assert waited.endswith("It is asked again in 7 seconds.")
        assert "does not accept the checkpoint" in ended
        assert (done.code, came_to) == (2, [None, ENTRIES])
        assert indices(done.out) == list(range(ENTRIES))
        mirror.files["/checkpoint"] = files["/checkpoint"]
        once = linernotes(*asked)
        assert (once.code, once.out) == (2, "")
        assert "does not reach the quorum 'w'" in once.err
        assert "asked again" not in once.err


def test_without_every_a_failure_ends_it(
    copied: tuple[dict[str, bytes], Path], linernotes: Callable[..., object], tmp_path: Path
) -> None:
    files, policy = copied
    with Mirror(files, failing=503).serving() as url:
        done = linernotes("log", "monitor", url, "--policy", policy, "--memory", tmp_path / "memory")
    assert done.code == 2
    assert "answers 503" in done.err
    assert "asked again" not in done.err
