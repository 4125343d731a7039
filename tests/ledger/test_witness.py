import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.add_checkpoint import AddCheckpoint, parse_cosignature
from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.cosignature import Cosigner, cosigned_at
from ledger.errors import (
    AddCheckpointError,
    InconsistentCheckpointError,
    OldSizeError,
    SignatureError,
    UnknownLogError,
    WitnessError,
    WitnessStateError,
)
from ledger.keys import Ed25519Signer
from ledger.merkle import EMPTY_ROOT, consistency_path, leaf_hash, root
from ledger.note import Note, NoteSigner, NoteVerifier, Signature, SignatureType, open_note
from ledger.witness import Witness
from ledger.witness_memory import origin_hash


def key(letter: bytes) -> Ed25519Signer:
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(letter * 32))


COSIGNER = Cosigner("witness.example/w1", key(b"w"))
LOG = NoteSigner("example.com/log", key(b"l"))


@dataclass
class History:
    """A log as it tells it: leaves, and a key that signs whatever is asked of it."""

    leaves: list[bytes]
    signer: NoteSigner = LOG

    def note(self, size: int, extensions: tuple[str, ...] = ()) -> Note:
        checkpoint = Checkpoint(self.signer.name, size, root(self.leaves[:size]), extensions)
        return Note.parse(sign_checkpoint(checkpoint, self.signer))

    def path(self, old_size: int, size: int) -> tuple[bytes, ...]:
        return consistency_path(self.leaves[:size], old_size) if 0 < old_size <= size else ()

    def request(self, old_size: int, size: int, proof: tuple[bytes, ...] | None = None) -> bytes:
        path = self.path(old_size, size) if proof is None else proof
        return AddCheckpoint(old_size, path, self.note(size)).format()


def leaves(name: str, count: int) -> list[bytes]:
    return [leaf_hash(f"{name} {number}".encode()) for number in range(count)]


TRUNK = leaves("trunk", 20)
HISTORY = History(TRUNK)
FORK = History(TRUNK[:8] + leaves("fork", 12))


@pytest.fixture
def open_witness(tmp_path: Path) -> Callable[..., Witness]:
    """Opens the witness of one folder, as often as it is restarted."""

    def reopen(*logs: NoteVerifier, clock: Callable[[], float] = lambda: 1_700_000_000.9) -> Witness:
        return Witness(COSIGNER, logs or (LOG.verifier,), tmp_path, clock=clock)

    return reopen


@pytest.fixture
def witness(open_witness: Callable[..., Witness]) -> Witness:
    return open_witness()


def last_size(witness: Witness, origin: str = LOG.name) -> int:
    note = witness.checkpoint(origin_hash(origin))
    open_note(note, [witness.verifier])
    return open_checkpoint(note, [LOG.verifier]).size


def test_a_log_that_grows_is_cosigned(witness: Witness) -> None:
    old = 0
    for size in (0, 0, 1, 1, 2, 3, 8, 20, 20):
        answer = witness.add_checkpoint(HISTORY.request(old, size))
        cosignature = parse_cosignature(answer, HISTORY.note(size).text, witness.verifier)
        assert cosigned_at(cosignature) == 1_700_000_000
        assert last_size(witness) == size
        assert cosignature in Note.parse(witness.checkpoint(origin_hash(LOG.name))).signatures
        old = size


def test_what_was_cosigned_is_remembered(open_witness: Callable[..., Witness]) -> None:
    open_witness().add_checkpoint(HISTORY.request(0, 7))
    again = open_witness()
    assert last_size(again) == 7
    with pytest.raises(OldSizeError):
        again.add_checkpoint(HISTORY.request(0, 7))
    again.add_checkpoint(HISTORY.request(7, 9))
    assert last_size(open_witness()) == 9


@pytest.mark.parametrize("old_size", [0, 3, 8, 9])
def test_409_another_old_size_is_told_the_right_one(witness: Witness, old_size: int) -> None:
    witness.add_checkpoint(HISTORY.request(0, 7))
    with pytest.raises(OldSizeError, match="size 7; send the proof from there") as refused:
        witness.add_checkpoint(HISTORY.request(old_size, 9))
    assert refused.value.size == 7
    assert last_size(witness) == 7


