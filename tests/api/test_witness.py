"""The witness as a service: its statuses over real HTTP, its processes, and what it does to bad clients."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import api.witness
from api.errors import UsageError
from api.witness import create_server, listen, open_cosigner, open_witness
from ledger.add_checkpoint import MAX_REQUEST_BYTES, parse_cosignature
from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.errors import WitnessError, WitnessStateError
from ledger.keys import Ed25519Signer
from ledger.merkle import leaf_hash, root
from ledger.note import Note, NoteSigner, NoteVerifier, SignatureType, open_note
from ledger.policy import Policy
from ledger.witness_client import Result as Asked
from ledger.witness_client import submit
from ledger.witness_memory import origin_hash
from tests.ledger.leaves import SIGNER, Leaves, grown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result

    from ledger.witness import Witness

ROOT = Path(__file__).parents[2]
PUBLISHED = f"/{origin_hash(SIGNER.name)}/checkpoint"


@dataclass
class Reply:
    """What came back over HTTP."""

    status: int
    type: str
    body: bytes
    headers: http.client.HTTPMessage


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | Iterator[bytes] | None = None
) -> Reply:
    connection.request(method, path, body, encode_chunked=body is not None and not isinstance(body, bytes))
    response = connection.getresponse()
    return Reply(response.status, response.getheader("Content-Type", ""), response.read(), response.headers)


@contextmanager
def served(witness: Witness) -> Iterator[int]:
    """Serves a witness in this process; gives the port."""
    server, listener = create_server(witness), listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return open_witness(tmp_path / "w", [SIGNER.verifier], "witness.example/w1")


@pytest.fixture
def connection(witness: Witness) -> Iterator[http.client.HTTPConnection]:
    """One connection to a fresh witness, that every request of a test goes over."""
    with served(witness) as port:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        yield client
        client.close()


def test_every_status_of_the_specification(connection: http.client.HTTPConnection, witness: Witness) -> None:
    def post(body: bytes) -> Reply:
        reply = ask(connection, "POST", "/add-checkpoint", body)
        assert connection.sock is not None, "the connection is kept alive"
        assert b"Traceback" not in reply.body
        assert "server" not in reply.headers
        return reply

    assert ask(connection, "GET", PUBLISHED).status == 404
    cosigned = post(grown(7).request(0))
    assert (cosigned.status, cosigned.type) == (200, "text/plain; charset=utf-8")
    text = Note.parse(grown(7).checkpoint()).text
    line = parse_cosignature(cosigned.body, text, witness.verifier)
    published = ask(connection, "GET", PUBLISHED)
    assert (published.status, published.type) == (200, "text/plain; charset=utf-8")
    assert Note.parse(published.body).signatures == (*Note.parse(grown(7).checkpoint()).signatures, line)

    stale = post(grown(9).request(3))
    assert (stale.status, stale.type, stale.body) == (409, "text/x.tlog.size", b"7\n")
    assert post(grown(7).request(7)).status == 200
    assert post(grown(7, "fork").request(7)).status == 422
    assert post(grown(9, "fork").request(7)).status == 422
    assert post(grown(9).request(7)).status == 200

    assert post(b"old 10\n\n" + grown(9).checkpoint()).status == 400
    assert post(b"").status == 400
    assert post(b"\xff\x00" * 1000).status == 400
    stranger = NoteSigner("example.com/other", SIGNER.key)
    other = sign_checkpoint(Checkpoint(stranger.name, 1, bytes(32)), stranger)
    assert post(b"old 0\n\n" + other).status == 404
    impostor = NoteSigner(SIGNER.name, Ed25519Signer.generate())
    forged = sign_checkpoint(Checkpoint(SIGNER.name, 9, bytes(32)), impostor)
    assert post(b"old 9\n\n" + forged).status == 403
    empty = sign_checkpoint(Checkpoint(SIGNER.name, 0, bytes(32)), SIGNER)
    assert post(b"old 0\n\n" + empty).status == 409


def test_there_is_nothing_else(connection: http.client.HTTPConnection, witness: Witness) -> None:
    witness.add_checkpoint(grown(3).request(0))
    for method, path, status in (
        ("GET", "/add-checkpoint", 405),
        ("PUT", "/add-checkpoint", 405),
        ("POST", PUBLISHED, 405),
        ("GET", "/", 404),
        ("GET", "/checkpoint", 404),
        ("POST", "/add-checkpoint/", 404),
        ("POST", "/sign-subtree", 404),
        ("GET", "/../witness.pem/checkpoint", 404),
        ("GET", f"/{origin_hash(SIGNER.name).upper()}/checkpoint", 404),
        ("GET", "/openapi.json", 404),
    ):
        assert ask(connection, method, path).status == status, (method, path)


def test_a_long_request_is_cut_off(connection: http.client.HTTPConnection) -> None:
    longest = b"x" * MAX_REQUEST_BYTES
    assert ask(connection, "POST", "/add-checkpoint", longest).status == 400
    with suppress(ConnectionError):  # the server need not read the rest
        assert ask(connection, "POST", "/add-checkpoint", longest + b"x").status == 413
    connection.close()
    with suppress(ConnectionError):
        endless = (b"x" * 65536 for _ in range(1000))
        assert ask(connection, "POST", "/add-checkpoint", endless).status == 413
    connection.close()
    assert ask(connection, "POST", "/add-checkpoint", grown(3).request(0)).status == 200


def test_a_chunked_request_is_read(connection: http.client.HTTPConnection) -> None:
    body = grown(3).request(0)
    assert (
        ask(connection, "POST", "/add-checkpoint", (body[at : at + 7] for at in range(0, len(body), 7))).status == 200
    )


def test_silent_clients_are_hung_up_on(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.witness, "PATIENCE_SECONDS", 0.2)
    beginnings = {
        b"": b"",
        b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n": b"",
        b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\nold 0": b"HTTP/1.1 408 ",
        b"GET / HTTP/1.1\r\nHost: w\r\n\r\nGET": b"HTTP/1.1 404 ",
    }
    with served(witness) as port, ExitStack() as stack:
        clients = {sent: stack.enter_context(socket.create_connection(("127.0.0.1", port), 30)) for sent in beginnings}
        for sent, client in clients.items():
            client.sendall(sent)
        for sent, client in clients.items():
            answer = b""
            while piece := client.recv(65536):  # until the other side has closed
                answer += piece
            assert answer[:13] == beginnings[sent]


def test_a_client_that_sends_a_byte_at_a_time_is_hung_up_on(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.witness, "PATIENCE_SECONDS", 0.2)
    hung_up = False
    with served(witness) as port, socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(b"POST /add-checkpoint HTTP/1.1\r\n")
        try:
            for _ in range(1000):
                client.sendall(b"x")
                time.sleep(0.01)
        except ConnectionError:
            hung_up = True
    assert hung_up


def test_a_disk_that_fails_is_not_shown_to_clients(
    connection: http.client.HTTPConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(connection, "POST", "/add-checkpoint", grown(3).request(0)).status == 200
    (tmp_path / "w" / "logs").rename(tmp_path / "w" / "gone")
    failed = ask(connection, "POST", "/add-checkpoint", grown(4).request(3))
    assert (failed.status, failed.headers["Retry-After"]) == (503, "60")
    assert str(tmp_path).encode() not in failed.body
    assert str(tmp_path) in caplog.text
    (tmp_path / "w" / "gone").rename(tmp_path / "w" / "logs")
    assert ask(connection, "POST", "/add-checkpoint", grown(4).request(3)).status == 200
    (tmp_path / "w" / "logs" / origin_hash(SIGNER.name)).write_bytes(b"damage")
    assert ask(connection, "POST", "/add-checkpoint", grown(5).request(4)).status == 503
    damaged = ask(connection, "GET", PUBLISHED)
    assert damaged.status == 503
    assert b"damage" not in damaged.body


def test_many_at_once_are_cosigned_one_after_the_other(witness: Witness) -> None:
    """Each of four clients submits whatever size comes next: one of them is given each size."""
    with served(witness) as port:

        def client(name: int) -> list[tuple[int, bytes]]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            done: list[tuple[int, bytes]] = []
            size = 0
            while size < 16:
                rival = Leaves([*grown(size).leaves, leaf_hash(b"leaf %d" % size)])
                reply = ask(connection, "POST", "/add-checkpoint", rival.request(size))
                if reply.status == 200:
                    done.append((size + 1, root(rival.leaves)))
                else:
                    assert reply.status == 409, (name, reply)
                size = size + 1 if reply.status == 200 else int(reply.body)
            connection.close()
            return done

        with ThreadPoolExecutor(4) as pool:
            cosigned = sorted(each for done in pool.map(client, range(4)) for each in done)
    assert [size for size, _ in cosigned] == list(range(1, 17))


class Process:
    """``linernotes log witness serve`` as a process of its own."""

    def __init__(self, folder: Path, *logs: NoteVerifier) -> None:
        options = [word for log in logs or (SIGNER.verifier,) for word in ("--log", log.vkey)]
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--folder", str(folder), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout
        self.verifier = NoteVerifier.parse(self.process.stdout.readline().strip())
        self.port = int(self.process.stdout.readline().split("port ")[1].split(",")[0])
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)  # nothing, where it has ended
        assert self.process.stdout
        self.process.stdout.close()
        return self.process.wait()


COMMAND = [sys.executable, "-c", "from api.commands.witness import witness; witness()"]


def test_a_killed_witness_never_goes_back_behind_a_cosignature(tmp_path: Path) -> None:
    size = 0
    for rounds in range(4):
        process = Process(tmp_path / "w")
        connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
        if size:
            note = ask(connection, "GET", PUBLISHED).body
            open_note(note, [process.verifier])
            found = open_checkpoint(note, [SIGNER.verifier]).size
            assert size <= found <= size + 1
            size = found
        killer = threading.Timer(0.05 + 0.03 * rounds, process.process.kill)
        killer.start()
        with suppress(OSError, http.client.HTTPException):
            while size < 1000:
                assert ask(connection, "POST", "/add-checkpoint", grown(size + 1).request(size)).status == 200
                size += 1
        killer.join()
        process.stop(signal.SIGKILL)
        connection.close()
    assert size > 0


def test_real_processes_reach_a_quorum(tmp_path: Path) -> None:
    with ExitStack() as stack:
        processes = [Process(tmp_path / f"w{number}") for number in (1, 2, 3)]
        for process in processes:
            stack.callback(process.stop)
        lines = [f"witness w{n} {p.verifier.vkey} {p.url}" for n, p in enumerate(processes)]
        policy = Policy.parse("\n".join([f"log {SIGNER.vkey}", *lines, "group G 2 w0 w1 w2", "quorum G"]))
        assert len({p.verifier.public_key for p in processes}) == 3
        submission = submit(grown(5), policy.witnesses, deadline_seconds=30)
        assert [answer.result for answer in submission.answers] == [Asked.COSIGNED] * 3
        assert policy.check(submission.note).size == 5
        processes[0].stop(signal.SIGKILL)
        submission = submit(grown(9), policy.witnesses, cosigned=submission.note, deadline_seconds=30)
        assert [answer.result for answer in submission.answers].count(Asked.COSIGNED) == 2
        assert policy.check(submission.note).size == 9
        fork = submit(grown(9, "fork"), policy.witnesses[1:], deadline_seconds=30)
        assert [answer.result for answer in fork.answers] == [Asked.CONTRADICTED] * 2
        assert processes[1].stop() in {0, -signal.SIGTERM}


def linernotes(*words: object, home: Path | None = None) -> Result:
    """Runs a command of the group in this process."""
    from api.commands.witness import witness

    return CliRunner().invoke(
        witness, [str(word) for word in words], env={"LINERNOTES_HOME": str(home)} if home else {}
    )


def test_the_key_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    first = linernotes("vkey", "--folder", folder, "--name", "witness.example/w1").stdout
    verifier = NoteVerifier.parse(first.strip())
    assert (verifier.name, verifier.signature_type) == ("witness.example/w1", SignatureType.COSIGNATURE)
    assert linernotes("vkey", home=tmp_path / "home").stdout != first
    assert open_cosigner(folder).vkey == verifier.vkey
    assert open_cosigner(folder, "witness.example/w1").vkey == verifier.vkey
    with pytest.raises(UsageError, match="keeps its name for life"):
        open_cosigner(folder, "witness.example/w2")
    assert (tmp_path / "home" / "witness" / "witness.pem").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "home" / "linernotes.db").exists()


def test_two_that_come_first_at_once_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        vkeys = set(pool.map(lambda _: open_cosigner(tmp_path / "w").vkey, range(8)))
    assert len(vkeys) == 1
    assert vkeys.pop().startswith("linernotes.local/witness/")


def test_a_witness_whose_key_was_replaced_does_not_begin_again(tmp_path: Path) -> None:
    open_witness(tmp_path / "w", [SIGNER.verifier]).add_checkpoint(grown(3).request(0))
    (tmp_path / "w" / "witness.pem").unlink()
    with pytest.raises(WitnessStateError, match="with the key that goes with it"):
        open_witness(tmp_path / "w", [SIGNER.verifier])


def test_a_witness_cannot_watch_nothing(tmp_path: Path) -> None:
    with pytest.raises(WitnessError):
        open_witness(tmp_path / "w", [])
    assert linernotes("serve", "--folder", tmp_path / "w").exit_code == 2
    assert linernotes("serve", "--log", SIGNER.vkey, "--port", 65_536).exit_code == 2


def test_submit_asks_whom_the_policy_names(studio_home: Path, tmp_path: Path) -> None:
    from api.home import Home
    from api.settings import Settings

    log = NoteVerifier.parse((studio_home / "keys" / "log.vkey").read_text().strip())
    process = Process(tmp_path / "w", log)
    try:
        dead = open_cosigner(tmp_path / "dead", "witness.example/dead").vkey
        lines = [f"log {log.vkey}", f"witness up {process.verifier.vkey} {process.url}"]
        policy = tmp_path / "policy"
        policy.write_text(
            "\n".join([*lines, f"witness down {dead} http://127.0.0.1:9", "group G any up down", "quorum G"])
        )
        done = linernotes("submit", "--policy", policy, home=studio_home)
        assert done.exit_code == 0, done.output
        assert "the quorum is reached" in done.stdout
        assert "unreachable" in done.stdout
        answer = json.loads(linernotes("submit", "--policy", policy, "--json", home=studio_home).stdout)
        assert answer["quorum_reached"]
        assert [(w["witness"], w["result"]) for w in answer["witnesses"]] == [
            ("up", "cosigned"),
            ("down", "unreachable"),
        ]
        assert answer["witnesses"][0]["cosigned_at"].endswith("Z")
        assert (studio_home / "cosigned-checkpoint").read_bytes() == answer["checkpoint"].encode()
        assert Policy.parse(policy.read_bytes()).check(answer["checkpoint"].encode()).size == answer["tree_size"]
        policy.write_text(policy.read_text().replace("any", "all"))
        missed = linernotes("submit", "--policy", policy, home=studio_home)
        assert missed.exit_code == 1
        assert "does not reach the quorum" in missed.stdout
    finally:
        process.stop()
    policy.write_text(f"log {log.vkey}\nwitness up {process.verifier.vkey}\nquorum up\n")
    from api.witnessing import read_policy

    with pytest.raises(UsageError, match="names no witness that can be asked"):
        read_policy(policy)
    policy.write_text("nonsense\n")
    with pytest.raises(UsageError, match="not a tlog-policy"):
        read_policy(policy)
    Home(Settings(home=studio_home)).engine.dispose()


@pytest.fixture
def studio_home(tmp_path: Path) -> Path:
    from api.home import Home
    from api.settings import Settings

    root = tmp_path / "home"
    Home(Settings(home=root, device="cpu")).engine.dispose()
    return root


def test_connections_do_not_wait_for_acknowledgements() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        served, _ = listener.accept()
        with served:
            assert served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
