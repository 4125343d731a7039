import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import MAX_EXTENSIONS, Checkpoint, open_checkpoint, sign_checkpoint
from ledger.encoding import MAX_NUMBER
from ledger.errors import CheckpointError, NoteError, SignatureError
from ledger.merkle import EMPTY_ROOT, leaf_hash, root
from ledger.note import NoteSigner, NoteVerifier, SignatureType, sign

TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(
    LINES,
    st.integers(0, MAX_NUMBER),
    st.binary(min_size=32, max_size=32),
    st.lists(LINES, max_size=MAX_EXTENSIONS),
)
def test_round_trip(origin: str, size: int, root_hash: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint(origin, size, root_hash, tuple(extensions))
    assert Checkpoint.parse(checkpoint.format()) == checkpoint


@given(st.text(alphabet="a0\n1=", max_size=20).map(lambda tail: f"o\n1\n{'A' * 43}=\n{tail}"))
def test_what_parses_has_one_form(text: str) -> None:
    try:
        checkpoint = Checkpoint.parse(text)
    except CheckpointError:
        return
    assert checkpoint.format() == text


ROOT = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"log\n1\n{ROOT}",
        "log\n1\n",
        f"\n1\n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        f"log\n01\n{ROOT}\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n1 \n{ROOT}\n",
        f"log\n{MAX_NUMBER + 1}\n{ROOT}\n",
        f"log\n1\n{ROOT[:-1]}\n",
        f"log\n1\n{ROOT[:-2]}V=\n",
        "log\n1\nAAAA\n",
        f"log\n1\n{ROOT}\n\n",
        f"log\n1\n{ROOT}\next\n\n",
        f"log\n1\n{ROOT}\n" + "ext\n" * (MAX_EXTENSIONS + 1),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError):
        Checkpoint.parse(text)


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(CheckpointError, match="more than one line"):
        Checkpoint("two\nlines", 0, EMPTY_ROOT)
    with pytest.raises(CheckpointError, match="tree size -1"):
        Checkpoint("log", -1, EMPTY_ROOT)


def test_sign_and_open(signer: NoteSigner) -> None:
    checkpoint = Checkpoint(signer.name, 0, EMPTY_ROOT)
    data = sign_checkpoint(checkpoint, signer)
    assert open_checkpoint(data, [signer.verifier]) == checkpoint


def test_only_the_log_itself_signs(signer: NoteSigner) -> None:
    foreign = Checkpoint("example.com/other", 0, EMPTY_ROOT)
    with pytest.raises(CheckpointError, match="cannot sign for"):
        sign_checkpoint(foreign, signer)
    with pytest.raises(SignatureError, match=r"names the log 'example\.com/other'"):
        open_checkpoint(sign(foreign.format(), signer).format(), [signer.verifier])


def test_a_cosignature_alone_is_not_the_logs(signer: NoteSigner) -> None:
    key = signer.key.verifier
    text = Checkpoint(signer.name, 0, EMPTY_ROOT).format()
    witness = NoteVerifier(signer.name, key.public_key, SignatureType.COSIGNATURE)
    stamp = (7).to_bytes(8, "big")
    signature = stamp + signer.key.sign(b"cosignature/v1\ntime 7\n" + text.encode())
    note = sign(text, signer)
    line = type(note.signatures[0])(witness.name, witness.key_id, signature)
    with pytest.raises(SignatureError, match="no trusted key of that name"):
        open_checkpoint(type(note)(text, (line,)).format(), [witness])


def test_a_note_that_is_no_checkpoint(signer: NoteSigner) -> None:
    with pytest.raises(CheckpointError):
        open_checkpoint(sign("hello\n", signer).format(), [signer.verifier])
    with pytest.raises(NoteError):
        open_checkpoint(b"hello", [signer.verifier])


def bundle(data: bytes) -> list[bytes]:
    """Reads a C2SP tlog-tiles entry bundle: 16-bit lengths and entries."""
    entries = []
    while data:
        length = int.from_bytes(data[:2], "big")
        entries.append(data[2 : 2 + length])
        data = data[2 + length :]
    return entries


def test_checkpoints_of_tessera(vectors: Callable[[str], Path]) -> None:
    folder = vectors("tessera-log") / "testdata" / "log"
    verifier = NoteVerifier.parse(TESSERA)
    leaves = [leaf_hash(e) for e in bundle((folder / "tile/entries/000.p/15").read_bytes())]
    assert len(leaves) == 15
    assert b"".join(leaves) == (folder / "tile/0/000.p/15").read_bytes()
    for size in range(16):
        data = (folder / f"checkpoint.{size}").read_bytes()
        checkpoint = open_checkpoint(data, [verifier])
        assert checkpoint == Checkpoint(verifier.name, size, root(leaves[:size]))
    newest = open_checkpoint((folder / "checkpoint").read_bytes(), [verifier])
    state = json.loads((folder / ".state" / "treeState").read_text())
    assert newest.size == state["size"]