def test_409_a_size_where_nothing_was_cosigned_is_told_zero(witness: Witness) -> None:
    with pytest.raises(OldSizeError) as refused:
        witness.add_checkpoint(HISTORY.request(5, 7))
    assert refused.value.size == 0


def test_409_a_smaller_checkpoint_cannot_even_be_asked_for(witness: Witness) -> None:
    witness.add_checkpoint(HISTORY.request(0, 7))
    with pytest.raises(OldSizeError):
        witness.add_checkpoint(HISTORY.request(5, 5))
    body = HISTORY.request(5, 5).replace(b"old 5\n", b"old 7\n")
    with pytest.raises(AddCheckpointError, match="only grows"):
        witness.add_checkpoint(body)
    assert last_size(witness) == 7


def test_400_what_is_no_request(witness: Witness) -> None:
    for body in (b"", b"old 0\n\n", HISTORY.request(0, 7)[:-1], b"x" * 1000):
        with pytest.raises(AddCheckpointError):
            witness.add_checkpoint(body)


def test_404_a_log_that_is_not_watched(witness: Witness) -> None:
    stranger = History(TRUNK, NoteSigner("example.com/other", LOG.key))
    with pytest.raises(UnknownLogError, match="does not watch"):
        witness.add_checkpoint(stranger.request(0, 7))


@pytest.mark.parametrize("name", ["", "x", origin_hash("example.com/other"), "../witness.pem", origin_hash(LOG.name)])
def test_404_where_nothing_was_cosigned(witness: Witness, name: str) -> None:
    with pytest.raises(UnknownLogError):
        witness.checkpoint(name)


def forged(*signatures: Signature) -> bytes:
    return AddCheckpoint(0, (), Note(HISTORY.note(7).text, signatures)).format()


def test_403_without_a_signature_by_a_known_key_of_the_log(witness: Witness) -> None:
    [good] = HISTORY.note(7).signatures
    impostor = NoteSigner(LOG.name, key(b"x"))
    [by_another_key] = History(TRUNK, impostor).note(7).signatures
    [by_another_name] = Note.parse(forged(Signature("example.com/other", good.key_id, good.signature))[7:]).signatures
    [of_another_size] = HISTORY.note(8).signatures
    own = COSIGNER.cosign(HISTORY.note(7).text, 5)
    for signatures in ([by_another_key], [by_another_name], [of_another_size], [own], [good, of_another_size]):
        with pytest.raises(SignatureError):
            witness.add_checkpoint(forged(*signatures))
    with pytest.raises(UnknownLogError):
        last_size(witness)


def test_signatures_of_others_are_ignored_and_not_published(witness: Witness) -> None:
    [good] = HISTORY.note(7).signatures
    others = [Signature(f"example.com/{n}", n, b"anything") for n in range(20)]
    stale = COSIGNER.cosign(HISTORY.note(7).text, 5)
    witness.add_checkpoint(forged(*others, good, good, stale))
    published = Note.parse(witness.checkpoint(origin_hash(LOG.name)))
    assert [signature.name for signature in published.signatures] == [LOG.name, COSIGNER.name]
    assert cosigned_at(published.signatures[1]) == 1_700_000_000


def test_422_an_empty_tree_with_another_root(witness: Witness) -> None:
    note = Note.parse(sign_checkpoint(Checkpoint(LOG.name, 0, bytes(32)), LOG))
    with pytest.raises(InconsistentCheckpointError, match="empty tree"):
        witness.add_checkpoint(AddCheckpoint(0, (), note).format())
    assert HISTORY.note(0).text.split("\n")[2] == Checkpoint(LOG.name, 0, EMPTY_ROOT).format().split("\n")[2]


@pytest.mark.parametrize("size", [0, 1, 7])
def test_422_a_proof_from_nothing(witness: Witness, size: int) -> None:
    with pytest.raises(InconsistentCheckpointError, match="from size 0"):
        witness.add_checkpoint(HISTORY.request(0, size, (bytes(32),)))
    witness.add_checkpoint(HISTORY.request(0, 0))
    with pytest.raises(InconsistentCheckpointError, match="from size 0"):
        witness.add_checkpoint(HISTORY.request(0, size, (bytes(32),)))


