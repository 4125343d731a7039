import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.encoding import encode_base64
from ledger.errors import CheckpointError, LedgerError, NoteError, ProofError, SignatureError
from ledger.merkle import consistency_path, inclusion_path, leaf_hash, root
from ledger.note import NoteSigner
from ledger.proof import MAX_EXTRA_BYTES, ConsistencyProof, InclusionProof, TlogProof

LEAVES = [leaf_hash(b"%d" % number) for number in range(64)]


def proof_of(signer: NoteSigner, index: int, size: int, extra: bytes | None = None) -> TlogProof:
    note = sign_checkpoint(Checkpoint(signer.name, size, root(LEAVES[:size])), signer)
    return TlogProof(index, inclusion_path(LEAVES[:size], index), note, extra)


def places() -> st.SearchStrategy[tuple[int, int]]:
    sizes = st.integers(1, len(LEAVES))
    return sizes.flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size)))


@given(places(), st.none() | st.binary(min_size=1, max_size=50))
def test_round_trip(signer: NoteSigner, place: tuple[int, int], extra: bytes | None) -> None:
    proof = proof_of(signer, *place, extra)
    assert TlogProof.parse(proof.format()) == proof
    checkpoint = proof.verify(LEAVES[place[0]], [signer.verifier])
    assert checkpoint.size == place[1]


@given(places(), st.data())
def test_one_flipped_bit_is_refused(signer: NoteSigner, place: tuple[int, int], data: st.DataObject) -> None:
    file = bytearray(proof_of(signer, *place).format())
    position = data.draw(st.integers(0, len(file) * 8 - 1))
    file[position // 8] ^= 1 << position % 8
    with pytest.raises(LedgerError):
        TlogProof.parse(bytes(file)).verify(LEAVES[place[0]], [signer.verifier])


def test_every_flipped_bit_of_one_proof_is_refused(signer: NoteSigner) -> None:
    file = proof_of(signer, 5, 11).format()
    for position in range(len(file) * 8):
        changed = bytearray(file)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(LedgerError):
            TlogProof.parse(bytes(changed)).verify(LEAVES[5], [signer.verifier])


@given(st.data())
def test_what_parses_has_one_form(signer: NoteSigner, data: st.DataObject) -> None:
    lines = proof_of(signer, 2, 5, b"extra").format().split(b"\n")
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(lines) - 1))
        lines[position] = data.draw(st.sampled_from([*lines, b"", b"index 0", b"extra QQ=="]))
    file = b"\n".join(lines)
    try:
        proof = TlogProof.parse(file)
    except LedgerError:
        return
    assert proof.format() == file


def test_the_format_is_that_of_the_specification(signer: NoteSigner) -> None:
    proof = proof_of(signer, 2, 3, b"more")
    [sibling] = proof.path
    assert proof.format().decode() == (
        f"c2sp.org/tlog-proof@v1\nextra bW9yZQ==\nindex 2\n{encode_base64(sibling)}\n\n{proof.checkpoint_note.decode()}"
    )


def test_a_proof_is_for_one_leaf_and_one_log(signer: NoteSigner) -> None:
    proof = proof_of(signer, 2, 5)
    with pytest.raises(ProofError, match="leads to the root"):
        proof.verify(LEAVES[3], [signer.verifier])
    with pytest.raises(SignatureError, match="none of the 1 keys"):
        proof.verify(LEAVES[2], [NoteSigner("example.com/other", signer.key).verifier])
    with pytest.raises(SignatureError):
        proof.verify(LEAVES[2], [])


@pytest.mark.parametrize(
    "change",
    [
        (b"tlog-proof@v1", b"tlog-proof@v2"),
        (b"index 2", b"index 02"),
        (b"index 2", b"index -2"),
        (b"index 2", b"index"),
        (b"index 2\n", b""),
        (b"index 2", b"extra \nindex 2"),
        (b"index 2", b"extra QQ\nindex 2"),
        (b"index 2", b"extra QQ==\nextra QQ==\nindex 2"),
        (b"index 2", b"index 2\nextra QQ=="),
        (b"index 2", b"index 4"),
        (b"index 2", b"index 5"),
        (b"index 2", b"index 2\n" + b"A" * 43 + b"="),
        (b"index 2", b"index 2\n" * 66),
        (b"index 2", b"index 2\r"),
        (b"index 2", "index \N{FULLWIDTH DIGIT TWO}".encode()),
        (b"index 2\n", b"index 2\n\n"),
        (b"@v1\n", b"@v1\nextra " + b"QUJD" * 60_000 + b"\n"),
        (b"\n\n", b"\n"),
    ],
)
def test_what_is_no_proof_is_refused(signer: NoteSigner, change: tuple[bytes, bytes]) -> None:
    file = proof_of(signer, 2, 5).format()
    with pytest.raises((ProofError, NoteError, CheckpointError)):
        TlogProof.parse(file.replace(*change, 1))


def test_what_cannot_be_written_is_refused(signer: NoteSigner) -> None:
    proof = proof_of(signer, 2, 5)
    for extra in (b"", bytes(MAX_EXTRA_BYTES + 1)):
        with pytest.raises(ProofError, match="extra data"):
            TlogProof(2, proof.path, proof.checkpoint_note, extra)
    with pytest.raises(ProofError, match="not 32 bytes"):
        TlogProof(2, (b"short", *proof.path[1:]), proof.checkpoint_note)
    with pytest.raises(NoteError):
        TlogProof(2, proof.path, b"no note")
    with pytest.raises(CheckpointError):
        TlogProof(2, proof.path, "no checkpoint\n\n— a AAAAAAA=\n".encode())


def test_inclusion_proof() -> None:
    proof = InclusionProof(3, 7, inclusion_path(LEAVES[:7], 3))
    proof.verify(LEAVES[3], root(LEAVES[:7]))
    with pytest.raises(ProofError):
        proof.verify(LEAVES[3], root(LEAVES[:8]))


def test_consistency_proof() -> None:
    proof = ConsistencyProof(3, 7, consistency_path(LEAVES[:7], 3))
    proof.verify(root(LEAVES[:3]), root(LEAVES[:7]))
    with pytest.raises(ProofError):
        proof.verify(root(LEAVES[:4]), root(LEAVES[:7]))
