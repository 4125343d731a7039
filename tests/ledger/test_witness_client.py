"""A log that asks witnesses: real ones behind a server of the tests' own, and ones that lie."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.add_checkpoint import SIZE_TYPE, AddCheckpoint, format_size
from ledger.checkpoint import Checkpoint
from ledger.cosignature import Cosigner, cosigned_at
from ledger.errors import (
    InconsistentCheckpointError,
    NoSuchEntryError,
    OldSizeError,
    PolicyError,
    SignatureError,
    UnknownLogError,
    WitnessError,
)
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.note import MAX_SIGNATURES, Note, NoteSigner, NoteVerifier
from ledger.policy import Policy, TrustedLog
from ledger.policy import Witness as Named
from ledger.proof import ConsistencyProof, TlogProof
from ledger.witness import Witness
from ledger.witness_client import Answer, Result, WitnessedLog, submit
from ledger.witness_memory import origin_hash
from tests.ledger.leaves import SIGNER, Leaves, grown

Handler = Callable[[bytes], tuple[int, bytes]]


def key(text: str) -> Ed25519Signer:
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(text.encode().ljust(32)))


class Asked:
    """A witness and its server, which notes down the old sizes that were asked from."""

    def __init__(self, name: str, folder: Path, *logs: NoteVerifier) -> None:
        folder.mkdir()
        self.witness = Witness(Cosigner(name, key(name)), logs, folder)
        self.old_sizes: list[int] = []

    def __call__(self, body: bytes) -> tuple[int, bytes]:
        self.old_sizes.append(AddCheckpoint.parse(body).old_size)
        try:
            return 200, self.witness.add_checkpoint(body)
        except OldSizeError as refusal:
            return 409, format_size(refusal.size)
        except UnknownLogError as refusal:
            return 404, str(refusal).encode()
        except SignatureError as refusal:
            return 403, str(refusal).encode()
        except InconsistentCheckpointError as refusal:
            return 422, str(refusal).encode()

    def size(self) -> int:
        return Checkpoint.parse(Note.parse(self.witness.checkpoint(origin_hash(SIGNER.name))).text).size


@contextmanager
def serving(handler: Handler, *, size_type: str = SIZE_TYPE) -> Iterator[str]:
    class Served(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_POST(self) -> None:
            assert self.path == "/prefix/add-checkpoint"
            status, answer = handler(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", size_type if status == HTTPStatus.CONFLICT else "text/plain")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Served) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/prefix"
        finally:
            server.shutdown()
            thread.join()


def named(asked: Asked | NoteVerifier, url: str | None) -> Named:
    verifier = asked.witness.verifier if isinstance(asked, Asked) else asked
    return Named(verifier.name.partition("/")[2], verifier, url)


@pytest.fixture
def witnesses(tmp_path: Path, signer: NoteSigner) -> Iterator[list[tuple[Asked, Named]]]:
    """Three witnesses that are up."""
    with ExitStack() as stack:
        keys = (SIGNER.verifier, signer.verifier)  # of the log in memory, and of the real one
        asked = [Asked(f"witness.example/w{number}", tmp_path / f"w{number}", *keys) for number in (1, 2, 3)]
        yield [(each, named(each, stack.enter_context(serving(each)))) for each in asked]


@pytest.fixture
def one(witnesses: list[tuple[Asked, Named]]) -> tuple[Asked, Named]:
    return witnesses[0]


def ask(log: WitnessedLog, witness: Named, cosigned: bytes | None = None) -> Answer:
    [answer] = submit(log, [witness], cosigned=cosigned, deadline_seconds=30).answers
    return answer


def lying(handler: Handler, log: Leaves, *, deadline_seconds: float = 30, size_type: str = SIZE_TYPE) -> Answer:
    """What is made of a witness that answers so."""
    liar = Cosigner("witness.example/liar", key("liar"))
    with serving(handler, size_type=size_type) as url:
        return submit(log, [named(liar.verifier, url)], deadline_seconds=deadline_seconds).answers[0]


def test_a_quorum_of_real_witnesses(witnesses: list[tuple[Asked, Named]], log: Log, signer: NoteSigner) -> None:
    """With the real log, whose later proofs then satisfy the policy."""
    everybody = [each for _, each in witnesses]
    vkeys = "".join(f"witness {w.name} {w.verifier.vkey} {w.url}\n" for w in everybody)
    policy = Policy.parse(f"log {signer.vkey}\n{vkeys}group G all w1 w2 w3\nquorum G\n")
    cosigned = None
    for batch in ([b"one"], [b"two", b"three"], [b"four"]):
        receipts = log.append(batch)
        submission = submit(log, policy.witnesses, cosigned=cosigned, deadline_seconds=30)
        assert [answer.result for answer in submission.answers] == [Result.COSIGNED] * 3
        cosigned = submission.note
        assert policy.check(cosigned).size == log.size()
        path = log.inclusion_proof(receipts[0].index, log.size()).path
        proof = TlogProof.parse(TlogProof(receipts[0].index, path, cosigned).format())
        assert policy.verify(proof, receipts[0].leaf_hash).size == log.size()
    assert witnesses[0][0].old_sizes == [0, 1, 3]


def test_the_right_size_is_learned_from_the_witness(one: tuple[Asked, Named]) -> None:
    asked, witness = one
    log = grown(0)
    expected = []
    for size in (0, 0, 1, 5, 5, 9):
        log.leaves = grown(size).leaves
        before = expected and asked.size()
        assert ask(log, witness).result is Result.COSIGNED
        expected += [0] if not before else [0, before]
        assert asked.old_sizes == expected
        assert asked.size() == size


def test_what_was_cosigned_spares_the_question(witnesses: list[tuple[Asked, Named]]) -> None:
    (first, one), (second, two), _ = witnesses
    cosigned = submit(grown(5), [one], deadline_seconds=30).note
    submission = submit(grown(9), [one, two], cosigned=cosigned, deadline_seconds=30)
    assert [answer.result for answer in submission.answers] == [Result.COSIGNED] * 2
    assert first.old_sizes == [0, 5]
    assert second.old_sizes == [0]
    submit(grown(12), [one, two], cosigned=cosigned, deadline_seconds=30)  # it is told, where that is out of date
    assert first.old_sizes == [0, 5, 5, 9]
    assert second.old_sizes == [0, 0, 9]


def test_cosignatures_of_the_same_checkpoint_are_kept(witnesses: list[tuple[Asked, Named]]) -> None:
    (_, one), (_, two), (_, three) = witnesses
    first = submit(grown(5), [one, two], deadline_seconds=30).note
    both = Note.parse(submit(grown(5), [two, three], cosigned=first, deadline_seconds=30).note)
    assert [s.name for s in both.signatures] == [SIGNER.name, two.verifier.name, three.verifier.name]
    all_three = Note.parse(submit(grown(5), [one, two, three], cosigned=first, deadline_seconds=30).note)
    assert len(all_three.signatures) == 4
    grown_on = Note.parse(submit(grown(6), [three], cosigned=first, deadline_seconds=30).note)
    assert [s.name for s in grown_on.signatures] == [SIGNER.name, three.verifier.name]


def test_witnesses_without_a_url_are_not_asked(one: tuple[Asked, Named]) -> None:
    asked, _ = one
    submission = submit(grown(5), [named(asked, None)])
    assert submission.answers == ()
    assert submission.note == grown(5).checkpoint()


def test_the_dead_and_the_silent_are_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        dead = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        urls = [dead, f"http://{address}", f"https://{address}", "mailto:witness"]
        witnesses = [named(Cosigner(f"x/x{n}", key(f"x{n}")).verifier, url) for n, url in enumerate(urls)]
        submission = submit(grown(5), witnesses, deadline_seconds=0.2)
        assert [answer.result for answer in submission.answers] == [Result.UNREACHABLE] * 4
        assert submission.note == grown(5).checkpoint()
        for thread in threading.enumerate():  # nobody is left behind, waiting
            if thread.name == "witness":
                thread.join(30)
                assert not thread.is_alive()


def test_one_that_waits_does_not_hold_up_another(one: tuple[Asked, Named]) -> None:
    asked, witness = one
    cosigned = threading.Event()

    def after(body: bytes) -> tuple[int, bytes]:
        answer = asked(body)
        cosigned.set()
        return answer

    def waiting(_body: bytes) -> tuple[int, bytes]:
        assert cosigned.wait(30)
        return 503, b""

    with serving(waiting) as slow, serving(after) as url:
        stranger = named(Cosigner("x/x", key("x")).verifier, slow)
        submission = submit(grown(5), [stranger, named(asked, url)], deadline_seconds=30)
    assert [answer.result for answer in submission.answers] == [Result.UNREACHABLE, Result.COSIGNED]
    assert [s.name for s in Note.parse(submission.note).signatures] == [SIGNER.name, witness.verifier.name]


def test_a_log_that_lost_entries_is_told(one: tuple[Asked, Named]) -> None:
    _, witness = one
    cosigned = submit(grown(9), [witness], deadline_seconds=30).note
    for known in (None, cosigned):
        answer = ask(grown(5), witness, known)
        assert answer.result is Result.CONTRADICTED
        assert "size 9, but the log has 5 entries" in answer.detail


def test_a_log_that_forked_is_told(one: tuple[Asked, Named]) -> None:
    asked, witness = one
    assert ask(grown(5), witness).result is Result.COSIGNED
    for size in (5, 9):
        answer = ask(grown(size, "other"), witness)
        assert answer.result is Result.CONTRADICTED
        assert "changed or forked" in answer.detail
    assert asked.size() == 5
    assert ask(grown(9), witness).result is Result.COSIGNED


def test_a_process_that_is_faster_is_no_fault(one: tuple[Asked, Named]) -> None:
    _, witness = one

    class Growing(Leaves):
        """Another process appends, and submits, just after this one has read the checkpoint."""

        def checkpoint(self) -> bytes:
            note = super().checkpoint()
            if len(self.leaves) == 5:
                self.leaves = grown(9).leaves
                assert ask(grown(9), witness).result is Result.COSIGNED
            return note

    answer = ask(Growing(grown(5).leaves), witness)
    assert answer.result is Result.OVERTAKEN
    assert "size 9" in answer.detail


def test_a_log_that_the_witness_does_not_know(tmp_path: Path) -> None:
    other = NoteVerifier("example.com/other", SIGNER.verifier.public_key)
    newer = NoteVerifier(SIGNER.name, key("newer").verifier.public_key)
    for name, verifier, status in (("w1", other, 404), ("w2", newer, 403)):
        asked = Asked(f"witness.example/{name}", tmp_path / name, verifier)
        with serving(asked) as url:
            answer = ask(grown(5), named(asked, url))
        assert answer.result is Result.REFUSED
        assert f"answered {status}" in answer.detail
        assert "Give its operator the log's verifier key" in answer.detail


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (200, b"", Result.REFUSED),
        (200, b"hello\n", Result.REFUSED),
        (200, b"x" * 100_000, Result.UNREACHABLE),
        (204, b"", Result.REFUSED),
        (301, b"", Result.REFUSED),
        (400, b"no \x1b[31mrequest", Result.REFUSED),
        (409, b"", Result.REFUSED),
        (409, b"many\n", Result.REFUSED),
        (409, b"4\n", Result.OVERTAKEN),
        (409, b"0\n", Result.OVERTAKEN),
        (409, b"6\n", Result.CONTRADICTED),
        (409, b"9223372036854775807\n", Result.CONTRADICTED),
        (409, b"9223372036854775808\n", Result.REFUSED),
        (418, b"", Result.REFUSED),
        (429, b"", Result.UNREACHABLE),
        (500, b"", Result.UNREACHABLE),
        (503, b"", Result.UNREACHABLE),
    ],
)
def test_whatever_is_answered_has_a_name(status: int, body: bytes, result: Result) -> None:
    asked = 0

    def handler(_body: bytes) -> tuple[int, bytes]:
        nonlocal asked
        asked += 1
        return status, body

    answer = lying(handler, grown(5))
    assert answer.result is result
    assert answer.cosignature is None
    assert answer.detail.isprintable()
    assert asked <= 2


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "text/x.tlog.sizes"])
def test_a_size_that_is_not_typed_as_one_is_not_taken(kind: str) -> None:
    """Many a server answers 409 of its own; a size leads to another question, and a large one to an alarm."""
    answer = lying(lambda _body: (409, b"6\n"), grown(5), size_type=kind)
    assert answer.result is Result.REFUSED
    assert kind in answer.detail


def test_a_cosignature_of_anything_else_is_not_taken() -> None:
    liar = Cosigner("witness.example/liar", key("liar"))
    stranger = Cosigner("witness.example/liar", key("stranger"))
    log = grown(5)
    text = Note.parse(log.checkpoint()).text
    other = Note.parse(grown(6).checkpoint()).text
    for line in (stranger.cosign(text, 5), liar.cosign(other, 5), liar.cosign(text + "more\n", 5)):
        answer = lying(lambda _body, line=line: (200, line.format().encode()), log)
        assert answer.result is Result.REFUSED
    truth = lying(lambda _body: (200, liar.cosign(text, 7).format().encode()), log)
    assert truth.result is Result.COSIGNED
    assert truth.cosignature is not None
    assert cosigned_at(truth.cosignature) == 7


def test_too_many_witnesses_are_refused(one: tuple[Asked, Named]) -> None:
    asked, _ = one
    with pytest.raises(WitnessError, match="name fewer"):
        submit(grown(5), [named(asked, "http://127.0.0.1:1")] * MAX_SIGNATURES)


def test_what_the_log_itself_cannot_do_is_raised(one: tuple[Asked, Named]) -> None:
    _, witness = one
    assert ask(grown(5), witness).result is Result.COSIGNED

    class Broken(Leaves):
        def consistency_proof(self, old_size: int, new_size: int | None = None) -> ConsistencyProof:
            raise NoSuchEntryError(f"no proof from {old_size} to {new_size}")

    with pytest.raises(NoSuchEntryError, match="from 5 to 9"):
        submit(Broken(grown(9).leaves), [witness])


def test_a_policy_is_what_is_asked(witnesses: list[tuple[Asked, Named]]) -> None:
    """Any two of three are enough; one is not."""
    everybody = tuple(each for _, each in witnesses)
    vkeys = "".join(f"witness {w.name} {w.verifier.vkey} {w.url}\n" for w in everybody)
    policy = Policy.parse(f"log {SIGNER.vkey}\n{vkeys}group G 2 w1 w2 w3\nquorum G\n")
    assert policy.logs == (TrustedLog(SIGNER.verifier),)
    assert policy.check(submit(grown(5), everybody[:2], deadline_seconds=30).note).size == 5
    with pytest.raises(PolicyError, match="does not reach the quorum"):
        policy.check(submit(grown(6), everybody[2:], deadline_seconds=30).note)