def test_422_a_proof_that_does_not_verify(witness: Witness) -> None:
    witness.add_checkpoint(HISTORY.request(0, 7))
    good = HISTORY.path(7, 9)
    changed = (bytes(32), *good[1:])
    for proof in ((), good[:-1], (*good, bytes(32)), changed, good[::-1], HISTORY.path(6, 9), HISTORY.path(7, 10)):
        with pytest.raises(InconsistentCheckpointError):
            witness.add_checkpoint(HISTORY.request(7, 9, proof))
    with pytest.raises(InconsistentCheckpointError):
        witness.add_checkpoint(HISTORY.request(7, 7, (bytes(32),)))
    assert last_size(witness) == 7


def test_422_another_root_at_the_same_size_is_a_fork(witness: Witness, caplog: pytest.LogCaptureFixture) -> None:
    """tlog-witness: the old size is right, "but the root hashes" are not identical."""
    witness.add_checkpoint(HISTORY.request(0, 9))
    with pytest.raises(InconsistentCheckpointError, match="forked"):
        witness.add_checkpoint(FORK.request(9, 9, ()))
    assert "The log forked" in caplog.text
    assert FORK.note(9).text.split("\n")[2] in caplog.text
    assert last_size(witness) == 9


def test_the_second_of_two_copies_of_a_log_is_refused(witness: Witness) -> None:
    """Both grow from the same 8 entries, under the same key; the witness goes with the first it saw."""
    witness.add_checkpoint(HISTORY.request(0, 8))
    witness.add_checkpoint(HISTORY.request(8, 10))
    for size in (10, 12, 20):
        with pytest.raises(InconsistentCheckpointError):
            witness.add_checkpoint(FORK.request(10, size))
    with pytest.raises(OldSizeError):
        witness.add_checkpoint(FORK.request(8, 12))
    witness.add_checkpoint(HISTORY.request(10, 20))


def test_the_same_checkpoint_again_is_cosigned_again(open_witness: Callable[..., Witness]) -> None:
    times = iter([100.0, 100.0, 250.0])
    witness = open_witness(clock=lambda: next(times))
    stamps = []
    for old in (0, 7, 7):
        answer = witness.add_checkpoint(HISTORY.request(old, 7))
        stamps.append(cosigned_at(parse_cosignature(answer, HISTORY.note(7).text, witness.verifier)))
    assert stamps == [100, 100, 250]


def test_extension_lines_are_cosigned(witness: Witness) -> None:
    note = HISTORY.note(7, ("an extension",))
    answer = witness.add_checkpoint(AddCheckpoint(0, (), note).format())
    assert parse_cosignature(answer, note.text, witness.verifier)
    assert Note.parse(witness.checkpoint(origin_hash(LOG.name))).text == note.text


def test_logs_are_watched_apart_and_may_have_several_keys(open_witness: Callable[..., Witness]) -> None:
    newer = NoteSigner(LOG.name, key(b"m"))
    other = NoteSigner("example.com/other", key(b"l"))
    witness = open_witness(LOG.verifier, newer.verifier, other.verifier)
    assert witness.origins == (LOG.name, other.name)
    witness.add_checkpoint(HISTORY.request(0, 7))
    witness.add_checkpoint(History(TRUNK, newer).request(7, 9))
    witness.add_checkpoint(History(FORK.leaves, other).request(0, 12))
    both = Note(HISTORY.note(11).text, HISTORY.note(11).signatures + History(TRUNK, newer).note(11).signatures)
    witness.add_checkpoint(AddCheckpoint(9, HISTORY.path(9, 11), both).format())
    published = Note.parse(witness.checkpoint(origin_hash(LOG.name)))
    assert len(published.signatures) == 3
    again = open_witness(newer.verifier)  # the old key is not trusted any more, and what it signed stays
    again.add_checkpoint(History(TRUNK, newer).request(11, 13))
    with pytest.raises(SignatureError):
        again.add_checkpoint(HISTORY.request(13, 14))


def test_time_does_not_go_back(open_witness: Callable[..., Witness]) -> None:
    def stamp(at: float, old: int, size: int) -> int:
        answer = open_witness(clock=lambda: at).add_checkpoint(HISTORY.request(old, size))
        return cosigned_at(parse_cosignature(answer, HISTORY.note(size).text, COSIGNER.verifier))

    assert stamp(1000, 0, 1) == 1000
    assert stamp(950, 1, 2) == 1000
    with pytest.raises(WitnessStateError, match="clock"):
        stamp(900, 2, 3)
    assert stamp(1001, 2, 3) == 1001


