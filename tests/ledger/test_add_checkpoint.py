import base64
import contextlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.add_checkpoint import MAX_REQUEST_BYTES, AddCheckpoint, format_size, parse_cosignature, parse_size
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.cosignature import Cosigner, cosigned_at
from ledger.encoding import MAX_NUMBER
from ledger.errors import AddCheckpointError, SignatureError
from ledger.keys import Ed25519Signer
from ledger.merkle import MAX_PATH_HASHES
from ledger.note import MAX_NOTE_BYTES, MAX_SIGNATURES, Note, NoteSigner, Signature

LOG = NoteSigner("example.com/log", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32))))
WITNESS = Cosigner("witness.example/w1", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"w" * 32)))
HASHES = st.binary(min_size=32, max_size=32)


def note_of(size: int, root: bytes = bytes(32), extensions: tuple[str, ...] = ()) -> Note:
    return Note.parse(sign_checkpoint(Checkpoint(LOG.name, size, root, extensions), LOG))


@st.composite
def requests(draw: st.DrawFn) -> AddCheckpoint:
    size = draw(st.integers(0, MAX_NUMBER))
    note = note_of(size, draw(HASHES), tuple(draw(st.lists(st.sampled_from(["one", "old 1"]), max_size=2))))
    proof = draw(st.lists(HASHES, max_size=MAX_PATH_HASHES))
    return AddCheckpoint(draw(st.integers(0, size)), tuple(proof), note)


@given(requests())
def test_round_trip(request: AddCheckpoint) -> None:
    assert AddCheckpoint.parse(request.format()) == request
    assert len(request.format()) <= MAX_REQUEST_BYTES


@given(st.binary(max_size=60) | st.text(alphabet="old 0123\n=A— ", max_size=60).map(str.encode))
@example(b"old 1\n\n")
@example(b"")
def test_what_parses_has_one_form(data: bytes) -> None:
    tail = note_of(3).format()
    for body in (data, data + tail, b"old 1\n" + data + b"\n" + tail):
        try:
            request = AddCheckpoint.parse(body)
        except AddCheckpointError:
            continue
        assert request.format() == body


@given(st.data())
def test_a_flipped_bit_is_another_request_or_none(data: st.DataObject) -> None:
    request = AddCheckpoint(3, (bytes(32), b"\x01" * 32), note_of(7))
    body = bytearray(request.format())
    position = data.draw(st.integers(0, len(body) * 8 - 1))
    body[position // 8] ^= 1 << position % 8
    with contextlib.suppress(AddCheckpointError):
        assert AddCheckpoint.parse(bytes(body)) != request


def test_the_example_of_the_specification(c2sp: Path) -> None:
    page = (c2sp / "tlog-witness.md").read_text()
    lines = page.split("Example request body:\n\n")[1].split("\n\nThe witness MUST verify")[0].split("\n")
    body = "".join(line.removeprefix("    ") + "\n" for line in lines).encode()
    request = AddCheckpoint.parse(body)
    assert request.old_size == 20_852_014
    assert len(request.proof) == 4
    assert request.checkpoint == Checkpoint("example.com/behind-the-sofa", 20_852_163, request.checkpoint.root_hash)
    assert len(request.note.signatures) == 2
    assert request.format() == body


NOTE = note_of(7).format()
HASH = base64.b64encode(bytes(32)) + b"\n"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no empty line"),
        (NOTE, "not 'old' and a size"),
        (b"old 3\n" + NOTE, "canonical|base64"),
        (b"\n" + NOTE, "no empty line|not 'old'"),
        (b"old\n\n" + NOTE, "not 'old'"),
        (b"old  3\n\n" + NOTE, "decimal"),
        (b"old 03\n\n" + NOTE, "decimal"),
        (b"old +3\n\n" + NOTE, "decimal"),
        (b"old -1\n\n" + NOTE, "decimal"),
        (b"old 3 \n\n" + NOTE, "decimal"),
        (b"old 3\r\n\r\n" + NOTE, "no empty line|decimal"),
        (b"old 9223372036854775808\n\n" + NOTE, "decimal"),
        (b"old 8\n\n" + NOTE, "only grows"),
        (b"Old 3\n\n" + NOTE, "not 'old'"),
        (b"old 3\nAAAA\n\n" + NOTE, "hash of 32 bytes"),
        (b"old 3\n" + HASH * (MAX_PATH_HASHES + 1) + b"\n" + NOTE, "at most 63"),
        (b"old 3\n" + HASH * 200 + b"\n" + NOTE, "too much before"),
        (b"old 3\n" + HASH.replace(b"=", b"") + b"\n" + NOTE, "base64"),
        (b"old 3\n\xff\n\n" + NOTE, "0xff"),
        (b"old 3\n\n", "no signed checkpoint"),
        (b"old 3\n\n" + NOTE[:-1], "no signed checkpoint"),
        (b"old 3\n\n" + NOTE.partition(b"\n\n")[0], "no signed checkpoint"),
        (b"old 3\n\n" + b"x" * (MAX_NOTE_BYTES + 1), "no signed checkpoint"),
        (b"old 0\n\n" + NOTE.replace(b"\n7\n", b"\n07\n"), "no checkpoint"),
        (b"old 0\n\n" + NOTE.replace(b"\n7\n", b"\n"), "no checkpoint"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(AddCheckpointError, match=why):
        AddCheckpoint.parse(body)


def test_what_cannot_be_sent_is_not_made() -> None:
    for old_size in (-1, 8):
        with pytest.raises(AddCheckpointError, match="only grows"):
            AddCheckpoint(old_size, (), note_of(7))


@given(st.integers(0, MAX_NUMBER))
def test_sizes(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize("data", [b"", b"1", b"1\n\n", b" 1\n", b"01\n", b"\xff\n", b"-1\n", b"9" * 40 + b"\n"])
def test_what_is_no_size_is_refused(data: bytes) -> None:
    with pytest.raises(AddCheckpointError):
        parse_size(data)


def test_the_latest_cosignature_of_the_witness_is_taken() -> None:
    text = note_of(7).text
    lines = [WITNESS.cosign(text, seconds) for seconds in (5, 9, 7)]
    stranger = Cosigner("witness.example/w2", LOG.key).cosign(text, 11)
    body = "".join(line.format() for line in (stranger, *lines)).encode()
    assert cosigned_at(parse_cosignature(body, text, WITNESS.verifier)) == 9


def answers() -> list[tuple[bytes, type[Exception]]]:
    text = note_of(7).text
    good = WITNESS.cosign(text, 5).format()
    other = note_of(8).text
    zero = Signature(
        WITNESS.name, WITNESS.verifier.key_id, bytes(8) + WITNESS.key.sign(f"cosignature/v1\ntime 0\n{text}".encode())
    )
    plain = Signature(WITNESS.name, WITNESS.verifier.key_id, WITNESS.key.sign(text.encode()))
    # signed by the witness, but over the checkpoint, an empty line, and a text of its own
    longer = f"{text}\nmore\n"
    return [
        (b"", AddCheckpointError),
        (b"\n", AddCheckpointError),
        (good[:-1].encode(), AddCheckpointError),
        (b"hello\n", AddCheckpointError),
        (WITNESS.cosign(other, 5).format().encode(), SignatureError),
        ((good + WITNESS.cosign(other, 5).format()).encode(), SignatureError),
        (Cosigner("witness.example/w2", LOG.key).cosign(text, 5).format().encode(), SignatureError),
        (Cosigner(WITNESS.name, LOG.key).cosign(text, 5).format().encode(), SignatureError),
        (zero.format().encode(), SignatureError),
        (plain.format().encode(), SignatureError),
        (f"more\n\n{WITNESS.cosign(longer, 5).format()}".encode(), SignatureError),
        (good.encode() * (MAX_SIGNATURES + 1), AddCheckpointError),
    ]


@pytest.mark.parametrize("number", range(len(answers())))
def test_what_is_no_cosignature_of_this_checkpoint_is_refused(number: int) -> None:
    body, error = answers()[number]
    with pytest.raises(error):
        parse_cosignature(body, note_of(7).text, WITNESS.verifier)