def test_a_clock_at_zero_gives_no_cosignature_of_zero(open_witness: Callable[..., Witness]) -> None:
    answer = open_witness(clock=lambda: 0.0).add_checkpoint(HISTORY.request(0, 1))
    assert cosigned_at(parse_cosignature(answer, HISTORY.note(1).text, COSIGNER.verifier)) == 1


def test_a_damaged_memory_is_told_at_once_and_left_alone(open_witness: Callable[..., Witness], tmp_path: Path) -> None:
    witness = open_witness()
    witness.add_checkpoint(HISTORY.request(0, 7))
    path = tmp_path / origin_hash(LOG.name)
    for damage in (b"", path.read_bytes()[:-9], HISTORY.note(7).format()):
        path.write_bytes(damage)
        with pytest.raises(WitnessStateError, match=r"newest copy.*begin a new witness"):
            open_witness()
        with pytest.raises(WitnessStateError):
            witness.add_checkpoint(HISTORY.request(0, 7))
        with pytest.raises(WitnessStateError):
            witness.checkpoint(path.name)
        assert path.read_bytes() == damage


def test_what_cannot_be_remembered_is_not_cosigned(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    witness = Witness(COSIGNER, [LOG.verifier], folder)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError):
        witness.add_checkpoint(HISTORY.request(0, 7))


def test_a_witness_needs_logs_and_their_keys(open_witness: Callable[..., Witness], tmp_path: Path) -> None:
    with pytest.raises(WitnessError, match="at least one"):
        Witness(COSIGNER, [], tmp_path)
    with pytest.raises(WitnessError, match="not one that a log signs with"):
        open_witness(NoteVerifier(LOG.name, LOG.verifier.public_key, SignatureType.COSIGNATURE))


BRANCHES = (HISTORY, FORK, History(TRUNK[:3] + leaves("early", 17)))
STEPS = st.tuples(
    st.sampled_from(BRANCHES),
    st.integers(0, 20),  # size
    st.integers(0, 20) | st.none(),  # the old size stated; None for the right one
    st.sampled_from(["true", "none", "other"]),  # the proof given
    st.booleans(),  # restart before
)


@given(st.lists(STEPS, max_size=12))
def test_no_two_inconsistent_checkpoints_are_ever_cosigned(
    steps: list[tuple[History, int, int | None, str, bool]],
) -> None:
    with TemporaryDirectory() as folder:
        witness = Witness(COSIGNER, [LOG.verifier], Path(folder))
        given_out: list[list[bytes]] = []
        for history, size, stated, kind, restarted in steps:
            if restarted:
                witness = Witness(COSIGNER, [LOG.verifier], Path(folder))
            right = len(given_out[-1]) if given_out else 0
            old = min(right if stated is None else stated, size)
            proof = {"true": history.path(old, size), "none": (), "other": BRANCHES[0].path(old, size)}[kind]
            try:
                answer = witness.add_checkpoint(history.request(old, size, proof))
            except (OldSizeError, InconsistentCheckpointError):
                continue
            assert parse_cosignature(answer, history.note(size).text, witness.verifier)
            given_out.append(history.leaves[:size])
            assert last_size(witness) == size
    for earlier, later in pairwise(given_out):
        assert later[: len(earlier)] == earlier


def test_of_two_forks_submitted_at_once_one_is_cosigned(open_witness: Callable[..., Witness]) -> None:
    """Two witnesses on one folder stand for two processes: what they wait for is a file."""
    trunk = TRUNK[:1]
    open_witness().add_checkpoint(HISTORY.request(0, 1))
    for size in range(2, 12):
        rivals = [History([*trunk, leaf_hash(f"{side} {size}".encode())]) for side in ("left", "right")]
        barrier = threading.Barrier(len(rivals))
        accepted: list[History] = []

        def race(rival: History, size: int, barrier: threading.Barrier, accepted: list[History]) -> None:
            witness = open_witness()
            barrier.wait()
            with suppress(OldSizeError):
                witness.add_checkpoint(rival.request(size - 1, size))
                accepted.append(rival)

        threads = [threading.Thread(target=race, args=[rival, size, barrier, accepted]) for rival in rivals]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        [winner] = accepted
        assert Note.parse(open_witness().checkpoint(origin_hash(LOG.name))).text == winner.note(size).text
        trunk = winner.leaves
